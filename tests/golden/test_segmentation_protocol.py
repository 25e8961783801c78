"""Segmentation's inference against records of the official HRNet code, and on other seeds and sizes than theirs."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import segmentation_reference as reference
import torch

from hrbench.tasks.segmentation import geometry
from hrbench.tasks.segmentation.inference import Segmenter, image_scores, resized
from hrbench.tasks.segmentation.protocols import HRNET, HRNET_OCR, Inference, checked
from hrbench.tasks.segmentation.task import Segmentation
from hrbench.types import ClassScheme, Sample, Variant

pytestmark = pytest.mark.numeric

FOLDER = "seg_cls_det/protocol"
VARIANTS = {"master": HRNET, "ocr_true": HRNET_OCR, "ocr_false": dataclasses.replace(HRNET_OCR, align_corners=False)}
BLACK = tuple(-reference.MEAN / reference.STD)
CUT = {"windows": "cut", "stride": 0.6667}
PASCAL_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


def same(array: np.ndarray, record: dict) -> None:
    """`array` has the record's shape, moments and spread values, to a relative 1e-9."""
    assert list(array.shape) == record["shape"]
    np.testing.assert_allclose(array.reshape(-1)[record["index"]], record["value"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([array.mean(), array.std()], [record["mean"], record["std"]], rtol=1e-9)


def scores_of(net, image: np.ndarray, protocol: Inference, classes: int, lip: bool, batch: int = 3) -> np.ndarray:
    """What the package makes of a normalised image (3, H, W): scores (1, C, H, W)."""
    order = list(range(classes))
    for left, right in reference.LEFT_AND_RIGHT if lip else ():
        order[left], order[right] = right, left
    segmenter = Segmenter(
        net, checked(protocol), classes, tuple(order), torch.device("cpu"), torch.float64, BLACK, batch
    )
    with torch.inference_mode():
        (scores,) = image_scores(segmenter, [np.ascontiguousarray(image.transpose(1, 2, 0))])
    return scores.numpy()[None]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("key", ["cases", "lip_cases"])
def test_inference_and_flip(golden, fill, key, variant):
    record = golden(f"{FOLDER}/seg_inference_flip.json")
    for case in record[key]:
        net = reference.toy(fill, case["classes"], record["seed"])
        image = fill.image(tuple(case["input_shape"]), record["seed"])[0]
        protocol = dataclasses.replace(VARIANTS[variant], flip=case["flip"])
        same(scores_of(net, image, protocol, case["classes"], key == "lip_cases"), case["output"][variant])
    assert len(record[key]) == {"cases": 6, "lip_cases": 4}[key]


def settings_of(case: dict, kind: str) -> dict:
    windows = {"windows": "shifted"} if kind == "cityscapes" else CUT
    names = {"base": case["base_size"], "crop": tuple(case["crop_size"]), "scales": tuple(case["scales"])}
    return {**windows, **names, "flip": case["flip"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_multi_scale_inference(golden, fill, variant):
    record = golden(f"{FOLDER}/seg_multi_scale_inference.json")
    for case in record["cases"]:
        net = reference.toy(fill, case["classes"], record["seed"])
        image = fill.image(tuple(case["input_shape"]), record["seed"])[0]
        protocol = dataclasses.replace(VARIANTS[variant], **settings_of(case, case["class"]))
        same(scores_of(net, image, protocol, case["classes"], case["class"] == "lip"), case["output"][variant])
    assert len(record["cases"]) == 9


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("kind", ["cityscapes", "base", "lip"])
def test_other_seeds_and_sizes(fill, kind, corners, seed):
    """The reference reproduces the records (below), so what it says of other images holds too."""
    rng = np.random.default_rng([seed, corners, len(kind)])
    height, width, base = (int(value) for value in rng.integers(20, 110, 3))
    crop = tuple(int(value) for value in rng.integers(16, 80, 2))
    scales = [float(value) for value in rng.choice([0.4, 0.5, 0.75, 1, 1.1, 1.25, 1.75, 2], 2, replace=False)]
    net, image = reference.toy(fill, 20, seed), fill.image((1, 3, height, width), seed)[0]
    named = HRNET_OCR if corners else HRNET
    case = {"base_size": base, "crop_size": crop, "scales": scales, "flip": True}
    protocol = dataclasses.replace(named, **settings_of(case, kind))
    with torch.inference_mode():
        expected = reference.multi_scale(net, torch.from_numpy(image), kind, base, crop, scales, True, corners)
    made = scores_of(net, image, protocol, 20, kind == "lip", batch=int(rng.integers(1, 6)))[0]
    np.testing.assert_allclose(made, expected.numpy(), rtol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_reference_itself(golden, fill, variant):
    record = golden(f"{FOLDER}/seg_multi_scale_inference.json")
    for case in record["cases"]:
        net = reference.toy(fill, case["classes"], record["seed"])
        image = torch.from_numpy(fill.image(tuple(case["input_shape"]), record["seed"])[0])
        with torch.inference_mode():
            made = reference.multi_scale(
                net,
                image,
                case["class"],
                case["base_size"],
                tuple(case["crop_size"]),
                case["scales"],
                case["flip"],
                VARIANTS[variant].align_corners,
            )
        same(made.numpy()[None], case["output"][variant])


# --- testval: from image files to scores of the data set -------------------------------------------------------------


def u8(fill, size: tuple[int, int], name: str, seed: int = 0) -> np.ndarray:
    return np.clip(np.rint(128 + 50 * fill.image((*size, 3), seed, name)), 0, 255).astype(np.uint8)


def labels(fill, size: tuple[int, int], name: str, values: list[int], seed: int = 0) -> np.ndarray:
    drawn = fill.image((math.ceil(size[0] / 8), math.ceil(size[1] / 8)), seed, name)
    blocks = np.array(values)[np.floor(np.abs(drawn) * 1e6).astype(np.int64) % len(values)]
    return np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)[: size[0], : size[1]]


TRAIN_IDS = np.full(34, 255)
TRAIN_IDS[[7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]] = range(19)


def material(fill, dataset: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images and labels of one of the record's data sets."""
    if dataset == "cityscapes-like":
        sizes, name, values = [(64, 128)] * 3, "image", list(range(34))
        found = [TRAIN_IDS[labels(fill, size, f"labelid{i}", values)] for i, size in enumerate(sizes)]
    elif dataset == "LIP-like":
        sizes, name, values = [(60, 44), (51, 73), (80, 39)], "lip", [*range(20), 255]
        found = [labels(fill, size, f"liplabel{i}", values) for i, size in enumerate(sizes)]
    elif dataset == "PASCAL-Context-like (59)":
        sizes, name, values = [(50, 75), (66, 40), (44, 44)], "pctx", list(range(60))
        found = [labels(fill, size, f"pctxlabel{i}", values) - 1 for i, size in enumerate(sizes)]
    else:
        sizes, name, values = [(50, 75), (66, 40), (44, 44)], "ade", list(range(151))
        found = [(labels(fill, size, f"adelabel{i}", values).astype(np.uint8) - 1) for i, size in enumerate(sizes)]
    return [u8(fill, size, f"{name}{i}") for i, size in enumerate(sizes)], found


def sizing(dataset: str, variant: str) -> dict:
    if dataset == "LIP-like":
        return {"size": "squash"}
    if dataset.startswith("cityscapes") or variant == "master":
        return {}
    return {"size": "short", "keep_padding": dataset.startswith("ADE20K")}


def judged(classes: int, ignore: int, predictions: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, object]:
    matrix = np.zeros((classes, classes))
    for prediction, label in zip(predictions, truth, strict=True):
        assert prediction.shape == label.shape and prediction.dtype == np.uint8
        np.add.at(matrix, (label[label != ignore], prediction[label != ignore]), 1)
    hit, positive, found = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    each = hit / np.maximum(1, positive + found - hit)
    return {
        "mean_IoU": each.mean(),
        "pixel_acc": hit.sum() / positive.sum(),
        "mean_acc": (hit / np.maximum(1, positive)).mean(),
        "IoU_array": each,
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_testval(golden, fill, tmp_path, variant):
    record = golden(f"{FOLDER}/seg_testval.json")
    cases = [case for case in record["cases"] if variant in case["result"]]
    for case in cases:
        images, truth = material(fill, case["dataset"].partition(", ")[0])
        kind = "cityscapes" if case["dataset"] == "cityscapes-like" else "base"
        settings = {**settings_of(case, kind), **sizing(case["dataset"], variant)}
        pairs = reference.LEFT_AND_RIGHT if case["dataset"] == "LIP-like" else ()
        scheme = ClassScheme(tuple(map(str, range(case["classes"]))), flip_pairs=pairs)
        protocol = dataclasses.asdict(dataclasses.replace(VARIANTS[variant], **settings))
        variant_row = Variant("toy", "toy", "segmentation", (64, 64))
        task = Segmentation(variant_row, SimpleNamespace(scheme=scheme), protocol)
        net = reference.toy(fill, case["classes"], record["seed"])
        predictions = []
        for number, image in enumerate(images):
            path = tmp_path / f"{number}.png"
            assert cv2.imwrite(str(path), image)
            sample = Sample(number, path)
            items = task.prepare(sample)
            prediction = task.finish(sample, list(zip(items, task.forward(net, items), strict=True)))
            predictions.append(prediction.value)
        made = judged(case["classes"], case["ignore"], predictions, truth)
        for name, value in case["result"][variant].items():
            np.testing.assert_allclose(made[name], value, rtol=1e-9, err_msg=f"{case['dataset']} {name}")
    assert len(cases) == {"master": 5, "ocr_true": 6, "ocr_false": 5}[variant]


# --- steps of it -----------------------------------------------------------------------------------------------------


def test_sizes_and_normalised_pixels(golden, fill):
    record = golden(f"{FOLDER}/seg_cls_preprocess.json")
    short = checked(Inference(size="short", base=52))
    table = geometry.value_table(reference.MEAN, reference.STD)
    done = 0
    for case in record["cases"]:
        image = u8(fill, tuple(case["size"]), case["name"], record["seed"])
        rgb = np.ascontiguousarray(image[..., ::-1])
        pixels = geometry.normalised(rgb, table)
        if case["what"].startswith("resize_short_length"):
            made = geometry.sized(rgb, short, reference.MEAN)
            inner, whole = geometry.input_sizes((image.shape[0], image.shape[1]), short)
            assert [whole[0] - inner[0], whole[1] - inner[1]] == case["pad_hw"]
            same(made[..., ::-1].astype(np.float64), case["resized"])
        elif case["what"].startswith("input_transform"):
            flat = pixels.transpose(2, 0, 1).reshape(-1)
            assert flat.dtype == np.float32
            # float32 bits; the record may have rounded them once more when it was written
            np.testing.assert_array_equal(flat[case["normalised"]["index"]], np.float32(case["normalised"]["value"]))
        elif case["what"].startswith("multi_scale_aug"):
            scale = float(case["what"].partition("scale ")[2].partition(",")[0])
            plan = geometry.window_plan(pixels.shape[:2], scale, checked(Inference(base=52, multiple=1)))
            ((_, scaled),) = plan.inputs(pixels.astype(np.float64), BLACK)
            same(scaled, case["resized"])
        else:
            continue
        done += 1
    assert done == 12


def test_flip_of_classes_mirrors_what_training_did(golden, fill):
    """Labels mirrored and exchanged as for training: what test-time flipping must undo."""
    record = golden(f"{FOLDER}/lip_flip.json")
    label = labels(fill, (16, 24), "liptrain", [*range(20), 255])
    order = np.arange(256)
    for left, right in reference.LEFT_AND_RIGHT:
        order[[left, right]] = order[[right, left]]
    np.testing.assert_array_equal(order[label[:, ::-1]], record["label_out"])


@pytest.mark.parametrize(
    ("classes", "small", "large"),
    [(21, (94, 125), (375, 500)), (19, (32, 64), (128, 256)), (1, (17, 23), (65, 91)), (600, (5, 9), (17, 33))],
)
def test_bicubic_upsampling_is_opencvs(fill, classes, small, large):
    scores = fill.image((classes, *small), 3, "logits").astype(np.float32)
    made = resized(torch.from_numpy(scores), large, "bicubic", False)
    assert made.shape == (classes, *large) and made.dtype == torch.float32
    some = np.ascontiguousarray(scores[:512].transpose(1, 2, 0))
    expected = cv2.resize(some, large[::-1], interpolation=cv2.INTER_CUBIC).reshape(*large, -1)
    np.testing.assert_array_equal(made[:512].numpy().transpose(1, 2, 0), expected)
    last = cv2.resize(scores[-1], large[::-1], interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(made[-1].numpy(), last, atol=1e-4)  # one map alone takes another way through OpenCV
