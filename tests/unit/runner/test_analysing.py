"""Which stored analyses are shown of an entry that was scored before one of its metrics offered any."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hrbench.errors import MissingError
from hrbench.metrics.coco.boundary import CocoBoundary
from hrbench.metrics.coco.instances import CocoMasks
from hrbench.runner import analysing
from hrbench.types import Analysis, AnalysisTable


def entry(monkeypatch: pytest.MonkeyPatch, *stored: str) -> Any:
    """A result of masks and boundaries, of which some have a stored analysis."""
    table = AnalysisTable("t", "T", "", "", ("row",), ("n",), ("count",), np.ones((1, 1)))
    found = [Analysis(name, CocoMasks.analysis_version, {}, (table,)) for name in stored]
    monkeypatch.setattr(analysing, "analyses_of", lambda _: found)
    scores = [SimpleNamespace(metric=name) for name in ("coco-masks", "coco-boundary")]
    return SimpleNamespace(name="net", scores=scores, status="done")


def test_what_is_stored_is_shown_with_a_note_on_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = analysing.explain(entry(monkeypatch, "coco-masks"))
    assert [one.metric for one in found.analyses] == ["coco-masks"]
    (note,) = found.notes
    assert "coco-boundary" in note and "--data" in note and "--rescore" in note
    both = analysing.explain(entry(monkeypatch, CocoMasks.name, CocoBoundary.name))
    assert len(both.analyses) == 2 and both.notes == ()


@pytest.mark.parametrize("metric", ["", "coco-boundary"])
def test_without_any_that_was_asked_for_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    stored = ["coco-masks"] if metric else []
    with pytest.raises(MissingError, match=r"was scored without an error analysis of .*--data FOLDER"):
        analysing.explain(entry(monkeypatch, *stored), metric)
