"""The roofline of a layer whose operations and bytes are known in closed form, and ceilings by a fake clock."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hrbench.cost.latency.clocks import Timed
from hrbench.cost.operations.count import count_operations
from hrbench.cost.roofline import probe
from hrbench.cost.roofline.arithmetic import Ceilings, Work, attainable, reached, work_of
from hrbench.cost.roofline.ceilings import MIB, TRIALS, best_of, measure_ceilings
from hrbench.cost.roofline.probe import ATTAINABLE, INTENSITY, REACHED, Roofline, RooflineOptions
from hrbench.models.runtimes.eager import Eager
from hrbench.types import Conditions, Measurement, Reason, Variant

CPU = torch.device("cpu")
CEILINGS = Ceilings(bandwidth=1e9, peak=5e10, copied=256, copies=5, matrix=2048, products=15)


class Trials:
    """A clock on which trials take the given seconds, one after the other and then the last. on_device: as a GPU's."""

    def __init__(self, *seconds: float, on_device: bool = False) -> None:
        self.seconds, self.on_device, self.elapsed, self.works = list(seconds), on_device, 0.0, 0

    def now(self) -> float:
        return self.elapsed

    def time(self, work: Callable[[], object]) -> Timed:
        if self.works == 0:
            work()
        self.works += 1
        seconds = self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        self.elapsed += seconds
        return Timed(seconds, seconds / 2, 0.0) if self.on_device else Timed(seconds)


class Layers(nn.Module):
    """3 x 3 convolution to 8 maps, batch norm, ReLU, 1 x 1 convolution to 2 maps, with a buffer of batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1)
        )

    def forward(self, x):
        return self.layers(x)


PIXELS = 16 * 12
MACS = PIXELS * (27 * 8 + 8 * 2)
WEIGHTS = 4 * (216 + 4 * 8 + 16 + 2) + 8  # bytes; the last 8 are batch norm's counter of batches, an int64


@pytest.mark.parametrize("batch", [1, 4])
def test_operations_and_bytes_of_known_layers(batch):
    ledger = count_operations(Layers, (batch, 3, 16, 12))
    work = work_of(ledger, WEIGHTS, 4)
    assert work.flops == 2 * batch * MACS
    # input, and outputs of both convolutions; batch norm and ReLU may be fused with the first
    assert work.bytes == WEIGHTS + 4 * batch * PIXELS * (3 + 8 + 2)
    assert work.intensity == pytest.approx(2 * batch * MACS / (WEIGHTS + 52 * batch * PIXELS))


def test_attainable_is_the_lower_of_both_roofs_and_the_share_is_of_it():
    ridge = CEILINGS.peak / CEILINGS.bandwidth
    assert attainable(ridge / 2, CEILINGS) == CEILINGS.peak / 2
    assert attainable(ridge, CEILINGS) == attainable(10 * ridge, CEILINGS) == CEILINGS.peak
    assert reached(Work(1e9, 1e9 / (2 * ridge)), 0.1, CEILINGS) == pytest.approx(1e10 / 5e10)
    assert reached(Work(1e9, 1e9), 2.0, CEILINGS) == pytest.approx(0.5)


def test_the_best_of_trials_counts_and_the_first_is_none():
    assert best_of(lambda: None, Trials(0.001, 0.3, 0.2, 0.4, 0.3, 0.3, 0.3)) == (0.2, TRIALS)
    assert best_of(lambda: None, Trials(9.0)) == (9.0, TRIALS)
    assert best_of(lambda: None, Trials(0.01)).trials == 100
    assert best_of(lambda: None, Trials(0.5, on_device=True)).seconds == 0.25


def test_ceilings_are_bytes_and_operations_over_the_shortest_time():
    copies, products = [1.0, 1.0, 0.5, 1.0, 1.0, 1.0], [0.1, *[0.2] * 5, 0.1, 0.4, 0.3, 0.4, 0.4, 0.4]
    clock = Trials(*copies, *products, 1.0)
    found = measure_ceilings(CPU, torch.bfloat16, clock, copied=4 * MIB, matrices=(32, 64, 128, 256))
    assert found.bandwidth == pytest.approx(2 * 4 * MIB / 0.5) and found.copied == 4 * MIB and found.copies == 5
    # 32: 65,536 / 0.2 = 0.33 M; 64: 524,288 / 0.3 = 1.7 M; 128: 4,194,304 / 1.0 = 4.2 M, and too long for a larger one
    assert found.peak == pytest.approx(2 * 128**3 / 1.0) and found.matrix == 128 and found.products == 15
    assert found.tf32 is None


def test_a_device_copies_and_multiplies():
    found = measure_ceilings(CPU, torch.float32, Trials(1.0), copied=MIB, matrices=(16,))
    assert (found.bandwidth, found.peak) == (2 * MIB, 2 * 16**3)


def subject(net: type[nn.Module] = Layers) -> SimpleNamespace:
    return SimpleNamespace(
        variant=Variant("net", "here:Net", "pose", (16, 12)), device="cpu", runtime=Eager(), build=net,
        on_meta=lambda: net().to("meta"), on_device=net, progress=lambda unit, done, total: None,
    )  # fmt: skip


def rooflines(monkeypatch, timed: Measurement, ceilings=CEILINGS, net=Layers, disturbed=()) -> dict[str, Measurement]:
    monkeypatch.setattr(probe, "_latency", lambda subject, cell, options: timed)
    monkeypatch.setattr(probe, "_ceilings", lambda device, dtype: (ceilings, disturbed))
    found = Roofline().measure(subject(net), Conditions(batch=2, dtype="float32"), RooflineOptions(batch=(2,)))
    assert [one.quantity for one in found] == [INTENSITY, ATTAINABLE, REACHED]
    return {one.quantity.name: one for one in found}


def latency(seconds: float | None, **more) -> Measurement:
    under = Conditions(batch=2, dtype="float32", device="a CPU", percentile=50, p90_bound=1.0, mode="quick")
    return Measurement(INTENSITY, seconds, conditions=under, **more)


def test_the_probe_tells_all_that_it_was_computed_from(monkeypatch):
    found = rooflines(monkeypatch, latency(1e-3))
    work = Work(4 * MACS, WEIGHTS + 104 * PIXELS)
    assert found["intensity"].value == work.intensity
    assert found["attainable"].value == attainable(work.intensity, CEILINGS) == 1e9 * work.intensity
    assert found["reached"].value == pytest.approx(4 * MACS / 1e-3 / (1e9 * work.intensity))
    under = found["reached"].conditions
    assert under.roofline == {
        "flops": work.flops, "bytes": work.bytes, "p50": 1e-3, "bandwidth": 1e9, "peak": 5e10, "copied": 256,
        "copies": 5, "matrix": 2048, "products": 15,
    }  # fmt: skip
    assert under.device == "a CPU" and under.mode == "quick" and under.p90_bound is None
    assert found["intensity"].conditions.device == "" and "peak" not in found["intensity"].conditions.roofline


def test_what_cannot_be_told_has_its_reason(monkeypatch):
    slow = rooflines(monkeypatch, latency(None, reason=Reason("too slow")))
    assert slow["intensity"].value is not None
    assert [str(slow[name].reason) for name in ("attainable", "reached")] == ["too slow"] * 2
    full = rooflines(monkeypatch, latency(1.0), Reason("out of memory"))
    assert full["intensity"].value is not None and str(full["reached"].reason) == "out of memory"
    none = rooflines(monkeypatch, latency(1.0), net=nn.ReLU)
    assert {str(one.reason) for one in none.values()} == {
        "no convolution, linear layer or matrix product was counted in this network"
    }

    class Parts(Layers):
        def count_parts(self, images, proposals, masks):
            return {}

    parts = rooflines(monkeypatch, latency(1.0), net=Parts)
    assert all("a fixed number of boxes" in str(one.reason) for one in parts.values())


def test_a_machine_that_was_disturbed_while_ceilings_were_measured_makes_it_unstable(monkeypatch):
    found = rooflines(monkeypatch, latency(1.0), disturbed=["threads waited for a processor (12 % of the time)"])
    assert found["intensity"].conditions.stability == ""  # counted
    assert found["reached"].conditions.stability == found["attainable"].conditions.stability == "unstable"
    assert found["reached"].conditions.stability_reasons == (
        "threads waited for a processor, while the ceilings were measured (12 % of the time)",
    )


def test_real_ceilings_are_watched(monkeypatch):
    monkeypatch.setattr("hrbench.cost.roofline.ceilings.COPIED", {"cpu": MIB})
    monkeypatch.setattr("hrbench.cost.roofline.ceilings.MATRICES", {"cpu": (16,)})
    monkeypatch.setattr("hrbench.cost.roofline.ceilings.SECONDS", 0.0)
    found, disturbed = probe._ceilings("cpu", torch.float32)
    assert found.bandwidth > 0 and found.peak > 0 and (found.matrix, found.copied) == (16, MIB)
    assert isinstance(disturbed, list)
