"""A folder given for the annotation file is named with the files in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.datasets.coco_instances import CocoInstances
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.errors import InputError


@pytest.mark.parametrize("make", [CocoInstances, CocoKeypointsDataset])
def test_a_folder_is_no_annotation_file_and_those_in_it_are_named(tmp_path: Path, make) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(
        InputError, match=r"train: is a folder; COCO annotations are one JSON file; no JSON file lies in it$"
    ):
        make(tmp_path, folder=".", annotations="train")
    for name in ("a.json", "b.json", "c.json", "_annotations.coco.json", "x.jpg"):
        (tmp_path / "train" / name).touch()
    with pytest.raises(InputError, match=r"name the file in it: _annotations\.coco\.json, a\.json, b\.json and 1 more"):
        make(tmp_path, folder=".", annotations="train")
    assert make(tmp_path, folder=".", annotations="train/a.json").target == tmp_path / "train" / "a.json"
    assert make(tmp_path, folder=".", annotations="absent.json").target == tmp_path / "absent.json"


@pytest.mark.parametrize("make", [CocoInstances, CocoKeypointsDataset])
def test_a_folder_of_labelme_is_recognised(tmp_path: Path, make) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "f0.json").write_text('{"version": "5.0", "shapes": [], "imagePath": "f0.jpg"}')
    with pytest.raises(InputError, match=r"train: is a folder, and f0\.json in it .*labelme"):
        make(tmp_path, folder=".", annotations="train")
