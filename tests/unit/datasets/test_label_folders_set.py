"""Folders of images and labels of one's own: how they are paired, and which arguments make no sense."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from segmentation_layouts import save

from hrbench.datasets.label_folders import LabelFolders
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats.labels import NO_CLASS
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known

NAMES = ["sea", "land", "cloud"]


def put(root: Path, *files: str, size: tuple[int, int] = (6, 4)) -> None:
    """Images and label maps of zeros at these paths; those below labels/ are label maps."""
    for file in files:
        shape = (size[1], size[0]) if file.startswith("labels/") else (size[1], size[0], 3)
        save(root / file, np.zeros(shape, np.uint8))


def test_without_a_list_all_images_count_in_the_order_of_their_names(tmp_path: Path):
    put(tmp_path, "images/b.png", "images/a.jpg", "images/deep/c.jpeg", "labels/a.png", "labels/b.png")
    put(tmp_path, "labels/deep/c.png", "labels/stranger.png")
    (tmp_path / "images" / "Thumbs.db").write_bytes(b"no image")
    data = LabelFolders(tmp_path, NAMES)
    assert data.missing({}) == []
    assert [(sample.id, sample.path.name) for sample in data.samples({})] == [
        ("a", "a.jpg"), ("b", "b.png"), ("deep/c", "c.jpeg"),
    ]  # fmt: skip
    assert data.metric_options() == {
        "names": NAMES, "ids": [0, 1, 2], "files": ["a.png", "b.png", "deep/c.png"], "ignore": [], "interval": "image",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ("b\na\n", ["b", "a"]),
        ("b.jpg\r\n\r\n  a.jpg  \n", ["b", "a"]),
        ("a.png\n", ["a"]),
        ("b.jpg a.png\n", ["a"]),
        ("/a.jpg /b.png\n", ["b"]),
    ],
)
def test_lists_of_names_and_of_pairs(tmp_path: Path, lines: str, ids: list[str]):
    put(tmp_path, "images/a.jpg", "images/b.jpg", "labels/a.png", "labels/b.png")
    (tmp_path / "val.txt").write_text(lines)
    data = LabelFolders(tmp_path, NAMES, list="val.txt")
    assert data.missing({}) == [] and [sample.id for sample in data.samples({})] == ids
    if " " in lines.strip() and "." in lines:
        (sample,) = data.samples({}) if len(ids) == 1 else data.samples({})[:1]
        assert sample.path.stem == lines.split()[0].strip("/").partition(".")[0]


def test_a_label_suffix_is_part_of_the_id(tmp_path: Path):
    put(tmp_path, "images/a.jpg", "labels/a_seg.png")
    (sample,) = LabelFolders(tmp_path, NAMES, label_suffix="_seg.png").samples({})
    assert (sample.id, sample.path.name) == ("a_seg", "a.jpg")


def test_a_list_that_is_none(tmp_path: Path):
    put(tmp_path, "images/a.jpg", "labels/a.png")
    path = tmp_path / "val.txt"
    path.write_text("a\na b c\n")
    with pytest.raises(InputError, match=r"val\.txt:2: one name, or an image and its labels"):
        LabelFolders(tmp_path, NAMES, list="val.txt").samples({})
    path.write_text("a\n" + "x" * 5000)
    with pytest.raises(InputError, match=r"val\.txt:2: a name of 5,000 characters"):
        LabelFolders(tmp_path, NAMES, list="val.txt").samples({})
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no list of names"):
        LabelFolders(tmp_path, NAMES, list="val.txt").samples({})
    with pytest.raises(MissingError, match=r"no list .*test\.txt"):
        LabelFolders(tmp_path, NAMES, list="test.txt").samples({})
    path.write_text("\n")
    assert "is empty" in LabelFolders(tmp_path, NAMES, list="val.txt").missing({})[0]


def test_an_image_without_labels_and_labels_without_image(tmp_path: Path):
    put(tmp_path, "images/a.jpg", "images/b.jpg", "labels/b.png", "labels/c.png")
    (gap,) = LabelFolders(tmp_path, NAMES).missing({})
    assert gap.startswith("1 of 2 label files are missing") and "a.png" in gap and "in the suite" in gap
    (tmp_path / "val.txt").write_text("b\nc\n")
    (gap,) = LabelFolders(tmp_path, NAMES, list="val.txt").missing({})
    assert gap.startswith("1 of 2 images are missing") and "c.jpg" in gap


def test_empty_folders(tmp_path: Path):
    gaps = LabelFolders(tmp_path, NAMES, folder="mine").missing({})
    assert len(gaps) == 2 and all(str(tmp_path / "mine") in gap for gap in gaps)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    assert "no image is in" in LabelFolders(tmp_path, NAMES).missing({})[0]


def test_mapping_and_ignored_labels_are_known_to_look(tmp_path: Path):
    put(tmp_path, "images/a.jpg")
    save(tmp_path / "labels" / "a.png", np.array([[0, 1, 2, 9, 8, 255]] * 4, np.uint8))
    data = LabelFolders(tmp_path, NAMES, mapping={9: 0, 8: 2}, ignore=[255])
    (sample,) = data.samples({})
    assert data.look(sample) == [] and data.metric_options()["mapping"] == {9: 0, 8: 2}
    assert "hold 8 at (4, 0)" in LabelFolders(tmp_path, NAMES, mapping={9: 0}, ignore=[255]).look(sample)[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"names": []}, "names must be a list"),
        ({"names": "sea"}, "names must be a list"),
        ({"names": ["a", "a"]}, "names holds 'a' twice"),
        ({"ids": [1, 2]}, "ids has 2 values for 3 names"),
        ({"ids": [1, 2, 2]}, "ids holds label 2 twice"),
        ({"palette": [[0, 0, 0]]}, "palette has 1 values for 3 names"),
        ({"palette": [[0, 0, 0], [0, 0], [0, 0, 0]]}, "palette must be a list of colours"),
        ({"palette": [[0, 0, 0], [0, 0, 256], [0, 0, 0]]}, "palette must be a list of colours"),
        ({"flip_pairs": [[0, 3]]}, "must be two different classes from 0 to 2"),
        ({"flip_pairs": [["sea", "moon"]]}, "does not name two of the 3 classes"),
        ({"flip_pairs": [["sea"]]}, "does not name two of the 3 classes"),
        ({"mapping": {9: 3}}, "mapping leads to class 3; there are 3 classes"),
        ({"ignore": [2]}, "label 2 is given two meanings"),
        ({"mapping": {1: 0}}, "label 1 is given two meanings"),
        ({"mapping": {9: 0}, "ignore": [9]}, "label 9 is given two meanings"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path: Path, given: dict, words: str):
    with pytest.raises(UsageError, match=words.replace("[", r"\[").replace("(", r"\(")):
        LabelFolders(tmp_path, **{"names": NAMES, **given})


def test_flip_pairs_by_name(tmp_path: Path):
    assert LabelFolders(tmp_path, NAMES, flip_pairs=[["cloud", "sea"], [0, 1]]).scheme.flip_pairs == ((2, 0), (0, 1))


def test_paths_in_a_suite_are_relative_to_it_and_those_of_folder_to_the_data(tmp_path: Path):
    (tmp_path / "own.yaml").write_text(
        dedent("""
        suite: own
        entries:
          - model: seg_hrnet_w48_cityscapes19
            weights: none
            dataset: {use: label-folders, images: pictures, labels: maps, list: val.txt, names: [a, b]}
          - model: seg_hrnet_w48_cityscapes19
            weights: none
            seed: 1
            dataset: {use: label-folders, folder: ours, names: [a, b]}
        """)
    )
    first, second = (entry.dataset for entry in load_suite(tmp_path / "own.yaml", known()).entries)
    assert first is not None and second is not None and first.metrics == ("miou",)
    data = LabelFolders("/data", **first.args)
    assert (
        data.images == tmp_path / "pictures" and data.target == tmp_path / "maps" and data.list == tmp_path / "val.txt"
    )
    assert LabelFolders("/data", **second.args).images == Path("/data/ours/images")
    assert (first.name, second.name) == ("label-folders-val", "label-folders-ours")


def test_the_truth_is_classes_and_nothing_where_labels_are_ignored(tmp_path: Path):
    put(tmp_path, "images/a.png", "images/b.png", "labels/a.png")
    save(tmp_path / "labels" / "b.png", np.array([[7, 9], [255, 30]], np.uint8))
    data = LabelFolders(tmp_path, NAMES, ids=[7, 8, 9], mapping={30: 0}, ignore=[255])
    (found,) = data.truth([sample for sample in data.samples({}) if sample.id == "b"]).items()
    assert found[0] == "b" and found[1].tolist() == [[0, 2], [NO_CLASS, 0]]
