"""Boundary IoU of label maps: by hand, against masks eroded one by one, ignored pixels, states and options."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_streets import save
from scipy import ndimage

from hrbench.errors import InputError, UsageError
from hrbench.metrics.boundaries import width_of
from hrbench.metrics.labels.boundary_iou import SEEN, BoundaryIoU, boundary_counts, near_edges
from hrbench.metrics.labels.boundary_reference import counts_by_opencv
from hrbench.metrics.labels.classes import IGNORED
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.statistics.bootstrap import resample_counts
from hrbench.types import State


def regions(rng: np.random.Generator, size: tuple[int, int], labels: list[int]) -> np.ndarray:
    """Regions of a few labels with crooked edges, single pixels among them."""
    grown = ndimage.uniform_filter(rng.random((*size, len(labels))), (7, 7, 0)).argmax(axis=2)
    return np.where(rng.random(size) < 0.01, rng.integers(0, len(labels), size), grown).astype(np.uint16)


def put(folder: Path, images: int = 6, classes: int = 4, seed: int = 0) -> Path:
    """Maps in two folders; some pixels are not judged, one image is not judged at all, another has one class."""
    rng = np.random.default_rng(seed)
    for number in range(images):
        size = tuple(rng.integers(20, 70, 2).tolist())
        truth = regions(rng, size, [*range(classes)])
        guess = np.where(ndimage.uniform_filter(rng.random(size), 5) < 0.5, truth, regions(rng, size, [0, 1, 2]))
        truth = np.where(ndimage.uniform_filter(rng.random(size), 5) < 0.45, 255, truth)
        truth = np.full(size, (1, 255)[number % 2]) if number > images - 3 else truth
        for place, one in (("labels", truth), ("results", guess)):
            save(folder / f"{place}/{'ab'[number % 2]}/{number}.png", one.astype(np.uint8))
    return folder


def measured(metric: Any, folder: Path, images: list[int | str] | None = None) -> State:
    target = metric.read_target(folder / "labels")
    return metric.measure(metric.read_predictions(folder / "results", target), target, images)


def values(metric: Any, state: State) -> dict[str, float | None]:
    return {score.quantity.name: score.value for score in metric.summarise(state, 0)}


def table_of(rows: dict[str, np.ndarray], classes: int) -> np.ndarray:
    table = np.zeros((3, classes))
    table[:, rows["class"]] = rows["shared"], rows["annotated"], rows["predicted"]
    return table


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_masks_eroded_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = [(1, 1), (1, 30), (9, 9), (33, 64), (64, 20), (50, 50)][seed % 6]
    truth, guess = regions(rng, size, [0, 1, 2]), regions(rng, size, [0, 1, 2, 3])
    truth = np.where(ndimage.uniform_filter(rng.random(size), 3) < 0.4, IGNORED, truth)
    for ratio in (0.001, 0.02, 0.05, 0.3, 1.0):
        found = table_of(boundary_counts(truth, guess, 3, ratio), 3)
        assert np.array_equal(found, counts_by_opencv(truth, guess, 3, ratio)), ratio
        width = width_of(ratio, *size)  # and SciPy's erosion says the same
        mask = (truth == 1).astype(bool)
        inner = ndimage.binary_erosion(mask, np.ones((3, 3), bool), iterations=width)
        assert found[1, 1] == np.count_nonzero(mask & ~inner)


def test_by_hand(tmp_path: Path) -> None:
    """Two halves of 20 x 40, d = 1: the prediction's edge is one column off."""
    truth, guess = np.zeros((2, 20, 40), np.uint8)
    truth[:, 20:], guess[:, 21:] = 1, 1
    save(tmp_path / "labels/a.png", truth), save(tmp_path / "results/a.png", guess)
    metric = BoundaryIoU(classes=3)
    assert width_of(0.02, 20, 40) == 1
    found = values(metric, measured(metric, tmp_path))
    # frames of 20 x 20 and 20 x 21 px share all but the columns at the edge, of which they share four ends
    left = (20 + 2 * 19, 2 * (20 + 20) - 4, 2 * (20 + 21) - 4)
    iou = left[0] / (left[1] + left[2] - left[0])
    assert found["boundary_IoU/0"] == pytest.approx(iou) and found["boundary_IoU/2"] is None
    assert found["boundary_mIoU"] == pytest.approx((found["boundary_IoU/0"] + found["boundary_IoU/1"]) / 2)
    assert metric.qualities(measured(metric, tmp_path)) == {"a": found["boundary_mIoU"]}


def test_ground_truth_as_prediction_is_perfect_whatever_lies_in_ignored_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth = regions(rng, (40, 50), [0, 1, 2])
    hidden = ndimage.uniform_filter(rng.random((40, 50)), 5) < 0.5
    save(tmp_path / "labels/a.png", np.where(hidden, 255, truth).astype(np.uint8))
    save(tmp_path / "results/a.png", np.where(hidden, 0, truth).astype(np.uint8))
    metric = BoundaryIoU(classes=3)
    assert list(values(metric, measured(metric, tmp_path)).values()) == [1.0] * 4


def test_equal_to_the_reference_on_drawn_sets(tmp_path: Path) -> None:
    for options in ({}, {"dilation_ratio": 0.1}, {"dilation_ratio": 1.0}):
        metric = BoundaryIoU(classes=5, **options)
        found = values(metric, measured(metric, put(tmp_path)))
        checked = metric.verify(tmp_path / "labels", tmp_path / "results")
        assert {name: None if math.isnan(value) else value for name, value in checked.items()} == found
        assert found["boundary_mIoU"] is not None and found["boundary_IoU/4"] is None


def test_with_boundaries_as_wide_as_the_image_it_is_plain_iou(tmp_path: Path) -> None:
    wide, plain = BoundaryIoU(classes=4, dilation_ratio=1.0), MeanIoU(classes=4)
    found, usual = (values(metric, measured(metric, put(tmp_path))) for metric in (wide, plain))
    assert found["boundary_mIoU"] == usual["mIoU"]
    assert [found[f"boundary_IoU/{c}"] for c in range(4)] == [usual[f"IoU/{c}"] for c in range(4)]


def test_parts_merge_and_intervals_are_those_of_images_repeated(tmp_path: Path) -> None:
    metric = BoundaryIoU(classes=4)
    whole = measured(metric, put(tmp_path))
    names = whole.arrays["image"].tolist()
    parts = [measured(metric, tmp_path, some) for some in (names[4:], names[:1], names[1:4])]
    merged = metric.merge(parts)
    again = State(merged.metric, merged.version, json.loads(json.dumps(merged.params)), merged.arrays)
    assert metric.summarise(again, 30, 1) == metric.summarise(whole, 30, 1)
    side = metric.by_image(whole, True)
    alone = {name: metric.by_image(measured(metric, tmp_path, [name]), True) for name in names}
    for times in resample_counts(len(names), 6, 2):
        counts = np.zeros((3, 4))
        for name, many in zip(side.images.tolist(), times.tolist(), strict=True):
            state = measured(metric, tmp_path, [name])
            for row, each in enumerate(("shared", "annotated", "predicted")):
                counts[row, state.arrays["class"]] += many * state.arrays[each]
        with np.errstate(invalid="ignore"):
            iou = counts[0] / (counts[1] + counts[2] - counts[0])
        found = side.at(times[None])[0]
        assert np.array_equal(found[1:], iou, equal_nan=True) and found[0] == pytest.approx(np.nanmean(iou))
    assert set(alone) == set(names)
    assert all(score.interval is not None for score in metric.summarise(whole, 100) if score.value is not None)


def test_the_ratio_is_in_state_and_description(tmp_path: Path) -> None:
    wide, thin = BoundaryIoU(classes=4, dilation_ratio=0.05), BoundaryIoU(classes=4)
    states = [measured(metric, put(tmp_path)) for metric in (wide, thin)]
    assert [state.params["dilation_ratio"] for state in states] == [0.05, 0.02]
    assert all("0.05 of the image's diagonal" in quantity.description for quantity in wide.quantities)
    with pytest.raises(InputError, match="construct it with the same names and dilation_ratio"):
        thin.summarise(states[0])
    with pytest.raises(InputError, match="differ in dilation_ratio"):
        wide.merge(states)
    for wrong in (0, 2, "wide", False, math.inf):
        with pytest.raises(UsageError, match="dilation_ratio"):
            BoundaryIoU(classes=2, dilation_ratio=wrong)
    with pytest.raises(UsageError, match="say image or group"):
        BoundaryIoU(classes=2, interval="class")


def test_edges_of_one_map_by_hand() -> None:
    labels = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
    assert near_edges(labels, 1).astype(int).tolist() == [[1] * 6, [1, 0, 1, 1, 0, 1], [1] * 6]
    assert near_edges(labels, 2).all() and near_edges(labels[:1, :1], 1).all()


def _noted(folder: Path, truth: np.ndarray, guess: np.ndarray, **options: Any) -> dict[str, str]:
    """Kind -> text of each note on one image."""
    save(folder / "truth/one.png", truth.astype(np.uint8))
    save(folder / "found/one.png", guess.astype(np.uint8))
    metric = BoundaryIoU(**options)
    target = metric.read_target(folder / "truth")
    predictions = metric.read_predictions(folder / "found", target)
    state = metric.measure(predictions, target)
    own = {note.kind: str(note) for note in metric.input_notes(predictions, target, state)}
    mean = MeanIoU(**options)
    others = mean.input_notes(predictions, target, mean.measure(predictions, target))
    assert own == {note.kind: str(note) for note in others if note.kind != "misread_labels"}
    return own


def test_its_notes_are_those_of_miou(tmp_path: Path) -> None:
    truth = np.zeros((20, 30))
    truth[5:15, 5:15], truth[:, 25:] = 1, 255
    guess = np.where(truth == 255, 0, truth)
    assert set(_noted(tmp_path / "a", truth, guess, classes=3)) == {"ignored_pixels"}
    guess[0, :4] = 255
    notes = _noted(tmp_path / "b", truth, guess, classes=3)
    assert notes["predicted_no_class"].startswith("4 of 500 judged pixels")
    assert set(_noted(tmp_path / "c", np.where(truth == 1, 255, 0), np.zeros((20, 30)), classes=2)) == {
        "ignored_pixels", "binary_masks",
    }  # fmt: skip
    assert "labels_found_out" in _noted(tmp_path / "d", truth, np.zeros((20, 30)), ids=(1, 0, 2))


def test_a_state_of_before_it_noted_pixels_gives_the_same_numbers(tmp_path: Path) -> None:
    truth = np.arange(600).reshape(20, 30) // 100 % 3
    save(tmp_path / "truth/one.png", truth.astype(np.uint8))
    save(tmp_path / "found/one.png", (truth[::-1]).astype(np.uint8))
    metric = BoundaryIoU(classes=3)
    target = metric.read_target(tmp_path / "truth")
    state = metric.measure(metric.read_predictions(tmp_path / "found", target), target)
    former = replace(state, arrays={key: one for key, one in state.arrays.items() if key not in SEEN})
    assert metric.summarise(metric.merge([former]), 10) == metric.summarise(state, 10)
