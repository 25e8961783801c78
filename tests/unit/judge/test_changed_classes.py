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
from hrbench.statistics import paired
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import write_state
from hrbench.types import Policy, Rule

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


def test_the_page_tells_it(sides: tuple[Side, Side]) -> None:
    comparison = compare(*sides)
    ((entry, metric, (row,)),) = [
        (of.entry, of.metric, of.rows) for of in changed_classes([*changed_entries(comparison, sides)])
    ]
    assert (entry, metric, row.after) == ("objects", "coco-boxes", "0.00")
    assert row.change == f"−{row.before}"
    page = render_comparison(comparison, sides)
    assert page.count('<tr class="class">') == 1 and f"coco-boxes/{row.name}" in page
    assert "Told, not judged" in page
    judged = render_comparison(compare(*sides, options=Options(classes=True)), sides)
    assert judged.count('<tr class="class">') == 1 and "Told, not judged" not in judged


def test_numbers_that_a_policy_ignores_wait_for_no_further_replicates(sides: tuple[Side, Side]) -> None:
    replicates = [
        [row.evidence.replicates for row in compare(*sides, Policy(rules=rules), most=5 * paired.BLOCK).rows]
        for rules in ((Rule(tier="ignored"),), (Rule(tier="required"),))
    ]
    ignored, required = (max(one) for one in replicates)
    assert ignored == paired.BLOCK < required


def test_images_whose_truth_differs_have_no_part_in_it(sides: tuple[Side, Side], tmp_path: Path) -> None:
    """Under --common-images these are not judged, so no image and no class is told of them."""
    first, second = (side.results["objects"] for side in sides)
    state = state_of(second, "coco-boxes")
    before = most_changed(first, second, "coco-boxes")
    others = np.isin(state.arrays["image"], [change.name for change in before.images])
    assert others.any() and not others.all()
    truth = state.arrays["truth_digest"] + others.astype(np.uint64)
    run = RunFolder(tmp_path)
    part = run.begin("objects")
    write_state(replace(state, arrays={**state.arrays, "truth_digest": truth}), part / "states.npz")
    (part / "predictions.json").write_text("[]")
    changed = most_changed(first, run.commit(part, second), "coco-boxes")
    assert not {one.name for one in changed.images} & {one.name for one in before.images}


def test_the_metric_that_changed_is_shown_if_it_is_not_the_first(sides: tuple[Side, Side], tmp_path: Path) -> None:
    """An entry of two metrics whose first is the same on both sides."""
    made = []
    for name, side in zip(("first", "second"), sides, strict=True):
        result, run = side.results["objects"], RunFolder(tmp_path / name)
        part = run.begin("objects")
        write_state(state_of(sides[0].results["objects"], "coco-boxes"), part / "states.npz")
        other = state_of(result, "coco-boxes")
        write_state(replace(other, metric="coco-masks"), part / "states-coco-masks.npz")
        for number, file in enumerate(("predictions.json", "masks.json")):
            (part / file).write_text(f"[{number if name == 'first' else 2}]")
        masks = tuple(replace(one, metric="coco-masks") for one in result.scores)
        run.commit(part, replace(result, scores=(*sides[0].results["objects"].scores, *masks)))
        made.append(read_side(str(run.path), DATA))
    comparison = compare(made[0], made[1])
    (one,) = changed_entries(comparison, (made[0], made[1]))
    assert one.metric == "coco-masks" and one.most.classes and one.most.images


def test_a_metric_without_classes_has_none() -> None:
    side = read_side("baseline_1", DATA)
    for entry, metric in (("classes", "topk"), ("keypoints", "coco-keypoints")):
        assert not most_changed(side.results[entry], side.results[entry], metric).classes
