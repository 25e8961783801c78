"""Box and mask AP: equal to pycocotools to the last bit, whatever the files hold; single classes; what is told.

With those of `test_keypoints` there are 1,160 random cases beside the drawn ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_instances import case

from hrbench.metrics.coco_boxes import CocoBoxes
from hrbench.metrics.coco_masks import CocoMasks

METRICS: dict[str, Any] = {"boxes": CocoBoxes, "masks": CocoMasks}


def both(metric: Any, paths: tuple[Path, Path], images=None) -> tuple[list[float], list[float]]:
    """The twelve numbers and those of the classes that the metric tells, ours and pycocotools'."""
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target, images)
    scores = metric.summarise(state, 0)
    ours = [-1.0 if score.value is None else score.value for score in scores]
    assert ours[:12] == metric.raw(state).tolist()
    theirs = metric.verify(*paths, images)
    assert list(theirs) == [score.quantity.name for score in scores]
    return ours, list(theirs.values())


@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("kind", METRICS)
def test_random_cases_equal_pycocotools_to_the_last_bit(kind: str, block: int, written) -> None:
    metric, found = METRICS[kind](per_class=True), []
    for seed in range(30 * block, 30 * (block + 1)):
        ours, theirs = both(metric, written(*case(seed, 1 + seed % 4, masks=kind == "masks")))
        assert ours == theirs, f"seed {seed}"
        found.append(ours[0])
    assert np.mean(np.array(found) > 0) > 0.5  # the cases are not trivial


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(METRICS)), seed=st.integers(10_000, 2**31), categories=st.integers(1, 5),
    images=st.integers(1, 9),
)  # fmt: skip
def test_drawn_cases_equal_pycocotools_to_the_last_bit(written, kind, seed, categories, images) -> None:
    ours, theirs = both(METRICS[kind](per_class=True), written(*case(seed, categories, images, kind == "masks")))
    assert ours == theirs
