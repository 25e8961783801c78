"""A pipeline under a clock that the test sets: its stages, their sum against the whole, and what it is told of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hrbench.contracts import Evaluated
from hrbench.core.stages import STAGES, stage
from hrbench.cost.end_to_end.measure import ITEMS, _waiting, measure_pipeline
from hrbench.cost.end_to_end.probe import EndToEnd, EndToEndOptions
from hrbench.cost.end_to_end.rounds import Rounds, split_of
from hrbench.cost.end_to_end.summary import of_processes
from hrbench.cost.telemetry.watch import Record
from hrbench.errors import EntryError, UsageError
from hrbench.models.runtimes.eager import Eager
from hrbench.types import Item, Measurement, Prediction, Sample, Variant


class Wall:
    """A clock that goes when code says that it takes time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


class Paced:
    """A task whose stages take the seconds that they are given; the image number n takes n times as long to decode.

    marked: whether it marks its stages.
    crops: of each image.
    """

    def __init__(self, wall: Wall, seconds: dict[str, float], marked: bool = True, crops: int = 1) -> None:
        self.wall, self.seconds, self.marked, self.crops = wall, seconds, marked, crops
        self.passes: list[int] = []

    def _take(self, name: str, times: float = 1.0) -> None:
        with stage(name) if self.marked else nullcontext():
            self.wall.seconds += times * self.seconds.get(name, 0.0)

    def work(self, sample: Sample) -> int:
        return self.crops if sample.id != "empty" else 0

    def prepare(self, sample: Sample) -> list[Item]:
        self._take("decode", float(sample.id))
        self.wall.seconds += self.seconds.get("preprocess", 0.0)
        return [Item(sample.id, np.zeros((4, 4, 3), np.uint8)) for _ in range(self.crops)]

    def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
        self.passes.append(len(items))
        self._take("transfer")
        net(torch.zeros(1, 3, 4, 4))
        self.wall.seconds += self.seconds.get("forward", 0.0)
        self._take("suppression")
        return list(items)

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, Any]]) -> Prediction:
        self._take("sorting")  # a name of its own
        self.wall.seconds += self.seconds.get("postprocess", 0.0)
        return Prediction(sample.id, len(pairs))


VARIANT = Variant("paced", "mine:paced", "classification", (4, 4))
SECONDS = {
    "decode": 0.01, "preprocess": 0.02, "transfer": 0.03, "forward": 0.2, "suppression": 0.04, "sorting": 0.05,
    "postprocess": 0.06,
}  # fmt: skip


def entry(task: Paced, samples: Sequence[int | str] = (1, 2, 3)) -> Evaluated:
    every = [Sample(number, Path(f"{number}.png")) for number in samples]
    return Evaluated(task, every, "photographs", "0123456789abcdef", "official", "float32", lambda: nn.Conv2d(3, 2, 1))


def measure(seconds: dict[str, float] = SECONDS, samples: Sequence[int | str] = (1, 2, 3), **more):
    wall = Wall()
    task = Paced(wall, seconds, more.pop("marked", True), more.pop("crops", 1))
    arguments = {"images": 3, "runtime": Eager(), "device": "cpu", "variant": VARIANT, "watch": None, **more}
    found = measure_pipeline(entry(task, samples), now=wall.now, **arguments)
    return {one.quantity.name.removeprefix("end-to-end-"): one for one in found}, task


def test_each_stage_is_told_and_they_add_up_to_the_whole():
    found, _ = measure()
    values = {name: found[name].value for name in STAGES if found[name].value is not None}
    assert values == {
        "decode": pytest.approx(0.02),  # 0.01, 0.02 and 0.03 of the three images
        "preprocess": pytest.approx(0.02),
        "transfer": pytest.approx(0.03),
        "forward": pytest.approx(0.2),
        "suppression": pytest.approx(0.04),
        "postprocess": pytest.approx(0.11),  # with what the task calls "sorting"
    }
    whole = found["end-to-end"]
    assert whole.value == pytest.approx(0.42) == pytest.approx(sum(values.values()))
    assert found["frames-per-second"].value == pytest.approx(1 / 0.42)
    assert whole.conditions.stages_apart == pytest.approx(0, abs=1e-5)
    assert found["pasting"].value is None
    assert str(found["pasting"].reason) == "there is no pasting, or it is part of postprocess"


def test_a_task_without_marks_has_its_three_methods_told():
    found, _ = measure(marked=False)
    assert {name for name in STAGES if found[name].value is not None} == {"preprocess", "forward", "postprocess"}
    assert found["preprocess"].value == pytest.approx(0.04) and found["forward"].value == pytest.approx(0.27)
    assert found["postprocess"].value == pytest.approx(0.11)
    assert "part of preprocess" in str(found["decode"].reason)


def test_conditions_say_what_was_fed_and_how():
    found, _ = measure()
    under = found["end-to-end"].conditions
    assert (under.images, under.inputs, under.data) == (3, "3 images of photographs", "0123456789ab")
    assert (under.weights, under.mode, under.batch, under.dtype) == ("official", "quick", 1, "float32")
    assert under.budget == 30 and measure(budget=60)[0]["end-to-end"].conditions.warm_up_settled is True
    assert under.first_pass == pytest.approx(0.41) and under.warm_up_passes and under.warm_up_passes % 3 == 0
    samples = found["end-to-end"].samples
    assert len(samples) == under.passes and len(samples) % 3 == 0
    assert samples[:3] == pytest.approx((0.41, 0.42, 0.43))
    assert len(found["decode"].samples) == len(samples)
    assert not found["frames-per-second"].samples


def test_images_with_nothing_to_do_are_passed_over():
    found, _ = measure(samples=["empty", 1, 2, "empty"], images=2)
    assert found["end-to-end"].conditions.images == 2 and found["end-to-end"].samples[:2] == pytest.approx((0.41, 0.42))
    found, _ = measure(samples=["empty"])
    assert {str(one.reason) for one in found.values()} == {"there is nothing to do in any image of photographs"}


def test_crops_of_an_image_share_a_forward_pass_up_to_a_number():
    _, task = measure(crops=ITEMS + 1, mode="smoke")
    assert task.passes[:4] == [ITEMS, 1] * 2


def test_a_whole_that_is_no_sum_makes_the_times_unstable_with_how_much():
    """Marks cost nothing here, so the whole is made to differ: it has no marks to wait at."""
    wall = Wall()
    task = Paced(wall, SECONDS)
    found = measure_pipeline(
        entry(task), images=3, runtime=Eager(), device="cpu", variant=VARIANT, watch=None, now=wall.now,
        wait=lambda: setattr(wall, "seconds", wall.seconds + 0.005),
    )  # fmt: skip
    under = found[0].conditions
    # the whole is waited for at its end; stages at twelve further marks, six of which end a time that is accounted
    assert under.stages_apart is not None and under.stages_apart > 0.02
    (reason,) = under.stability_reasons
    assert under.stability == "unstable"
    how_much = f"{100 * under.stages_apart:.1f} %"
    assert reason == f"the stages add up to more than the whole, which was timed apart (by {how_much})"
    assert all(one.conditions == under for one in found)


def test_a_disturbed_machine_makes_the_times_unstable():
    class Seen:
        def __init__(self) -> None:
            self.at = 0.0
            readings = [
                {"at": float(i), "threads": {"1": [float(i), float(i)]}, "ran": float(i), "waited": float(i)}
                for i in range(3)
            ]
            self.record = Record(readings)

        def mark(self) -> float:
            self.at += 1
            return self.at

    found, _ = measure(watch=lambda gpu: nullcontext(Seen()))
    assert found["end-to-end"].conditions.stability in ("unstable", "unknown")


def test_a_round_over_budget_ends_the_cell_with_what_to_do():
    found, _ = measure(budget=0.5)
    assert found["end-to-end"].value is None and len(found) == len(STAGES) + 2
    told = "the first round over 3 images alone took 2.52 s of a budget of 0.5 s; raise budget, or lower images"
    assert {str(one.reason) for one in found.values()} == {told}


def test_smoke_takes_three_rounds_and_is_not_judged():
    found, _ = measure(mode="smoke")
    assert found["end-to-end"].conditions.passes == 9 and found["end-to-end"].conditions.stability == ""


def test_a_failure_names_what_failed():
    class Broken(Paced):
        def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
            raise ValueError("no such thing")

    with pytest.raises(EntryError, match="the pipeline failed while it was timed: no such thing"):
        measure_pipeline(
            entry(Broken(Wall(), {})), images=3, runtime=Eager(), device="cpu", variant=VARIANT, watch=None
        )


def test_a_network_that_is_compiled_again_while_it_is_timed_has_no_number():
    class Compiling(Eager):
        compiled = 0

        def compilations(self) -> int:
            self.compiled += 1
            return self.compiled

    found, _ = measure(runtime=Compiling())
    assert {str(one.reason) for one in found.values()} == {
        "the network was compiled again while it was measured; does its code depend on values?"
    }


def test_a_detector_s_runtime_is_given_a_list_of_images():
    given: list[Any] = []

    class Noting(Eager):
        def prepare(self, net: Any, input: Any) -> Any:
            given.append(input)
            return lambda *_: None

    for task in ("detection", "pose"):
        measure(runtime=Noting(), variant=Variant("paced", "mine:paced", task, (4, 4)), mode="smoke")
    assert isinstance(given[0], list) and given[0][0].shape == (3, 4, 4) and given[1].shape == (1, 3, 4, 4)


def test_the_order_of_whole_and_stages_changes_from_round_to_round():
    order: list[bool] = []
    wall = Wall()

    def run(image: int) -> None:
        with stage("forward") as mark:
            order.append(mark is None)
            wall.seconds += 1

    rounds = Rounds(run, [1, 2], wall.now)
    rounds.once()
    rounds.once()
    assert rounds.whole == [[1, 1], [1, 1]] and rounds.stages == [[{"forward": 1}] * 2] * 2


def test_a_gpu_is_waited_for_at_each_mark(monkeypatch: pytest.MonkeyPatch):
    waited: list[Any] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    rounds = Rounds(lambda image: stage("forward").__enter__(), [1], lambda: 0.0, _waiting(torch.device("cuda:1")))
    rounds.once()
    assert waited == [torch.device("cuda:1")] * 4  # before each run, where the stage begins, after the whole
    assert _waiting(torch.device("cpu"))() is None


def test_a_disturbed_run_of_an_image_moves_no_number():
    quiet, disturbed = [[1.0, 3.0]] * 5, [[1.0, 3.0]] * 4 + [[9.0, 3.0]]
    as_stages = [[[{"forward": seconds} for seconds in each] for each in rounds] for rounds in (quiet, disturbed)]
    assert split_of(quiet, as_stages[0]) == split_of(disturbed, as_stages[1])
    assert split_of(quiet, as_stages[0]).whole == 2


def test_stages_add_up_whatever_disturbs_them():
    """Of two stages that are slowed by turns, medians would add up to much less than the median of their sum."""
    slow, fast = {"forward": 9.0, "pasting": 1.0}, {"forward": 1.0, "pasting": 9.0}
    found = split_of([[10.0]] * 8, [[slow], [fast]] * 4)
    assert found.stages == {"forward": 5.0, "pasting": 5.0} and found.apart == 0


def test_a_stage_that_an_image_lacks_took_no_time_in_it():
    found = split_of([[1.0, 1.0]], [[{"forward": 1.0}, {"forward": 0.5, "pasting": 0.5}]])
    assert found.stages == {"forward": 0.75, "pasting": 0.25} and found.apart == 0


def test_processes_give_their_median_and_its_interval():
    parts = []
    for factor in range(1, 7):
        found, _ = measure({name: factor * seconds for name, seconds in SECONDS.items()}, mode="gate", cap=600)
        parts.append(list(found.values()))
    merged = of_processes(parts)
    whole, rate = merged[0], merged[-1]
    assert whole.value == pytest.approx(3.5 * 0.42) and whole.interval == pytest.approx((0.42, 6 * 0.42))
    assert rate.interval == pytest.approx((1 / (6 * 0.42), 1 / 0.42))
    assert whole.conditions.p99_bound is None and len(whole.conditions.process_passes) == 6
    assert whole.conditions.stages_apart == pytest.approx(0, abs=1e-5)
    parts[2] = [Measurement(one.quantity, None, reason=one.reason, conditions=one.conditions) for one in parts[2]]
    assert of_processes(parts)[0].value is None


def test_options_are_those_of_a_latency():
    with pytest.raises(ValueError, match="cap is the time of mode gate"):
        EndToEndOptions(cap=3.0)
    with pytest.raises(ValueError, match="budget is the time of mode quick"):
        EndToEndOptions(mode="gate", budget=3.0)
    assert EndToEnd().processes(EndToEndOptions(mode="gate")) == 6
    assert EndToEnd().cells(EndToEndOptions(images=3))[0].stated() == {"images": 3}
    with pytest.raises(UsageError, match="mode 'slow' is unknown"):
        measure(mode="slow")
