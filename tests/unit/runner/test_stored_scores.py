"""Stored scores are those of their states, or do not count."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hrbench.contracts import Metric
from hrbench.core.plugins import resolve
from hrbench.runner.stored_scores import recompute_scores, score_mismatch
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import state_file
from hrbench.types import Result

FORMAT_1 = Path(__file__).parents[2] / "data" / "format1"
ENTRIES = sorted(path.name for path in (FORMAT_1 / "entries").iterdir())


def metrics_of(result: Result) -> list[Metric]:
    return [resolve("hrbench.metrics", name)() for name in result.entry.metrics]


@pytest.fixture
def stored(tmp_path: Path) -> Result:
    """A detector's result, judged by two metrics, in a folder that a test may change."""
    shutil.copytree(FORMAT_1, tmp_path / "run")
    found = RunFolder(tmp_path / "run").read("mask_rcnn_hrnetv2p_miniature_coco")
    assert found is not None and score_mismatch(found, metrics_of(found)) is None
    return found


@pytest.mark.parametrize("name", ENTRIES)
def test_states_of_an_older_hrbench_give_its_scores_to_the_last_bit(name: str) -> None:
    result = RunFolder(FORMAT_1).read(name)
    assert result is not None
    found = recompute_scores(result.entry, metrics_of(result), Path(result.folder))
    gained = {"fwIoU"} if name.startswith("seg_") else set()
    found = [one for one in found if one.quantity.name not in gained]
    assert score_mismatch(result, metrics_of(result)) is None
    assert [(one.metric, one.quantity.name, one.value, one.interval, one.n) for one in found] == [
        (one.metric, one.quantity.name, one.value, one.interval, one.n) for one in result.scores
    ]


def test_a_changed_score_does_not_count_whatever_of_it_was_changed(stored: Result) -> None:
    metrics = metrics_of(stored)
    first, *others = stored.scores
    for changed in (
        replace(first, value=12.5),
        replace(first, interval=None),
        replace(first, n=first.n + 1),
    ):
        wrong = score_mismatch(replace(stored, scores=(changed, *others)), metrics)
        assert wrong is not None and f"coco-boxes AP is stored as {changed.value!r}" in wrong.what
        assert wrong.remedy == "the entry is run again"
    for scores in (tuple(others), (*others, first)):
        wrong = score_mismatch(replace(stored, scores=scores), metrics)
        assert wrong is not None and "not those that their states give" in wrong.what


def test_a_state_that_is_not_there_or_damaged_does_not_count(stored: Result) -> None:
    metrics = metrics_of(stored)
    second = Path(stored.folder) / state_file([metric.name for metric in metrics], 1)
    assert second.name == "states-coco-masks.npz"
    second.write_bytes(second.read_bytes()[:100])
    wrong = score_mismatch(stored, metrics)
    assert wrong is not None and "cannot be compared with their states" in wrong.what and second.name in wrong.what
    second.unlink()
    wrong = score_mismatch(stored, metrics)
    assert wrong is not None and f"no file {second}" in wrong.what


def test_states_of_other_metrics_do_not_count(stored: Result) -> None:
    wrong = score_mismatch(stored, list(reversed(metrics_of(stored))))
    assert wrong is not None


def test_what_a_server_judges_has_no_states_to_be_held_to(stored: Result) -> None:
    assert score_mismatch(replace(stored, status="submitted", folder="nowhere"), metrics_of(stored)) is None
