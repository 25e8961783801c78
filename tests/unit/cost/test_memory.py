"""Memory against a process watched from outside, against what the ledger says, and where a system does not tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import torch
from torch import nn

from hrbench.cost import memory
from hrbench.cost.memory import PEAK, RESERVED, GpuMemory, Memory, MemoryOptions, ProcessMemory, activation_elements
from hrbench.cost.operations.count import count_operations
from hrbench.models.runtimes.eager import Eager
from hrbench.types import Conditions, Measurement, Reason, Variant

MIB = 2**20
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
"""Of both processes: what two threads hold at once depends on which of them is slowed by other work."""

WATCHED = """
import ctypes, gc, sys, torch
from hrbench.models.build import build
from hrbench.suite.registry import known
variant, batch = known().variants[sys.argv[1]], int(sys.argv[2])
layers = torch.nn.Sequential(
    torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 1),
    torch.nn.Conv2d(16, 16, 3, 1, 1), torch.nn.Upsample(scale_factor=2, mode="bilinear"),
    torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 8),
)
with torch.inference_mode():
    layers.eval()(torch.zeros(1, 3, 32, 32))
gc.collect()
ctypes.CDLL(None).malloc_trim(0)
print("ready", flush=True); sys.stdin.readline()
net = build(variant).eval()
image = torch.randn(batch, 3, *variant.input)
with torch.inference_mode():
    for _ in range(3):
        net(image)
print("done", flush=True); sys.stdin.readline()
"""

MEASURED = """
import sys, msgspec
from hrbench.runner.costs import cost_cells, measure_cell
from hrbench.runner.settings import Settings
from hrbench.suite.registry import known
from hrbench.types import Entry
batches = [int(one) for one in sys.argv[2:]]
off = {"parameters": False, "operations": False, "memory": {"batch": batches}}
entry = Entry(sys.argv[1], known().variants[sys.argv[1]], None, {}, (), off, weights="none")
for cell in cost_cells(entry):
    costs = measure_cell(entry, cell, Settings(device="cpu"), lambda event: None)
    print(msgspec.json.encode(costs).decode())
"""


def status(process: subprocess.Popen, name: str) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def seen_from_outside(model: str, batch: int) -> int:
    environment = {**ONE_THREAD, "MALLOC_MMAP_THRESHOLD_": "131072"}
    words = [sys.executable, "-c", WATCHED, model, str(batch)]
    process = subprocess.Popen(
        words, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout.readline() == "ready\n"
    before = status(process, "VmRSS")
    process.stdin.write("\n")
    assert process.stdout.readline() == "done\n"
    peak = status(process, "VmHWM")
    process.communicate("\n", timeout=60)
    return peak - before


def measured(model: str, *batches: int) -> list[dict[str, Measurement]]:
    """Name of each quantity -> its measurement, of a new process for each batch."""
    found = []
    for batch in batches:
        words = [sys.executable, "-c", MEASURED, model, str(batch)]
        said = subprocess.run(words, capture_output=True, text=True, check=True, env=ONE_THREAD).stdout
        costs = msgspec.json.decode(said, type=list[Measurement])
        found.append({one.quantity.name: one for one in costs})
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the memory of processes")
@pytest.mark.parametrize(
    ("model", "batch"),
    [
        ("seg_hrnet_miniature_cityscapes", 16),
        pytest.param("pose_hrnet_w32_coco_256x192", 2, marks=pytest.mark.exhaustive),
        pytest.param("cls_hrnet_w18", 8, marks=pytest.mark.exhaustive),
    ],
)
def test_the_peak_is_what_is_seen_from_outside_and_grows_as_the_activations(model, batch):
    one, double = measured(model, batch, 2 * batch)
    assert one["memory-peak"].value == pytest.approx(seen_from_outside(model, batch), rel=0.05)
    assert one["memory-weights"].value < one["memory-peak"].value < one["memory-activations"].value + 400 * MIB
    grown = double["memory-peak"].value - one["memory-peak"].value
    largest = double["memory-largest-activation"].value - one["memory-largest-activation"].value
    # at least an input and an output of a layer are in memory at once, and never all of them
    assert largest <= grown <= double["memory-activations"].value - one["memory-activations"].value
    assert double["memory-activations"].value == 2 * one["memory-activations"].value


@pytest.fixture
def allocator(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Calls of the C library, which is left as it is: other tests run in this process."""
    called: list[tuple] = []
    monkeypatch.setattr(memory, "_call", lambda *words: called.append(words))
    return called


class Net(nn.Module):
    """3 x 3 convolution to 8 maps, in place ReLU, 1 x 1 convolution to 2 maps, with a buffer and a shared weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 2, 1)
        self.again = self.last
        self.register_buffer("steps", torch.zeros(5, dtype=torch.int64))

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def subject(net: nn.Module) -> SimpleNamespace:
    variant = Variant("net", "here:Net", "pose", (16, 12))
    return SimpleNamespace(
        variant=variant, device="cpu", runtime=Eager(), on_meta=lambda: net.to("meta"), on_device=Net,
        build=Net, progress=lambda unit, done, total: None,
    )  # fmt: skip


def test_weights_and_activations_are_counted(allocator):
    ledger = count_operations(Net(), (2, 3, 16, 12))
    assert activation_elements(ledger) == (2 * (8 + 8 + 2) * 16 * 12, 2 * 8 * 16 * 12)
    for dtype, each in (("float32", 4), ("bfloat16", 2)):
        costs = Memory().measure(subject(Net()), Conditions(batch=2, dtype=dtype), MemoryOptions())
        found = {one.quantity.name: one.value for one in costs}
        weights = (8 * 27 + 8 + 2 * 8 + 2) * each + 5 * 8
        assert (found["memory-weights"], found["memory-activations"], found["memory-largest-activation"]) == (
            weights, 2 * 18 * 192 * each, 2 * 8 * 192 * each,
        )  # fmt: skip
        assert found["memory-peak"] is None or found["memory-peak"] >= 0
    # what is freed is given back while it is measured, and kept again afterwards
    assert allocator[:3] == [("mallopt", -3, 131072), ("malloc_trim", 0), ("mallopt", -3, 32 * MIB)]


def test_float16_has_no_peak_on_a_cpu_and_its_weights_are_told():
    first, *others = Memory().measure(subject(Net()), Conditions(batch=1, dtype="float16"), MemoryOptions())
    assert first.value is None and "float16 is not measured on a CPU" in str(first.reason)
    assert all(one.value is not None for one in others)


def test_a_system_that_does_not_tell_gives_a_reason(tmp_path, allocator):
    meter = ProcessMemory(str(tmp_path))
    meter.begin()
    meter.reset()
    found = meter.peaks()
    assert isinstance(found, Reason) and "it has no /proc" in str(found)


def test_a_peak_that_cannot_be_reset_is_told_only_if_it_is_a_new_one(tmp_path, allocator):
    place = tmp_path / "proc" / "self"
    place.mkdir(parents=True)
    (place / "clear_refs").mkdir()  # which cannot be written

    def at(rss: int, peak: int) -> None:
        (place / "status").write_text(f"Name: x\nVmHWM:\t{peak} kB\nVmRSS:\t{rss} kB\n")

    at(1000, 5000)
    meter = ProcessMemory(str(tmp_path))
    meter.begin()
    meter.reset()
    assert "an earlier one was higher" in str(meter.peaks())
    at(3000, 9000)
    assert meter.peaks() == {PEAK: 8000 * 1024}


def test_a_gpu_tells_what_torch_allocated_and_reserved():
    log: list[str] = []
    cuda = SimpleNamespace(
        synchronize=lambda device: log.append("synchronize"), empty_cache=lambda: log.append("empty"),
        memory_allocated=lambda device: 100, reset_peak_memory_stats=lambda device: log.append("reset"),
        max_memory_allocated=lambda device: 900, max_memory_reserved=lambda device: 2048,
    )  # fmt: skip
    meter = GpuMemory(torch.device("cuda"), cuda)
    meter.begin()
    meter.reset()
    assert meter.peaks() == {PEAK: 800, RESERVED: 2048}
    assert log == ["synchronize", "empty", "synchronize", "empty", "reset", "synchronize"]
