"""Annotations to boxes to network inputs, against records of the official loader."""

from __future__ import annotations

import json
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from test_pose_protocol import formula_image, same_samples

from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.datasets.mpii import Mpii
from hrbench.datasets.person_boxes import OFFICIAL_BOXES
from hrbench.tasks.inputs import normalised_batch
from hrbench.tasks.pose import geometry
from hrbench.tasks.pose.task import Pose
from hrbench.types import Variant


@dataclass
class Files:
    """A data folder in COCO's layout, written from a record."""

    root: object

    def write(self, images, annotations, detections=None):
        folder = self.root / "coco"
        (folder / "annotations").mkdir(parents=True)
        (folder / "val2017").mkdir()
        whole = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
        (folder / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(whole))
        if detections is not None:
            (folder / "person_detection_results").mkdir()
            (folder / "person_detection_results" / OFFICIAL_BOXES["val2017"]).write_text(json.dumps(detections))
        return CocoKeypointsDataset(self.root)


@pytest.mark.parametrize("size", ["256x192", "256x256"])
@pytest.mark.parametrize("boxes", ["ground_truth", "detector"])
def test_boxes_of_the_loader(golden, tmp_path, size, boxes):
    record = golden("pose/protocol/boxes.json")
    given = record["loader_input"]
    data = Files(tmp_path).write(given["images"], given["annotations"], given["detections"])
    height, width = map(int, size.split("x"))
    expected = record[f"{'gt' if boxes == 'ground_truth' else 'det'}_loader_{size}"]

    by_image = data.people({"boxes": boxes, "image_threshold": 0.0})
    people = [(f"{image:012d}.jpg", person) for image, of in by_image.items() for person in of]
    if boxes == "detector":
        # the loader keeps the file's order across images; here each image's boxes are together
        people.sort(key=lambda pair: pair[1].index)
        assert [person.score for _, person in people] == [row["score"] for row in expected]
    assert [name for name, _ in people] == [row["image"] for row in expected]
    for (_, person), row in zip(people, expected, strict=True):
        centre, scale = geometry.box_to_centre_scale(person.box, (height, width))
        assert centre.tolist() == row["center"]
        assert scale.tolist() == row["scale"]


def test_boxes_of_images_that_are_not_annotated_are_noted(golden, tmp_path):
    given = golden("pose/protocol/boxes.json")["loader_input"]
    data = Files(tmp_path).write(given["images"], given["annotations"], given["detections"])
    samples = data.samples({"boxes": "detector"})
    assert {sample.id for sample in samples} == {image["id"] for image in given["images"]}
    assert data.notes({"boxes": "detector"}) == [
        "boxes of 1 images that person_keypoints_val2017.json does not list were left out, the first of image 999999"
    ]


def test_threshold_of_detector_boxes(golden, tmp_path):
    record = golden("pose/protocol/boxes.json")
    given = record["loader_input"]
    data = Files(tmp_path).write(given["images"], given["annotations"], given["detections"])
    people = data.people({"boxes": "detector", "image_threshold": 0.3})
    assert sum(map(len, people.values())) == record["det_loader_256x192_image_thre_0.3_count"]


def test_network_inputs(golden, tmp_path):
    record = golden("pose/protocol/pipeline.json")
    data = Files(tmp_path).write(record["images"], record["annotations"])
    for image in record["images"]:
        pixels = formula_image(
            image["height"], image["width"], 0 if image is record["images"][0] else image.get("k", 0)
        )
        if "k = " in image["formula"]:
            pixels = formula_image(image["height"], image["width"], int(image["formula"].rpartition("k = ")[2]))
        encoded = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
        (tmp_path / "coco" / "val2017" / image["file_name"]).write_bytes(encoded)

    samples = data.samples({"boxes": "ground_truth"})
    net = torch.nn.Conv2d(3, 17, 1)
    for config in {case["config"] for case in record["cases"]}:
        cases = [case for case in record["cases"] if case["config"] == config]
        width, height = cases[0]["image_size"]
        colour = "rgb" if cases[0]["color_rgb"] else "bgr"
        variant = Variant(name="net", use="none", task="pose", input=(height, width), colour=colour)
        task = Pose(variant, data, {"boxes": "ground_truth"})
        items = [item for sample in samples for item in task.prepare(sample)]
        inputs = normalised_batch(net, items, task.mean, task.std).numpy()
        for case in cases:
            item = items[case["item"]]
            assert item.content.centre.tolist() == case["center"]
            assert item.content.scale.tolist() == case["scale"]
            same_samples(inputs[case["item"]], case["input"], tolerance=1e-6)


def test_mpii_loader(golden, golden_folder, tmp_path):
    record = golden("pose/protocol/mpii.json")
    (tmp_path / "mpii" / "annot").mkdir(parents=True)
    (tmp_path / "mpii" / "annot" / "valid.json").write_text(json.dumps(record["valid_json"]))
    samples = Mpii(tmp_path).samples({})
    people = {person.index: (sample, person) for sample in samples for person in sample.content}
    for index, row in enumerate(record["db"]):
        sample, person = people[index]
        assert sample.path.name == row["image"]
        centre, scale = geometry.mpii_centre_scale(person.centre, person.scale)
        assert str(centre.dtype) == str(scale.dtype) == row["dtype"]
        np.testing.assert_allclose(centre, row["center"], rtol=1e-15)
        np.testing.assert_allclose(scale, row["scale"], rtol=1e-15)
    assert len(people) == len(record["db"]) == 6


def test_mpii_centre_of_minus_one_is_left_alone():
    centre, scale = geometry.mpii_centre_scale((-1.0, 7.0), 2.0)
    assert centre.tolist() == [-2.0, 6.0]
    assert scale.tolist() == [2.0, 2.0]
