"""Writes data/detection/tf.json: inputs, boxes and masks by tensorflow/models 2.17, for test_detection_protocol.

Not a test. Needs tensorflow 2.17 and tf-models-official 2.17 in an environment of its own (packages that the latter
imports but these parts do not use may be stand-ins):

    TF_USE_LEGACY_KERAS=1 python tests/golden/record_detection_tf.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import detection_cases as cases
import fill
import numpy as np
import tensorflow as tf
from official.vision.ops import box_ops, mask_ops, preprocess_ops
from pycocotools import mask as coco_mask

OUT = Path(__file__).parent / "data/detection/tf.json"
SIDE = 640


def record(size: tuple[int, int]) -> dict[str, Any]:
    """What becomes of an image of this (width, height), and of detections in it."""
    image = tf.constant(cases.image(size)[..., ::-1])  # the cases are BGR, as OpenCV reads images
    normalised = preprocess_ops.normalize_image(image)
    resized, info = preprocess_ops.resize_and_crop_image(normalised, [SIDE, SIDE], [SIDE, SIDE])
    info = info.numpy()
    height, width = (round(side * scale) for side, scale in zip(info[0], info[2], strict=True))
    boxes = cases.boxes(size, (width, height))[:, [1, 0, 3, 2]]
    boxes = boxes / np.tile(info[2:3], (1, 2))  # as COCOEvaluator does
    placed = box_ops.yxyx_to_xywh(boxes)
    crops = tf.sigmoid(cases.logits(size)).numpy()
    masks = mask_ops.paste_instance_masks(crops, placed, size[1], size[0])
    return {
        "size": size,
        "input": [height, width],
        "image": fill.sample(resized.numpy()[:height, :width].transpose(2, 0, 1), 256),
        "boxes": placed.tolist(),
        "masks": [coco_mask.encode(np.asfortranarray(mask))["counts"].decode() for mask in masks],
    }


def main() -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([record(size) for size in cases.SIZES], separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
