"""PoseTrack's AP: closed forms, random cases against poseval's rules written out once more, files, options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_poses

from hrbench import catalog
from hrbench.errors import InputError, MissingError
from hrbench.formats.posetrack import JOINTS, inside
from hrbench.metrics.points.pose_ap import PoseAp
from hrbench.runner.prepare import dataset_of, metric_of

NAMES = random_poses.posetrack(0, 1)[0]["categories"][0]["keypoints"]
PARTS = {"head": ("head_top", "head_bottom", "nose")} | {
    part: (f"left_{part}", f"right_{part}") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}


def poseval(truth: dict, results: list[dict]) -> dict[str, float]:
    """AP by poseval's steps on decoded files: frames, rectangles of points by name, distances, ranks, areas."""
    scores: dict[str, list[tuple[float, int, bool]]] = {name: [] for name in NAMES if "ear" not in name}
    labelled = dict.fromkeys(scores, 0)

    def pose(row: dict, image: dict) -> dict[str, tuple[float, float, float]]:
        triples = [row["keypoints"][at : at + 3] for at in range(0, 51, 3)]
        points = {name: one for name, one in zip(NAMES, triples, strict=True) if name in scores and one != [0, 0, 0]}
        for xs, ys in zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True):
            points = {  # the drawn regions are upright rectangles
                name: one
                for name, one in points.items()
                if not (min(xs) < one[0] < max(xs) and min(ys) < one[1] < max(ys))
            }
        return points

    for image in sorted(truth["images"], key=lambda one: one["id"]):
        rows = [row for row in truth["annotations"] if row["image_id"] == image["id"]]
        if not rows:
            continue
        people = [(pose(row, image), 0.6 * np.linalg.norm(row["bbox_head"][2:])) for row in rows]
        people = [(points, head) for points, head in people if points]
        found = [points for row in results if row["image_id"] == image["id"] and (points := pose(row, image))]
        for points, _ in people:
            for name in points:
                labelled[name] += 1

        def near(guess: dict, person: tuple[dict, float], name: str) -> bool:
            points, head = person
            if name not in guess or name not in points:
                return False
            return np.linalg.norm(np.subtract(guess[name][:2], points[name][:2])) / head <= 0.5

        pck = np.zeros((len(found), len(people)))
        for i, guess in enumerate(found):
            for j, person in enumerate(people):
                pck[i, j] = sum(near(guess, person, name) for name in scores) / len(person[0])
        taken: dict[int, int] = {}
        if found and people:
            for i in range(len(found)):
                pck[i, np.arange(len(people)) != np.argmax(pck[i])] = 0
            taken = {int(np.argmax(pck[:, j])): j for j in range(len(people)) if pck[:, j].max() > 0}
        for i, guess in enumerate(found):
            for name, one in guess.items():
                right = i in taken and near(guess, people[taken[i]], name)
                scores[name].append((one[2], len(scores[name]), right))
    ap = {}
    for name, rows in scores.items():
        ranked = [right for _, _, right in sorted(rows, reverse=True)]
        recall = [0.0, *np.cumsum(ranked) / max(labelled[name], 1), 1.0]
        precision = [0.0, *np.cumsum(ranked) / np.arange(1, len(ranked) + 1), 0.0]
        for at in range(len(precision) - 2, -1, -1):
            precision[at] = max(precision[at], precision[at + 1])
        ap[name] = sum((recall[at] - recall[at - 1]) * precision[at] for at in range(1, len(recall)))
    known = {name: value for name, value in ap.items() if labelled[name]}
    parts = {f"ap/{part}": [known[name] for name in names if name in known] for part, names in PARTS.items()}
    return {
        "ap": float(np.mean([*known.values()])),
        **{part: float(np.mean(own)) for part, own in parts.items() if own},
    }


def write(folder: Path, truth: Any, results: Any) -> tuple[Path, Path]:
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "truth.json", folder / "results.json"


def measured(truth: Path, results: Path, images: list[int] | None = None):
    metric = PoseAp()
    target = metric.read_target(truth)
    return metric.measure(metric.read_predictions(results, target), target, images)


def values(state) -> dict[str, float]:
    return {one.quantity.name: one.value for one in PoseAp().summarise(state, resamples=0) if one.value is not None}


@pytest.mark.parametrize("seed", range(25))
def test_random_cases_have_poseval_s_numbers(seed: int, tmp_path: Path) -> None:
    truth, results = random_poses.posetrack(seed)
    paths = write(tmp_path, truth, results)
    found, expected = values(measured(*paths)), poseval(truth, results)
    assert found == pytest.approx(expected, abs=1e-12) and len(found) == 8
    verified = PoseAp().verify(*paths)
    assert verified == found  # to the last bit


def person(x: float, y: float, image: int = 1, seen: int = 1) -> dict[str, Any]:
    joints = [number for place in range(17) for number in (x + place, y, seen if place not in (3, 4) else 0)]
    return {"image_id": image, "id": 1000 * image + int(x), "category_id": 1, "keypoints": joints,
            "bbox_head": [0, 0, 6, 8], "track_id": 0}  # fmt: skip


def frame(people: list[dict], images: int = 1, **more: Any) -> dict[str, Any]:
    listed = [{"id": number, "file_name": f"{number}.jpg", **more} for number in range(1, images + 1)]
    return {"images": listed, "annotations": people, "categories": [{"id": 1, "name": "person", "keypoints": NAMES}]}


def guess(x: float, y: float, score: float, image: int = 1) -> dict[str, Any]:
    joints = [number for place in range(17) for number in (x + place, y, score)]
    return {"image_id": image, "category_id": 1, "keypoints": joints, "score": score}


def test_half_a_head_size_is_near_and_more_is_not(tmp_path: Path) -> None:
    truth = frame([person(100, 100)])  # the head's diagonal is 10: 0.6 of it is 6, half of that 3
    for shift, ap in ((3.0, 1.0), (3.001, 0.0)):
        assert values(measured(*write(tmp_path, truth, [guess(100 + shift, 100, 0.9)])))["ap"] == ap


def test_a_false_person_costs_by_its_rank(tmp_path: Path) -> None:
    truth = frame([person(100, 100), person(300, 100)])
    right = [guess(100, 100, 0.9), guess(300, 100, 0.5)]
    for score, ap in ((0.1, 1.0), (0.7, 0.5 + 0.5 * 2 / 3), (0.95, 2 / 3)):
        found = values(measured(*write(tmp_path, truth, [*right, guess(600, 600, score)])))
        assert found == pytest.approx(dict.fromkeys(found, ap))


def test_a_person_keeps_one_prediction_and_the_others_are_false(tmp_path: Path) -> None:
    truth = frame([person(100, 100)])
    found = values(measured(*write(tmp_path, truth, [guess(101, 100, 0.9), guess(100, 100, 0.9)])))
    assert found["ap"] == pytest.approx(0.5)  # all joints of both are near: the first is kept, the later ranks first


def test_joints_in_regions_and_frames_without_annotation_are_left_out(tmp_path: Path) -> None:
    region = {"ignore_regions_x": [[590, 700, 700, 590]], "ignore_regions_y": [[590, 590, 700, 700]]}
    truth = frame([person(100, 100)], images=2, **region)
    paths = write(tmp_path, truth, [guess(100, 100, 0.5), guess(600, 600, 0.9), guess(9, 9, 0.9, 2)])
    metric = PoseAp()
    target = metric.read_target(paths[0])
    poses = metric.read_predictions(paths[1], target)
    state = metric.measure(poses, target)
    assert values(state)["ap"] == 1.0 and state.arrays["image"].tolist() == [1]
    told = {note.kind: note.count for note in metric.input_notes(poses, target, state)}
    assert told == {"unannotated_frames": 1, "ignored_joints": 15}


def test_frames_without_a_prediction_and_heads_without_extent_are_told(tmp_path: Path) -> None:
    truth = frame([person(100, 100)])
    truth["annotations"][0]["bbox_head"] = [100, 100, 0, 0]
    metric = PoseAp()
    for results, kinds in (([], ["unpredicted_frames", "flat_heads"]), ([guess(100, 100, 0.5)], ["flat_heads"])):
        paths = write(tmp_path, truth, results)
        target = metric.read_target(paths[0])
        poses = metric.read_predictions(paths[1], target)
        state = metric.measure(poses, target)
        assert [note.kind for note in metric.input_notes(poses, target, state)] == kinds


def test_borders_of_regions_are_not_inside() -> None:
    bow = np.array([[0.0, 0], [4, 4], [4, 0], [0, 4]])  # crosses itself: even-odd
    points = np.array([[0.5, 2.0], [3.5, 2.0], [2.0, 1.0], [2.0, 2.0], [4.0, 2.0], [9.0, 2.0]])
    assert inside(points, bow).tolist() == [True, True, False, False, False, False]
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    points = np.array([[2.0, 2.0], [0.0, 2.0], [4.0, 2.0], [2.0, 0.0], [2.0, 4.0], [0.0, 0.0], [-1.0, 2.0], [2.0, 5.0]])
    assert inside(points, square).tolist() == [True] + [False] * 7
    assert inside(points, square[::-1]).tolist() == [True] + [False] * 7


def test_zeros_are_no_joint_and_others_without_visibility_are_one(tmp_path: Path) -> None:
    truth = frame([person(100, 100, seen=0)])
    assert values(measured(*write(tmp_path, truth, [guess(100, 100, 0.0)])))["ap"] == 1.0
    truth["annotations"][0]["keypoints"][:3] = [0, 0, 0]  # the nose
    state = measured(*write(tmp_path, truth, [guess(100, 100, 0.5)]))
    assert state.arrays["labelled"][0, JOINTS.index("nose")] == 0 and state.arrays["labelled"].sum() == 14


def test_a_part_that_nobody_has_labelled_is_empty_with_its_reason(tmp_path: Path) -> None:
    truth = frame([person(100, 100)])
    for name in ("left_hip", "right_hip"):
        at = 3 * NAMES.index(name)
        truth["annotations"][0]["keypoints"][at : at + 3] = [0, 0, 0]
    (hip,) = [
        one
        for one in PoseAp().summarise(measured(*write(tmp_path, truth, [guess(100, 100, 0.9)])), 0)
        if one.quantity.name == "ap/hip"
    ]
    assert hip.value is None and "no hip is labelled" in str(hip.reason)
    assert values(measured(*write(tmp_path, truth, [])))["ap"] == 0.0


def test_weights_of_frames_count_them_so_often(tmp_path: Path) -> None:
    truth, results = random_poses.posetrack(3)
    state = measured(*write(tmp_path, truth, results))
    side = PoseAp.by_image(state)
    whole = side.at(np.ones((1, len(side.images)), int))[0]
    assert dict(zip(side.names, whole, strict=True)) == values(state)
    part = side.images[::2].tolist()
    weights = np.isin(side.images, part).astype(int)[None]
    alone = values(measured(tmp_path / "truth.json", tmp_path / "results.json", part))
    assert dict(zip(side.names, side.at(weights)[0], strict=True)) == alone  # to the last bit
    twice = {**truth, "images": [*truth["images"], *({**one, "id": one["id"] + 100} for one in truth["images"])]}
    twice["annotations"] = [*truth["annotations"]]
    twice["annotations"] += [
        {**one, "image_id": one["image_id"] + 100, "id": one["id"] + 10**6} for one in truth["annotations"]
    ]
    both = [*results, *({**one, "image_id": one["image_id"] + 100} for one in results)]
    # equal scores apart, a frame that counts twice is two frames
    for number, row in enumerate(both):
        row["keypoints"][2::3] = [0.3 + 0.001 * (number % len(results))] * 17
    single = measured(*write(tmp_path, truth, both[: len(results)]))
    expected = values(measured(*write(tmp_path, twice, both)))
    found = PoseAp.by_image(single).at(np.full((1, len(side.images)), 2))[0]
    assert dict(zip(side.names, found, strict=True)) == pytest.approx(expected, abs=1e-12)


def test_a_folder_of_submissions_is_read_as_poseval_reads_it(tmp_path: Path) -> None:
    truth, results = random_poses.posetrack(4)
    expected = values(measured(*write(tmp_path, truth, results)))
    for name, content in (("gt", truth), ("found", None)):
        (tmp_path / name).mkdir()
        if content is None:
            rows = [
                {"image_id": row["image_id"], "keypoints": row["keypoints"], "scores": row["keypoints"][2::3]}
                for row in results
            ]
            content = {"images": truth["images"], "annotations": rows}
        (tmp_path / name / "000001_mpii_test.json").write_text(json.dumps(content))
    assert values(measured(tmp_path / "gt", tmp_path / "found")) == expected
    (tmp_path / "found/000001_mpii_test.json").unlink()
    with pytest.raises(MissingError, match=r"000001_mpii_test\.json"):
        measured(tmp_path / "gt", tmp_path / "found")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda truth: truth["annotations"][0].pop("bbox_head"), r"annotation 0 \(id 1100\): bbox_head is no x, y"),
        (lambda truth: truth["annotations"][0]["keypoints"].pop(), "keypoints are no 51 numbers"),
        (lambda truth: truth["annotations"][0]["keypoints"].__setitem__(0, 1e12), "lies beyond"),
        (lambda truth: truth["categories"][0]["keypoints"].__setitem__(0, "chin"), "must name the joints"),
        (lambda truth: truth["images"][0].update(ignore_regions_x=[[1, 2, 3]]), "image 1: ignore_regions_x and _y"),
        (lambda truth: truth["annotations"].clear(), "nobody is annotated"),
    ],
)
def test_what_is_wrong_is_named(change, words: str, tmp_path: Path) -> None:
    truth = json.loads(json.dumps(frame([person(100, 100)])))
    change(truth)
    with pytest.raises(InputError, match=words):
        measured(*write(tmp_path, truth, []))


def test_results_of_other_frames_and_forms_are_refused(tmp_path: Path) -> None:
    truth = frame([person(100, 100)])
    with pytest.raises(InputError, match="image_id 7 is not among the frames"):
        measured(*write(tmp_path, truth, [guess(1, 1, 0.5, 7)]))
    with pytest.raises(InputError, match="no list of results"):
        measured(*write(tmp_path, truth, {"a": 1}))
    with pytest.raises(InputError, match="image 9, asked for"):
        measured(*write(tmp_path, truth, []), [9])


def test_the_catalog_s_data_set_gives_it_its_options(tmp_path: Path) -> None:
    from drawn.pose_sets import posetrack_videos

    posetrack_videos(tmp_path)
    dataset = dataset_of(catalog.datasets()["posetrack18-val-videos"], tmp_path / "data")
    metric = metric_of("posetrack-ap", dataset)
    assert len(metric.read_target(dataset.target).images) == 35
