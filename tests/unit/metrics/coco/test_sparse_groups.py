"""Pairs of an image and a category that have no rows are nowhere; both ways of computing give the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from both_ways import both_ways
from random_coco import case as people_case
from random_instances import case
from random_matches import random_matches

from hrbench.formats.coco.columns import Detections, Truths
from hrbench.metrics.coco import assignment
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.groups import order_of, positions
from hrbench.metrics.coco.instances import INSTANCES, NUMBERS, CocoBoxes, CocoMasks, numbers
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.metrics.coco.matching import match
from hrbench.types import State

WAYS = ("1", "0")


def spread(seed: int, masks: bool = False) -> tuple[dict, list[dict]]:
    """A case with many categories, most of which never occur: before, between and after those that do."""
    truth, results = case(seed, categories=12, images=15, masks=masks)
    for row in (*truth["annotations"], *results):
        row["category_id"] = 100 + 7 * row["category_id"]
    truth["categories"] = [{"id": 5 * n + 1, "name": f"unused {n}"} for n in range(150)]
    used = {100 + 7 * (3 * c + 1) for c in range(12)}
    truth["categories"] = [each for each in truth["categories"] if each["id"] not in used]
    truth["categories"] += [{"id": each, "name": f"used {each}"} for each in used]
    return truth, results


def state_of(metric, paths, way: str, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("HRBENCH_COMPILED", way)
    target = metric.read_target(paths[0])
    return metric.merge([metric.measure(metric.read_predictions(paths[1], target), target)])


def assert_same(one: State, other: State) -> None:
    assert list(one.arrays) == list(other.arrays) and one.params == other.params
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype and array.tobytes() == other.arrays[name].tobytes(), name


@both_ways
@pytest.mark.parametrize("metric", [CocoBoxes(per_class=True), CocoMasks(per_class=True)], ids=["boxes", "masks"])
def test_categories_that_never_occur_equal_pycocotools(way, metric, written) -> None:
    for seed in range(4):
        paths = written(*spread(seed, isinstance(metric, CocoMasks)))
        target = metric.read_target(paths[0])
        state = metric.measure(metric.read_predictions(paths[1], target), target)
        scores = metric.summarise(state, 0)
        ours = {score.quantity.name: -1.0 if score.value is None else score.value for score in scores}
        assert ours == metric.verify(*paths)


def test_categories_that_never_occur_leave_the_arrays_as_they_are(written) -> None:
    truth, results = case(1, 4, 9)
    metric, states = CocoBoxes(), []
    for unused in (0, 3000):
        more = [{"id": 1000 + n, "name": f"unused {n}"} for n in range(unused)]
        paths = written({**truth, "categories": truth["categories"] + more}, results)
        target = metric.read_target(paths[0])
        states.append(metric.measure(metric.read_predictions(paths[1], target), target))
    few, many = states
    assert len(many.params["categories"]) == len(few.params["categories"]) + 3000
    assert_same(few, replace(many, params=few.params))


@pytest.mark.parametrize("kind", ["boxes", "masks", "keypoints"])
def test_states_of_both_ways_are_the_same_bits(kind: str, written, monkeypatch) -> None:
    metric = {"boxes": CocoBoxes, "masks": CocoMasks, "keypoints": CocoKeypointAP}[kind]()
    for seed in range(20):
        files = people_case(seed, images=12) if kind == "keypoints" else case(seed, 5, 12, kind == "masks")
        paths = written(*files)
        compiled, plain = (state_of(metric, paths, way, monkeypatch) for way in WAYS)
        assert_same(compiled, plain)
        both = []
        for way in WAYS:
            monkeypatch.setenv("HRBENCH_COMPILED", way)
            both.append(metric.raw(compiled).tolist())
        assert both[0] == both[1]


@both_ways
@pytest.mark.parametrize("pairs", [1, 7])
def test_some_groups_at_a_time_give_the_same_bits(way, pairs: int, written, monkeypatch) -> None:
    paths, metric = written(*case(3, 3, 12)), CocoBoxes()
    target = metric.read_target(paths[0])
    found = metric.read_predictions(paths[1], target)
    whole = metric.measure(found, target)
    for name in ("PART_PAIRS", "COMPILED_PART"):
        monkeypatch.setattr(assignment, name, pairs)
    assert_same(metric.measure(found, target), whole)


@pytest.mark.parametrize("categories", [1, 3, 9, 30])
@pytest.mark.parametrize("images", [2, 40])
def test_accumulation_of_both_ways_is_the_same_bits(images: int, categories: int, monkeypatch) -> None:
    matches = random_matches(images, images, categories, 4)
    limits = replace(INSTANCES, max_detections=(1, 2, 100))
    asked = [*numbers([str(n) for n in range(categories)], limits)]
    asked += [Number("one", "recall", 3, 1, 2, 0), Number("other", "precision", 5, 2, 1, categories - 1)]
    rng = np.random.default_rng(images)
    times = rng.multinomial(images, [1 / images] * images, size=7)
    times[:, 0] = 0  # categories of one image vanish
    found = []
    for way in WAYS:
        monkeypatch.setenv("HRBENCH_COMPILED", way)
        accumulator = Accumulator(matches, limits, asked)
        once = np.ones(images, np.int64)
        found.append(
            [accumulator.at(), accumulator.at_each(times), accumulator.at_each(times, once), accumulator.at(times[0])]
        )
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()
    assert np.array_equal(found[0][1][0], found[0][3])


@both_ways
def test_no_category_has_an_object(way) -> None:
    matches = random_matches(0, 5, 2, 4)
    nothing = np.zeros(6, np.int64), np.zeros(0, np.uint16), np.zeros((0, 4), np.int32)
    offsets, category, positives = nothing
    empty = replace(
        matches, hits=0 * matches.hits, object_offsets=offsets, object_category=category, positives=positives
    )
    assert (Accumulator(empty, INSTANCES, NUMBERS).at() == -1).all()


@both_ways
def test_more_categories_than_sixteen_bits(way) -> None:
    last = np.array([69_999, 3], np.int64)
    area, no = np.array([50.0, 50.0]), np.zeros(2, bool)
    truths, found = Truths(last * 0, last, area, no, no), Detections(last * 0, last, np.array([0.5, 0.6]), area)
    exact = match(truths, found, lambda d, g: (d == g) * 1.0, INSTANCES, np.array([0, 1]), np.arange(70_000))
    assert exact.category.dtype == exact.object_category.dtype == np.uint32
    assert exact.category.tolist() == exact.object_category.tolist() == [3, 69_999]
    asked = [Number("last", "precision", None, 0, 2, 69_999), Number("none", "precision", None, 0, 2, 65_536)]
    assert Accumulator(exact, INSTANCES, asked).at().tolist() == pytest.approx([1.0, -1.0])


def test_rows_are_ordered_in_the_same_way(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    for many in (0, 1, 2, 1000):
        keys = rng.choice([-1, 0, 5, 5, 2**40, 2**62], many)
        score = rng.choice([0.0, -0.0, 1.0, -2.5, 1e-310, 1e300, 0.1, np.float64(np.float32(0.1))], many)
        found = []
        for way in WAYS:
            monkeypatch.setenv("HRBENCH_COMPILED", way)
            found.append((order_of(keys, score).tolist(), order_of(keys).tolist()))
        assert found[0] == found[1]
        rows = sorted(np.flatnonzero(keys >= 0).tolist(), key=lambda row: (keys[row], -score[row]))
        assert found[0][0] == rows


def test_positions_of_ids_near_and_far() -> None:
    ends = np.iinfo(np.int64)
    asked = np.array([ends.min, -3, 0, 4, 5, 10**15, ends.max])
    assert positions(asked, np.array([0, 5])).tolist() == [-1, -1, 0, -1, 1, -1, -1]
    assert positions(asked, np.array([-3, 5, 10**15])).tolist() == [-1, 0, -1, -1, 1, 2, -1]
    assert positions(asked, np.array([ends.min, ends.max])).tolist() == [0, -1, -1, -1, -1, -1, 1]
    assert positions(asked, np.zeros(0, np.int64)).tolist() == [-1] * 7
