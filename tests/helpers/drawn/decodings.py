"""One set of people whose joints were decoded by four protocols, three of them from the same heatmaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrbench.tasks.pose import decoding, geometry
from hrbench.tasks.pose.protocols import NAMED_PROTOCOLS, TopDown

IMAGES, SIZE, JOINTS = 40, (160, 120), 17
INPUT, HEATMAP = (192, 256), (48, 64)


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws the set below `folder`/data/decodings, which is a suite's; returns an entry for each protocol of crops.

    worse: whether the heatmaps are noisier.
    """
    rng = np.random.default_rng(7)
    root = folder / "data/decodings"
    (root / "images").mkdir(parents=True, exist_ok=True)
    images, people = [], []
    for number in range(1, IMAGES + 1):
        name = f"{number:03d}.png"
        assert cv2.imwrite(str(root / "images" / name), np.full((SIZE[1], SIZE[0], 3), 6 * number, np.uint8))
        images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        for _ in range(1 + number % 2):
            x, y, width, height = *rng.uniform(5, 60, 2), *rng.uniform(35, 55, 2)
            points = np.stack([rng.uniform(x, x + width, JOINTS), rng.uniform(y, y + height, JOINTS)], axis=1)
            keypoints = np.concatenate([points.round(2), np.full((JOINTS, 1), 2)], axis=1)
            people.append(
                {
                    "id": len(people) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "num_keypoints": JOINTS,
                    "bbox": [x, y, width, height],
                    "area": width * height / 2,
                    "keypoints": keypoints.ravel().tolist(),
                }
            )
    truth = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (root / "people.json").write_text(json.dumps(truth))
    dataset = {
        "use": "coco-keypoints", "annotations": "data/decodings/people.json", "images": "data/decodings/images",
        "task": "pose", "metrics": ["coco-keypoints"], "orientation": "stored",
    }  # fmt: skip
    entries = []
    for protocol in NAMED_PROTOCOLS:
        if protocol.boxes != "none":
            rows = [_decoded(person, protocol, 0.35 if worse else 0.25) for person in people]
            path = folder / f"decoded-{protocol.name}.json"
            path.write_text(json.dumps(rows))
            entries.append({"name": f"decoded-{protocol.name}", "predictions": path.name, "dataset": dataset})
    return entries


def _decoded(person: dict[str, Any], protocol: TopDown, noise: float) -> dict[str, Any]:
    """A result of heatmaps with Gaussians at the person's joints, decoded as the protocol says."""
    centre, scale = geometry.box_to_centre_scale(person["bbox"], (INPUT[1], INPUT[0]))
    joints = np.array(person["keypoints"]).reshape(-1, 3)[:, :2]
    back = geometry.heatmap_to_image(protocol.affine, centre, scale, HEATMAP)
    at = (joints - back[:, 2]) / np.diag(back)
    square = (np.arange(HEATMAP[0]) - at[:, :1, None]) ** 2 + (np.arange(HEATMAP[1])[:, None] - at[:, 1:, None]) ** 2
    rng = np.random.default_rng(person["id"])
    heatmaps = (np.exp(-square / 8) + noise * rng.normal(0, 1, square.shape)).astype(np.float32)
    if protocol.decoding == "combined":
        radius = protocol.offset_radius * max(HEATMAP)
        offsets = [at[:, axis, None, None] - np.indices(HEATMAP[::-1])[1 - axis] for axis in (0, 1)]
        away = [each / radius + noise * rng.normal(0, 1, square.shape) for each in offsets]
        heatmaps = np.stack([heatmaps, *away], axis=1).reshape(-1, *HEATMAP[::-1]).astype(np.float32)
    found, confidence = decoding.decode(
        heatmaps[None], [centre], [scale], decoding=protocol.decoding, affine=protocol.affine,
        quarter_offset=protocol.quarter_offset, kernel=protocol.blur_kernel, radius=protocol.offset_radius,
    )  # fmt: skip
    row = np.concatenate([found[0], confidence[0]], axis=1).astype(float)
    score = round(float(confidence.mean()), 4)
    return {"image_id": person["image_id"], "category_id": 1, "keypoints": row.ravel().tolist(), "score": score}
