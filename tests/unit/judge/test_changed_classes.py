"""The classes that changed most: on the page of a comparison where their numbers are not judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hrbench.core.plugins import resolve
from hrbench.judge.compare import compare
from hrbench.judge.evidence import Options
from hrbench.judge.most_changed import MostChanged, most_changed
from hrbench.judge.sides import Side, read_side, state_of
from hrbench.report.changed_classes import changed_classes
from hrbench.report.changed_images import changed_entries
from hrbench.report.comparison_page import render_comparison
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import write_state

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Side]:
    """A kept baseline, and a release that finds nothing of its second class of objects any more."""
    before = read_side("baseline_1:objects", DATA)
    template = before.results["objects"]
    state = state_of(template, "coco-boxes")
    hits = state.arrays["hits"].copy()
    hits[state.arrays["category"] == 1] = 0
    state = replace(state, arrays={**state.arrays, "hits": hits})
    run = RunFolder(tmp_path_factory.mktemp("after"))
    part = run.begin("objects")
    write_state(state, part / "states.npz")
    (part / "predictions.json").write_text("[]")
    metric = resolve("hrbench.metrics", "coco-boxes")()
    scores = tuple(replace(one, metric="coco-boxes") for one in metric.summarise(state, resamples=0))
    run.commit(part, replace(template, scores=scores))
    return before, read_side(f"{run.path}:objects", DATA)


def test_the_class_that_is_lost_is_the_only_one(sides: tuple[Side, Side]) -> None:
    first, second = (side.results["objects"] for side in sides)
    (one,) = most_changed(first, second, "coco-boxes").classes
    judge = resolve("hrbench.metrics", "coco-boxes")
    of_state = judge.by_image(state_of(first, "coco-boxes"), True)
    values = dict(zip(of_state.names, of_state.at(np.ones((1, len(of_state.images)), np.int64))[0], strict=True))
    assert one.name == f"AP/{state_of(first, 'coco-boxes').params['names'][1]}"
    assert (one.before, one.after) == (values[one.name], 0.0) and one.before > 0.3
    assert most_changed(first, first, "coco-boxes") == MostChanged()
    assert most_changed(second, first, "coco-boxes").classes[0].change == one.before


def test_the_page_tells_it_unless_classes_are_judged(sides: tuple[Side, Side]) -> None:
    comparison = compare(*sides)
    ((entry, metric, (row,)),) = [
        (of.entry, of.metric, of.rows) for of in changed_classes(comparison, [*changed_entries(comparison, sides)])
    ]
    assert (entry, metric, row.after) == ("objects", "coco-boxes", "0.00")
    assert row.change == f"−{row.before}"
    page = render_comparison(comparison, sides)
    assert page.count('<tr class="class">') == 1 and f"coco-boxes/{row.name}" in page
    judged = compare(*sides, options=Options(classes=True))
    assert changed_classes(judged, [*changed_entries(judged, sides)]) == []
    assert "Classes that changed most" not in render_comparison(judged, sides)


def test_a_metric_without_classes_has_none() -> None:
    side = read_side("baseline_1", DATA)
    for entry, metric in (("classes", "topk"), ("keypoints", "coco-keypoints")):
        assert not most_changed(side.results[entry], side.results[entry], metric).classes
