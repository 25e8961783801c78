"""One forward pass of a network, ready to be called: its dtype, its input, and why there is no number if it fails."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hrbench.contracts import FixedBatch, FixedPrecision, HasNotes, HasSettings, OwnEngine, Runtime
from hrbench.core.environment import processor
from hrbench.errors import UsageError
from hrbench.types import Reason, RuntimeSettings, Variant


class ReadyPass(NamedTuple):
    """work: one forward pass. prepared: seconds until the runtime had prepared the network and called it once; None
    for one that prepares nothing.
    """

    work: Callable[[], object]
    prepared: float | None


class RunAs(NamedTuple):
    """How a runtime runs a network, for the conditions; see `types.Conditions`."""

    runtime: str = ""
    prepared_as: tuple[str, ...] = ()
    channels_last: bool = False
    tf32: str = ""


@contextmanager
def ready(
    net: nn.Module,
    input_shape: tuple[int, int, int, int],
    device: torch.device,
    dtype: torch.dtype,
    runtime: Runtime,
    as_input: Callable[[Tensor], Any] | None,
    inputs: Sequence[Any] = (),
) -> Iterator[ReadyPass]:
    """One forward pass as a function, in eval and inference mode; all changes are undone afterwards.

    as_input: converts a seeded standard-normal tensor (N, C, H, W) to the network's input; None if it is the input.
    inputs: the passes go over these in turn, in place of that tensor, which the runtime gets as an example.
    """
    prepares = bool(settings_of(runtime).stated())
    if prepares or not _is_as_asked(net, device, dtype):
        net = copy.deepcopy(net)
    channels_last = settings_of(runtime).channels_last
    image = torch.randn(input_shape, generator=torch.Generator().manual_seed(0)).to(device=device, dtype=dtype)
    if channels_last:
        image = image.contiguous(memory_format=torch.channels_last)
        inputs = [each.contiguous(memory_format=torch.channels_last) if isinstance(each, Tensor) else each
                  for each in inputs]  # fmt: skip
    training = [module for module in net.modules() if module.training]
    try:
        began = time.perf_counter()
        call = runtime.prepare(net, image if as_input is None else as_input(image))
        with torch.inference_mode():
            following = cycle(inputs or [image if as_input is None else as_input(image)])
            if prepares:
                call(next(following))
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
            yield ReadyPass(
                lambda: call(next(following)), time.perf_counter() - began - checked_by(runtime) if prepares else None
            )
    finally:
        for module in training:
            module.training = True


def settings_of(runtime: Runtime) -> RuntimeSettings:
    """The settings of a runtime that was configured; those of a plain one."""
    return runtime.settings if isinstance(runtime, HasSettings) else RuntimeSettings(runtime.name)


def checked_by(runtime: Runtime) -> float:
    """Seconds that preparing the last network spent on checking its outputs."""
    return runtime.checked if isinstance(runtime, HasSettings) else 0.0


def run_as(runtime: Runtime, device: torch.device, dtype: torch.dtype) -> RunAs:
    """How a runtime runs networks on a device, once it has prepared one."""
    settings = settings_of(runtime)
    return RunAs(
        runtime=str(settings) if settings.stated() else "",
        prepared_as=tuple(map(str, runtime.notes())) if isinstance(runtime, HasNotes) else (),
        channels_last=settings.channels_last,
        tf32=tf32_in_words(dtype, device.type),
    )


def tf32_in_words(dtype: torch.dtype, device_type: str) -> str:
    """Which operations of float32 may use TF32 now; "" on a CPU, and for another dtype.

    By default torch lets convolutions use it, and not matrix products.
    """
    if device_type != "cuda" or dtype != torch.float32:
        return ""
    found = {
        "convolutions": torch.backends.cudnn.allow_tf32,
        "matrix products": torch.backends.cuda.matmul.allow_tf32,
    }
    return " and ".join(name for name, allowed in found.items() if allowed)


def _is_as_asked(net: nn.Module, device: torch.device, dtype: torch.dtype) -> bool:
    exact = torch.device(device.type, torch.cuda.current_device()) if str(device) == "cuda" else device
    tensors = [*net.parameters(), *net.buffers()]
    return all(value.device == exact and (value.dtype == dtype or not value.is_floating_point()) for value in tensors)


def dtype_of(net: Any, dtype: str) -> torch.dtype:
    """The dtype that a network computes in: the one asked for, or that of its file."""
    return net.precision if isinstance(net, FixedPrecision) else dtype_named(dtype)


def dtype_named(dtype: torch.dtype | str) -> torch.dtype:
    found = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(f"dtype {dtype!r} is unknown here; there are float32, bfloat16, float16, float64")
    return found


def reason_without_value(error: Exception, device: torch.device, dtype: torch.dtype) -> Reason | None:
    """The reason to record instead of a value, or None if the error must be raised."""
    text = str(error).lower()
    memory = ("out of memory", "not enough memory", "can't allocate memory", "failed to allocate")
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or any(phrase in text for phrase in memory):
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return Reason(f"out of memory on {device_name(device)}")
    if dtype != torch.float32 and isinstance(error, RuntimeError | TypeError):
        name = str(dtype).removeprefix("torch.")
        return Reason(f"{name} does not run on {device_name(device)}: {first_line(error)}")
    return None


def emulated(net: Any, runtime: Runtime, device: torch.device, dtype: torch.dtype) -> Reason | None:
    """Why a float16 is not measured on a CPU: it is torch that computes it. onnxruntime says itself what it does."""
    if device.type != "cpu" or dtype != torch.float16:
        return None
    if settings_of(runtime).name == "onnxruntime" or isinstance(net, OwnEngine):
        return None
    return Reason("float16 is not measured on a CPU, where torch mostly emulates it")


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__


def unfit(net: Any, variant: Variant, batch: int, dtype: str) -> Reason | None:
    """Why a network's file cannot be measured at this batch and dtype; None if it can."""
    precision = str(net.precision if isinstance(net, FixedPrecision) else dtype).removeprefix("torch.")
    if precision != dtype:
        return Reason(f"the network's file computes in {precision}", "ask for that dtype")
    if batch % batch_of_file(net, 1):
        return Reason(f"the network's file takes {batch_of_file(net)} images at once", "ask for such a batch")
    return None


def batch_of_file(net: Any, otherwise: int = 1 << 30) -> int:
    """Images that a network's file takes at once; `otherwise` for any number."""
    return (net.fixed_batch if isinstance(net, FixedBatch) else None) or otherwise


def as_input(variant: Variant) -> Callable[[Any], Any] | None:
    """Converts an (N, C, H, W) tensor to the network's input: to a list of images for a detector; None for others."""
    return list if variant.task == "detection" else None


def device_name(device: torch.device | str) -> str:
    """A GPU's product name, or the CPU's model name; the machine's architecture if the system gives no model."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else str(device)
