"""Rows for the drawings from one or two files of results; what a drawing shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from hrbench.errors import InputError
from hrbench.formats.coco import rows as module
from hrbench.tasks.detection.render import (
    LONG_SIDE,
    MAX_RENDERED,
    SHORT_SIDE,
    _mask,
    read_detections_file,
    render_detections,
)
from hrbench.types import ClassScheme, Sample

SCHEME = ClassScheme(("person", "car"), (1, 3), palette=((200, 0, 0), (0, 0, 200)))


def sample(key: int | str) -> Sample:
    return Sample(key, Path("none.png"))


def runs(size: tuple[int, int], box: tuple[int, int, int, int]) -> dict[str, Any]:
    mask = np.zeros(size, np.uint8, order="F")
    x, y, w, h = box
    mask[y : y + h, x : x + w] = 1
    made = coco_mask.encode(mask)
    return {"size": list(size), "counts": made["counts"].decode()}


def write(folder: Path, boxes: list[dict[str, Any]], masks: list[dict[str, Any]] | None = None) -> Path:
    path = folder / "predictions.json"
    path.write_text(json.dumps(boxes))
    if masks is not None:
        (folder / "masks.json").write_text(json.dumps(masks))
    return path


def row(image: int, score: float, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "score": score, **more}


def test_a_code_that_does_not_cover_its_image_is_no_mask() -> None:
    mask = runs((8, 9), (1, 2, 3, 4))
    drawn = _mask(mask, (8, 9))
    assert drawn is not None and drawn.sum() == 12
    assert _mask({**mask, "counts": mask["counts"][:1]}, (8, 9)) is None
    assert _mask(mask, (9, 8)) is None


@pytest.mark.parametrize("block", [30, 1 << 19])
def test_boxes_and_the_masks_beside_them(block: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    box, mask = [1.0, 2.0, 3.0, 4.0], runs((8, 9), (1, 2, 3, 4))
    path = write(
        tmp_path,
        [row(5, 0.2, bbox=box), row(6, 0.4, bbox=box), row(5, 0.9, 3, bbox=box)],
        [row(5, 0.2, segmentation=mask), row(6, 0.4, segmentation=mask), row(5, 0.9, 3, segmentation=mask)],
    )
    found = read_detections_file(path, [sample(5), sample(7)])
    assert [(each["category_id"], each["score"], each["bbox"], each["segmentation"]) for each in found[5]] == [
        (3, 0.9, box, mask),
        (1, 0.2, box, mask),
    ]
    assert found[7] == [] and set(found) == {5, 7}
    (alone,) = read_detections_file(tmp_path / "masks.json", [sample(6)])[6]
    assert alone["segmentation"] == mask and "bbox" not in alone


def test_masks_of_other_detections_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, [row(5, 0.2, bbox=[1, 2, 3, 4])], [row(5, 0.3, segmentation=runs((8, 9), (1, 2, 3, 4)))])
    assert "segmentation" not in read_detections_file(path, [sample(5)])[5][0]


@pytest.mark.parametrize(
    "text", ["", "{}", "[3]", '[{"image_id": 5}]', '[{"image_id": 5, "category_id": 1, "score": "a"}]']
)
def test_a_file_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"predictions\.json: holds no list of detections"):
        read_detections_file(path, [sample(5)])


def test_a_mask_and_a_box_are_drawn_in_the_colour_of_their_class() -> None:
    image = np.full((200, 300, 3), 255, np.uint8)
    rows = [row(1, 0.9, bbox=[60, 40, 120, 100], segmentation=runs((200, 300), (60, 40, 120, 100)))]
    drawn = render_detections(image, rows, SCHEME)
    factor = SHORT_SIDE / 200
    assert drawn.shape == (SHORT_SIDE, round(300 * factor), 3)
    inside = drawn[int(100 * factor), int(120 * factor)].astype(int)
    assert inside[2] > inside[0] + 50 and inside[2] > inside[1] + 50  # red, in BGR
    np.testing.assert_array_equal(drawn[-10, -10], [255, 255, 255])
    edge = drawn[int(60 * factor) : int(130 * factor), round(60 * factor) - 1 : round(60 * factor) + 2]
    assert (np.abs(edge.astype(int) - [0, 0, 200]).sum(axis=2) < 60).any(axis=1).all()


def test_weak_detections_are_drawn_only_where_there_are_no_others() -> None:
    image = np.full((300, 300, 3), 255, np.uint8)
    blank = render_detections(image, [], SCHEME)
    strong = [row(1, 0.9, bbox=[10, 20, 30, 30])] * MAX_RENDERED
    assert not np.array_equal(render_detections(image, [row(1, 0.01, bbox=[10, 20, 30, 30])], SCHEME), blank)
    np.testing.assert_array_equal(
        render_detections(image, [*strong[:3], row(1, 0.2, 3, bbox=[200, 200, 50, 50])], SCHEME),
        render_detections(image, strong[:3], SCHEME),
    )
    np.testing.assert_array_equal(
        render_detections(image, [*strong, row(1, 0.9, 3, bbox=[200, 200, 50, 50])], SCHEME),
        render_detections(image, strong, SCHEME),
    )


def test_any_image_any_box_and_any_class_can_be_drawn() -> None:
    without = ClassScheme(("person", "car"), (1, 3))
    for height, width in ((5, 900), (900, 5), (2000, 1500), (7, 7)):
        image = np.zeros((height, width, 3), np.uint8)
        rows = [
            row(1, 0.9, 77, bbox=[-50, -50, 3000, 3000]),
            row(1, 0.8, 3, bbox=[width, height, 0, 0]),
            row(1, 0.7, 1, segmentation={"size": [1, 1], "counts": "01"}),
            row(1, 0.6, 1, segmentation=[[0, 0, 5, 0, 5, 5]]),
            row(1, 0.6, 1, segmentation=runs((height, width), (1, 1, 3, 3))),
        ]
        assert max(render_detections(image, rows, without).shape) <= max(LONG_SIDE, SHORT_SIDE)
