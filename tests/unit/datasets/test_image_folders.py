"""ImageNet's layouts drawn small, folders of one's own, and what is missing or too much in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrbench import catalog
from hrbench.core import plugins
from hrbench.datasets.image_folders import ImageFolders
from hrbench.errors import InputError, UsageError
from hrbench.metrics.topk import TopK


def drawn(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(path, "JPEG" if path.suffix == ".JPEG" else None)


def flat(root: Path, count: int = 3) -> Path:
    for number in range(1, count + 1):
        drawn(root / "imagenet" / "val" / f"ILSVRC2012_val_{number:08d}.JPEG")
    return root / "imagenet"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for file in ("n01/x_1.JPEG", "n01/x_0.JPEG", "n02/y.JPEG"):
        drawn(tmp_path / "imagenet" / "val" / file)
    return tmp_path


def test_class_folders(classes: Path) -> None:
    dataset = ImageFolders(classes, count=3)
    assert dataset.missing({}) == [] and dataset.notes({}) == [] and dataset.target == dataset.images
    samples = dataset.samples({})
    assert [(sample.id, sample.group) for sample in samples] == [
        ("n01/x_0", "n01"),
        ("n01/x_1", "n01"),
        ("n02/y", "n02"),
    ]
    assert all(sample.path.is_file() and dataset.look(sample) == [] for sample in samples)
    assert dataset.scheme.names == ("n01", "n02") and dataset.scheme.ids == (0, 1)
    assert dataset.facts() == {"images": 3, "labelled images": 3, "classes": 2}
    assert TopK(**dataset.metric_options()).read_target(dataset.target).ids.tolist() == [s.id for s in samples]


def test_a_class_folder_too_many_is_one_line(classes: Path) -> None:
    drawn(classes / "imagenet" / "val" / "junk" / "z.JPEG")
    with pytest.raises(InputError, match=r"val/junk is a class folder too many: the classes are n01, n02"):
        ImageFolders(classes, classes=["n01", "n02"]).missing({})
    with pytest.raises(InputError, match=r"val has 3 class folders where 2 are expected: .*; junk is least like"):
        ImageFolders(classes, classes=2).missing({})
    with pytest.raises(InputError, match=r"val/junk is a class folder too many"):
        TopK(names=["n01", "n02"]).read_target(classes / "imagenet" / "val")


def test_missing_classes_and_images_are_told(classes: Path) -> None:
    gaps = ImageFolders(classes, classes=["n01", "n02", "n03"], count=5, home="get it there").missing({})
    assert len(gaps) == 2
    assert gaps[0].startswith("1 of 3 class folders are missing from ") and gaps[0].endswith("n03; get it there")
    assert gaps[1].startswith("2 of 5 images are missing from ")
    assert "1 more than the set has" in ImageFolders(classes, count=2).notes({})[0]


def test_nothing_there(tmp_path: Path) -> None:
    (gap,) = ImageFolders(tmp_path).missing({})
    assert gap.startswith(f"images are missing: {tmp_path}")
    assert "the list of classes is missing" in ImageFolders(tmp_path, labels="real.json").missing({})[1]
    flat(tmp_path)
    (gap,) = ImageFolders(tmp_path).missing({})
    assert "val.txt" in gap and "LOC_val_solution.csv" in gap and "ILSVRC2012_validation_ground_truth.txt" in gap


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("val.txt", "ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000003.JPEG 1\n"),
        (
            "LOC_val_solution.csv",
            "ImageId,PredictionString\nILSVRC2012_val_00000001,n02 1 2 3 4\nILSVRC2012_val_00000002,n01 0 0 1 1\n"
            "ILSVRC2012_val_00000003,n02 5 5 9 9\n",
        ),
    ],
)
def test_the_flat_layout_with_a_list(tmp_path: Path, name: str, text: str) -> None:
    (flat(tmp_path) / name).write_text(text)
    dataset = ImageFolders(tmp_path, classes=["n01", "n02"])
    assert dataset.missing({}) == [] and dataset.target.name == name
    samples = dataset.samples({})
    assert [sample.id for sample in samples] == [f"ILSVRC2012_val_0000000{n}" for n in (1, 2, 3)]
    assert [sample.group for sample in samples] == ["n02", "n01", "n02"]
    assert all(sample.path.is_file() for sample in samples)
    (dataset.images / "ILSVRC2012_val_00000002.JPEG").unlink()
    (gap,) = ImageFolders(tmp_path, classes=["n01", "n02"]).missing({})
    assert gap.startswith("1 of 3 images are missing from ") and "00000002.JPEG" in gap


def test_the_flat_layout_with_the_devkit(tmp_path: Path) -> None:
    devkit = flat(tmp_path) / "ILSVRC2012_devkit_t12" / "data"
    devkit.mkdir(parents=True)
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("490\n361\n171\n")
    dataset = ImageFolders(tmp_path, classes="imagenet")
    assert dataset.missing({}) == [] and len(dataset.samples({})) == 3
    assert {sample.group for sample in dataset.samples({})} == {""}  # ids of the devkit are no class indices
    before = dataset.digest({})
    (devkit / "meta.mat").write_bytes(b"other")
    assert ImageFolders(tmp_path, classes="imagenet").digest({}) != before


@pytest.mark.parametrize("by_class", [False, True])
def test_real_labels_beside_either_layout(tmp_path: Path, by_class: bool) -> None:
    root = flat(tmp_path)
    if by_class:
        for number, name in ((1, "n01"), (2, "n02"), (3, "n01")):
            image = root / "val" / f"ILSVRC2012_val_0000000{number}.JPEG"
            (root / "val" / name).mkdir(exist_ok=True)
            image.rename(root / "val" / name / image.name)
    (root / "real.json").write_text(json.dumps([[0], [], [1, 0]]))
    dataset = ImageFolders(tmp_path, labels="real.json", classes=["n01", "n02"])
    assert dataset.missing({}) == []
    samples = dataset.samples({})
    assert [sample.id for sample in samples] == [f"ILSVRC2012_val_0000000{n}" for n in (1, 2, 3)]
    assert all(sample.path.is_file() for sample in samples) and [s.group for s in samples] == ["n01", "", ""]
    assert dataset.facts() == {"images": 3, "labelled images": 2, "classes": 2}


def test_classes_without_names_are_numbered(tmp_path: Path) -> None:
    (flat(tmp_path, 1) / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG 2\n")
    assert ImageFolders(tmp_path).scheme.names == ("0", "1", "2")
    assert ImageFolders(tmp_path, classes=5).scheme.names == ("0", "1", "2", "3", "4")


def test_a_digest_follows_lists_names_and_sizes(classes: Path) -> None:
    before = ImageFolders(classes).digest({})
    assert before == ImageFolders(classes).digest({})
    (classes / "imagenet" / "val" / "n02" / "y.JPEG").write_bytes(b"longer or shorter")
    changed = ImageFolders(classes).digest({})
    (classes / "imagenet" / "val" / "n02").rename(classes / "imagenet" / "val" / "n03")
    assert len({before, changed, ImageFolders(classes).digest({})}) == 3


def test_a_damaged_image_is_named(classes: Path) -> None:
    path = classes / "imagenet" / "val" / "n02" / "y.JPEG"
    path.write_bytes(path.read_bytes()[:200])
    dataset = ImageFolders(classes)
    (fault,) = dataset.look(dataset.samples({})[2])
    assert str(path) in fault and "truncated" in fault


@pytest.mark.parametrize("given", ["imagenet21k", [], 0, ["a", "a"], [1, 2], True])
def test_classes_that_are_none(tmp_path: Path, given: object) -> None:
    with pytest.raises(UsageError, match="classes"):
        ImageFolders(tmp_path, classes=given)


def test_imagenets_classes() -> None:
    """The order of the networks' outputs is that of the sorted synsets."""
    row = catalog.datasets()["imagenet-val"]
    dataset = plugins.resolve("hrbench.datasets", row.use)("nowhere", **row.args)
    synsets, titles = dataset.metric_options()["names"], dataset.scheme.names
    assert len(synsets) == len(set(titles)) == 1000 and synsets == sorted(set(synsets))
    assert (synsets[0], titles[0], synsets[207], titles[207]) == ("n01440764", "tench", "n02099601", "golden retriever")
    assert (synsets[999], titles[999]) == ("n15075141", "toilet tissue")


def test_a_folder_of_ones_own_stands_in_place_of_the_split(classes):
    own = ImageFolders(classes.parent / "elsewhere", images=str(classes / "imagenet" / "val"))
    assert own.missing({}) == [] and [sample.id for sample in own.samples({})] == [
        sample.id for sample in ImageFolders(classes).samples({})
    ]
