"""Why mIoU is what it is: equal to loops over pixels, OpenCV-free bands and SciPy's regions, and to the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_streets import save, write
from scipy import ndimage

from hrbench.metrics.labels import label_analysis
from hrbench.metrics.labels.bands import BANDS, WIDTHS, ring_counts, rings
from hrbench.metrics.labels.cityscapes import CityscapesIoU
from hrbench.metrics.labels.classes import IGNORED
from hrbench.metrics.labels.label_analysis import spread
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.metrics.labels.objects import SIDES, object_counts, regions
from hrbench.store.analyses import fault_of
from hrbench.types import Analysis


def maps(seed: int, size: tuple[int, int] = (40, 53)) -> tuple[np.ndarray, np.ndarray]:
    """Regions of 3 of 4 classes with crooked edges, some pixels not judged, some predicted as no class."""
    rng = np.random.default_rng(seed)
    truth = ndimage.uniform_filter(rng.random((*size, 3)), (9, 9, 0)).argmax(axis=2).astype(np.uint16)
    guess = np.where(rng.random(size) < 0.7, truth, rng.integers(0, 5, size)).astype(np.uint16)
    truth[ndimage.uniform_filter(rng.random(size), 5) < 0.42] = IGNORED
    return truth, guess


def analysed(metric: Any, folder: Path) -> Analysis:
    target = metric.read_target(folder / "labels")
    predictions = metric.read_predictions(folder / "results", target)
    state = metric.measure(predictions, target)
    found = metric.analyse(predictions, target, state)
    assert fault_of(found) == ""
    return found


def put(folder: Path, many: int) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for number in range(many):
        truth, guess = maps(number)
        save(folder / f"labels/{number}.png", np.where(truth == IGNORED, 255, truth).astype(np.uint8))
        save(folder / f"results/{number}.png", np.where(guess == 4, 255, guess).astype(np.uint8))
        found.append((truth, guess))
    return found


def slow_rings(truth: np.ndarray) -> np.ndarray:
    found = np.full(truth.shape, len(WIDTHS))
    for (row, column), _ in np.ndenumerate(truth):
        for number, width in enumerate(WIDTHS):
            square = truth[max(row - width, 0) : row + width + 1, max(column - width, 0) : column + width + 1]
            if (square != truth[row, column]).any():
                found[row, column] = number
                break
    return found


def test_bands_are_squares_that_hold_two_labels() -> None:
    truth, guess = maps(3)
    truth[:, 10:] = 2
    ring = slow_rings(truth)
    assert (rings(truth) == ring).all() and len(np.unique(ring)) > 5
    judged, counts = truth != IGNORED, ring_counts(truth, guess, 4)
    for number in range(BANDS):
        here = judged & (ring == number)
        for label in range(4):
            own, found = here & (truth == label), here & (guess == label)
            assert counts[number, :, label].tolist() == [int(part.sum()) for part in (own & found, own, found)]
    assert (rings(np.zeros((3, 4), np.uint16)) == len(WIDTHS)).all()


@pytest.mark.parametrize("seed", range(4))
def test_regions_are_those_of_scipy(seed: int) -> None:
    truth, guess = maps(seed, (70, 41))
    expected = []
    for label in range(4):
        numbers, many = ndimage.label(truth == label)
        for one in range(1, many + 1):
            mine = numbers == one
            expected.append((label, int(mine.sum()), int((mine & (guess == label)).sum())))
    found = sorted(zip(*(part.tolist() for part in regions(truth, guess)), strict=True))
    assert found == sorted(expected)
    counts, shares = object_counts(truth, guess, 4)
    for label in range(4):
        for size, low in enumerate(SIDES):
            high = SIDES[size + 1] ** 2 if size + 1 < len(SIDES) else np.inf
            some = [one for one in expected if one[0] == label and low**2 <= one[1] < high]
            recalls = [hits / area for _, area, hits in some]
            sums = [len(some), sum(one[1] for one in some), sum(one[2] for one in some), sum(r >= 0.5 for r in recalls)]
            assert counts[:, label, size].tolist() == sums
            assert shares[label, size] == pytest.approx(sum(recalls))


def test_sections_are_counts_of_pixels(tmp_path: Path) -> None:
    pairs = put(tmp_path, 3)
    found: dict[str, Any] = {one.key: one for one in analysed(MeanIoU(names=list("abcd")), tmp_path).sections}
    truth, guess = (np.concatenate([one[n].ravel() for one in pairs]) for n in (0, 1))
    judged = truth != IGNORED
    truth, guess = truth[judged], guess[judged]
    table = np.array([[int(((truth == t) & (guess == p)).sum()) for p in range(5)] for t in range(4)])
    assert (found["confusion"].counts == table).all()
    assert found["confusion"].columns == ("a", "b", "c", "d", "no class")
    wrong = int((truth != guess).sum())
    largest = max((table[t, p], t, p) for t in range(4) for p in range(5) if t != p)
    row = found["confusions"].values[0]
    assert found["confusions"].rows[0] == f"{'abcd'[largest[1]]} → {[*'abcd', 'no class'][largest[2]]}"
    assert row[:3].tolist() == [largest[0] / wrong, largest[0] / table[largest[1]].sum(), largest[0]]
    classes = found["classes"]
    for label in range(3):
        own, other = truth == label, guess == label
        both, either = int((own & other).sum()), int((own | other).sum())
        iou, low, high, recall, precision, missed, false, share = classes.values[label].tolist()
        assert iou == both / either and low <= iou <= high
        assert [recall, precision, share] == [both / own.sum(), both / other.sum(), own.mean()]
        assert iou + missed + false == pytest.approx(1)
    assert np.isnan(classes.values[3, 3]) and classes.reasons[3, 3] == "the class is not annotated"
    edges, sizes = found["edges"].values, found["sizes"].values
    assert edges[:, 4].sum() == len(truth)
    assert edges[:, [0, 3]].sum(axis=0) == pytest.approx([1, 1])
    assert (edges[:, 4] @ np.nan_to_num(edges[:, 1])) / len(truth) == pytest.approx((truth == guess).mean())
    assert found["trimap"].y[0, 0] == edges[0, 1]
    assert np.nansum(sizes[:, 1] * np.nan_to_num(sizes[:, 2])) == pytest.approx((truth == guess).mean())


def test_of_many_images_some_are_read_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, 5)
    whole = analysed(MeanIoU(classes=4), tmp_path)
    monkeypatch.setattr(label_analysis, "MOST_IMAGES", 2)
    assert spread(["0", "1", "2", "3", "4"]) == ["0", "4"]
    part = analysed(MeanIoU(classes=4), tmp_path)
    assert (whole.params["images_read"], part.params["images_read"], part.params["images"]) == (5, 2, 5)
    said = {one.key: "at most 2 images" in one.definition for one in part.sections}
    assert said == {**dict.fromkeys(("confusions", "classes", "confusion"), False),
                    **dict.fromkeys(("trimap", "edges", "sizes", "class_sizes"), True)}  # fmt: skip


def test_many_classes_have_pairs_and_no_matrix(tmp_path: Path) -> None:
    put(tmp_path, 1)
    keys = [one.key for one in analysed(MeanIoU(classes=70), tmp_path).sections]
    assert "confusions" in keys and "confusion" not in keys


def test_without_a_judged_pixel_there_is_nothing_to_explain(tmp_path: Path) -> None:
    save(tmp_path / "labels/a.png", np.full((4, 5), 255, np.uint8))
    save(tmp_path / "results/a.png", np.zeros((4, 5), np.uint8))
    assert analysed(MeanIoU(classes=2), tmp_path).sections == ()


def test_of_cityscapes_the_evaluated_classes_are_told(tmp_path: Path) -> None:
    write(tmp_path, 3, 2)
    metric = CityscapesIoU()
    target = metric.read_target(tmp_path / "gtFine/val")
    predictions = metric.read_predictions(tmp_path / "results", target)
    state = metric.measure(predictions, target)
    found: dict[str, Any] = {one.key: one for one in metric.analyse(predictions, target, state).sections}
    scores = {score.quantity.name: score.value for score in metric.summarise(state, 0)}
    iou = dict(zip(found["classes"].rows, found["classes"].values[:, 0].tolist(), strict=True))
    told = {name: scores[f"IoU/{name}"] for name in iou}
    assert len(iou) == 19 and iou == pytest.approx(
        {name: np.nan if v is None else v for name, v in told.items()}, nan_ok=True
    )
    # pixels near edges and inside are all that are judged, as the matrix has them
    assert found["edges"].values[:, 4].sum() == found["confusion"].counts.sum() > 0
    right = np.diag(found["confusion"].counts).sum() / found["confusion"].counts.sum()
    assert found["edges"].values[:, 4] @ np.nan_to_num(found["edges"].values[:, 1]) == pytest.approx(
        right * found["confusion"].counts.sum()
    )
