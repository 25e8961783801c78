"""What every metric promises, built-in or not: states merge in any order, are plain data, and say enough."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import Case, case_of, modules

from hrbench.cli.metric_listing import options_of
from hrbench.errors import HrbenchError, InputError
from hrbench.types import ByImage, State

NAMES = sorted(point.name for point in entry_points(group="hrbench.metrics"))


@pytest.fixture(scope="module", params=NAMES)
def drawn(request, tmp_path_factory) -> Case:
    (point,) = entry_points(group="hrbench.metrics", name=request.param)
    case = case_of(point.load()(), tmp_path_factory.mktemp(request.param))
    case.metric.write_predictions(iter(case.samples), case.predictions)
    return case


def test_it_says_what_its_predictions_look_like_and_what_its_options_are(drawn: Case):
    """For `hrbench metrics NAME`. The example of a text file has the keys or the columns of what the metric writes."""
    form = drawn.metric.prediction_form
    assert form.shape and form.frame
    if drawn.predictions.suffix == ".json":
        written = json.loads(drawn.predictions.read_text())
        row = written[0] if isinstance(written, list) else written
        assert json.loads(form.example.replace(", ...", "")).keys() == row.keys()
    if drawn.predictions.suffix == ".csv":
        heading = drawn.predictions.read_text().splitlines()[0]
        assert form.example.count(",") in range(heading.count(",") + 1)
    undescribed = [one.name for one in options_of(type(drawn.metric)) if not one.about]
    assert not undescribed


def bits(state: State) -> list[tuple]:
    return [(name, array.shape, array.tobytes()) for name, array in sorted(state.arrays.items())]


def test_it_says_what_it_measures(drawn: Case) -> None:
    metric = drawn.metric
    assert metric.name in NAMES and isinstance(metric.version, int)
    assert len({quantity.name for quantity in metric.quantities}) == len(metric.quantities)
    assert all(q.description and q.label and q.unit in ("fraction", "pixels") for q in metric.quantities)


def test_scores_come_in_the_order_of_the_quantities_with_intervals_around_them(drawn: Case) -> None:
    scores = drawn.metric.summarise(drawn.measured(), 60)
    assert [score.quantity.name for score in scores] == [quantity.name for quantity in drawn.metric.quantities]
    for score in scores:
        assert score.metric == drawn.metric.name
        if score.value is None:
            assert score.reason and score.interval is None
        else:
            assert score.interval is not None and score.n > 0 and not score.reason
            most = 1 if score.quantity.unit == "fraction" else float("inf")
            assert 0 <= score.interval[0] <= score.interval[1] <= most and 0 <= score.value <= most
    assert sum(score.value is not None for score in scores) >= min(6, len(scores))


def test_the_oracle_agrees(drawn: Case) -> None:
    checked = drawn.metric.verify(drawn.truth, drawn.predictions)
    for score in drawn.metric.summarise(drawn.measured(), 0):
        if score.value is not None:
            assert score.value == pytest.approx(checked[score.quantity.name], rel=1e-12)


def test_a_part_of_the_images_agrees_with_the_oracle(drawn: Case) -> None:
    some = drawn.ids[2:9]
    checked = drawn.metric.verify(drawn.truth, drawn.predictions, some)
    for score in drawn.metric.summarise(drawn.measured(some), 0):
        if score.value is not None:
            assert score.value == pytest.approx(checked[score.quantity.name], rel=1e-12)


@settings(max_examples=15)
@given(data=st.data())
def test_any_split_merged_in_any_order_changes_no_bit(drawn: Case, data) -> None:
    whole = drawn.measured()
    parts = data.draw(st.lists(st.integers(0, 3), min_size=len(drawn.ids), max_size=len(drawn.ids)))
    states = [
        drawn.measured([image for image, its in zip(drawn.ids, parts, strict=True) if its == part])
        for part in sorted(set(parts))
    ]
    states = data.draw(st.permutations(states))
    flat = drawn.metric.merge(states)
    nested = drawn.metric.merge(
        [drawn.metric.merge(states[:1]), *([drawn.metric.merge(states[1:])] if states[1:] else [])]
    )
    assert bits(flat) == bits(nested) == bits(drawn.metric.merge([whole]))
    assert drawn.metric.summarise(flat, 10, 3) == drawn.metric.summarise(whole, 10, 3)
    assert drawn.metric.qualities(flat) == drawn.metric.qualities(whole)


def test_rows_in_another_order_change_no_bit(drawn: Case) -> None:
    """Also without `merge`: `summarise` itself puts the rows in the official order."""
    one, other = drawn.measured(drawn.ids[:6]), drawn.measured(drawn.ids[6:])
    pieces = [other, one]
    arrays = {name: np.concatenate([piece.arrays[name] for piece in pieces]) for name in one.arrays}
    for name in (name for name in arrays if name.endswith("offsets")):
        first = other.arrays[name]
        arrays[name] = np.concatenate([first, one.arrays[name][1:] + first[-1]])
    shuffled = replace(one, arrays=arrays)
    assert drawn.metric.summarise(shuffled, 20) == drawn.metric.summarise(drawn.measured(), 20)
    assert bits(drawn.metric.merge([shuffled])) == bits(drawn.metric.merge([drawn.measured()]))


def test_states_are_plain_data(drawn: Case, tmp_path: Path) -> None:
    state = drawn.measured()
    np.savez(tmp_path / "states.npz", **state.arrays)
    with np.load(tmp_path / "states.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    again = State(state.metric, state.version, json.loads(json.dumps(state.params)), arrays)
    assert drawn.metric.summarise(again, 20) == drawn.metric.summarise(state, 20)
    assert bits(drawn.metric.merge([again])) == bits(drawn.metric.merge([state]))


def test_an_image_twice_is_refused(drawn: Case) -> None:
    some, more = drawn.measured(drawn.ids[:5]), drawn.measured(drawn.ids[4:])
    with pytest.raises(InputError, match="is in more than one of the merged states"):
        drawn.metric.merge([some, more])


def test_states_of_other_kinds_are_refused(drawn: Case) -> None:
    state = drawn.measured()
    for stranger in (replace(state, metric="other"), replace(state, version=state.version + 1)):
        with pytest.raises(InputError, match="measure again"):
            drawn.metric.summarise(stranger)
        with pytest.raises(InputError, match="measure again"):
            drawn.metric.merge([state, stranger])
    key = sorted(state.params)[0]
    with pytest.raises(InputError, match="differ in"):
        drawn.metric.merge([drawn.measured(drawn.ids[:5]), replace(state, params={**state.params, key: "other"})])
    with pytest.raises(HrbenchError, match="nothing to merge"):
        drawn.metric.merge([])


def test_qualities_rank_images(drawn: Case) -> None:
    qualities = drawn.metric.qualities(drawn.measured())
    assert set(qualities) <= set(drawn.ids) and len(set(qualities.values())) > 3
    assert all(0 <= quality <= 1 for quality in qualities.values())


def test_the_order_of_writing_does_not_matter(drawn: Case, tmp_path: Path) -> None:
    path = tmp_path / drawn.metric.prediction_file
    drawn.metric.write_predictions(iter(drawn.samples[::-1]), path)
    again = replace(drawn, predictions=path)
    assert bits(again.measured()) == bits(drawn.measured())


def test_a_metric_without_a_case_fails_the_laws_and_no_case_is_of_an_unknown_metric(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no law is tried on the metric unheard-of: write tests"):
        case_of(SimpleNamespace(name="unheard-of"), tmp_path)
    assert {name for module in modules() for name in module.METRICS} <= set(NAMES)


def test_metrics_never_import_torch() -> None:
    code = (
        "import sys, hrbench.metrics.coco.keypoints, hrbench.metrics.coco.instances, hrbench.metrics.pckh, "
        "hrbench.metrics.labels.cityscapes, hrbench.metrics.labels.mean_iou; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_by_image_gives_the_scores_and_those_of_any_part(drawn):
    """As a function of weights the numbers are the metric's own: with every weight 1, and with 0 for some images."""
    state = drawn.measured()
    side = type(drawn.metric).by_image(state)
    assert side.images.tolist() == sorted(side.images.tolist()) and len(side.names) == side.overall
    whole = {one.quantity.name: one.value for one in drawn.metric.summarise(state, resamples=0)}
    agree(numbers_of(side, np.ones(len(side.images), np.int64)), whole)
    assert side.qualities() == drawn.metric.qualities(state)
    for seed in range(3):
        keep = np.random.default_rng(seed).random(len(side.images)) < 0.6
        keep[seed] = True
        some = [image for image in drawn.ids if image in set(side.images[keep].tolist())]
        if not some:  # images that are not counted, such as those without a valid class
            continue
        part = {one.quantity.name: one.value for one in drawn.metric.summarise(drawn.measured(some), resamples=0)}
        agree(numbers_of(side, keep.astype(np.int64)), part)


def test_a_mean_over_classes_is_over_the_same_classes_in_every_resample(drawn):
    """A class that a resample lacks keeps its number of all images; without it the mean would be one of fewer.

    Which numbers are such means is told by the numbers themselves: with all images they are the mean of a family.
    """
    side = type(drawn.metric).by_image(drawn.measured(), True)
    once = np.ones(len(side.images), np.int64)
    resampled = side.resampled or (lambda weights, once: side.at(weights))
    assert np.array_equal(resampled(once[None], once), side.at(once[None]), equal_nan=True)
    weights = np.eye(len(once), dtype=np.int64)[:5] * 3  # a single image, which lacks most classes
    found, alone, whole = resampled(weights, once), side.at(weights), side.at(once[None])[0]
    assert np.array_equal(found[:, side.overall :], alone[:, side.overall :], equal_nan=True)
    means = list(means_of_families(side))
    lacking = np.isnan(alone) & ~np.isnan(whole)
    assert side.resampled is None or not means or lacking.any(), "the case cannot tell: no image lacks a class"
    for mean, places in means:
        parts = np.where(np.isnan(alone[:, places]), whole[places], alone[:, places])
        assert found[:, mean] == pytest.approx(np.nanmean(parts, axis=1), abs=1e-12), side.names[mean]
    assert means or len(side.names) == side.overall, "it has numbers of single classes, and no number is a mean of some"


def means_of_families(side: ByImage) -> Iterator[tuple[int, list[int]]]:
    """The places of means over classes, each with the places of its classes' numbers: of a family such as `IoU/`."""
    every = np.random.default_rng(0).integers(1, 9, (3, len(side.images)))  # under these each class occurs
    values = side.at(np.concatenate([np.ones_like(every[:1]), every]))
    families: dict[str, list[int]] = {}
    for place, name in enumerate(side.names[side.overall :], side.overall):
        families.setdefault(name.rpartition("/")[0], []).append(place)
    for places in families.values():
        mean = np.nanmean(values[:, places], axis=1)
        for place in range(side.overall):
            if values[:, place] == pytest.approx(mean, abs=1e-12):
                yield place, places


def agree(found: dict[str, float | None], expected: dict[str, float | None]) -> None:
    """Equal to the bit, but for iIoU: the official script adds instance by instance, which no weight of images can."""
    for name, value in found.items():
        assert value == (pytest.approx(expected[name], rel=1e-13) if name.startswith("iIoU") else expected[name])


def numbers_of(side, weights: np.ndarray) -> dict[str, float | None]:
    values = side.at(np.stack([weights, weights]))
    assert values.shape == (2, len(side.names)) and np.array_equal(values[0], values[1], equal_nan=True)
    return {name: None if value != value else value for name, value in zip(side.names, values[0].tolist(), strict=True)}


def test_a_state_tells_the_truth_of_its_images(drawn):
    """Each image's digest is that of its ground truth alone: the same in any part, and whatever was predicted."""
    side = type(drawn.metric).by_image(drawn.measured())
    assert side.truth is not None and side.truth.dtype == np.uint64 and len(side.truth) == len(side.images)
    assert len(set(side.truth.tolist())) > 1
    known = dict(zip(side.images.tolist(), side.truth.tolist(), strict=True))
    some = [image for image in drawn.ids if image in known][::2]
    part = type(drawn.metric).by_image(drawn.measured(some))
    assert part.truth is not None
    assert dict(zip(part.images.tolist(), part.truth.tolist(), strict=True)) == {image: known[image] for image in some}


def test_a_state_of_a_former_format_has_no_truth_and_the_same_numbers(drawn):
    state = drawn.measured()
    former = replace(state, arrays={name: value for name, value in state.arrays.items() if name != "truth_digest"})
    old, new = (type(drawn.metric).by_image(one) for one in (former, state))
    once = np.ones((1, len(new.images)), np.int64)
    assert old.truth is None and np.array_equal(old.at(once), new.at(once), equal_nan=True)
    merged = drawn.metric.merge([former])
    assert merged.arrays.keys() == former.arrays.keys()
