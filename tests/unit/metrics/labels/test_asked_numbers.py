"""Accuracy of each class and Dice: closed forms, plain counts of pixels, conventions, states, files of both metrics."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_streets
from random_streets import save

from hrbench.errors import HrbenchError, InputError, UsageError
from hrbench.metrics.labels.asked import AskedNumbers, AskedTable
from hrbench.metrics.labels.cityscapes import CityscapesIoU
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.statistics.bootstrap import resample_counts
from hrbench.types import State

RULES = [(empty, over) for empty in ("left_out", "one", "zero") for over in ("set", "image")]


def sets(folder: Path, seed: int = 0, images: int = 6) -> Path:
    """Maps of classes 0 to 3 of five, of which each image lacks some; the last image is not judged at all."""
    rng = np.random.default_rng(seed)
    for number in range(images):
        size = tuple(rng.integers(2, 9, 2).tolist())
        truth = rng.choice(rng.permutation(4)[: 1 + number % 3], size)
        guess = np.where(rng.random(size) < 0.6, truth, rng.integers(0, 2 + number % 3, size))
        truth = np.full(size, 255) if number == images - 1 else np.where(rng.random(size) < 0.1, 255, truth)
        for place, one in (("labels", truth), ("results", guess)):
            save(folder / f"{place}/{'ab'[number % 2]}/{number}.png", one.astype(np.uint8))
    return folder


def measured(metric: Any, folder: Path, images: list[int | str] | None = None) -> State:
    target = metric.read_target(folder / "labels")
    return metric.measure(metric.read_predictions(folder / "results", target), target, images)


def values(metric: Any, state: State) -> dict[str, float | None]:
    return {score.quantity.name: score.value for score in metric.summarise(state, 0)}


def by_hand(folder: Path, empty: str, over: str) -> dict[str, float]:
    """Dice pixel by pixel, with Python's own numbers."""
    tables = []
    for path in sorted((folder / "labels").rglob("*.png")):
        truth, guess = (random_streets.load(folder / part / path.relative_to(folder / "labels")) for part in
                        ("labels", "results"))  # fmt: skip
        table = [[0, 0] for _ in range(5)]
        for one, other in zip(truth.ravel().tolist(), guess.ravel().tolist(), strict=True):
            if one != 255:
                table[one][1] += 1
                table[other][1] += 1
                table[one][0] += 2 * (one == other)
        tables.append(table)
    if over == "set":
        tables = [[[sum(table[c][k] for table in tables) for k in range(2)] for c in range(5)]]
    fill = {"left_out": math.nan, "one": 1.0, "zero": 0.0}[empty]
    dice = [[hit / both if both else fill for hit, both in table] for table in tables]

    def mean(numbers: list[float]) -> float:
        known = [number for number in numbers if number == number]
        return sum(known) / len(known) if known else math.nan

    found = {f"Dice/{c}": mean([row[c] for row in dice]) for c in range(5)}
    return {**found, "mDice": mean([mean(row) for row in dice])}


@pytest.mark.parametrize("rule", RULES, ids="-".join)
def test_dice_counted_by_hand_and_by_the_reference(rule: tuple[Any, Any], tmp_path: Path) -> None:
    metric = MeanIoU(classes=5, dice=rule[0], dice_over=rule[1], class_accuracy=True)
    found = values(metric, measured(metric, sets(tmp_path)))
    assert list(found) == [quantity.name for quantity in metric.quantities]
    for name, value in by_hand(tmp_path, *rule).items():
        assert found[name] == (None if math.isnan(value) else pytest.approx(value, rel=1e-14)), name
    checked = metric.verify(tmp_path / "labels", tmp_path / "results")
    assert {name: None if math.isnan(value) else value for name, value in checked.items()} == found


def test_two_pixels_by_hand() -> None:
    """Of two classes: one right of two annotated and one predicted; the other neither annotated nor predicted."""
    table = np.array([[[1, 0], [2, 0], [1, 0]]], float)
    for empty, mean, second in (("left_out", 2 / 3, math.nan), ("one", 5 / 6, 1), ("zero", 1 / 3, 0)):
        overall, single = AskedTable(AskedNumbers(True, empty), table).all()
        assert overall == pytest.approx([mean])
        assert single == pytest.approx([0.5, math.nan, 2 / 3, second], nan_ok=True)


def test_nothing_is_told_unless_asked_and_no_number_of_others_changes(tmp_path: Path) -> None:
    plain, asked = MeanIoU(classes=5), MeanIoU(classes=5, dice="one", class_accuracy=True)
    states = [measured(metric, sets(tmp_path)) for metric in (plain, asked)]
    assert "dice" not in states[0].params and "class_accuracy" not in states[0].params
    assert {name: states[1].params[name] for name in ("dice", "dice_over", "class_accuracy")} == {
        "dice": "one",
        "dice_over": "set",
        "class_accuracy": True,
    }
    for name, array in states[0].arrays.items():
        assert array.tobytes() == states[1].arrays[name].tobytes()
    usual, more = (
        {score.quantity.name: score for score in metric.summarise(state, 50)}
        for metric, state in zip((plain, asked), states, strict=True)
    )
    assert all(more[name] == score for name, score in usual.items())
    assert [*more][6] == "mDice" and [*more][-10:] == [f"{kind}/{c}" for kind in ("acc", "Dice") for c in range(5)]
    with pytest.raises(InputError, match="differ in"):
        asked.merge([states[1], states[0]])
    assert str(more["acc/4"].reason) == "4 is not annotated in 6 images"


@pytest.mark.parametrize("rule", RULES, ids="-".join)
def test_intervals_are_those_of_images_repeated(rule: tuple[Any, Any], tmp_path: Path) -> None:
    metric = MeanIoU(classes=5, dice=rule[0], dice_over=rule[1], class_accuracy=True)
    state = measured(metric, sets(tmp_path))
    side = metric.by_image(state, True)
    assert side.names == tuple(quantity.name for quantity in metric.quantities) and side.overall == 7
    known = values(metric, state)
    whole = side.at(np.ones((1, 6), np.int64))[0]
    assert [None if value != value else value for value in whole.tolist()] == list(known.values())
    names = side.images.tolist()
    tables = {name: AskedTable(metric.asked, _table(metric, tmp_path, [name])).table for name in names}
    for times in resample_counts(6, 10, 3):
        repeated = [tables[name] for name, many in zip(names, times.tolist(), strict=True) for _ in range(many)]
        overall, single = AskedTable(metric.asked, np.concatenate(repeated)).all()
        found = side.at(times[None])[0]
        assert found[6] == pytest.approx(overall[0], nan_ok=True, rel=1e-13)
        assert found[-10:] == pytest.approx(single, nan_ok=True, rel=1e-13)
    scores = metric.summarise(state, 200)
    assert all(score.interval is not None for score in scores if score.value is not None)
    assert all(0 <= score.interval[0] <= score.interval[1] <= 1 for score in scores if score.interval)


def _table(metric: MeanIoU, folder: Path, images: list[int | str]) -> np.ndarray:
    matrix = metric.matrix(measured(metric, folder, images))
    return np.array([[np.diag(matrix), matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)]], float)


@pytest.mark.parametrize("rule", RULES, ids="-".join)
def test_any_split_merges_to_the_same_bits(rule: tuple[Any, Any], tmp_path: Path) -> None:
    metric = MeanIoU(classes=5, dice=rule[0], dice_over=rule[1], class_accuracy=True)
    whole = measured(metric, sets(tmp_path))
    names = whole.arrays["image"].tolist()
    parts = [measured(metric, tmp_path, some) for some in (names[4:], names[:1], names[1:4])]
    merged = metric.merge(parts)
    assert metric.summarise(merged, 20, 1) == metric.summarise(whole, 20, 1)
    again = State(merged.metric, merged.version, json.loads(json.dumps(merged.params)), merged.arrays)
    assert metric.summarise(again, 20, 1) == metric.summarise(whole, 20, 1)


@pytest.mark.parametrize("rule", [("left_out", "set"), ("one", "image"), ("zero", "set")], ids="-".join)
def test_cityscapes_tells_them_of_its_evaluated_pixels(rule: tuple[Any, Any], tmp_path: Path) -> None:
    random_streets.write(tmp_path, 5, scenes=5, labels=34)
    metric = CityscapesIoU(class_accuracy=True, dice=rule[0], dice_over=rule[1])
    target = metric.read_target(tmp_path / "gtFine/val")
    state = metric.measure(metric.read_predictions(tmp_path / "results", target), target)
    found, plain = values(metric, state), CityscapesIoU()
    usual = plain.measure(plain.read_predictions(tmp_path / "results", target), target)
    assert {name: found[name] for name in values(plain, usual)} == values(plain, usual)
    checked = metric.verify(tmp_path / "gtFine/val", tmp_path / "results")
    assert set(checked) == set(found)
    for name, value in found.items():
        if value is not None:
            assert value == pytest.approx(checked[name], rel=1e-12), name
        else:
            assert math.isnan(checked[name])
    side = metric.by_image(state, True)
    assert side.names == tuple(found) and side.overall == 10 and side.names[9] == "mDice"


def test_frequency_weighted_iou_of_cityscapes_is_that_of_any_set(tmp_path: Path) -> None:
    """Both metrics judge the same pixels if the other one is told Cityscapes' classes."""
    random_streets.write(tmp_path, 6, scenes=4, labels=34)
    streets = CityscapesIoU()
    target = streets.read_target(tmp_path / "gtFine/val")
    found = values(streets, streets.measure(streets.read_predictions(tmp_path / "results", target), target))
    matrix = streets.matrix(streets.measure(streets.read_predictions(tmp_path / "results", target), target))
    some = list(streets.ids)
    rows = matrix[some].astype(float)
    hit, annotated, predicted = rows[:, some].diagonal(), rows.sum(axis=1), rows[:, some].sum(axis=0)
    weights = annotated / annotated.sum()
    assert found["fwIoU"] == pytest.approx(float((weights * hit / (annotated + predicted - hit)).sum()), rel=1e-12)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dice": "nan"}, "left_out, one or zero"),
        ({"dice": True}, "left_out, one or zero"),
        ({"dice": "one", "dice_over": "class"}, "say set or image"),
        ({"dice_over": "image"}, "set `dice` as well"),
        ({"class_accuracy": "yes"}, "say true or false"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], says: str) -> None:
    for make in (lambda: MeanIoU(classes=2, **options), lambda: CityscapesIoU(**options)):
        with pytest.raises(UsageError, match=says):
            make()
    assert issubclass(UsageError, HrbenchError)
