"""labelme's files, given for annotations or label maps, are recognised, and the message says what to make of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hrbench.datasets.label_folders import LabelFolders
from hrbench.errors import InputError
from hrbench.formats.coco import annotations, instances, keypoints
from hrbench.metrics.labels.mean_iou import MeanIoU

READERS: list[Callable[[Path], Any]] = [
    lambda path: instances.read_truth(path, True),
    lambda path: keypoints.read_truth(path, 2),
    annotations.read_instances,
    annotations.read_keypoints,
]


def folder(place: Path, ending: str = ".png") -> Path:
    """Two photographs with labelme's files beside them."""
    place.mkdir()
    for name in ("f0", "f1"):
        Image.fromarray(np.full((4, 6, 3), [9, 80, 200], np.uint8)).save(place / f"{name}{ending}")
        shape = {"label": "nut", "points": [[0, 0], [3, 0], [3, 3]], "shape_type": "polygon"}
        content = {"version": "5.2.1", "shapes": [shape], "imagePath": f"{name}{ending}", "imageData": None}
        (place / f"{name}.json").write_text(json.dumps(content))
    return place


def refused(work: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("read", READERS)
def test_annotations_name_the_way_to_coco(read: Callable[[Path], Any], tmp_path: Path) -> None:
    place = folder(tmp_path / "lm")
    assert refused(lambda: read(place / "f0.json")).startswith(f"{place}/f0.json: is an annotation of labelme")
    message = refused(lambda: read(place))
    assert message.startswith(f"{place}: is a folder, and f0.json in it is an annotation of labelme")
    assert "labelme2coco.py (docs/own-data.md)" in message


@pytest.mark.parametrize("read", READERS)
def test_a_folder_of_annotations_names_the_file(read: Callable[[Path], Any], tmp_path: Path) -> None:
    assert refused(lambda: read(tmp_path)).endswith("COCO annotations are one JSON file; no JSON file lies in it")
    (tmp_path / "_annotations.coco.json").write_text("{}")
    assert refused(lambda: read(tmp_path)).endswith("name the file in it: _annotations.coco.json")


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_label_maps_blame_the_ground_truth(ending: str, tmp_path: Path) -> None:
    message = refused(lambda: MeanIoU(classes=2).read_target(folder(tmp_path / "lm", ending)))
    assert "lm: holds no label maps: f0.json in it is an annotation of labelme" in message and "labelme2voc" in message


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_data_set_of_photographs_is_recognised(ending: str, tmp_path: Path) -> None:
    folder(tmp_path / "lm", ending)
    data = LabelFolders(tmp_path, ["a", "b"], images="lm", labels="lm")
    found = [*data.missing({}), *data.look(data.samples({})[0])]
    assert any("f0.json" in one and "labelme2voc.py" in one for one in found), found
    assert not any("palette" in one for one in found)


def test_listed_photographs_are_no_label_maps(tmp_path: Path) -> None:
    metric = MeanIoU(classes=2, files=["f0.png", "f1.png"])
    assert "holds no label maps: f0.json in it" in refused(lambda: metric.read_target(folder(tmp_path / "lm")))


def test_label_maps_beside_labelmes_files_are_read(tmp_path: Path) -> None:
    """Where the photograph is another file, the PNG of that name is a label map."""
    place = folder(tmp_path / "lm", ".jpg")
    for name in ("f0", "f1"):
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(place / f"{name}.png")
    assert set(MeanIoU(classes=2).read_target(place).labels) == {"f0", "f1"}
