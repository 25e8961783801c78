"""The drawn objects in COCO's layout, as pycocotools reads them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from hrbench.errors import InputError, UsageError
from hrbench.miniature.generate import object_dataset, write
from hrbench.miniature.generate.object_dataset import IMAGES, filled, generate, polygons

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on NumPy 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "deep" / "set"
    generate(folder)
    return folder


@pytest.fixture(scope="module")
def coco(folder: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(folder / "annotations/instances_val2017.json"))


def test_it_is_the_layout_and_nothing_else(folder: Path, coco: COCO) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["annotations", "val2017"]
    assert [path.name for path in folder.parent.iterdir()] == ["set"]
    assert len(coco.dataset["images"]) == len(list((folder / "val2017").iterdir())) == IMAGES >= 128
    for row in coco.dataset["images"]:
        image = cv2.imread(str(folder / "val2017" / row["file_name"]))
        assert image is not None and image.shape == (row["height"], row["width"], 3) == (160, 160, 3)
    ids = [row["id"] for row in coco.dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


def test_classes_have_coco_s_ids_and_all_are_there(coco: COCO) -> None:
    names = {row["id"]: row["name"] for row in coco.dataset["categories"]}
    assert names == {3: "car", 16: "bird", 28: "umbrella", 53: "apple", 85: "clock"}
    counts = np.bincount([row["category_id"] for row in coco.dataset["annotations"]])
    assert set(np.flatnonzero(counts)) == set(names)
    assert counts[counts > 0].min() > 60


def test_masks_boxes_and_areas_agree_to_the_pixel(coco: COCO) -> None:
    for row in coco.dataset["annotations"]:
        mask = coco.annToMask(row)
        assert mask.sum() == row["area"] > 0
        rows, columns = np.nonzero(mask)
        x, y, w, h = row["bbox"]
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x, y, x + w, y + h)
        assert isinstance(row["segmentation"], dict if row["iscrowd"] else list)


def test_all_sizes_crowds_and_empty_images_exist_and_things_overlap(coco: COCO) -> None:
    rows = coco.dataset["annotations"]
    areas = np.array([row["area"] for row in rows if not row["iscrowd"]])
    assert (areas < 32**2).sum() > 100
    assert ((areas >= 32**2) & (areas <= 96**2)).sum() > 100
    assert (areas > 96**2).sum() >= 10
    assert sum(row["iscrowd"] for row in rows) >= 5
    assert len(coco.imgs) - len({row["image_id"] for row in rows}) >= 5
    overlapping = 0
    for image in coco.imgs:
        mine = [row["bbox"] for row in coco.imgToAnns[image]]
        overlapping += int((coco_mask.iou(mine, mine, [0] * len(mine)) > 0.05).sum() - len(mine)) // 2 if mine else 0
    assert overlapping > 50


def test_a_second_drawing_is_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_dataset, "IMAGES", 9)
    generate(tmp_path / "again")
    for name in ("val2017/000000000001.png", "val2017/000000000009.png"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_annotations_are_these(folder: Path) -> None:
    """A changed annotation changes every stored result: then the folder's version (miniature/v1) must rise too."""
    content = (folder / "annotations/instances_val2017.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "36080c42fa71bd81c1ead554f3877e6f3b20a1504745b8be7c627df33bcc8913"


def test_a_failed_drawing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, image: np.ndarray) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(object_dataset, "save_png", full)
    with pytest.raises(UsageError, match=r"set: the miniature cannot be drawn there: No space left"):
        generate(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_png_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imencode", lambda *given: (False, np.zeros(0, np.uint8)))
    with pytest.raises(InputError, match=r"a\.png: OpenCV could not write a PNG"):
        write.save_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))


# --- outlines ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 24), st.floats(0.05, 1))
@settings(max_examples=150)
def test_polygons_give_back_any_mask_without_holes(seed: int, height: int, width: int, full: float) -> None:
    noise = np.random.default_rng(seed).random((height, width)) < full
    mask = filled(noise)
    assert (mask >= noise).all()
    outlines = polygons(mask)
    again = np.zeros((height, width), np.uint8)
    if outlines:
        again = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(outlines, height, width)))
    np.testing.assert_array_equal(again, mask)


def test_holes_are_filled_and_outlines_turn_only_at_corners() -> None:
    ring = np.zeros((6, 7), bool)
    ring[1:5, 1:6] = True
    ring[2:4, 2:5] = False
    assert filled(ring).sum() == 20
    assert polygons(ring) == [[1, 1, 1, 5, 6, 5, 6, 1]]
    assert polygons(np.zeros((3, 3), bool)) == []


@pytest.mark.parametrize("last", [0, 1])
def test_run_lengths_go_down_the_columns(last: int) -> None:
    mask = np.array([[0, 1], [1, last]], bool)
    runs = object_dataset._runs(mask)
    assert runs == {"size": [2, 2], "counts": [1, 3] if last else [1, 2, 1]}
    np.testing.assert_array_equal(coco_mask.decode(coco_mask.frPyObjects(runs, 2, 2)), mask)
