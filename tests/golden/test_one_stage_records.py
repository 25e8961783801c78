"""One-stage poses against records of ultralytics 8.4.190 (record_ultralytics.py): fitted images, people, joints."""

from __future__ import annotations

import dataclasses
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn_candidates import candidates
from test_pose_protocol import formula_image

from hrbench.tasks.pose.one_stage import letterboxed, on_grey
from hrbench.tasks.pose.protocols import NAMED_PROTOCOLS
from hrbench.tasks.pose.task import Pose
from hrbench.types import Item, KeypointScheme, Sample, Variant

pytestmark = pytest.mark.numeric

(YOLO,) = (protocol for protocol in NAMED_PROTOCOLS if protocol.name == "one-stage-yolo")
SCHEME = KeypointScheme(("a", "b", "c"), (), (0.1, 0.1, 0.1))


@pytest.mark.parametrize("index", range(18))
def test_images_and_people(golden, tmp_path, index):
    case = golden("ultralytics_pose.json")["cases"][index]
    (height, width), (tall, wide) = case["size"], case["input"]
    fitting = letterboxed((width, height), (wide, tall))
    fitted = on_grey(formula_image(height, width, 5), fitting)
    assert fitted.shape == (tall, wide, 3)
    assert zlib.crc32(fitted.tobytes()) == case["crc32"]

    variant = Variant("yolo", "yolo", "pose", (tall, wide), mean=(0.0,) * 3, std=(1.0,) * 3)
    protocol = dataclasses.asdict(dataclasses.replace(YOLO, most=40))
    task = Pose(variant, SimpleNamespace(scheme=SCHEME), protocol)
    raw = torch.from_numpy(candidates(case["seed"], 120, (tall, wide), 3))[None]
    item = Item(1, fitted, fitting)
    people = task.forward(lambda images: raw, [item])
    rows = task.finish(Sample(1, tmp_path / "image.png"), list(zip([item], people, strict=True))).value
    assert [row["score"] for row in rows] == case["scores"]
    np.testing.assert_allclose([row["keypoints"] for row in rows], case["joints"], rtol=0, atol=1e-5)
    assert len(rows) > 5
