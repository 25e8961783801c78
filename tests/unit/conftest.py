"""Small COCO files for the tests of the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any, Any], tuple[Path, Path]]:
    """written(truth, results) -> paths of the two JSON files."""

    def write(truth: Any, results: Any) -> tuple[Path, Path]:
        paths = tmp_path / "truth.json", tmp_path / "results.json"
        for path, content in zip(paths, (truth, results), strict=True):
            path.write_text(json.dumps(content))
        return paths

    return write


@pytest.fixture
def small() -> tuple[dict, list[dict]]:
    """Two images, a person of three joints in the first, found exactly, and one false detection."""
    truth = {
        "images": [{"id": 5}, {"id": 9}],
        "annotations": [
            {
                "id": 1, "image_id": 5, "category_id": 1, "area": 2500.0, "bbox": [10, 10, 50, 50], "iscrowd": 0,
                "num_keypoints": 3, "keypoints": [10, 10, 2, 60, 10, 2, 60, 60, 1],
            },
            {
                "id": 2, "image_id": 9, "category_id": 1, "area": 20000.0, "bbox": [0, 0, 200, 200], "iscrowd": 0,
                "num_keypoints": 3, "keypoints": [0, 0, 2, 200, 0, 2, 200, 200, 2],
            },
        ],
        "categories": [{"id": 1, "name": "person"}],
    }  # fmt: skip
    results = [
        {"image_id": 5, "category_id": 1, "score": 0.9, "keypoints": [10, 10, 1, 60, 10, 1, 60, 60, 1]},
        {"image_id": 5, "category_id": 1, "score": 0.8, "keypoints": [900, 900, 1, 960, 900, 1, 960, 960, 1]},
    ]
    return truth, results
