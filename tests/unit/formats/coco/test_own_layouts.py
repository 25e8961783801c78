"""AI Challenger's and PoseTrack18's own annotations: what they become, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from drawn.pose_sets import SETS
from PIL import Image

from hrbench import catalog
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.forms import CocoForm
from hrbench.formats.coco.own_layouts import source_bytes
from hrbench.metrics.coco.keypoints import CocoKeypointAP

CHALLENGER, TRACKED = CocoForm(layout="ai-challenger"), CocoForm(layout="posetrack18")
JOINTS = [10, 20, 1, 30, 40, 2, 50, 60, 3, *[0, 0, 3] * 11]


def challenger(**changes: Any) -> list[dict[str, Any]]:
    boxes, joints = {"human1": [1, 2, 11, 22]}, {"human1": JOINTS}
    return [{"image_id": "ab", "human_annotations": boxes, "keypoint_annotations": joints, **changes}]


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_words_for_visibility_and_corners_become_coco_s(tmp_path: Path) -> None:
    made = json.loads(source_bytes(written(tmp_path / "a.json", challenger()), CHALLENGER))
    assert made["images"] == [{"id": 1, "file_name": "ab.jpg", "width": 0, "height": 0}]
    (person,) = made["annotations"]
    assert person["keypoints"][:9] == [10, 20, 2, 30, 40, 1, 0, 0, 0] and person["num_keypoints"] == 2
    assert person["bbox"] == [1, 2, 10, 20] and person["area"] == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_id": 7}, "image 1 of the list has no image_id of its own"),
        ({"human_annotations": {}}, "'ab': human_annotations and keypoint_annotations differ in people"),
        ({"human_annotations": {"human1": [1, 2, 3]}}, "'ab', human1: the box is no list"),
        ({"human_annotations": {"human1": [9, 2, 3, 4]}}, "ends before it begins"),
        ({"keypoint_annotations": {"human1": JOINTS[:-1]}}, "'ab', human1: is no list of 42 numbers"),
        ({"keypoint_annotations": {"human1": [1, 2, 0, *JOINTS[3:]]}}, "a visibility is 0"),
    ],
)
def test_what_is_wrong_in_ai_challenger_s_file_is_named(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        source_bytes(written(tmp_path / "a.json", challenger(**changes)), CHALLENGER)


def video(number: int, **changes: Any) -> dict[str, Any]:
    image = {"id": number, "file_name": f"images/val/{number}/000000.jpg", "is_labeled": True, "vid_id": str(number)}
    joints = [10, 20, 1, 30, 60, 1, *[0, 0, 0] * 15]
    person = {"id": 100 * number, "image_id": number, "category_id": 1, "keypoints": joints, "bbox": [9, 9, 20, 40]}
    one = {"images": [image], "annotations": [person], "categories": [{"id": 1, "name": "person"}]}
    return {**one, **changes}


def test_videos_are_put_together_by_name(tmp_path: Path) -> None:
    for number in (3, 1, 2):
        written(tmp_path / f"val/{number}.json", video(number))
    made = json.loads(source_bytes(tmp_path / "val", TRACKED))
    assert [image["id"] for image in made["images"]] == [1, 2, 3] and len(made["annotations"]) == 3
    assert json.loads(source_bytes(tmp_path / "val/2.json", TRACKED))["images"][0]["id"] == 2


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (video(1), "2.json: the image id 1 is no whole number, or is that of another"),
        ({**video(2), "annotations": video(1)["annotations"]}, "is of image 1, which is none of this video"),
        (video(2, categories=[{"id": 1, "name": "dog"}]), "2.json: its categories are not those of 1.json"),
        ({"annolist": []}, "PoseTrack17's form"),
        ([], "is no video of PoseTrack18"),
    ],
)
def test_what_is_wrong_among_videos_is_named(tmp_path: Path, second: Any, words: str) -> None:
    written(tmp_path / "1.json", video(1))
    written(tmp_path / "2.json", second)
    with pytest.raises(InputError, match=words):
        source_bytes(tmp_path, TRACKED)


def test_a_person_without_a_box_is_refused_or_gets_one_of_the_joints(tmp_path: Path) -> None:
    content = video(1)
    del content["annotations"][0]["bbox"]
    written(tmp_path / "val/1.json", content)
    args = {"sigmas": [0.1] * 17, "layout": "posetrack18", "iscrowd": 0, "num_keypoints": "joints", "truth_area": "box"}
    with pytest.raises(InputError, match="bbox"):
        CocoKeypointAP(**args).read_target(tmp_path / "val")
    target = CocoKeypointAP(**args, missing_box="joints").read_target(tmp_path / "val")
    assert target.box.tolist() == [[7.0, 14.0, 26.0, 52.0]]  # 20 x 40 around (20, 40), 1.3 times as large
    with pytest.raises(UsageError, match="layout: coco or ai-challenger or posetrack18 was expected"):
        CocoForm(layout="mpii")


def test_sizes_are_those_of_the_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("drawn.pose_sets.IMAGES", 3)
    SETS["aic_original"](tmp_path)
    args = catalog.datasets()["aic-val-original"].args
    dataset = CocoKeypointsDataset(tmp_path / "data", **args)
    first = dataset.images / next(iter(dataset._files.values()))
    Image.new("RGB", (20, 30)).save(first)
    samples = {sample.path: sample for sample in dataset.samples({"boxes": "ground_truth"})}
    assert samples[first].size == (20, 30) and {one.size for one in samples.values()} == {(20, 30), (96, 72)}
    for person in samples[first].content:  # boxes are clamped to it
        assert person.box[0] + person.box[2] <= 19 and person.box[1] + person.box[3] <= 29
    first.unlink()
    again = CocoKeypointsDataset(tmp_path / "data", **args)
    assert {sample.size for sample in again.samples({"boxes": "none"})} == {None, (96, 72)}
    assert "1 of 3 images are missing" in again.missing({"boxes": "ground_truth"})[0]


def test_a_digest_is_over_the_files_of_all_videos(tmp_path: Path) -> None:
    for number in (1, 2):
        written(tmp_path / f"posetrack18/annotations/val/{number}.json", video(number))
    args = catalog.datasets()["posetrack18-val-videos"].args
    digests = {CocoKeypointsDataset(tmp_path, **args).ground_truth_sha256()}
    written(tmp_path / "posetrack18/annotations/val/2.json", video(3))
    dataset = CocoKeypointsDataset(tmp_path, **args)
    assert len(digests | {dataset.ground_truth_sha256()}) == 2
    assert dataset.digest({"boxes": "ground_truth"}) != dataset.ground_truth_sha256()
