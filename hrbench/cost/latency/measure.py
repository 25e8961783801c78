"""How long one forward pass takes, network only: no data, no transfer, nothing before or after it.

A cell has a budget of wall time. If the first pass takes longer, there is no measurement. Then follow warm-up passes,
which are discarded, until the times are stable: until the medians of two successive windows differ by at most 5 %. A
window has at least three passes and at least 2 % of the budget. After a quarter of the budget measuring starts anyway,
and the conditions say that warming up did not settle. Then passes are measured until the budget is used up (the last
may end later), at least three and at most 2,000. A cell without a number has a reason.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hrbench.contracts import Runtime
from hrbench.core.environment import torch_flags
from hrbench.cost.latency.clocks import Clock, clock_for, device_name
from hrbench.cost.latency.summary import LATENCY
from hrbench.errors import EntryError, HrbenchError, UsageError
from hrbench.statistics.percentiles import P99_SAMPLES, median_interval, percentile
from hrbench.types import Conditions, Measurement, Reason

CPU_BUDGET = 10.0
CUDA_BUDGET = 30.0
MIN_SAMPLES = 3
MAX_SAMPLES = 2000  # three times what p99 needs; more would only make the stored result larger
WARM_UP_SHARE = 0.25
WINDOW_PASSES = 3
WINDOW_SHARE = 0.02
STABLE_WITHIN = 0.05

Progress = Callable[[float, float], None]


def measure_latency(
    net: nn.Module,
    input_shape: tuple[int, int, int, int],
    *,
    runtime: Runtime,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    budget: float | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
    as_input: Callable[[Tensor], Any] | None = None,
) -> Measurement:
    """Latency of a network in eval and inference mode on a seeded standard-normal input.

    net: on any device, in any dtype; copied if they are not the requested ones. Its training flags are restored.
    input_shape: (N, C, H, W).
    runtime: turns the network into the callable that is timed.
    dtype: "float32", "bfloat16", ...
    budget: seconds of wall time (default 10 on a CPU, 30 on CUDA).
    clock: for tests.
    progress: called as `progress(seconds done, budget)` after every pass.
    as_input: converts the (N, C, H, W) tensor to the network's input, e.g. `list` for a detector.

    Returns the median in seconds for the whole batch with its 95 % interval (None below 6 samples), all samples in the
    order measured, and among its conditions `p99` from 662 samples on. Or a Measurement without a value but with a
    reason: float16 on a CPU, a dtype that the device does not support, out of memory, a pass too slow for the budget.

    Raises UsageError for a missing device or an invalid dtype or budget; EntryError if the network fails.
    """
    device, dtype = torch.device(device), _dtype(dtype)
    budget = _budget(budget, device)
    clock = clock or clock_for(device)
    conditions = _conditions(input_shape, device, dtype, budget)
    if device.type == "cpu" and dtype == torch.float16:
        why = Reason("float16 is not measured on a CPU, where torch mostly emulates it")
        return Measurement(LATENCY, None, conditions=conditions, reason=why)
    try:
        with _ready(net, input_shape, device, dtype, runtime, as_input) as work:
            passes = _time(work, clock, budget, progress)
    except HrbenchError:
        raise
    except Exception as error:
        reason = _reason_without_value(error, device, dtype)
        if reason is None:
            raise EntryError(f"a forward pass failed while latency was measured: {_first_line(error)}") from error
        return Measurement(LATENCY, None, conditions=conditions, reason=reason)
    samples = tuple(passes.samples)
    conditions = replace(
        conditions,
        first_pass=passes.first,
        warm_up_passes=passes.warm_up,
        warm_up_settled=passes.settled,
        passes=len(samples),
        p99=percentile(samples, 99) if len(samples) >= P99_SAMPLES else None,
        threads=torch.get_num_threads(),  # read now: a network may have set it in its first pass
        flags=torch_flags(),
    )
    if passes.reason is not None:
        return Measurement(LATENCY, None, samples=samples, conditions=conditions, reason=passes.reason)
    interval = median_interval(samples)
    return Measurement(LATENCY, median(samples), interval=interval, samples=samples, conditions=conditions)


class _Passes(NamedTuple):
    first: float
    warm_up: int
    settled: bool
    samples: list[float]
    reason: Reason | None = None


def _time(work: Callable[[], object], clock: Clock, budget: float, progress: Progress | None) -> _Passes:
    """First pass, warm-up, samples; `reason` says why there are none."""
    began = clock.now()

    def once() -> float:
        seconds = clock.time(work)
        if progress is not None:
            progress(min(clock.now() - began, budget), budget)
        return seconds

    def spent() -> float:
        return clock.now() - began

    first = once()
    if spent() > budget:
        why = Reason(f"the first pass alone took {spent():.3g} s of a budget of {budget:g} s")
        return _Passes(first, 1, False, [], why)
    warm, settled = _warm_up(first, once, spent, budget)
    samples: list[float] = []
    while len(samples) < MIN_SAMPLES or (spent() < budget and len(samples) < MAX_SAMPLES):
        samples.append(once())
    return _Passes(first, warm, settled, samples)


def _warm_up(first: float, once: Callable[[], float], spent: Callable[[], float], budget: float) -> tuple[int, bool]:
    """How many passes were discarded, with the first, and whether two successive windows agreed."""
    passes, before, window = 1, None, [first]
    while spent() < WARM_UP_SHARE * budget:
        if len(window) >= WINDOW_PASSES and sum(window) >= WINDOW_SHARE * budget:
            middle = median(window)
            if before is not None and abs(middle - before) <= STABLE_WITHIN * before:
                return passes, True
            before, window = middle, []
        window.append(once())
        passes += 1
    return passes, False


@contextmanager
def _ready(
    net: nn.Module,
    input_shape: tuple[int, int, int, int],
    device: torch.device,
    dtype: torch.dtype,
    runtime: Runtime,
    as_input: Callable[[Tensor], Any] | None,
) -> Iterator[Callable[[], object]]:
    """One forward pass as a function, in eval and inference mode; all changes are undone afterwards."""
    if not _fits(net, device, dtype):
        net = copy.deepcopy(net)
    image = torch.randn(input_shape, generator=torch.Generator().manual_seed(0)).to(device=device, dtype=dtype)
    training = [module for module in net.modules() if module.training]
    try:
        call = runtime.prepare(net, image)
        with torch.inference_mode():
            input = image if as_input is None else as_input(image)
            yield lambda: call(input)
    finally:
        for module in training:
            module.training = True


def _fits(net: nn.Module, device: torch.device, dtype: torch.dtype) -> bool:
    exact = torch.device(device.type, torch.cuda.current_device()) if str(device) == "cuda" else device
    tensors = [*net.parameters(), *net.buffers()]
    return all(value.device == exact and (value.dtype == dtype or not value.is_floating_point()) for value in tensors)


def _dtype(dtype: torch.dtype | str) -> torch.dtype:
    found = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(f"dtype {dtype!r} is unknown here; there are float32, bfloat16, float16, float64")
    return found


def _budget(budget: float | None, device: torch.device) -> float:
    if budget is None:
        return CUDA_BUDGET if device.type == "cuda" else CPU_BUDGET
    if not 0 < budget < float("inf"):
        raise UsageError(f"a latency budget is a positive number of seconds, not {budget}")
    return float(budget)


def _conditions(
    input_shape: tuple[int, int, int, int], device: torch.device, dtype: torch.dtype, budget: float
) -> Conditions:
    return Conditions(
        batch=input_shape[0],
        input=(input_shape[2], input_shape[3]),
        dtype=str(dtype).removeprefix("torch."),
        device=device_name(device),
        device_type=device.type,
        percentile=50,
        budget=budget,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        channels_last=False,
        flags=torch_flags(),
        timed="one forward pass of the network, input already on the device",
    )


def _reason_without_value(error: Exception, device: torch.device, dtype: torch.dtype) -> Reason | None:
    """The reason to record instead of a value, or None if the error must be raised."""
    text = str(error).lower()
    memory = ("out of memory", "not enough memory", "can't allocate memory", "failed to allocate")
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or any(phrase in text for phrase in memory):
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return Reason(f"out of memory on {device_name(device)}")
    if dtype != torch.float32 and isinstance(error, RuntimeError | TypeError):
        name = str(dtype).removeprefix("torch.")
        return Reason(f"{name} does not run on {device_name(device)}: {_first_line(error)}")
    return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
