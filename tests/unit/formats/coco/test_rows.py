"""Rows of results for pictures: those of the images asked for, whatever the size of the blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hrbench.errors import InputError
from hrbench.formats.coco import rows as module
from hrbench.formats.coco.rows import objects_of, people_of


@pytest.mark.parametrize("block", [1, 50, 1 << 19])
def test_rows_of_the_images_asked_for(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    path = tmp_path / "p.json"
    mask = {"size": [2, 2], "counts": "04"}
    content = [
        {"image_id": 5, "category_id": 1, "score": 0.5, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 0.5]},
        {"image_id": "x", "category_id": 2, "score": 0.25, "segmentation": mask, "keypoints": [3, 4, 0.5]},
        {"image_id": 6, "category_id": 2, "score": 0.25, "keypoints": []},
    ]
    path.write_text(json.dumps(content))
    assert people_of(path, [5, "x", 9]) == {
        5: [{"keypoints": [1, 2, 0.5]}], "x": [{"keypoints": [3, 4, 0.5]}], 9: []
    }  # fmt: skip
    assert objects_of(path, [5, "x", 9]) == {
        5: [{"category_id": 1, "score": 0.5, "bbox": [1, 2, 3, 4]}],
        "x": [{"category_id": 2, "score": 0.25, "segmentation": mask}],
        9: [],
    }


@pytest.mark.parametrize("read", [people_of, objects_of])
@pytest.mark.parametrize("text", ["", "{}", "[3]", '[{"image_id": 5}]', "[{}", '[{"image_id": 5}, ]'])
def test_a_file_that_is_none_is_named(read, text: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=r"p\.json: holds no list of .*; predict again"):
        read(tmp_path / "p.json", [5])
