"""The memory of a forward pass: its peak on the device, and what weights and activations take, as a cost.

On a CPU the peak is that of the process's resident memory (VmHWM, reset before the passes), above what the process had
before the network was built. `ru_maxrss` is no measure of it: a process begins with that of whoever started it.

glibc keeps freed blocks, and raises the size from which it gives them back as larger ones are freed. Resident memory
then depends on the order in which threads free: peaks of the same network differ by 20 % from process to process, up to
twice as high as what was ever in use. So the size is fixed for the measurement at 128 KiB, its first value, as
MALLOC_MMAP_THRESHOLD_=131072 does for a whole program. Peaks of one network are then equal within 1 %.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.contracts import CostSubject
from hrbench.core.process_memory import resident
from hrbench.cost.forward_options import Batches, Dtypes, every_cell
from hrbench.cost.operations.ledger import Ledger
from hrbench.cost.packed_weights import packed_objects, packed_tensors
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Conditions, Measurement, Quantity, Reason

if TYPE_CHECKING:
    import torch

M_MMAP_THRESHOLD, GIVEN_BACK, KEPT = -3, 128 * 1024, 32 * 1024 * 1024
"""glibc's option; the size from which freed blocks are given back while memory is measured; and the largest to which
glibc itself would raise it, which is set afterwards."""

PASSES = 3
"""Forward passes: the first may prepare what later ones use."""

_GROUP = "Memory (MiB)"
PEAK = Quantity(
    "memory-peak", "Peak memory", "bytes", "lower",
    "Most memory in use during forward passes, weights included, above what there was before the network was built: "
    "of the process on a CPU, allocated by torch on a GPU.",
    heading="peak", group=_GROUP,
)  # fmt: skip
RESERVED = Quantity(
    "memory-reserved", "Reserved memory", "bytes", "lower",
    "Most memory that torch's allocator had taken from the GPU during forward passes.",
    heading="reserved", group=_GROUP,
)  # fmt: skip
WEIGHTS = Quantity(
    "memory-weights", "Weights", "bytes", "lower", "Bytes of parameters and buffers.", heading="weights", group=_GROUP,
    per_batch=False,
)  # fmt: skip
ACTIVATIONS = Quantity(
    "memory-activations", "Activations", "bytes", "lower",
    "Bytes of the outputs of all operators of a forward pass, views and copies left out.",
    heading="activations", group=_GROUP,
)  # fmt: skip
LARGEST = Quantity(
    "memory-largest-activation", "Largest activation", "bytes", "lower", "Bytes of the largest output of an operator.",
    heading="largest activation", group=_GROUP,
)  # fmt: skip


CONVERTED = ("compile", "export", "onnxruntime")
"""Runtimes whose peak on a CPU would be that of a compiler or an exporter."""


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """Where memory is measured; each batch and dtype makes a cell."""

    batch: Batches = (1,)
    dtype: Dtypes = ()


class Memory:
    """Measures the memory of forward passes on the device (contracts.CostProbe)."""

    name = "memory"
    version = 1
    quantities = (PEAK, RESERVED, WEIGHTS, ACTIVATIONS, LARGEST)
    depends = ("device", "driver", "torch", "threads")
    Options = MemoryOptions
    own_process = "memory is only measured in a process that has run nothing else"

    def cells(self, options: MemoryOptions) -> Sequence[Conditions]:
        """Every batch in every dtype."""
        return every_cell(options.batch, options.dtype)

    def measure(self, subject: CostSubject, cell: Conditions, options: MemoryOptions) -> list[Measurement]:
        """The peak, then what weights and activations take; each with a reason if it cannot be told."""
        import torch

        from hrbench.cost import forward

        assert cell.batch is not None
        device, dtype = torch.device(subject.device), forward.dtype_named(cell.dtype)
        conditions = Conditions(
            batch=cell.batch, input=subject.variant.input, dtype=cell.dtype, device=forward.device_name(device),
            device_type=device.type, threads=torch.get_num_threads(), torch=str(torch.__version__),
        )  # fmt: skip
        plain = Conditions(batch=cell.batch, input=subject.variant.input, dtype=cell.dtype)
        counted = _counted(subject, plain, dtype)  # before: it needs no memory, and its modules are loaded then
        try:
            peaks = _peaks(subject, conditions, device, dtype)
        except HrbenchError:
            raise
        except Exception as error:
            reason = forward.reason_without_value(error, device, dtype)
            if reason is None:
                told = forward.first_line(error)
                raise EntryError(f"a forward pass failed while memory was measured: {told}") from error
            peaks = [Measurement(PEAK, None, conditions=conditions, reason=reason)]
        return [*peaks, *counted]


def _peaks(subject: CostSubject, conditions: Conditions, device: torch.device, dtype: torch.dtype) -> list[Measurement]:
    """The peak of the process, or those of the GPU."""

    from hrbench.cost import forward

    assert conditions.batch is not None
    if device.type == "cpu" and (name := forward.settings_of(subject.runtime).name) in CONVERTED:
        why = Reason(
            f"runtime {name} converts the network in the same process, which takes more memory than a pass",
            "measure its file (onnx:, exported:)" if name != "compile" else "",
        )
        return [Measurement(PEAK, None, conditions=conditions, reason=why)]
    meter: ProcessMemory | GpuMemory = ProcessMemory() if device.type == "cpu" else GpuMemory(device)
    _load_kernels(device, dtype)
    meter.begin()
    net = subject.on_device()
    reason = forward.unfit(net, subject.variant, conditions.batch, conditions.dtype)
    if reason := reason or forward.emulated(net, subject.runtime, device, dtype):
        return [Measurement(PEAK, None, conditions=conditions, reason=reason)]
    net = net.to(dtype)
    shape = (conditions.batch, 3, *subject.variant.input)
    with forward.ready(net, shape, device, dtype, subject.runtime, forward.as_input(subject.variant)) as passing:
        meter.reset()
        for done in range(PASSES):
            passing.work()
            subject.progress("passes", done + 1, PASSES)
        found = meter.peaks()
        meter.end()
    conditions = replace(conditions, **forward.run_as(subject.runtime, device, dtype)._asdict())
    if isinstance(found, Reason):
        return [Measurement(PEAK, None, conditions=conditions, reason=found)]
    return [Measurement(quantity, value, conditions=conditions) for quantity, value in found.items()]


def _load_kernels(device: torch.device, dtype: torch.dtype) -> None:
    """Runs some small layers, which load what any network needs: libraries, threads, the GPU's context.

    What libraries generate for the layers of the network itself, some MiB of code, is part of its peak.
    """
    import torch
    from torch import nn

    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 16, 3, 1, 1),
        nn.Upsample(scale_factor=2, mode="bilinear"), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 8),
    )  # fmt: skip
    with torch.inference_mode():
        layers.eval().to(device, dtype)(torch.zeros(1, 3, 32, 32, device=device, dtype=dtype))


class ProcessMemory:
    """The resident memory of this process. root: the folder that holds /proc, "" except in tests."""

    def __init__(self, root: str = "") -> None:
        self.root = Path(root or "/") / "proc" / "self"
        self.before = 0
        self.former: int | None = None

    def begin(self) -> None:
        """Takes the memory there is as what is there without the network."""
        gc.collect()
        _call("mallopt", M_MMAP_THRESHOLD, GIVEN_BACK)
        _call("malloc_trim", 0)  # else the network would take what was freed before, unseen
        self.before = self._read("VmRSS") or 0

    def reset(self) -> None:
        """Forgets former peaks, where the system lets it."""
        try:
            (self.root / "clear_refs").write_text("5")
        except OSError:
            self.former = self._read("VmHWM")

    def peaks(self) -> dict[Quantity, int] | Reason:
        """The peak since the reset, above what was there at the beginning."""
        peak = self._read("VmHWM")
        if peak is None or not self.before:
            return Reason("this system does not tell the peak memory of a process (it has no /proc)")
        if self.former is not None and peak <= self.former:
            return Reason("this system does not let the peak of a process be reset, and an earlier one was higher")
        return {PEAK: max(0, peak - self.before)}

    def end(self) -> None:
        """Lets the allocator keep freed blocks again."""
        _call("mallopt", M_MMAP_THRESHOLD, KEPT)

    def _read(self, name: str) -> int | None:
        return resident(name, self.root)


class GpuMemory:
    """The memory that torch takes of a GPU. cuda: `torch.cuda`, or a fake in tests."""

    def __init__(self, device: torch.device, cuda: Any = None) -> None:
        import torch

        self.device, self.cuda = device, torch.cuda if cuda is None else cuda
        self.before = 0

    def begin(self) -> None:
        """Takes the memory there is as what is there without the network."""
        self.cuda.synchronize(self.device)
        self.cuda.empty_cache()
        self.before = self.cuda.memory_allocated(self.device)

    def reset(self) -> None:
        """Forgets former peaks."""
        self.cuda.synchronize(self.device)
        self.cuda.empty_cache()
        self.cuda.reset_peak_memory_stats(self.device)

    def peaks(self) -> dict[Quantity, int] | Reason:
        """Peaks since the reset: allocated above the beginning, and reserved."""
        self.cuda.synchronize(self.device)
        allocated = self.cuda.max_memory_allocated(self.device) - self.before
        return {PEAK: allocated, RESERVED: self.cuda.max_memory_reserved(self.device)}

    def end(self) -> None:
        """Nothing was changed."""


def _call(name: str, *arguments: int) -> None:
    """Calls a function of the C library, if it has it."""
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)


def _counted(subject: CostSubject, conditions: Conditions, dtype: torch.dtype) -> list[Measurement]:
    """What weights and activations take, of the network without values."""
    from hrbench.cost.operations.probe import count

    net = subject.on_meta()
    weights = bytes_of(net, dtype)
    found = [Measurement(WEIGHTS, weights, conditions=conditions)]
    try:
        ledger, _ = count(net, subject.variant, subject.build, conditions.batch or 1)
    except EntryError as error:
        reason = Reason(str(error))
        return found + [Measurement(one, None, conditions=conditions, reason=reason) for one in (ACTIVATIONS, LARGEST)]
    total, largest = activation_elements(ledger)
    each = dtype.itemsize
    values = ((ACTIVATIONS, total * each), (LARGEST, largest * each))
    return found + [Measurement(quantity, value, conditions=conditions) for quantity, value in values]


def activation_elements(ledger: Ledger) -> tuple[int, int]:
    """Numbers in the outputs of all operators, and in the largest of them."""
    return sum(row.elements for row in ledger.rows), max((row.largest for row in ledger.rows), default=0)


def bytes_of(net: Any, dtype: torch.dtype) -> int:
    """Bytes of parameters, buffers and packed weights, shared ones once; those of floating point in this dtype."""
    packed = [value for _, holder in packed_objects(net) for value in packed_tensors(holder)]
    every = {id(value): value for value in (*net.parameters(), *net.buffers(), *packed)}.values()
    return sum(value.numel() * (dtype.itemsize if value.is_floating_point() else value.itemsize) for value in every)
