"""Every step of the top-down protocol against records of the official HRNet code."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from hrbench.tasks.pose import geometry, nms

pytestmark = pytest.mark.numeric

SIGMAS = np.array(
    [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
)
SIGMAS = SIGMAS / 10


def formula_image(height: int, width: int, k: int) -> np.ndarray:
    """The image of the records' closed formula, uint8 (height, width, 3)."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return (((3 * x * x + 5 * y * y + 7 * x * y) // 97 + 31 * c * (x // 3) + 17 * c * y + k) % 256).astype(np.uint8)


def same_samples(array: np.ndarray, record: dict, tolerance: float = 0.0) -> None:
    """`array` has the record's shape and spread values."""
    assert list(array.shape) == record["shape"]
    np.testing.assert_allclose(array.reshape(-1)[record["index"]], record["value"], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(array.mean(dtype=np.float64), record["mean"], rtol=1e-5, atol=1e-6)


def test_affine(golden):
    cases = golden("pose/protocol/affine.json")["cases"]
    for case in cases:
        matrix = geometry.affine_matrix(
            np.array(case["center"], dtype=case["dtype"]),
            np.array(case["scale"], dtype=case["dtype"]),
            tuple(case["output_size"]),
            rotation=case["rot"],
            shift=case["shift"],
            inverse=bool(case["inv"]),
        )
        np.testing.assert_allclose(matrix, case["matrix"], rtol=1e-12, atol=1e-10)
        if case["points"]:
            moved = geometry.transform_points(np.array(case["points"]), matrix)
            np.testing.assert_allclose(moved, case["points_out"], rtol=1e-12, atol=1e-9)
    assert len(cases) == 23


def test_box_to_centre_scale(golden):
    cases = golden("pose/protocol/boxes.json")["xywh2cs"]["cases"]
    for case in cases:
        width, height = case["image_size"]
        centre, scale = geometry.box_to_centre_scale(case["box_xywh"], (height, width))
        assert centre.dtype == scale.dtype == np.float32
        assert centre.tolist() == case["center"]
        assert scale.tolist() == case["scale"]
    assert len(cases) == 24


def test_crop(golden):
    record = golden("pose/protocol/crop.json")
    image = formula_image(record["image"]["height"], record["image"]["width"], record["image"]["k"])
    assert zlib.crc32(image.tobytes()) == record["image"]["crc32"]
    for case in record["cases"]:
        matrix = geometry.affine_matrix(
            np.array(case["center"]), np.array(case["scale"]), tuple(case["output_size"]), rotation=case["rot"]
        )
        np.testing.assert_allclose(matrix, case["matrix"], rtol=1e-12, atol=1e-10)
        out = geometry.crop(
            image, np.array(case["center"]), np.array(case["scale"]), tuple(case["output_size"]), rotation=case["rot"]
        )
        assert zlib.crc32(out.tobytes()) == case["crc32"]
        same_samples(out, case["crop"])


def decoded(heatmaps, case):
    dtype = case.get("center_scale_dtype", "float32")
    centres, scales = np.array(case["center"], dtype=dtype), np.array(case["scale"], dtype=dtype)
    return [geometry.decode(heatmaps, centres, scales, offset)[0] for offset in (True, False)]


def test_decode_small(golden):
    case = golden("pose/protocol/preds.json")["small"]
    heatmaps = np.array(case["heatmaps"], dtype=np.float32)
    points, maxima = geometry.heatmap_maxima(heatmaps)
    assert points.tolist() == case["max_preds"]
    np.testing.assert_array_equal(maxima[..., 0], np.array(case["maxvals"], dtype=np.float32).reshape(maxima.shape[:2]))
    refined, plain = decoded(heatmaps, case)
    assert refined.tolist() == case["final_preds"]
    assert plain.tolist() == case["final_preds_no_post"]


@pytest.mark.parametrize("index", range(3))
def test_decode_random(golden, fill, index):
    case = golden("pose/protocol/preds.json")["random"][index]
    heatmaps = fill.image(tuple(case["heatmaps"]["shape"]), case["heatmaps"]["seed"], case["heatmaps"]["name"])
    heatmaps = heatmaps.astype(np.float32)
    if "h[1,3]" in case["heatmaps"]["how"]:
        heatmaps[1, 3] = -np.abs(heatmaps[1, 3])
        heatmaps[2, 5] = 0
    points, maxima = geometry.heatmap_maxima(heatmaps)
    assert points.tolist() == case["max_preds"]
    np.testing.assert_array_equal(maxima[..., 0], np.array(case["maxvals"], dtype=np.float32).reshape(maxima.shape[:2]))
    refined, plain = decoded(heatmaps, case)
    assert refined.tolist() == case["final_preds"]
    assert plain.tolist() == case["final_preds_no_post"]


@pytest.mark.parametrize("index", range(2))
@pytest.mark.parametrize("shift", [True, False])
def test_flip(golden, fill, index, shift):
    case = golden("pose/protocol/flip.json")["cases"][index]
    direct, mirrored = (
        fill.image(tuple(case[key]["shape"]), case[key]["seed"], case[key]["name"]).astype(np.float32)
        for key in ("heatmaps", "heatmaps_of_flipped_input")
    )
    same_samples(geometry.mirror_heatmaps(mirrored, case["flip_pairs"]), case["flip_back"])
    averaged = geometry.average_flip(direct, mirrored, case["flip_pairs"], shift)
    name = "shift" if shift else "no_shift"
    same_samples(averaged, case[f"averaged_{name}"])

    centres = np.array(case["center"], dtype=case["center_scale_dtype"])
    scales = np.array(case["scale"], dtype=case["center_scale_dtype"])
    points, confidence = geometry.decode(averaged, centres, scales)
    np.testing.assert_array_equal(
        np.concatenate([points, confidence], axis=2), np.array(case[f"all_preds_{name}"], dtype=np.float32)
    )
    areas = np.prod(scales * geometry.PIXEL_STD, axis=1)
    boxes = np.column_stack([centres, scales, areas, case["score"]])
    np.testing.assert_array_equal(boxes, np.array(case[f"all_boxes_{name}"]))


def people_of(record: dict) -> tuple[np.ndarray, np.ndarray]:
    return np.array(record["persons"]["preds"], dtype=np.float32), np.array(record["persons"]["boxes"])


def test_oks_and_suppression_functions(golden):
    record = golden("pose/protocol/nms.json")
    preds, boxes = people_of(record)
    for case in record["functions"]["by_image"].values():
        index = np.array(case["index"])
        people, areas, scores = preds[index], boxes[index, 4], boxes[index, 5]
        np.testing.assert_allclose(
            nms.oks_between(people[0], people, areas[0], areas, SIGMAS),
            case["oks_iou_first_against_all"],
            rtol=1e-12,
            atol=1e-300,
        )
        np.testing.assert_allclose(
            nms.oks_between(people[0], people, areas[0], areas, SIGMAS, 0.5),
            case["oks_iou_first_against_all_in_vis_thre_0.5"],
            rtol=1e-12,
            atol=1e-300,
        )
        for threshold in (0.9, 0.5, 0.1):
            assert nms.oks_nms(people, scores, areas, SIGMAS, threshold) == case[f"oks_nms_{threshold}"]
            assert nms.soft_oks_nms(people, scores, areas, SIGMAS, threshold) == case[f"soft_oks_nms_{threshold}"]
        even = np.linspace(0.02, 0.1, 17)
        assert nms.oks_nms(people, scores, areas, even, 0.5) == case["oks_nms_0.5_sigmas_linspace(.02,.1,17)"]


@pytest.mark.parametrize("name", ["evaluate_oks_nms_0.9", "evaluate_soft", "evaluate_oks_nms_0.5_vis_0.4"])
def test_rescoring_and_suppression(golden, name):
    record = golden("pose/protocol/nms.json")
    case, config = record[name], record[name]["config"]
    preds, boxes = people_of(record)
    images = np.array(record["persons"]["image_id"])
    kept, scores = [], []
    for image in dict.fromkeys(images.tolist()):
        index = np.flatnonzero(images == image)
        people = preds[index]
        rescored = np.array(
            [nms.rescore(preds[i, :, 2], boxes[i, 5], config["IN_VIS_THRE"]) for i in index], dtype=np.float64
        )
        suppress = nms.soft_oks_nms if config["SOFT_NMS"] else nms.oks_nms
        stay = suppress(people, rescored, boxes[index, 4], SIGMAS, config["OKS_THRE"])
        kept += index[stay].tolist()
        scores += rescored[stay].tolist()
    assert kept == case["kept_person_in_result_order"]
    np.testing.assert_allclose(scores, case["final_score"], rtol=1e-12)
