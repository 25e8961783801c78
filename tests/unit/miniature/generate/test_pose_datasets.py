"""The drawn sets in the official layouts, as other tools read them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.io
from pycocotools.coco import COCO

from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.datasets.mpii import Mpii
from hrbench.errors import UsageError
from hrbench.formats.coco.skeletons import COCO as SKELETON
from hrbench.miniature.generate import body_model, pose_datasets
from hrbench.miniature.generate.pose_datasets import COCO_IMAGES, MPII_IMAGES, generate_coco, generate_mpii

BOXES = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    generate_coco(root / "coco")
    generate_mpii(root / "deep" / "mpii")
    return root


@pytest.fixture(scope="module")
def coco(root: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(root / "coco/annotations/person_keypoints_val2017.json"))


@pytest.fixture(scope="module")
def people(coco: COCO) -> list[dict[str, Any]]:
    return [row for row in coco.dataset["annotations"] if not row["iscrowd"] and row["num_keypoints"]]


@pytest.fixture(scope="module")
def detections(root: Path) -> list[dict[str, Any]]:
    return json.loads((root / "coco" / BOXES).read_text())


# --- folders -------------------------------------------------------------------------------------------------------


def test_the_loaders_find_everything(root: Path) -> None:
    assert CocoKeypointsDataset(root).missing({"boxes": "detector"}) == []
    assert Mpii(root, folder="deep/mpii").missing({}) == []
    assert COCO_IMAGES >= 64 and MPII_IMAGES >= 64


def test_nothing_is_left_beside_a_set_and_others_may_read_it(root: Path) -> None:
    assert sorted(path.name for path in root.iterdir()) == ["coco", "deep"]
    assert [path.name for path in (root / "deep").iterdir()] == ["mpii"]
    assert (root / "coco").stat().st_mode & 0o755 == 0o755


def test_a_second_drawing_is_the_same_and_keeps_what_is_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pose_datasets, "MPII_IMAGES", 6)
    generate_mpii(tmp_path / "mpii")
    generate_mpii(tmp_path / "again")
    for name in ("annot/valid.json", "images/000000001.png", "images/000000006.png"):
        assert (tmp_path / "mpii" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    for name in ("images/000000001.png", "images/000000006.png"):
        assert (tmp_path / "mpii" / name).read_bytes() == (root / "deep/mpii" / name).read_bytes()
    marked = tmp_path / "mpii" / "mark"
    marked.touch()
    generate_mpii(tmp_path / "mpii")  # as when another process was faster
    assert marked.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "mpii"]


def test_a_failed_drawing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, image: np.ndarray) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(pose_datasets, "save_png", full)
    with pytest.raises(UsageError, match=r"coco: the miniature cannot be drawn there: No space left"):
        generate_coco(tmp_path / "coco")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        (
            "coco/annotations/person_keypoints_val2017.json",
            "1543e43f8a4943909fb0d3bfaf1269baaa4c417e9994e4dcf1f1f6f046bdcc94",
        ),
        (f"coco/{BOXES}", "6961e2536f9cbc9fe81b3e3001b1ece7fddb8a0bf21bfa41ba1fc3a809d4d833"),
        ("deep/mpii/annot/valid.json", "9a6dd0f4792c06ac27e6669b7307f226e8a51ce753f418887cea1c94f7c6dce5"),
    ],
)
def test_the_annotations_are_these(root: Path, name: str, digest: str) -> None:
    """A changed annotation changes every stored result: then the folder's version (miniature/v1) must rise too."""
    assert hashlib.sha256((root / name).read_bytes()).hexdigest() == digest


# --- COCO ----------------------------------------------------------------------------------------------------------


def test_coco_joints_and_images_are_as_named(root: Path, coco: COCO) -> None:
    (category,) = coco.dataset["categories"]
    assert [name.replace("_", " ") for name in category["keypoints"]] == list(SKELETON.names)
    assert len(coco.dataset["images"]) == COCO_IMAGES
    for row in coco.dataset["images"]:
        image = cv2.imread(str(root / "coco/val2017" / row["file_name"]))
        assert image is not None and image.shape == (row["height"], row["width"], 3)
    ids = [row["id"] for row in coco.dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1))  # 0 would silently be nobody to pycocotools


def test_keypoints_count_and_lie_where_flags_say(coco: COCO, people: list[dict[str, Any]]) -> None:
    flags = set()
    for row in people:
        triples = np.array(row["keypoints"]).reshape(17, 3)
        image = coco.imgs[row["image_id"]]
        assert row["num_keypoints"] == (triples[:, 2] > 0).sum()
        assert (triples[triples[:, 2] == 0] == 0).all()
        labelled = triples[triples[:, 2] > 0, :2]
        assert (labelled > -0.51).all() and (labelled < [image["width"] - 0.49, image["height"] - 0.49]).all()
        flags |= set(triples[:, 2])
    assert flags == {0, 1, 2}


def test_left_is_right_of_right_for_who_shows_the_face(people: list[dict[str, Any]]) -> None:
    triples = np.array([row["keypoints"] for row in people]).reshape(-1, 17, 3)
    both = (triples[:, :3, 2] > 0).all(axis=1)
    assert both.sum() > 50
    assert (triples[both, 1, 0] > triples[both, 2, 0]).mean() > 0.9
    assert [(body_model.JOINTS[a].replace("left", "right"), body_model.JOINTS[b]) for a, b in SKELETON.flip_pairs] == [
        (body_model.JOINTS[b], body_model.JOINTS[b]) for _, b in SKELETON.flip_pairs
    ]


def test_areas_are_a_share_of_the_box_and_all_sizes_exist(coco: COCO, people: list[dict[str, Any]]) -> None:
    for row in people:
        assert row["area"] == pytest.approx(0.53 * row["bbox"][2] * row["bbox"][3], abs=1e-3)
    areas = np.array([row["area"] for row in people])
    assert ((areas > 32**2) & (areas < 96**2)).sum() > 50
    assert (areas > 96**2).sum() >= 10
    assert "0.53" in coco.dataset["info"]["area"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on NumPy 2
def test_crowds_and_people_without_keypoints_exist(coco: COCO) -> None:
    rows = coco.dataset["annotations"]
    crowds = [row for row in rows if row["iscrowd"]]
    assert crowds and all(row["num_keypoints"] == 0 for row in crowds)
    for row in crowds:
        mask = coco.annToMask(row)
        assert mask.sum() == row["area"]
        x, y, w, h = row["bbox"]
        assert mask[y : y + h, x : x + w].sum() == row["area"]
    assert any(row["num_keypoints"] == 0 and not row["iscrowd"] for row in rows)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on NumPy 2
def test_masks_lie_in_their_boxes(coco: COCO, people: list[dict[str, Any]]) -> None:
    for row in people[:40]:
        rows, columns = np.nonzero(coco.annToMask(row))
        x, y, w, h = row["bbox"]
        assert x - 1.5 <= columns.min() and columns.max() <= x + w + 1.5
        assert y - 1.5 <= rows.min() and rows.max() <= y + h + 1.5


def overlap(a: list[float], b: list[float]) -> float:
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inner = max(0.0, w) * max(0.0, h)
    return inner / (a[2] * a[3] + b[2] * b[3] - inner)


def test_detections_find_most_people_and_nobody_at_times(
    coco: COCO, people: list[dict[str, Any]], detections: list[dict[str, Any]]
) -> None:
    boxes = {image: [row for row in detections if row["image_id"] == image] for image in coco.imgs}
    best = [max((overlap(row["bbox"], box["bbox"]) for box in boxes[row["image_id"]]), default=0.0) for row in people]
    found = np.array(best) > 0.5
    assert 0.8 < found.mean() < 1.0  # some are missed
    assert 0.7 < np.array(best)[found].mean() < 0.95  # and no box is exact
    truth = {image: [row["bbox"] for row in coco.imgToAnns[image]] for image in coco.imgs}
    quality = np.array(
        [max((overlap(row["bbox"], t) for t in truth[row["image_id"]]), default=0.0) for row in detections]
    )
    scores = np.array([row["score"] for row in detections])
    assert (quality < 0.3).sum() > 20  # boxes of nobody
    assert np.corrcoef(quality, scores)[0, 1] > 0.6
    assert {row["category_id"] for row in detections} == {1}
    assert scores.min() > 0 and scores.max() < 1
    assert all(row["bbox"][2] > 0 and row["bbox"][3] > 0 for row in detections)


# --- MPII ----------------------------------------------------------------------------------------------------------


def test_mpii_does_not_depend_on_when_it_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy notes the time in a .mat file, and the data set's digest covers it."""
    monkeypatch.setattr(pose_datasets, "MPII_IMAGES", 3)
    for place, day in (("one", "Mon Jan  1 00:00:00 2001"), ("two", "Tue Feb  2 02:02:02 2002")):
        monkeypatch.setattr(time, "asctime", lambda *given, day=day: day)
        generate_mpii(tmp_path / place)
    one, two = ((tmp_path / place / "annot/gt_valid.mat").read_bytes() for place in ("one", "two"))
    assert one == two and b"2001" not in one[:128]


def test_mpii_files_agree_and_hold_one_based_joints(root: Path) -> None:
    rows = json.loads((root / "deep/mpii/annot/valid.json").read_text())
    truth = scipy.io.loadmat(root / "deep/mpii/annot/gt_valid.mat")
    names = [str(name[0]) for name in truth["dataset_joints"][0]]
    assert names[0] == "rank" and names[9] == "head" and len(names) == 16
    joints = np.array([row["joints"] for row in rows])
    np.testing.assert_array_equal(truth["pos_gt_src"].transpose(2, 0, 1), joints)
    visible = np.array([row["joints_vis"] for row in rows])
    np.testing.assert_array_equal(truth["jnt_missing"].T, 1 - visible)
    assert visible.mean() > 0.9 and (visible == 0).any()
    assert (joints[visible == 1] > 0.49).all()
    for name in {row["image"] for row in rows}:
        image = cv2.imread(str(root / "deep/mpii/images" / name))
        mine = np.array([row["image"] == name for row in rows])
        shown = joints[mine][visible[mine] == 1]
        assert (shown <= np.array([image.shape[1], image.shape[0]]) + 0.51).all()


def test_mpii_regions_hold_the_person_after_the_protocol_s_shift(root: Path) -> None:
    rows = json.loads((root / "deep/mpii/annot/valid.json").read_text())
    for row in rows:
        visible = np.array(row["joints_vis"], dtype=bool)
        offset = np.array(row["joints"])[visible] - np.array([row["center"][0], row["center"][1] + 15 * row["scale"]])
        assert (np.abs(offset) <= row["scale"] * 1.25 * 100).all()


def test_mpii_head_boxes_lie_around_head_and_face(root: Path) -> None:
    rows = json.loads((root / "deep/mpii/annot/valid.json").read_text())
    heads = scipy.io.loadmat(root / "deep/mpii/annot/gt_valid.mat")["headboxes_src"].transpose(2, 0, 1)
    assert heads.shape == (len(rows), 2, 2)
    assert (heads[:, 1] > heads[:, 0]).all()
    tops = np.array([row["joints"][9] for row in rows])
    shown = np.array([row["joints_vis"][9] for row in rows], dtype=bool)
    middle, half = heads.mean(axis=1), (heads[:, 1] - heads[:, 0]) / 2
    assert (np.abs(tops - middle)[shown] <= half[shown] + 1.5).all()
    # A head is a sixth of a person or so, and PCKh is measured by its box.
    share = 2 * half[:, 1] / (200 * np.array([row["scale"] for row in rows]))
    assert 0.12 < np.median(share) < 0.25
