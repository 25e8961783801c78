"""Writes data/detection/mmdet.json: inputs, boxes and masks by mmdetection 3.3.0, for test_detection_protocol.

Not a test. Run in an environment with mmdet 3.3.0, mmengine, mmcv-lite 2.1.0, torch, and the OpenCV that hrbench uses:

    python tests/golden/record_detection_mmdet.py

mmcv-lite has no compiled operators, which nothing here calls.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import detection_cases as cases
import fill

OUT = Path(__file__).parent / "data/detection/mmdet.json"
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
META = ("ori_shape", "img_shape", "scale_factor")


def stand_in() -> None:
    extension = types.ModuleType("mmcv._ext")
    extension.__getattr__ = lambda name: None
    sys.modules["mmcv._ext"] = extension


def record(size: tuple[int, int]) -> dict[str, Any]:
    """What becomes of an image of this (width, height), and of detections in it."""
    from mmdet.datasets.transforms import PackDetInputs, Resize
    from mmdet.models.data_preprocessors import DetDataPreprocessor
    from mmdet.models.roi_heads.mask_heads import FCNMaskHead
    from mmengine.config import ConfigDict
    from mmengine.structures import InstanceData
    from pycocotools import mask as coco_mask

    image = cases.image(size)
    resized = Resize(scale=(1333, 800), keep_ratio=True)(
        {"img": image, "img_shape": image.shape[:2], "ori_shape": image.shape[:2]}
    )
    packed = PackDetInputs(meta_keys=META)(resized)
    preprocess = DetDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True, pad_size_divisor=32)
    done = preprocess({"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]})
    meta = done["data_samples"][0].metainfo
    boxes, logits = cases.boxes(size, meta["img_shape"][::-1]), cases.logits(size)
    found = InstanceData(bboxes=torch.from_numpy(boxes), labels=torch.zeros(len(boxes), dtype=torch.long))
    head = FCNMaskHead(num_classes=1)
    (result,) = head.predict_by_feat(
        (torch.from_numpy(logits)[:, None],), [found], [meta], ConfigDict(mask_thr_binary=0.5), rescale=True
    )
    masks = np.asfortranarray(result.masks.numpy().astype(np.uint8).transpose(1, 2, 0))
    return {
        "size": size,
        "input": list(meta["img_shape"]),
        "batch": fill.sample(done["inputs"].numpy(), 256),
        "scale_factor": list(meta["scale_factor"]),
        "boxes": result.bboxes.tolist(),
        "masks": [each["counts"].decode() for each in coco_mask.encode(masks)],
    }


def main() -> None:
    stand_in()
    from mmdet.utils import register_all_modules

    register_all_modules()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps([record(size) for size in cases.SIZES], separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
