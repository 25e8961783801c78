"""One-stage poses: torchvision's own Keypoint R-CNN as the reference, letterboxes, outputs that are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.errors import EntryError, UsageError
from hrbench.formats.coco.skeletons import COCO_SIGMAS
from hrbench.models.adapters import torchvision as adapter
from hrbench.tasks.pose.one_stage import Fitting, FoundPeople, letterboxed, on_grey, to_image
from hrbench.tasks.pose.protocols import NAMED_PROTOCOLS, TopDown, checked
from hrbench.tasks.pose.task import Pose
from hrbench.types import Item, KeypointScheme, Sample, Variant

BY_NAME = {protocol.name: protocol for protocol in NAMED_PROTOCOLS}
SCHEME = KeypointScheme(tuple("abcdefghijklmnopq"), (), COCO_SIGMAS)
PLAIN = Variant("net", "net", "pose", (64, 96))


def task(name: str = "one-stage", variant: Variant = PLAIN, **change: Any) -> Pose:
    protocol = dataclasses.replace(BY_NAME[name], **change)
    return Pose(variant, SimpleNamespace(scheme=SCHEME), dataclasses.asdict(protocol))


def photo(folder: Path, height: int, width: int, seed: int = 0) -> Sample:
    path = folder / f"{height}x{width}.png"
    image = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(image, (width, height)))
    return Sample(7, path, (width, height))


@pytest.mark.numeric
def test_keypoint_rcnn_finds_what_torchvision_finds(tmp_path):
    """With the same drawn weights: torchvision resizes, normalises and maps back by itself."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    limits = {"num_classes": 2, "box_detections_per_img": 6, "rpn_post_nms_top_n_test": 30, "box_score_thresh": 0.0}
    torch.manual_seed(3)
    own = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, min_size=96, max_size=140, **limits).eval()
    ours = adapter.build("keypointrcnn_resnet50_fpn", task="pose", **limits).eval()
    ours.load_state_dict(own.state_dict())
    pose = task("one-stage-torchvision", short=96, long=140)
    for height, width in ((60, 75), (110, 50)):
        sample = photo(tmp_path, height, width)
        image = torch.from_numpy(cv2.imread(str(sample.path))[..., ::-1].copy()).permute(2, 0, 1) / 255
        with torch.inference_mode():
            (expected,) = own([image])
        items = pose.prepare(sample)
        assert items[0].image.shape == (height, width, 3)  # resized as floats, where the network computes
        rows = pose.finish(sample, list(zip(items, pose.forward(ours, items), strict=True))).value
        assert len(rows) == len(expected["scores"]) > 0
        np.testing.assert_allclose([row["score"] for row in rows], expected["scores"], atol=1e-5)
        joints = np.array([row["keypoints"] for row in rows]).reshape(-1, 17, 3)
        np.testing.assert_allclose(joints, expected["keypoints"], atol=2e-3)
        assert rows[0]["image_id"] == 7 and rows[0]["category_id"] == 1


def test_keypoint_rcnn_is_the_only_detector_for_poses():
    with pytest.raises(UsageError, match="is for detection, not for pose"):
        adapter.build("fasterrcnn_resnet50_fpn", task="pose")


@given(width=st.integers(1, 700), height=st.integers(1, 700), wide=st.integers(16, 200), tall=st.integers(16, 200))
def test_joints_of_a_letterbox_go_back_where_the_picture_came_from(width, height, wide, tall):
    fitting = letterboxed((width, height), (wide, tall))
    assert all(part <= whole for part, whole in zip(fitting.resized, fitting.input, strict=True))
    (left, top), (across, down) = fitting.corner, fitting.resized
    assert abs(2 * left + across - wide) <= 1 and abs(2 * top + down - tall) <= 1
    corners = np.array([[[left, top, 1], [left + across, top + down, 1], [-50, tall + 50, 0.5]]], np.float32)
    np.testing.assert_allclose(
        to_image(corners, fitting)[0], [[0, 0, 1], [width, height, 1], [0, height, 0.5]], atol=1e-3
    )


def test_a_letterbox_is_grey_beside_the_picture():
    image = np.full((10, 20, 3), 200, np.uint8)
    placed = on_grey(image, letterboxed((20, 10), (40, 40)))
    assert (placed[10:30] == 200).all() and (placed[:10] == 114).all() and (placed[30:] == 114).all()


def test_colours_are_in_the_networks_order(tmp_path):
    sample = photo(tmp_path, 30, 40)
    (rgb,), (bgr,) = (task(variant=dataclasses.replace(PLAIN, colour=each)).prepare(sample) for each in ("rgb", "bgr"))
    np.testing.assert_array_equal(rgb.image, bgr.image[..., ::-1])
    np.testing.assert_array_equal(bgr.image, cv2.imread(str(sample.path)))


def found(scores: list[float], **more: Any) -> dict[str, torch.Tensor]:
    keypoints = torch.arange(len(scores) * 51, dtype=torch.float32).reshape(-1, 17, 3)
    return {"scores": torch.tensor(scores), "keypoints": keypoints, **more}


def finished(pose: Pose, output: Any) -> list[dict]:
    item = Item(7, np.zeros((64, 96, 3), np.uint8), Fitting((96, 64), (96, 64), (96, 64)))
    people = pose.forward(lambda images: output, [item])
    return pose.finish(Sample(7, Path("a.png")), list(zip([item], people, strict=True))).value


def test_people_are_chosen_by_label_score_and_number():
    output = [found([0.2, 0.9, 0.05, 0.9], labels=torch.tensor([0, 0, 0, 1]))]
    assert [row["score"] for row in finished(task(), output)] == pytest.approx([0.9, 0.2, 0.05])
    assert finished(task(), output)[0]["keypoints"] == torch.arange(51, 102).tolist()
    pose = task(score_threshold=0.1, most=1)
    assert [row["score"] for row in finished(pose, output)] == pytest.approx([0.9])
    assert [note.kind for note in pose.notes()] == ["cut_by_protocol"]


def test_images_without_people_are_told():
    pose = task()
    assert finished(pose, [found([])]) == []
    assert [note.kind for note in pose.notes()] == ["nothing_found"]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (torch.zeros(1, 17, 16, 24), r"returned \(1, 17, 16, 24\) for 1 images"),
        (torch.zeros(1, 57, 9), r"candidates \(1, 56, A\)"),
        ([], "returned 0 outputs for 1 images"),
        ({"scores": 1}, "returned a dict for 1 images"),
        ([{"boxes": 1}], "returned boxes for an image"),
        ([found([0.5]) | {"keypoints": torch.zeros(1, 16, 3)}], r"keypoints \(1, 16, 3\) and scores \(1,\)"),
        ([found([0.5]) | {"scores": torch.zeros(2)}], r"scores \(2,\)"),
    ],
)
def test_other_outputs_are_refused(output, says):
    with pytest.raises(EntryError, match=says):
        task().check_output(output, [(64, 96)])
    assert task().check_output([found([0.5])], [(64, 96)]) is None
    assert task().check_output(torch.zeros(1, 56, 9, device="meta"), [(64, 96)]) is None


def test_joints_that_are_not_finite_are_refused():
    people = FoundPeople(np.full((1, 17, 3), np.nan, np.float32), np.ones(1, np.float32))
    item = Item(7, np.zeros((4, 4, 3), np.uint8), Fitting((4, 4), (4, 4), (4, 4)))
    with pytest.raises(EntryError, match=r"gave a\.png joints or scores that are not finite"):
        task().finish(Sample(7, Path("a.png")), [(item, people)])


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        (TopDown(boxes="none"), "name the protocol one-stage"),
        (dataclasses.replace(BY_NAME["one-stage"], boxes="detector"), "protocol.boxes is detector; it must be none"),
        (dataclasses.replace(BY_NAME["one-stage"], flip=True), "of heatmaps of crops"),
        (dataclasses.replace(BY_NAME["one-stage"], affine="udp"), "of heatmaps of crops"),
        (dataclasses.replace(BY_NAME["one-stage-torchvision"], short=0), "both are 1 pixel at least"),
        (dataclasses.replace(BY_NAME["one-stage-yolo"], box_iou=1.5), "0 to 1"),
        (dataclasses.replace(BY_NAME["one-stage-yolo"], most=-1), "0 or more"),
        (TopDown(most=20), "are of boxes: none"),
    ],
)
def test_mixtures_of_crops_and_whole_images_are_refused(protocol, says):
    with pytest.raises(UsageError, match=says):
        checked(protocol)


def test_a_data_set_without_boxes_has_all_images_and_needs_no_box_file(tmp_path):
    dataset = CocoKeypointsDataset(tmp_path, split="test-dev2017")
    without, with_boxes = (dataset.missing({"boxes": boxes}) for boxes in ("none", "detector"))
    assert [gap.partition(" are missing")[0] for gap in without] == ["annotations", "images"]
    assert [gap for gap in with_boxes if gap.startswith("boxes are missing")]
    assert dataset.box_file("none") is None and dataset.people({"boxes": "none"}) == {}
