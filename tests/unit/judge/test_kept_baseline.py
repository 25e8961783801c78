"""A baseline as this format was first written is read for ever: its states, its digests, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hrbench.core.plugins import resolve
from hrbench.judge import baseline
from hrbench.judge.compare import compare
from hrbench.judge.sides import read_side, state_of

DATA = Path(__file__).parents[2] / "data"
VALUES = {
    "keypoints": 0.7663,
    "joints": 0.9263,
    "streets": 0.7680,
    "objects": 0.6241,
    "classes": 0.8333,
}
"""Entry -> its main number, as the table of its run has it."""


@pytest.fixture(scope="module")
def side():
    return read_side("baseline_1", DATA)


def test_it_is_read_whole(side) -> None:
    assert not side.damaged
    known = baseline.read("baseline_1", DATA)
    assert known.format == 1 and list(known.entries) == list(side.results) == list(VALUES)
    for name, value in VALUES.items():
        assert side.results[name].scores[0].value == pytest.approx(value, abs=5e-4)


def test_its_states_give_its_numbers_and_know_their_truth(side) -> None:
    for result in side.results.values():
        for metric in dict.fromkeys(score.metric for score in result.scores):
            found = resolve("hrbench.metrics", metric).by_image(state_of(result, metric))
            values = found.at(np.ones((1, len(found.images)), np.int64))[0]
            stored = {s.quantity.name: s.value for s in result.scores if s.metric == metric}
            for name, value in zip(found.names, values.tolist(), strict=True):
                if (metric, name) == ("cityscapes", "fwIoU"):  # which it gives since
                    continue
                assert value == pytest.approx(stored[name], rel=1e-12) if stored[name] is not None else value != value
            assert found.truth is not None and len(found.truth) == len(found.images) == 12


def test_against_itself_it_is_unchanged(side) -> None:
    rows = compare(side, side).rows
    assert {row.verdict for row in rows} == {"unchanged"} and len(rows) > 60


def test_predictions_that_only_look_different_are_judged_and_differ_by_nothing(side) -> None:
    """The same states under other digests of predictions: the statistics are asked, and find no difference."""
    other = {name: replace(result, files=without_predictions(result)) for name, result in side.results.items()}
    rows = compare(side, replace(side, results=other)).rows
    judged = [row for row in rows if row.evidence.means in ("bootstrap", "score test")]
    assert len(judged) > 30
    assert {row.evidence.difference for row in judged} == {0.0}
    assert {row.evidence.units for row in judged} == {12}
    # twelve images are too few to say that nothing has changed
    assert {row.verdict for row in judged} == {"cannot tell"}


def without_predictions(result) -> dict[str, str]:
    """Digests of an entry's files as if its predictions were others."""
    return {file: digest if "states" in file else "0" for file, digest in result.files.items()}
