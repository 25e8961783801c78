"""CPU time of one bootstrap draw at val2017's size, 5,000 images, beside NumPy's running sum.

The sum goes over what a draw at least has to: all detections at each of the ten thresholds.

Of keypoint AP: 6,000 people, 100,000 detections. Of box AP: 36,000 objects of 80 classes, 500,000 detections.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.instances import INSTANCES, CocoBoxes
from hrbench.metrics.coco.instances import NUMBERS as TWELVE
from hrbench.metrics.coco.keypoints import NUMBERS, CocoKeypointAP
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.oks import KEYPOINTS
from hrbench.metrics.coco.states import matches_of
from hrbench.statistics.bootstrap import resample_counts
from hrbench.types import State

MILLISECOND = 1e-3


@pytest.fixture(scope="module")
def state(coco_scale_files) -> State:
    metric = CocoKeypointAP()
    target = metric.read_target(coco_scale_files[0])
    return metric.measure(metric.read_predictions(coco_scale_files[1], target), target)


@pytest.fixture(scope="module")
def matches(state: State) -> Matches:
    return matches_of(state, "coco-keypoints", 1)


def seconds_per_draw(
    matches: Matches, numbers: Sequence[Number], resamples: int = 100, settings: MatchSettings = KEYPOINTS
) -> float:
    """CPU seconds of one draw with its numbers: the least of several rounds, drawing included."""
    accumulator = Accumulator(matches, settings, numbers)
    rounds = []
    for seed in range(7):
        start = time.process_time()
        for weights in resample_counts(len(matches.images), resamples, seed):
            accumulator.at(weights)
        rounds.append((time.process_time() - start) / resamples)
    return min(rounds)


def seconds_per_sum(detections: int, rounds: int = 20) -> float:
    """The least CPU seconds of NumPy's running sums of so many numbers at ten thresholds."""
    numbers = np.random.default_rng(0).random((10, detections))
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        np.cumsum(numbers, axis=1)
        spent.append(time.process_time() - start)
    return min(spent)


def test_ap_over_all_areas_in_half_of_a_sum_and_the_rest_in_one(benchmark, matches: Matches) -> None:
    assert NUMBERS[0].name == "AP"
    ap, others = seconds_per_draw(matches, NUMBERS[:1]), seconds_per_draw(matches, NUMBERS[1:])
    accumulator, weights = Accumulator(matches, KEYPOINTS, NUMBERS), next(resample_counts(len(matches.images), 1, 0))
    benchmark(accumulator.at, weights)
    peer = seconds_per_sum(len(matches.score))
    benchmark.extra_info.update(ap_seconds=ap, other_nine_seconds=others, sum_seconds=peer)
    assert ap <= 0.5 * peer
    assert others <= peer


def test_a_thousand_draws_with_all_numbers(benchmark, state: State, matches: Matches) -> None:
    """What a user waits for, all ten intervals, takes little more than its draws."""
    metric = CocoKeypointAP()
    start = time.process_time()
    scores = benchmark.pedantic(metric.summarise, (state, 1000), rounds=1)
    spent = time.process_time() - start
    draw = seconds_per_draw(matches, NUMBERS)
    benchmark.extra_info.update(cpu_seconds=spent, draw_seconds=draw)
    assert spent <= 1.5 * 1000 * draw
    for score in scores:
        assert score.interval is not None and score.interval[0] < score.value < score.interval[1]
        assert np.isfinite(score.interval).all()


def test_all_twelve_box_numbers_of_eighty_classes_in_ten_milliseconds(benchmark, box_scale_files) -> None:
    metric = CocoBoxes()
    target = metric.read_target(box_scale_files[0])
    state = metric.measure(metric.read_predictions(box_scale_files[1], target), target)
    matches = matches_of(state, metric.name, metric.version)
    assert len(matches.categories) == 80
    every = seconds_per_draw(matches, TWELVE, 20, INSTANCES)
    benchmark.extra_info.update(
        all_twelve_seconds=every,
        ap_seconds=seconds_per_draw(matches, TWELVE[:1], 20, INSTANCES),
        ap_of_all_area_ranges_seconds=seconds_per_draw(matches, (TWELVE[0], *TWELVE[3:6]), 20, INSTANCES),
    )
    accumulator, weights = Accumulator(matches, INSTANCES, TWELVE), next(resample_counts(len(matches.images), 1, 0))
    benchmark(accumulator.at, weights)
    assert every <= 10 * MILLISECOND
