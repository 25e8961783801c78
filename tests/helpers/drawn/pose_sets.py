"""Small seeded pose sets in their real layouts, with pictures of noise, person boxes, and predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hrbench.formats.coco.skeletons import WHOLEBODY_PARTS, skeleton_named

IMAGES, SIZE = 40, (96, 72)


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws all sets below `folder`, which is a suite's, with data in `folder`/data; returns entries of a suite.

    worse: whether predictions lie twice as far from the same annotations.
    """
    return [one(folder, worse) for one in SETS.values()]


def _people(
    seed: int, joints: int, file: Callable[[int], str], categories: Sequence[int] = (1,)
) -> tuple[list[dict], list[dict]]:
    """Images and people: none in every eighth image, up to three in others; now and then one without a joint."""
    rng = np.random.default_rng(seed)
    images, people = [], []
    for number in range(1, IMAGES + 1):
        images.append({"id": number, "file_name": file(number), "width": SIZE[0], "height": SIZE[1]})
        for _ in range(0 if number % 8 == 0 else 1 + number % 3):
            x, y, width, height = *rng.uniform(0, 30, 2), *rng.uniform(36, 60, 2)
            seen = rng.choice([0, 1, 2], joints, p=[0.2, 0.2, 0.6]) * (rng.random() > 0.1)
            points = np.stack([rng.uniform(x, x + width, joints), rng.uniform(y, y + height, joints)], axis=1).round(2)
            keypoints = np.concatenate([points * (seen > 0)[:, None], seen[:, None]], axis=1)
            people.append(
                {
                    "id": len(people) + 1,
                    "image_id": number,
                    "category_id": categories[len(people) % len(categories)],
                    "bbox": [round(float(side), 2) for side in (x, y, width, height)],
                    "area": round(width * height * 0.6, 2),
                    "iscrowd": int(rng.random() < 0.04),
                    "num_keypoints": int((seen > 0).sum()),
                    "keypoints": keypoints.ravel().tolist(),
                }
            )
    return images, people


def _guesses(people: Sequence[dict], sigmas: Sequence[float], worse: bool) -> list[dict]:
    """A prediction of each person, about as far from it as its joints spread, and a false one for every sixth."""
    rng, far = np.random.default_rng(5), 1.4 if worse else 0.7
    rows = []
    for person in people:
        truth = np.array(person["keypoints"]).reshape(-1, 3)
        x, y, width, height = person["bbox"]
        spread = far * np.array(sigmas)[:, None] * np.sqrt(width * height)
        points = np.where(truth[:, 2:] > 0, truth[:, :2], [x + width / 2, y + height / 2])
        points = points + rng.normal(0, 1, points.shape) * spread
        sure = rng.uniform(0.2, 1, len(points))[:, None]
        row = {"image_id": person["image_id"], "category_id": person["category_id"]}
        score = round(float(rng.uniform(0.3, 1)), 3)
        rows.append({**row, "keypoints": np.concatenate([points, sure], axis=1).ravel().tolist(), "score": score})
        if person["id"] % 6 == 0:
            elsewhere = np.concatenate([rng.uniform(0, 70, points.shape), sure], axis=1)
            rows.append({**row, "keypoints": elsewhere.ravel().tolist(), "score": score / 2})
    return rows


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _pictures(folder: Path, images: Sequence[dict]) -> None:
    for image in images:
        path = folder / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(image["id"]).integers(0, 256, (9, 12, 3), np.uint8)
        Image.fromarray(pixels).resize(SIZE).save(path)


def _boxes(people: Sequence[dict]) -> list[dict]:
    """What a detector would give: the boxes, moved a little."""
    keys = ("image_id", "category_id")
    rng = np.random.default_rng(6)
    return [
        {
            **{key: one[key] for key in keys},
            "bbox": (np.array(one["bbox"]) + rng.normal(0, 1, 4)).tolist(),
            "score": 0.9,
        }
        for one in people
    ]


def _entry(folder: Path, name: str, dataset: str, rows: list[dict]) -> dict[str, Any]:
    _write(folder / f"{name}.json", rows)
    return {"name": name, "predictions": f"{name}.json", "dataset": dataset}


def crowdpose(folder: Path, worse: bool = False) -> dict[str, Any]:
    """CrowdPose test in mmpose's layout: no areas, `num_keypoints` of visible joints, limbs of another set."""
    skeleton, root = skeleton_named("crowdpose"), folder / "data/crowdpose"
    images, people = _people(1, 14, lambda number: f"{100000 + number}.jpg")
    for image in images:
        image["crowdIndex"] = round(image["id"] / IMAGES, 2)
    truth = [{key: value for key, value in person.items() if key != "area"} for person in people]
    for person in truth:
        person["num_keypoints"] = sum(seen == 2 for seen in person["keypoints"][2::3])
    names = [name.replace(" ", "_") for name in skeleton.names]
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": [[16, 14]]}
    content = {"images": images, "annotations": truth, "categories": [category]}
    _write(root / "annotations/mmpose_crowdpose_test.json", content)
    _write(root / "annotations/det_for_crowd_test_0.1_0.5.json", _boxes(people))
    _pictures(root / "images", images)
    return _entry(folder, "crowdpose", "crowdpose-test", _guesses(people, skeleton.sigmas, worse))


def wholebody(folder: Path, worse: bool = False) -> dict[str, Any]:
    """COCO-WholeBody val in COCO's folder: five keys of joints, COCO's 17 names."""
    skeleton, root = skeleton_named("coco-wholebody"), folder / "data/coco"
    images, people = _people(2, 133, lambda number: f"{number:012d}.jpg")
    rows = _guesses(people, skeleton.sigmas, worse)
    for row in (*people, *rows):
        points = row["keypoints"]
        for name, key, places in WHOLEBODY_PARTS:
            row[key] = points[3 * places.start : 3 * places.stop]
            if name != "body" and "score" not in row:
                row[f"{name}_valid"] = any(seen > 0 for seen in row[key][2::3])
    names = [name.replace(" ", "_") for name in skeleton.names[:17]]
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": [[16, 14]]}
    content = {"images": images, "annotations": people, "categories": [category]}
    _write(root / "annotations/coco_wholebody_val_v1.0.json", content)
    boxes = root / "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
    _write(boxes, _boxes(people))
    _pictures(root / "val2017", images)
    return _entry(folder, "wholebody", "coco-wholebody-val", rows)


def _named(skeleton: str) -> dict[str, Any]:
    """A category as the sets' files have it."""
    names = [name.replace(" ", "_") for name in skeleton_named(skeleton).names]
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": [[2, 1]]}


def ochuman(folder: Path, worse: bool = False) -> dict[str, Any]:
    """OCHuman val: COCO's form."""
    skeleton, root = skeleton_named("coco"), folder / "data/ochuman"
    images, people = _people(3, 17, lambda number: f"{number:06d}.jpg")
    content = {"images": images, "annotations": people, "categories": [_named("coco")]}
    _write(root / "annotations/ochuman_coco_format_val_range_0.00_1.00.json", content)
    _pictures(root / "images", images)
    return _entry(folder, "ochuman", "ochuman-val", _guesses(people, skeleton.sigmas, worse))


def ap10k(folder: Path, worse: bool = False) -> dict[str, Any]:
    """AP-10K val: animals of three of four classes, each of which names the joints."""
    skeleton, root = skeleton_named("ap-10k"), folder / "data/ap10k"
    images, people = _people(4, 17, lambda number: f"{number:012d}.jpg", categories=(1, 7, 26))
    animals = {1: "antelope", 7: "bear", 9: "beaver", 26: "horse"}
    categories = [{**_named("ap-10k"), "id": number, "name": name} for number, name in animals.items()]
    content = {"images": images, "annotations": people, "categories": categories}
    _write(root / "annotations/ap10k-val-split1.json", content)
    _pictures(root / "data", images)
    return _entry(folder, "ap10k", "ap10k-val", _guesses(people, skeleton.sigmas, worse))


def halpe(folder: Path, worse: bool = False) -> dict[str, Any]:
    """Halpe val: 136 joints in one key, on COCO's images."""
    skeleton, root = skeleton_named("halpe-136"), folder / "data/halpe"
    images, people = _people(5, 136, lambda number: f"{number:012d}.jpg")
    category = {"supercategory": "person", "id": 1, "name": "person"}
    content = {"images": images, "annotations": people, "categories": [category]}
    _write(root / "annotations/halpe_val_v1.json", content)
    _write(root / "person_detection_results/COCO_val2017_detections_AP_H_56_person.json", _boxes(people))
    _pictures(root / "val2017", images)
    return _entry(folder, "halpe", "halpe-val", _guesses(people, skeleton.sigmas, worse))


def aic(folder: Path, worse: bool = False) -> dict[str, Any]:
    """AI Challenger val as mmpose converts it: neither areas nor crowds, joints named with capitals."""
    skeleton, root = skeleton_named("ai-challenger"), folder / "data/aic"
    images, people = _people(6, 14, lambda number: f"{number:040x}.jpg")
    truth = [{key: value for key, value in one.items() if key not in ("area", "iscrowd")} for one in people]
    category = {**_named("ai-challenger"), "keypoints": [name.capitalize() for name in skeleton.names]}
    content = {"images": images, "annotations": truth, "categories": [category]}
    _write(root / "annotations/aic_val.json", content)
    _pictures(root / "ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911", images)
    return _entry(folder, "aic", "aic-val", _guesses(people, skeleton.sigmas, worse))


def posetrack(folder: Path, worse: bool = False) -> dict[str, Any]:
    """PoseTrack18 val as mmpose merges its videos: frames of folders, ears never labelled, frames without labels."""
    skeleton, root = skeleton_named("posetrack18"), folder / "data/posetrack18"
    images, people = _people(7, 17, lambda number: f"images/val/{number // 6:06d}_mpii_test/{number % 6:06d}.jpg")
    for image in images:
        image |= {
            "vid_id": f"{image['id'] // 6:06d}",
            "frame_id": 10**10 + image["id"],
            "is_labeled": image["id"] % 8 != 0,
        }
    truth = [{key: value for key, value in one.items() if key != "area"} for one in people]
    for person in truth:
        person["keypoints"][9:15] = [0] * 6
        person["num_keypoints"] = sum(seen > 0 for seen in person["keypoints"][2::3])
        person |= {"iscrowd": False, "track_id": person["id"] % 3}
    content = {"images": images, "annotations": truth, "categories": [_named("posetrack18")]}
    _write(root / "annotations/posetrack18_val.json", content)
    _pictures(root, images)
    return _entry(folder, "posetrack", "posetrack18-val", _guesses(people, skeleton.sigmas, worse))


def aic_original(folder: Path, worse: bool = False) -> dict[str, Any]:
    """AI Challenger val as distributed: corners of boxes, its own words for visibility, images named by their files."""
    skeleton = skeleton_named("ai-challenger")
    root = folder / "data/aic/ai_challenger_keypoint_validation_20170911"
    images, people = _people(8, 14, lambda number: f"{number + 99:040x}.jpg")
    rows = []
    for image in images:
        own = [one for one in people if one["image_id"] == image["id"]]
        boxes, joints = {}, {}
        for number, one in enumerate(own, 1):
            x, y, width, height = one["bbox"]
            boxes[f"human{number}"] = [round(x), round(y), round(x + width), round(y + height)]
            points = np.array(one["keypoints"]).reshape(14, 3)
            points[:, 2] = 3 - points[:, 2]  # 2, 1, 0 are 1, 2, 3 there
            joints[f"human{number}"] = points.ravel().tolist()
        name = image["file_name"].removesuffix(".jpg")
        rows.append({"url": "", "image_id": name, "human_annotations": boxes, "keypoint_annotations": joints})
    _write(root / "keypoint_validation_annotations_20170911.json", rows)
    _pictures(root / "keypoint_validation_images_20170911", images)
    names = {image["id"]: image["file_name"].removesuffix(".jpg") for image in images}
    guesses = [{**row, "image_id": names[row["image_id"]]} for row in _guesses(people, skeleton.sigmas, worse)]
    return _entry(folder, "aic_original", "aic-val-original", guesses)


def posetrack_videos(folder: Path, worse: bool = False) -> dict[str, Any]:
    """PoseTrack18 val as distributed: a file for each video, without sizes of images, areas and crowds."""
    skeleton, root = skeleton_named("posetrack18"), folder / "data/posetrack18"
    images, people = _people(9, 17, lambda number: f"images/val/{number // 6 + 40:06d}_mpii_test/{number % 6:06d}.jpg")
    for person in people:
        person["keypoints"][9:15] = [0] * 6
    videos: dict[int, dict[str, list[dict]]] = {}
    for image in images:
        video = image["id"] // 6 + 40
        named = {key: image[key] for key in ("id", "file_name")}
        facts = {"vid_id": f"{video:06d}", "frame_id": image["id"], "nframes": 6, "is_labeled": image["id"] % 8 != 0}
        regions = {"ignore_regions_x": [[0, 9, 9, 0]], "ignore_regions_y": [[0, 0, 9, 9]]}
        new = {"images": [], "annotations": [], "categories": [_named("posetrack18")]}
        own = videos.setdefault(video, new)
        own["images"].append({**named, **facts, **regions, "has_no_densepose": True})
        for one in people:
            if one["image_id"] == image["id"]:
                x, y, width, _ = one["bbox"]
                told = {key: one[key] for key in ("id", "image_id", "category_id", "bbox", "keypoints")}
                head = {"bbox_head": [x, y, round(width / 4, 2), round(width / 4, 2)], "track_id": len(own) % 3}
                own["annotations"].append({**told, **head, "scores": []})
    for video, content in videos.items():
        _write(root / f"annotations/val/{video:06d}_mpii_test.json", content)
    _pictures(root, images)
    return _entry(folder, "posetrack_videos", "posetrack18-val-videos", _guesses(people, skeleton.sigmas, worse))


SETS: dict[str, Callable[..., dict[str, Any]]] = {
    "crowdpose": crowdpose,
    "wholebody": wholebody,
    "ochuman": ochuman,
    "ap10k": ap10k,
    "halpe": halpe,
    "aic": aic,
    "posetrack": posetrack,
    "aic_original": aic_original,
    "posetrack_videos": posetrack_videos,
}
