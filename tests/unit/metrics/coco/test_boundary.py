"""Boundary AP: boundaries by hand and by OpenCV, equality with two references on random cases, options and states."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import slow_errors
from both_ways import both_ways
from pycocotools import mask as codec
from random_instances import case

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.rle import decoded
from hrbench.metrics.boundaries import boundary, everywhere, width_of
from hrbench.metrics.coco.boundary import CocoBoundary
from hrbench.metrics.coco.error_types import KINDS
from hrbench.metrics.coco.instances import CocoMasks
from hrbench.store.analyses import fault_of
from hrbench.types import State


def eroded_step_by_step(mask: np.ndarray, width: int) -> np.ndarray:
    """The boundary as the paper's code has it: 3 x 3 erosions of the image with a border of zeros."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return mask & (cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1] == 0)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 16])
def test_boundaries_are_those_of_single_erosions(width: int) -> None:
    rng = np.random.default_rng(width)
    for size in ((1, 1), (1, 9), (2 * width, 40), (2 * width + 1, 2 * width + 1), (30, 41), (64, 7)):
        for share in (0.0, 0.02, 0.2, 1.0):
            mask = rng.random(size) >= share  # mostly set, up to all borders
            assert np.array_equal(boundary(mask, width), eroded_step_by_step(mask, width)), (size, share)


def test_boundaries_by_hand() -> None:
    """A full image of 5 x 5: only the middle is further than 2 px from its border."""
    full = np.ones((5, 5), bool)
    assert boundary(full, 1).sum() == 16 and boundary(full, 2).sum() == 24 and boundary(full, 3).sum() == 25
    assert boundary(np.ones((1, 1), bool), 1).all() and full.all()
    assert not boundary(np.zeros((6, 7), bool), 1).any()
    assert everywhere(np.ones((3, 4), bool), 4, 0).shape == (0, 4)


def test_widths_are_rounded_as_by_the_papers_code() -> None:
    rng = np.random.default_rng(0)
    sizes = [(3, 4), (75, 100), (15, 20), (45, 60), (105, 140), (1024, 2048), *rng.integers(1, 3000, (300, 2)).tolist()]
    for height, width in sizes:
        assert width_of(0.02, height, width) == max(1, int(round(0.02 * np.sqrt(height**2 + width**2))))  # noqa: RUF046


def files(folder: Path, seed: int, **sizes: Any) -> tuple[Path, Path]:
    """Drawn annotations and results, of which many are objects' own masks, shifted or grown by some pixels."""
    truth, results = case(seed, masks=True, **sizes)
    rng, pictures = np.random.default_rng(seed), {one["id"]: one for one in truth["images"]}
    for row in truth["annotations"]:
        picture = pictures[row["image_id"]]
        code = row["segmentation"]
        if isinstance(code, list):
            code = codec.merge(codec.frPyObjects(code, picture["height"], picture["width"]))
        elif isinstance(code["counts"], list):
            code = codec.frPyObjects(code, picture["height"], picture["width"])
        for _ in range(int(rng.integers(0, 3))):
            pixels = np.roll(
                decoded(code["counts"], (picture["height"], picture["width"])), rng.integers(-2, 3, 2).tolist(), (0, 1)
            )
            if rng.random() < 0.4:
                pixels = cv2.dilate(np.ascontiguousarray(pixels), np.ones((3, 3), np.uint8))
            found = codec.encode(np.asfortranarray(pixels))
            results.append(
                {
                    "image_id": row["image_id"],
                    "category_id": row["category_id"],
                    "segmentation": {"size": found["size"], "counts": found["counts"].decode()},
                    "score": float(rng.choice([0.1, 0.5, 0.5, 0.9])),
                }
            )
    for path, content in ((folder / "truth.json", truth), (folder / "masks.json", results)):
        path.write_text(json.dumps(content))
    return folder / "truth.json", folder / "masks.json"


def measured(metric: Any, paths: tuple[Path, Path], images: list[int | str] | None = None) -> State:
    target = metric.read_target(paths[0])
    return metric.measure(metric.read_predictions(paths[1], target), target, images)


def values(metric: Any, paths: tuple[Path, Path]) -> dict[str, float | None]:
    return {score.quantity.name: score.value for score in metric.summarise(measured(metric, paths), 0)}


@both_ways
@pytest.mark.parametrize("seed", range(8))
def test_equal_to_opencv_within_pycocotools(way, seed: int, tmp_path: Path) -> None:
    paths, options = files(tmp_path, seed), [{}, {"dilation_ratio": 0.005, "per_class": True}, {"class_agnostic": True}]
    for each in options:
        metric = CocoBoundary(**each)
        checked = metric.verify(*paths)
        found = values(metric, paths)
        assert {name: -1.0 if value is None else value for name, value in found.items()} == checked


@pytest.mark.parametrize("seed", range(8))
def test_equal_to_faster_coco_eval(seed: int, tmp_path: Path) -> None:
    """Its boundary mode, which keeps the mask IoU of crowds, too; to the last bit but for the order of its sums."""
    from faster_coco_eval import COCO, COCOeval_faster

    paths = files(tmp_path, 100 + seed, images=8)
    truth = json.loads(paths[0].read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(truth)
        found = known.loadRes(json.loads(paths[1].read_text()))
        evaluation = COCOeval_faster(known, found, "boundary", print_function=lambda *_: None)
        evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
    stats = dict(zip(["AP", "AP50", "AP75", "APS", "APM", "APL"], evaluation.stats[:6], strict=True))
    ours = values(CocoBoundary(), paths)
    for name, value in stats.items():
        assert (-1.0 if ours[name] is None else ours[name]) == pytest.approx(float(value), abs=1e-12), name


def small(masks: list[np.ndarray], found: list[np.ndarray], folder: Path, crowd: int = 0) -> tuple[Path, Path]:
    """One image, a class, objects and detections of these masks in pairs."""

    def coded(mask: np.ndarray) -> dict[str, Any]:
        code = codec.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": list(mask.shape), "counts": code["counts"].decode()}

    height, width = masks[0].shape
    objects = [
        {"id": n + 1, "image_id": 1, "category_id": 1, "iscrowd": crowd, "area": float(mask.sum()),
         "bbox": [0, 0, width, height], "segmentation": coded(mask)}
        for n, mask in enumerate(masks)
    ]  # fmt: skip
    truth = {"images": [{"id": 1, "height": height, "width": width}, {"id": 2, "height": 5, "width": 6}],
             "annotations": objects, "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}  # fmt: skip
    rows = [{"image_id": 1, "category_id": 1, "score": 0.9 - n / 10, "segmentation": coded(mask)}
            for n, mask in enumerate(found)]  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "masks.json").write_text(json.dumps(rows))
    return folder / "truth.json", folder / "masks.json"


def test_a_large_mask_that_is_one_pixel_too_small_by_hand(tmp_path: Path) -> None:
    """100 x 100 in an image of 120 x 160, d = 4: mask IoU 98^2 / 100^2, boundary IoU by counts of two frames."""
    mask, inner = np.zeros((2, 120, 160), bool)
    mask[10:110, 20:120], inner[11:109, 21:119] = True, True
    frame = 100**2 - 92**2, 98**2 - 90**2
    shared = 98**2 - 92**2
    iou = shared / (frame[0] + frame[1] - shared)
    assert 0.55 < iou < 0.65 < 0.95 < 98**2 / 100**2
    paths = small([mask], [inner], tmp_path)
    found, masks = values(CocoBoundary(), paths), values(CocoMasks(), paths)
    assert (
        found["AP50"] == pytest.approx(1)
        and found["AP75"] == 0.0
        and found["AP"] == pytest.approx(0.2 if iou < 0.6 else 0.3)
    )
    assert masks["AP"] == pytest.approx(1)


def test_masks_of_one_pixel_full_masks_and_crowds(tmp_path: Path) -> None:
    one, full = np.zeros((2, 40, 50), bool)
    one[39, 49], full[:] = True, True
    assert values(CocoBoundary(), small([one], [one], tmp_path))["AP"] == pytest.approx(1)
    assert values(CocoBoundary(), small([full, one], [full, one], tmp_path))["AP"] == pytest.approx(1)
    half = full.copy()
    half[:, 25:] = False
    # a crowd is ignored; with nothing else annotated there is no AP, and the reference says so, too
    paths = small([full], [half], tmp_path, crowd=1)
    assert values(CocoBoundary(), paths)["AP"] is None and CocoBoundary().verify(*paths)["AP"] == -1.0
    state = measured(CocoBoundary(), paths)
    assert state.arrays["ignored"].tolist()[0][0] == 2**10 - 1  # the crowd took it at all thresholds: by mask IoU


def test_it_is_never_above_mask_ap(tmp_path: Path) -> None:
    for seed in range(4):
        paths = files(tmp_path, seed, images=8)
        ours, masks = values(CocoBoundary(), paths), values(CocoMasks(), paths)
        assert ours["AP50"] is not None and masks["AP50"] is not None and ours["AP50"] <= masks["AP50"]


def test_the_ratio_is_in_state_description_and_name_of_the_difference(tmp_path: Path) -> None:
    paths = files(tmp_path, 3)
    wide, thin = CocoBoundary(dilation_ratio=0.05), CocoBoundary()
    states = [measured(metric, paths) for metric in (wide, thin)]
    assert [state.params["dilation_ratio"] for state in states] == [0.05, 0.02]
    assert all("boundaries of 0.05 of the diagonal" in quantity.description for quantity in wide.quantities)
    with pytest.raises(InputError, match=r"dilation_ratio 0.05 was given to coco-boundary with 0.02"):
        thin.summarise(states[0])
    with pytest.raises(InputError, match="differ in dilation_ratio"):
        wide.merge(states)
    assert [score.quantity for score in wide.summarise(states[0], 0)] == list(wide.quantities)
    for wrong in (0, -0.1, 1.5, float("nan"), "0.02", True):
        with pytest.raises(UsageError, match="dilation_ratio"):
            CocoBoundary(dilation_ratio=wrong)


def test_parts_merge_in_any_order(tmp_path: Path) -> None:
    paths, metric = files(tmp_path, 5, images=9), CocoBoundary(per_class=True)
    whole = measured(metric, paths)
    images = whole.arrays["image"].tolist()
    parts = [measured(metric, paths, some) for some in (images[6:], images[:2], images[2:6])]
    merged = metric.merge(parts)
    assert {name: array.tobytes() for name, array in merged.arrays.items()} == {
        name: array.tobytes() for name, array in whole.arrays.items()
    }
    assert metric.summarise(merged, 30, 1) == metric.summarise(whole, 30, 1)


def test_without_detections_and_without_objects(tmp_path: Path) -> None:
    paths = files(tmp_path, 6)
    paths[1].write_text("[]")
    assert values(CocoBoundary(), paths)["AP"] == 0.0
    nothing = json.loads(paths[0].read_text())
    paths[0].write_text(json.dumps({**nothing, "annotations": []}))
    assert values(CocoBoundary(), paths)["AP"] is None


def both_iou(truth: dict[str, Any]) -> Any:
    """(detection, object) -> mask IoU and boundary IoU, pixel by pixel; of a crowd the mask's part inside it twice."""
    sizes = {one["id"]: (one["height"], one["width"]) for one in truth["images"]}

    def code(row: dict[str, Any]) -> Any:
        given, (height, width) = row["segmentation"], sizes[row["image_id"]]
        if isinstance(given, list):
            return codec.merge(codec.frPyObjects(given, height, width))
        return codec.frPyObjects(given, height, width) if isinstance(given["counts"], list) else given

    def pixels(row: dict[str, Any]) -> np.ndarray:
        counts = code(row)["counts"]
        return decoded(counts.encode() if isinstance(counts, str) else counts, sizes[row["image_id"]]).astype(np.uint8)

    known: dict[tuple[int, int], tuple[float, float]] = {}

    def compared(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
        if (id(one), id(other)) not in known:
            known[id(one), id(other)] = slowly(one, other)
        return known[id(one), id(other)]

    def slowly(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
        mask = float(codec.iou([code(one)], [code(other)], [other["iscrowd"]])[0, 0])
        if other["iscrowd"]:
            return mask, mask
        width = max(1, int(round(0.02 * np.hypot(*sizes[one["image_id"]]))))  # noqa: RUF046
        a, b = (eroded_step_by_step(pixels(row), width) for row in (one, other))
        shared, union = int((a & b).sum()), int((a | b).sum())
        return mask, shared / union if union else 0.0

    return compared


@pytest.mark.parametrize("seed", range(300, 303))
def test_errors_are_those_by_the_lower_iou_and_the_two_are_told_apart(seed: int, tmp_path: Path) -> None:
    paths = files(tmp_path, seed, images=8)
    truth, rows = (json.loads(path.read_text()) for path in paths)
    metric, both = CocoBoundary(), both_iou(truth)
    target = metric.read_target(paths[0])
    predictions = metric.read_predictions(paths[1], target)
    found = metric.analyse(predictions, target, metric.measure(predictions, target))
    tables = {one.key: one for one in found.sections}
    assert fault_of(found) == ""
    expected = slow_errors.kinds(truth, rows, lambda one, other: min(both(one, other)))
    told = dict(zip(KINDS, tables["errors"].values[:, 0].tolist(), strict=True))
    assert told == {kind: expected[kind] for kind in KINDS}
    assert sum(many > 0 for many in told.values()) >= 4
    pairs = []
    for image in truth["images"]:
        here = [one for one in truth["annotations"] if one["image_id"] == image["id"] and not one["iscrowd"]]
        some = [row for row in rows if row["image_id"] == image["id"]]
        mine, took = slow_errors.taken(here, some, lambda one, other: both(one, other)[0])
        pairs += [(*both(mine[one], here[other]), here[other]["area"]) for one, other in took.items()]
    mask, edge, area = np.array(pairs).T
    ends = ((0, 1e10), (0, 1024), (1024, 9216), (9216, 1e10))
    for row, (low, high) in zip(tables["boundaries"].values, ends, strict=True):
        some = (area >= low) & (area <= high)
        means = [mask[some], edge[some], (mask - edge)[some], (edge < mask)[some], (edge < 0.5)[some]]
        own = [some.sum(), *(part.mean() if some.any() else np.nan for part in means)]
        assert row.tolist() == pytest.approx(own, abs=1e-12, nan_ok=True)
    assert (edge < mask).any()
