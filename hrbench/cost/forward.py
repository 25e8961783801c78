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

from hrbench.contracts import FixedBatch, FixedPrecision, Runtime
from hrbench.core.environment import processor
from hrbench.errors import UsageError
from hrbench.types import Reason, Variant


class ReadyPass(NamedTuple):
    """work: one forward pass. prepared: seconds that the runtime took to prepare the network."""

    work: Callable[[], object]
    prepared: float


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
    if not _is_as_asked(net, device, dtype):
        net = copy.deepcopy(net)
    image = torch.randn(input_shape, generator=torch.Generator().manual_seed(0)).to(device=device, dtype=dtype)
    training = [module for module in net.modules() if module.training]
    try:
        began = time.perf_counter()
        call = runtime.prepare(net, image)
        prepared = time.perf_counter() - began
        with torch.inference_mode():
            following = cycle(inputs or [image if as_input is None else as_input(image)])
            yield ReadyPass(lambda: call(next(following)), prepared)
    finally:
        for module in training:
            module.training = True


def _is_as_asked(net: nn.Module, device: torch.device, dtype: torch.dtype) -> bool:
    exact = torch.device(device.type, torch.cuda.current_device()) if str(device) == "cuda" else device
    tensors = [*net.parameters(), *net.buffers()]
    return all(value.device == exact and (value.dtype == dtype or not value.is_floating_point()) for value in tensors)


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


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__


def unfit(net: Any, variant: Variant, batch: int, dtype: str) -> Reason | None:
    """Why a network's file cannot be measured at this batch and dtype; None if it can."""
    precision = str(net.precision if isinstance(net, FixedPrecision) else dtype).removeprefix("torch.")
    batch_of_file = (net.fixed_batch if isinstance(net, FixedBatch) else None) or 1
    if precision != dtype:
        return Reason(f"the network's file computes in {precision}", "ask for that dtype")
    if batch % batch_of_file:
        return Reason(f"the network's file takes {batch_of_file} images at once", "ask for such a batch")
    return None


def as_input(variant: Variant) -> Callable[[Any], Any] | None:
    """Converts an (N, C, H, W) tensor to the network's input: to a list of images for a detector; None for others."""
    return list if variant.task == "detection" else None


def device_name(device: torch.device | str) -> str:
    """A GPU's product name, or the CPU's model name; the machine's architecture if the system gives no model."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else str(device)
