"""Differences between rows of a table are those that a comparison of two entries has, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evidence import AP
from report_factory import make, of

from hrbench.judge import paired_rows
from hrbench.judge.by_image import evidence_by_image
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.paired_rows import PairedRows
from hrbench.types import ByImage, Result, State

VALUES = np.random.default_rng(0).random((2, 50))


def side(values: np.ndarray, first: int = 0, right: bool = False) -> ByImage:
    """The mean of a value of each image, or the share of those above one half."""
    columns, images = values[:, None] > 0.5 if right else values[:, None], np.arange(first, first + len(values))

    def at(weights: np.ndarray) -> np.ndarray:
        return weights @ columns / weights.sum(axis=1, keepdims=True)

    return ByImage(images, ("AP",), 1, at, dict, 7, right=columns if right else None)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, ByImage]:
    """Name of a result -> its side; each is read once."""
    sides: dict[str, ByImage] = {}

    class Judged:
        @staticmethod
        def by_image(state: State, classes: bool = False) -> ByImage:
            return sides[state.metric]

    monkeypatch.setattr(paired_rows, "resolve", lambda group, name: Judged())
    monkeypatch.setattr(paired_rows, "state_digest", lambda result, metric: result.name if result.name in sides else "")
    monkeypatch.setattr(paired_rows, "state_of", lambda result, metric: State(result.name, 1, {}, {}))
    return sides


def net(name: str) -> Result:
    return replace(make(name, of("AP", 0.5)), name=name)


@pytest.mark.parametrize("right", [False, True])
def test_the_interval_is_that_of_a_comparison(states: dict[str, ByImage], right: bool) -> None:
    states |= {"a": side(VALUES[0], right=right), "b": side(VALUES[1], right=right)}
    rows = evidence_by_image(states["a"], states["b"], [Evidence("b", "a", "coco-keypoints", AP)], Options())
    assert not isinstance(rows, str)
    rows_of_a_table = PairedRows()
    found = rows_of_a_table.interval(net("a"), net("b"), "coco-keypoints", "AP")
    assert found is not None and found[:2] == rows[0].interval and found.images == len(VALUES[0])
    again = PairedRows(known=rows_of_a_table.used)
    states |= {"a": side(VALUES[1], right=right)}  # what is known is not computed again
    assert again.interval(net("a"), net("b"), "coco-keypoints", "AP") == found and again.used == again.known


def test_no_interval_without_states_or_on_other_images(states: dict[str, ByImage]) -> None:
    states |= {"a": side(VALUES[0]), "b": side(VALUES[1], first=3)}
    rows = PairedRows()
    assert rows.interval(net("a"), net("b"), "coco-keypoints", "AP") is None
    assert rows.interval(net("a"), net("c"), "coco-keypoints", "AP") is None
    assert rows.interval(net("a"), net("a"), "coco-keypoints", "none") is None
    assert rows.interval(net("a"), net("a"), "coco-keypoints", "AP") == (0.0, 0.0, len(VALUES[0]))
    states |= {"d": side(np.full_like(VALUES[0], np.nan)), "e": side(np.full_like(VALUES[0], np.nan))}
    assert rows.interval(net("d"), net("e"), "coco-keypoints", "AP") is None  # no resample has the number
