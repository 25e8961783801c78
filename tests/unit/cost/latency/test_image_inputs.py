"""Latencies on real images, and cold ones: what is fed, in which order, and what is outside of the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hrbench.contracts import Evaluated
from hrbench.cost.latency.caches import flusher, last_cache
from hrbench.cost.latency.clocks import Timed
from hrbench.cost.latency.images import POOL, fitted, image_pool, with_work
from hrbench.cost.latency.measure import measure_latency
from hrbench.cost.latency.pace import pace_of
from hrbench.cost.latency.passes import time_passes
from hrbench.cost.latency.probe import Latency, LatencyOptions
from hrbench.errors import EntryError
from hrbench.models.runtimes.eager import Eager
from hrbench.types import Conditions, Item, Prediction, Reason, Sample, Variant

VARIANT = Variant("finds", "mine:finds", "detection", (8, 12))


class Hands:
    """A task that hands its network each image as one colour, the sample's number, at a size of its own."""

    def __init__(self, size: tuple[int, int] = (4, 4), form: Callable[[Tensor], Any] = lambda image: [image]) -> None:
        self.size, self.form = size, form

    def work(self, sample: Sample) -> int:
        return int(sample.id != "empty")

    def prepare(self, sample: Sample) -> list[Item]:
        return [Item(sample.id, np.full((*self.size, 3), sample.id, np.uint8))]

    def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
        like = next(net.parameters())
        return net(self.form(torch.from_numpy(items[0].image).permute(2, 0, 1).to(like)), scales=[1.0])

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, Any]]) -> Prediction:
        raise AssertionError("nothing is finished for a latency")


class Finds(nn.Module):
    """A detector that notes the colours of its images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[list[float]] = []

    def forward(self, images: list[Tensor]) -> list[Any]:
        self.seen.append([float(image[0, 0, 0]) for image in images])
        return images


def entry(task: Any, samples: Sequence[Any] = range(1, 21), net: nn.Module | None = None) -> Evaluated:
    every = [Sample(number, Path(f"{number}.png")) for number in samples]
    return Evaluated(task, every, "photographs", "0123456789abcdef", "official", "float32", lambda: net or Finds())


def subject(found: Evaluated | Reason, net: nn.Module | None = None, variant: Variant = VARIANT) -> Any:
    return SimpleNamespace(
        variant=variant, device="cpu", runtime=Eager(), on_device=lambda: net or Finds(),
        evaluated=lambda: found, progress=lambda unit, done, total: None,
    )  # fmt: skip


def latency(of: Any, **options: Any):
    probe, chosen = Latency(), LatencyOptions(mode="smoke", dtype=("float32",), **options)
    (one,) = probe.measure(of, probe.cells(chosen)[0], chosen)
    return one


def test_a_detector_goes_over_images_with_its_weights_one_after_the_other():
    net = Finds()
    one = latency(subject(entry(Hands(), net=net)))
    under = one.conditions
    assert (under.inputs, under.data, under.weights) == ("3 images of photographs", "0123456789ab", "official")
    assert (under.caches, under.input, one.quantity.name) == ("warm", (8, 12), "latency")
    assert net.seen == [[1], [7], [14], [1]]  # spread over twenty; the first pass is no sample


def test_without_data_weights_or_a_detector_the_input_is_random():
    usual = Variant("net", "mine:net", "segmentation", (8, 12))
    for of in (
        subject(Reason("data are missing")),
        subject(replace(entry(Hands()), weights="random")),
        subject(entry(Hands()), net=nn.Conv2d(3, 2, 1), variant=usual),
    ):
        under = latency(of).conditions
        assert (under.inputs, under.data, under.weights) == ("standard normal", "", "")
    under = latency(subject(entry(Hands())), inputs="random").conditions
    assert under.inputs == "standard normal"


def test_images_that_are_asked_for_and_missing_are_a_reason():
    one = latency(subject(Reason("data are missing", "download them")), inputs="images")
    assert one.value is None and str(one.reason) == "data are missing; download them"
    usual = Variant("net", "mine:net", "segmentation", (8, 12))
    task = Hands(form=lambda image: image[None])
    under = latency(subject(entry(task, net=nn.Conv2d(3, 2, 1)), variant=usual), inputs="images", batch=(4,)).conditions
    assert under.inputs == "3 images of photographs" and under.batch == 4


def test_which_cells_depend_on_images():
    fed = Latency().fed_images
    other = replace(VARIANT, task="pose")
    assert fed(VARIANT, LatencyOptions()) == "if there" and fed(other, LatencyOptions()) == "never"
    assert fed(other, LatencyOptions(inputs="images")) == "always"
    assert fed(VARIANT, LatencyOptions(inputs="random")) == "never"


def test_an_image_keeps_its_proportions_and_the_rest_is_zero():
    image = torch.ones(3, 10, 10)
    whole = fitted(image, (8, 12))
    assert whole.shape == (3, 8, 12) and bool((whole[:, :, :8] == 1).all()) and not whole[:, :, 8:].any()
    assert fitted(torch.ones(3, 8, 12), (8, 12)).sum() == 3 * 96
    assert fitted(torch.ones(3, 4, 2), (8, 12))[:, :, :4].min() == 1  # a small one grows
    assert fitted(torch.ones(3, 1, 1000, dtype=torch.bfloat16), (8, 12)).dtype == torch.bfloat16


def test_an_image_of_the_input_s_size_is_fed_to_the_bit():
    task, like = Hands(size=(8, 12), form=lambda image: (image / 7)[None]), torch.empty(0)
    pool = image_pool(entry(task), VARIANT, like)
    assert len(pool) == POOL and torch.equal(pool[0], torch.full((3, 8, 12), 1.0) / 7)


def test_what_a_task_calls_its_network_with_must_be_images():
    for form in (lambda image: image, lambda image: {"image": image}, lambda image: []):
        with pytest.raises(EntryError, match="calls its network with no images"):
            image_pool(entry(Hands(form=form)), VARIANT, torch.empty(0))
    with pytest.raises(EntryError, match="no image of photographs gives the network an input"):
        image_pool(entry(Hands(), samples=["empty"] * 3), VARIANT, torch.empty(0))


def test_samples_with_nothing_to_do_are_passed_over():
    every = [Sample(number, Path("x")) for number in ("empty", 1, 2, 3, "empty", "empty")]
    assert [one.id for one in with_work(Hands(), every, 2)] == [1, 2]  # of the three with something to do
    assert [one.id for one in with_work(Hands(), every, 9)] == [1, 2, 3]
    assert [one.id for one in with_work(Hands(), every[1:4], 2)] == [1, 2]


class Rotating:
    """A clock on which a pass takes the seconds of its input."""

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.elapsed, self.calls = seconds, 0.0, 0

    def now(self) -> float:
        return self.elapsed

    def time(self, work: Callable[[], object]) -> Timed:
        took = self.seconds[self.calls % len(self.seconds)]
        self.calls, self.elapsed = self.calls + 1, self.elapsed + took
        return Timed(took)


def test_images_that_take_different_times_settle_and_do_not_count_as_drift():
    clock = Rotating(0.001, 0.002, 0.004, 0.008)
    found = time_passes(lambda: None, clock, pace_of("quick", 2.0, None, False), rotation=4)
    assert found.settled is True
    one = measure_latency(
        Finds(), (1, 3, 8, 12), runtime=Eager(), clock=Rotating(0.001, 0.002, 0.004, 0.008), budget=2.0,
        inputs=[[torch.ones(3, 8, 12)]] * 4, watch=None,
    )  # fmt: skip
    assert one.conditions.warm_up_settled is True and one.conditions.inputs == "4 inputs"


@pytest.mark.parametrize("rotation", [2, 8])
def test_every_input_is_kept_equally_often_though_not_every_pass_is(rotation):
    clock = Rotating(*[0.0004 * (1 + i / 100) for i in range(rotation)])
    found = time_passes(lambda: None, clock, pace_of("gate", None, None, False), rotation=rotation)
    kept = Counter(one.seconds for one in found.samples)
    assert found.every % 2 == 1 and len(kept) == rotation and max(kept.values()) - min(kept.values()) <= 1


def test_a_slow_detector_sees_each_image_once_though_it_outlasts_its_budget():
    found = time_passes(lambda: None, Rotating(3.0), pace_of("quick", 10.0, None, False), rotation=8)
    assert len(found.samples) == 8


def test_caches_are_flushed_before_each_pass_and_outside_of_its_time(monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []

    class Noting(Rotating):
        def time(self, work: Callable[[], object]) -> Timed:
            told.append("pass")
            return super().time(work)

    monkeypatch.setattr("hrbench.cost.latency.measure.flusher", lambda device: lambda: told.append("flush"))
    arguments = {"runtime": Eager(), "watch": None, "mode": "smoke"}
    net = nn.Conv2d(3, 2, 1)
    one = measure_latency(net, (1, 3, 8, 8), clock=Noting(1.0), cold=True, **arguments)
    assert told == ["flush", "pass"] * 4 and one.conditions.caches == "cold"
    told.clear()
    one = measure_latency(net, (1, 3, 8, 8), clock=Noting(1.0), **arguments)
    assert told == ["pass"] * 4 and one.conditions.caches == "warm"


def test_a_cold_cell_says_so_in_its_name():
    (cell,) = Latency().cells(LatencyOptions(cold=True, dtype=("float32",)))
    assert cell == Conditions(batch=1, dtype="float32", caches="cold")
    assert Latency().cells(LatencyOptions(dtype=("float32",)))[0].caches == ""


def test_the_last_cache_is_that_of_all_processors_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    caches = [
        ("cpu0", 0, 1, "32K", "0"), ("cpu0", 3, 3, "16M", "0-1"), ("cpu1", 3, 3, "16M", "0-1"),
        ("cpu2", 3, 3, "16M", "2-3"), ("cpu2", 2, 2, "1M", "2"),
    ]  # fmt: skip
    for cpu, index, level, size, shared in caches:
        folder = tmp_path / cpu / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for name, text in (("level", str(level)), ("size", size), ("shared_cpu_list", shared)):
            (folder / name).write_text(f"{text}\n")
    assert last_cache(tmp_path) == 2 * 16 * 2**20
    assert last_cache(tmp_path / "none") == 0
    (tmp_path / "cpu3" / "cache" / "index3").mkdir(parents=True)  # a system that tells nothing of it
    assert last_cache(tmp_path) == 2 * 16 * 2**20
    monkeypatch.setattr("hrbench.cost.latency.caches.last_cache", lambda: 1 << 20)
    buffer = flusher(torch.device("cpu"))()
    assert isinstance(buffer, Tensor) and buffer.numel() * 4 == 2 << 20


def test_a_gpu_s_buffer_is_larger_than_its_second_level_cache(monkeypatch: pytest.MonkeyPatch):
    made: list[Any] = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(L2_cache_size=50 << 20))
    monkeypatch.setattr(torch, "zeros", lambda size, dtype, device: made.append((size, device)))
    flusher(torch.device("cuda:0"))
    assert made == [(2 * (50 << 20) // 4, torch.device("cuda:0"))]
