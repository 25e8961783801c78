"""Writes data/ultralytics_pose.json: images and raw poses as ultralytics takes them, for test_one_stage_records.

Run in an environment with ultralytics 8.4.190, torch, torchvision, NumPy 1.26.4, opencv-python-headless 4.10.0.84:

    python tests/golden/record_ultralytics.py

LetterBox fits images, non_max_suppression chooses among candidates that `drawn_candidates.py` draws, and
scale_coords maps their joints to the image.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
import ultralytics
from drawn_candidates import candidates
from ultralytics.data.augment import LetterBox
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_coords

OUT = Path(__file__).parent / "data/ultralytics_pose.json"
SIZES = [(427, 640), (640, 427), (333, 500), (480, 640), (75, 101), (64, 64), (31, 200), (700, 99), (257, 640)]
"""(height, width) of images."""

INPUTS = [(64, 64), (96, 160)]
"""(height, width) of networks."""


def formula_image(height: int, width: int, k: int) -> np.ndarray:
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return (((3 * x * x + 5 * y * y + 7 * x * y) // 97 + 31 * c * (x // 3) + 17 * c * y + k) % 256).astype(np.uint8)


def main() -> None:
    versions = {m.__name__: m.__version__ for m in (ultralytics, torch, torchvision, np, cv2)}
    cases: list[dict[str, Any]] = []
    for number, (size, input) in enumerate((size, input) for size in SIZES for input in INPUTS):
        image = formula_image(*size, 5)
        fitted = LetterBox(input, auto=False)(image=image)
        raw = candidates(number, 120, input, 3)
        (found,) = non_max_suppression(torch.from_numpy(raw)[None], 0.001, 0.7, max_det=40, nc=1)
        joints = scale_coords(input, found[:, 6:].reshape(len(found), -1, 3), size)
        cases.append(
            {
                "size": size,
                "input": input,
                "seed": number,
                "crc32": zlib.crc32(np.ascontiguousarray(fitted).tobytes()),
                "scores": found[:, 4].tolist(),
                "joints": [[round(float(v), 5) for v in person.flatten()] for person in joints],
            }
        )
    OUT.write_text(json.dumps({"versions": versions, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
