"""Data sets of one's own as tools export them: samples, classes and options follow from what the suite says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hrbench.datasets.coco_instances import CocoInstances
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.datasets.image_folders import ImageFolders
from hrbench.datasets.label_folders import LabelFolders
from hrbench.errors import InputError, UsageError
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.types import Note

IMAGES = [{"id": n, "file_name": f"shots\\IM{n}.JPG", "width": 8, "height": 6} for n in (4, 2)]
BOX = {"category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
HAND = {"id": 1, "name": "hand", "keypoints": ["a", "b", "c"]}


def coco(folder: Path, rows: list[dict[str, Any]], categories: list[dict[str, Any]], images=IMAGES) -> dict[str, str]:
    content = {"images": images, "annotations": rows, "categories": categories}
    (folder / "a.json").write_text(json.dumps(content))
    (folder / "images" / "shots").mkdir(parents=True)
    for one in images:
        name = one["file_name"].rpartition("\\")[2].lower()
        Image.new("RGB", (8, 6)).save(folder / "images" / "shots" / name, "PNG")
    return {"annotations": str(folder / "a.json"), "images": str(folder / "images")}


def test_names_are_taken_as_windows_takes_them(tmp_path: Path):
    places = coco(tmp_path, [{**BOX, "id": 1, "image_id": 4}], [{"id": 1, "name": "cup"}])
    missing = CocoInstances(tmp_path, **places).missing({})
    assert len(missing) == 1 and "set `paths: windows`" in missing[0]
    dataset = CocoInstances(tmp_path, paths="windows", **places)
    assert dataset.missing({}) == []
    assert [sample.path.name for sample in dataset.samples({})] == ["im4.jpg", "im2.jpg"]
    assert all(sample.path.is_file() and sample.path.parent.name == "shots" for sample in dataset.samples({}))
    with pytest.raises(UsageError, match="paths: posix or windows was expected, not 'dos'"):
        CocoInstances(tmp_path, paths="dos", **places)


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "C:\\x.jpg", "..\\x.jpg"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str):
    places = coco(tmp_path, [], [{"id": 1, "name": "cup"}])
    content = json.loads((tmp_path / "a.json").read_text())
    content["images"][1]["file_name"] = name
    (tmp_path / "a.json").write_text(json.dumps(content))
    for paths in ("posix", "windows"):
        for dataset in (
            CocoInstances(tmp_path, paths=paths, **places),
            CocoKeypointsDataset(tmp_path, paths=paths, **places),
        ):
            with pytest.raises(InputError, match=r"image 2: file name .* leads out of the folder of images"):
                dataset.samples({"boxes": "ground_truth"})


def test_a_root_category_is_no_class_once_that_is_said(tmp_path: Path):
    root = {"id": 0, "name": "pets", "supercategory": "none"}
    categories = [root, *({"id": n, "name": name, "supercategory": "pets"} for n, name in ((1, "cat"), (2, "dog")))]
    places = coco(tmp_path, [{**BOX, "id": 1, "image_id": 4}], categories)
    with pytest.raises(UsageError, match=r"category 0 \('pets'\) has no annotation .*2 classes .*root_category: keep"):
        _ = CocoInstances(tmp_path, **places).scheme
    dropped = CocoInstances(tmp_path, root_category="drop", **places)
    assert dropped.scheme.names == ("cat", "dog") and dropped.metric_options() == {"root_category": "drop"}
    kept = CocoInstances(tmp_path, root_category="keep", **places)
    assert kept.scheme.names == ("pets", "cat", "dog") and kept.metric_options() == {"root_category": "keep"}
    assert CocoInstances(tmp_path, classes=["dog"], **places).scheme.names == ("dog",)


def test_people_without_joints_and_other_categories_are_held_to_nothing(tmp_path: Path):
    points = {"keypoints": [2, 2, 2, 3, 3, 2, 4, 4, 1], "num_keypoints": 3}
    rows = [
        {**BOX, "id": 1, "image_id": 4, **points},
        {**BOX, "id": 2, "image_id": 4, "keypoints": [], "num_keypoints": 0},
        {"id": 3, "image_id": 2, "category_id": 2, "keypoints": None, "bbox": "none"},
    ]
    places = coco(tmp_path, rows, [HAND, {"id": 2, "name": "ball"}])
    dataset = CocoKeypointsDataset(tmp_path, sigmas=[0.1] * 3, flip_pairs=[], paths="windows", **places)
    people = {sample.id: sample.content for sample in dataset.samples({"boxes": "ground_truth"})}
    assert len(people[4]) == 1 and people[2] == ()
    assert [len(found) for found in dataset.truth(dataset.samples({"boxes": "ground_truth"})).values()] == [1, 0]
    assert all(dataset.look(sample) == [] for sample in dataset.samples({"boxes": "ground_truth"}))


def test_an_area_from_the_box_shows_people_to_the_network(tmp_path: Path):
    points = {"keypoints": [2, 2, 2, 3, 3, 2, 4, 4, 1]}
    places = coco(tmp_path, [{**BOX, "id": 0, "image_id": 4, "area": 0, **points}], [HAND])
    common = {"sigmas": [0.1] * 3, "flip_pairs": [], "paths": "windows", **places}
    protocol = {"boxes": "ground_truth"}
    unseen = CocoKeypointsDataset(tmp_path, **common)
    assert sum(len(sample.content) for sample in unseen.samples(protocol)) == 0
    notes = unseen.notes(protocol)
    assert any(isinstance(note, Note) and note.option.startswith("truth_area") for note in notes)
    seen = CocoKeypointsDataset(tmp_path, truth_area="box*0.53", renumber=True, num_keypoints="joints", **common)
    assert sum(len(sample.content) for sample in seen.samples(protocol)) == 1 and not seen.notes(protocol)
    told = {"renumber": True, "truth_area": "box*0.53", "num_keypoints": "joints"}
    assert {key: seen.metric_options()[key] for key in told} == told


def test_label_files_of_other_case_and_arrays_belong_to_their_images(tmp_path: Path):
    for place in ("images", "labels", "arrays"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "._b.png").write_bytes(b"Mac")
    for name, ending in (("a", "Jpg"), ("b", "TIFF"), ("c", "png")):
        Image.new("RGB", (4, 3)).save(tmp_path / "images" / f"{name}.{ending}", "PNG")
        Image.new("L", (4, 3)).save(tmp_path / "labels" / f"{name}.PNG")
        np.save(tmp_path / "arrays" / f"{name}.npy", np.zeros((3, 4), np.int64))
    dataset = LabelFolders(tmp_path, ["sky", "land"])
    assert dataset.missing({}) == [] and [*dataset.pairs] == ["a", "b", "c"]
    assert [label for _, label in dataset.pairs.values()] == ["a.PNG", "b.PNG", "c.PNG"]
    assert all(dataset.look(sample) == [] for sample in dataset.samples({}))
    assert [*MeanIoU(**dataset.metric_options()).read_target(dataset.target).labels] == ["a", "b", "c"]

    arrays = LabelFolders(tmp_path, ["sky", "land"], labels="arrays")
    assert "there are NumPy arrays: set `label_suffix: .npy`" in arrays.missing({})[0]
    arrays = LabelFolders(tmp_path, ["sky", "land"], labels="arrays", label_suffix=".npy")
    assert arrays.missing({}) == [] and all(arrays.look(sample) == [] for sample in arrays.samples({}))


def test_how_label_maps_are_stored_is_said_once_for_data_set_and_metric(tmp_path: Path):
    palette = [[0, 0, 0], [128, 0, 0]]
    plain = LabelFolders(tmp_path, ["sky", "land"], palette=palette)
    assert "palette" not in plain.metric_options() and "channels" not in plain.metric_options()
    coloured = LabelFolders(tmp_path, ["sky", "land"], palette=palette, colours=True, ignore_colours=[[1, 1, 1]])
    options = coloured.metric_options()
    assert options["palette"] == palette and options["ignore_colours"] == [[1, 1, 1]]
    assert MeanIoU(**options).form.colours == coloured.form.colours
    masks = LabelFolders(tmp_path, ["sky", "land"], values={0: 0, 255: 1}, channels="equal")
    assert masks.metric_options()["ids"] == [0, 255] and masks.metric_options()["channels"] == "equal"
    for args, words in (
        ({"colours": True}, "needs `palette`"),
        ({"ignore_colours": [[1, 1, 1]]}, "set `colours: true` as well"),
        ({"values": {0: 0, 1: 1}, "ids": [0, 1]}, "leave out ids and mapping"),
    ):
        with pytest.raises(UsageError, match=words):
            LabelFolders(tmp_path, ["sky", "land"], **args)


def test_folders_of_a_part_of_the_classes(tmp_path: Path):
    for name in ("n02102040", "n01440764"):
        (tmp_path / "some" / name).mkdir(parents=True)
        Image.new("RGB", (4, 3)).save(tmp_path / "some" / name / "a.JPEG")
        (tmp_path / "some" / name / "._a.JPEG").write_bytes(b"Mac")
    args = {"folder": "", "images": "some", "classes": "imagenet"}
    missing = ImageFolders(tmp_path, **args).missing({})
    assert (
        len(missing) == 1
        and "998 of 1000" in missing[0]
        and "set `part: true`" in missing[0]
        and "`labels:`" in missing[0]
    )
    dataset = ImageFolders(tmp_path, part=True, **args)
    assert dataset.missing({}) == [] and len(dataset.scheme.names) == 1000
    assert dataset.lists.labels == ((0,), (217,)) and len(dataset.samples({})) == 2
    assert str(dataset.notes({})[0]).startswith("2 of 1,000 classes have images")
    with pytest.raises(UsageError, match="part: true needs all classes"):
        ImageFolders(tmp_path, folder="", images="some", part=True)
