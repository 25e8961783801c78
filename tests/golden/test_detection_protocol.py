"""The detection protocols against records of mmdetection 3.3.0 and tensorflow/models 2.17, and against torchvision."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import detection_cases as cases
import numpy as np
import pytest
import torch
from empty import uninitialised
from pycocotools import mask as coco_mask
from torch import Tensor, nn

from hrbench.models.build import build
from hrbench.tasks.detection.task import Detection
from hrbench.types import ClassScheme, Item, Prediction, Sample, Variant

pytestmark = pytest.mark.numeric

COCO_IDS = tuple(i for i in range(1, 91) if i not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83))


def task_for(protocol: str, use: str = "network", input: tuple[int, int] = (640, 640), **settings: Any) -> Detection:
    chosen = next(each for each in Detection.protocols if each.name == protocol)
    scheme = ClassScheme(tuple(map(str, COCO_IDS)), COCO_IDS)
    variant = Variant("tried", use, "detection", input)
    return Detection(variant, SimpleNamespace(scheme=scheme), {**asdict(chosen), **settings})


def photograph(folder: Path, size: tuple[int, int]) -> Sample:
    path = folder / f"{size[0]}x{size[1]}.png"
    assert cv2.imwrite(str(path), cases.image(size))
    return Sample(7, path, size)


class Says(nn.Module):
    """A network that keeps what it is given, and finds the same in every image."""

    def __init__(self, found: dict[str, Tensor]) -> None:
        super().__init__()
        self.found = found

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        self.given = images
        return [self.found] * len(images)


def detections(size: tuple[int, int], within: tuple[int, int]) -> dict[str, Tensor]:
    boxes = torch.from_numpy(cases.boxes(size, within))
    crops = torch.from_numpy(cases.logits(size)).sigmoid()
    scores = torch.linspace(1, 0.5, len(boxes))  # so that they stay in this order
    return {"boxes": boxes, "scores": scores, "labels": torch.zeros(len(boxes), dtype=torch.int64), "mask_crops": crops}


def through(task: Detection, sample: Sample, net: nn.Module) -> tuple[Item, Prediction]:
    (item,) = task.prepare(sample)
    (found,) = task.forward(net, [item])
    return item, task.finish(sample, [(item, found)])


def same_masks(rows: list[dict[str, Any]], counts: list[str], size: tuple[int, int]) -> None:
    width, height = size
    assert [row["segmentation"]["counts"] for row in rows] == counts
    assert {tuple(row["segmentation"]["size"]) for row in rows} == {(height, width)}


def nearly_same_masks(rows: Any, expected: list[str], size: tuple[int, int]) -> None:
    """All masks together differ by two pixels at most.

    OpenCV and torch resize floats by other instructions from release to release, and from processor to processor: a
    pixel at one half may fall on either side.
    """
    theirs = [{"size": [size[1], size[0]], "counts": counts} for counts in expected]
    apart = [
        int(coco_mask.area(coco_mask.merge([row["segmentation"], mask])))
        - int(coco_mask.area(coco_mask.merge([row["segmentation"], mask], intersect=True)))
        for row, mask in zip(rows, theirs, strict=True)
    ]
    assert sum(apart) <= 2, apart


@pytest.mark.parametrize("case", range(len(cases.SIZES)))
def test_inputs_boxes_and_masks_are_mmdetections(case: int, golden: Any, fill: Any, tmp_path: Path) -> None:
    record, size = golden("detection/mmdet.json")[case], cases.SIZES[case]
    height, width = record["input"]
    task, net = task_for("mmdet"), Says(detections(size, (width, height)))
    item, prediction = through(task, photograph(tmp_path, size), net)
    assert item.content.input == (width, height) and tuple(record["size"]) == size

    padded = torch.zeros(record["batch"]["shape"])
    padded[0, :, :height, :width] = net.given[0]
    ours = fill.sample(padded.numpy(), 256)
    assert ours["index"] == record["batch"]["index"]
    np.testing.assert_allclose(ours["value"], record["batch"]["value"], atol=2e-6)

    corners = np.array([row["bbox"] for row in prediction.value]) @ np.array(
        [[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]
    )
    np.testing.assert_allclose(corners, record["boxes"], rtol=1e-6, atol=1e-4)
    nearly_same_masks(prediction.value, record["masks"], size)


@pytest.mark.parametrize("case", range(len(cases.SIZES)))
def test_inputs_boxes_and_masks_are_those_of_tensorflow(case: int, golden: Any, fill: Any, tmp_path: Path) -> None:
    record, size = golden("detection/tf.json")[case], cases.SIZES[case]
    height, width = record["input"]
    task, net = task_for("spinenet"), Says(detections(size, (width, height)))
    item, prediction = through(task, photograph(tmp_path, size), net)
    assert item.content.input == (width, height) and tuple(record["size"]) == size

    ours = fill.sample(net.given[0].numpy(), 256)
    assert ours["index"] == record["image"]["index"] and ours["shape"] == record["image"]["shape"]
    np.testing.assert_allclose(ours["value"], record["image"]["value"], atol=2e-5)
    np.testing.assert_allclose([row["bbox"] for row in prediction.value], record["boxes"], rtol=1e-6, atol=1e-4)
    nearly_same_masks(prediction.value, record["masks"], size)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        (
            "maskrcnn_resnet50_fpn",
            {"box_score_thresh": 0.0, "box_detections_per_img": 12, "rpn_post_nms_top_n_test": 60},
        ),
        ("fcos_resnet50_fpn", {"score_thresh": 0.0, "detections_per_img": 20}),
        ("ssdlite320_mobilenet_v3_large", {"score_thresh": 0.0, "detections_per_img": 20}),
    ],
)
def test_all_of_it_is_torchvisions(name: str, args: dict[str, Any], fill: Any, tmp_path: Path) -> None:
    """Its own network with its own transform on, given the photograph in [0, 1], against ours from end to end."""
    from torchvision import models

    size = (333, 250)
    sides = {} if name.startswith("ssd") else {"min_size": 192, "max_size": 320}
    with uninitialised():
        theirs = models.get_model(name, weights=None, weights_backbone=None, **args, **sides)
    theirs = fill.fill(theirs).float()
    use = f"torchvision:{name}"
    with uninitialised():
        ours: Any = build(Variant("tried", use, "detection", (320, 320), args=args)).eval()
    ours.load_state_dict(theirs.state_dict())
    settings = {} if name.startswith("ssd") else {"short": 192, "long": 320}
    task = task_for(Detection.usual(use), use, (320, 320), **settings)
    task.mean, task.std = tuple(theirs.transform.image_mean), tuple(theirs.transform.image_std)
    task.scheme = ClassScheme(tuple(map(str, range(1, 92))), tuple(range(1, 92)))

    pixels = torch.from_numpy(np.ascontiguousarray(cases.image(size)[..., ::-1])).permute(2, 0, 1) / 255
    with torch.inference_mode():
        (wanted,) = theirs([pixels])
    wanted = {key: value[wanted["labels"] > 0] for key, value in wanted.items()}  # one-stage heads have a background
    _, prediction = through(task, photograph(tmp_path, size), ours)
    rows = prediction.value
    assert len(rows) == len(wanted["boxes"]) > 5
    order = wanted["scores"].argsort(descending=True, stable=True)
    assert [row["category_id"] for row in rows] == wanted["labels"][order].tolist()
    np.testing.assert_allclose([row["score"] for row in rows], wanted["scores"][order], rtol=1e-6)
    corners = wanted["boxes"][order]
    boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)
    np.testing.assert_allclose([row["bbox"] for row in rows], boxes, rtol=1e-5, atol=1e-3)
    if "masks" in wanted:
        masks = np.asfortranarray((wanted["masks"][order, 0] > 0.5).numpy().astype(np.uint8).transpose(1, 2, 0))
        same_masks(rows, [each["counts"].decode() for each in coco_mask.encode(masks)], size)
        assert sum(int(coco_mask.area(row["segmentation"])) > 0 for row in rows) > 5
