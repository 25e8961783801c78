"""Why PCK is what it is: every table against loops over people and joints, and the ways joints change sides by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrbench.formats.coco.skeletons import COCO_NAMES, COCO_WHOLEBODY
from hrbench.metrics.points.joint_regions import mirror_of, region_of
from hrbench.metrics.points.keypoint_pck import Pck
from hrbench.store.analyses import fault_of
from hrbench.types import State

SIZE = 100.0
NAMES = [name.replace(" ", "_") for name in COCO_NAMES]
MIRROR = [0, *(joint + (1 if joint % 2 else -1) for joint in range(1, 17))]


def explained(folder: Path, people: np.ndarray, guesses: dict[int, np.ndarray], **options: Any) -> tuple[dict, State]:
    """The sections by key. people: (G, 17, 3), one an image, in a box of side 100. guesses: person -> (17, 2)."""
    annotations = [
        {"id": n + 1, "image_id": n + 1, "category_id": 1, "area": 4000.0, "iscrowd": 0, "num_keypoints": 17,
         "bbox": [0, 0, 40, SIZE], "keypoints": points.ravel().tolist()}
        for n, points in enumerate(people)
    ]  # fmt: skip
    rows = [
        {"image_id": n + 1, "category_id": 1, "score": 0.5, "keypoints": np.c_[points, np.ones(17)].ravel().tolist()}
        for n, points in guesses.items()
    ]
    images, category = [{"id": n + 1} for n in range(len(people))], {"id": 1, "name": "person", "keypoints": NAMES}
    truth = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "rows.json").write_text(json.dumps(rows))
    metric = Pck(**options)
    target = metric.read_target(folder / "truth.json")
    found = metric.read_predictions(folder / "rows.json", target)
    state = metric.measure(found, target)
    analysis = metric.analyse(found, target, state)
    assert fault_of(analysis) == ""
    return {one.key: one for one in analysis.sections}, state


def drawn(seed: int, many: int = 9) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """People of whom joints are exchanged, doubled, far or near; some joints are not visible, a person is not found."""
    rng = np.random.default_rng(seed)
    people = np.concatenate([rng.uniform(0, 100, (many, 17, 2)), rng.integers(0, 3, (many, 17, 1))], axis=2)
    guesses = {}
    for n in range(many - 1):
        points = people[n, :, :2].copy()
        for joint in range(17):
            kind = rng.random()
            if kind < 0.3:
                points[joint] = people[n, MIRROR[joint], :2]
            elif kind < 0.5:
                points[joint] += rng.normal(0, 60, 2)
        guesses[n] = points + rng.normal(0, 3, (17, 2))
    return people, guesses


def test_tables_against_loops_over_people_and_joints(tmp_path: Path) -> None:
    for seed in range(3):
        people, guesses = drawn(seed)
        found, _ = explained(tmp_path, people, guesses, thresholds=[0.1, 0.3])
        judged = {j: [n for n in range(len(people)) if people[n, j, 2] > 0] for j in range(17)}

        def far(n: int, joint: int, at: int, people=people, guesses=guesses) -> float:
            if n not in guesses:
                return np.inf
            offset = (guesses[n][joint] - people[n, at, :2]) / SIZE
            return float(np.float32(np.sqrt(offset @ offset)))

        def kind(n: int, joint: int, people=people, guesses=guesses, far=far) -> str:
            if n not in guesses:
                return "no prediction"
            if far(n, joint, joint) < np.float32(0.1):
                return "right"
            other = MIRROR[joint]
            sided = other != joint and people[n, other, 2] > 0
            return "mirrored" if sided and far(n, joint, other) < np.float32(0.1) else "elsewhere"

        def expected(joints: list[int], judged=judged, kind=kind, far=far) -> list[float]:
            pairs = [(n, j) for j in joints for n in judged[j]]
            kinds = [kind(*pair) for pair in pairs]
            near = [np.mean([far(n, j, j) < np.float32(one) for n, j in pairs]) for one in (0.1, 0.3)]
            lengths = [far(n, j, j) for n, j in pairs if far(n, j, j) < np.inf]
            shares = [kinds.count(one) / len(kinds) for one in ("mirrored", "elsewhere", "no prediction")]
            return [len(pairs), *near, *shares, float(np.median(lengths)), SIZE * float(np.mean(lengths))]

        for joint, row in enumerate(found["joints"].values.tolist()):
            own = expected([joint])
            own[3] = np.nan if joint == 0 else own[3]
            assert row == pytest.approx(own, rel=1e-6, nan_ok=True)
        assert found["regions"].rows == ("head", "arms", "legs")
        for row, joints in zip(found["regions"].values.tolist(), (range(5), range(5, 11), range(11, 17)), strict=True):
            assert row == pytest.approx(expected(list(joints)), rel=1e-6)
        assert found["regions"].values[:, 2:6].sum() > 0

        for row, one in zip(found["sides"].values.tolist(), range(1, 17, 2), strict=True):
            both = [n for n in guesses if people[n, one, 2] > 0 and people[n, one + 1, 2] > 0]
            kinds = [(kind(n, one), kind(n, one + 1)) for n in both]
            parts = [("right", "right"), ("mirrored", "mirrored")]
            told = [float(np.mean([each == part for each in kinds])) if both else np.nan for part in parts]
            single = [set(each) == {"right", "mirrored"} for each in kinds]
            told.append(float(np.mean(single)) if both else np.nan)
            told += [float(np.mean([each[side] == "right" for each in kinds])) if both else np.nan for side in (0, 1)]
            assert row == pytest.approx([len(both), *told], nan_ok=True)
        assert found["sides"].rows[:2] == ("eye", "ear")

        for row, limit in zip(found["people"].values.tolist(), (0.1, 0.3), strict=True):
            seen = [[j for j in range(17) if people[n, j, 2] > 0] for n in range(len(people))]
            right = [sum(far(n, j, j) < np.float32(limit) for j in some) / len(some) for n, some in enumerate(seen)]
            groups = [(1, 2), (0.5, 1), (1e-9, 0.5), (0, 1e-9)]
            shares = [np.mean([low <= one < high for one in right]) for low, high in groups]
            fails = np.mean([not np.mean([far(n, j, j) for j in some]) < limit for n, some in enumerate(seen)])
            assert row == pytest.approx([len(people), *shares, fails])


def test_curves_end_at_the_score_and_images_go_by_their_quality(tmp_path: Path) -> None:
    people, guesses = drawn(5)
    found, state = explained(tmp_path, people, guesses, thresholds=[0.1, 0.3])
    scores = {one.quantity.name: one.value for one in Pck(thresholds=[0.1, 0.3]).summarise(state, 0)}
    curves = found["pck"]
    assert curves.names[:3] == ("mean over joints", "all joints together", "people, by mean distance")
    assert curves.x[-1] == 0.3 and curves.y[:2, 0].tolist() == [0, 0]
    assert curves.y[:2, -1].tolist() == pytest.approx([scores["pck@0.3"], scores["pck_points@0.3"]])
    third = found["people"].values[1, 5]
    assert curves.y[2, -1] == pytest.approx(1 - third)
    images, quality = found["images"], Pck(thresholds=[0.1, 0.3]).qualities(state)
    assert images.rows == tuple(str(one) for one in sorted(quality, key=lambda one: (quality[one], one)))
    assert images.rows[0] == "9" and "prediction" in images.reasons[0, 5] and images.values[0, 2] > 0


def test_left_and_right_exchanged_and_both_at_one_side(tmp_path: Path) -> None:
    """Wrists (9, 10): of the first person exchanged, of the second both at the left one, of the third right."""
    people = np.full((3, 17, 3), 2.0)
    people[..., 0], people[..., 1] = 20.0 * np.arange(17), 50.0
    guesses = {n: people[n, :, :2].copy() for n in range(3)}
    guesses[0][[9, 10]] = guesses[0][[10, 9]]
    guesses[1][10] = guesses[1][9]
    found, _ = explained(tmp_path, people, guesses, thresholds=0.1)
    row = dict(zip(found["sides"].rows, found["sides"].values.tolist(), strict=True))
    third = pytest.approx(1 / 3)
    assert row["wrist"] == [3, third, third, third, pytest.approx(2 / 3), third]
    assert row["elbow"] == [3, 1, 0, 0, 1, 1]
    joints = dict(zip(found["joints"].rows, found["joints"].values.tolist(), strict=True))
    assert joints["left wrist"][1:4] == [pytest.approx(2 / 3), third, 0] and joints["right wrist"][2] == pytest.approx(
        2 / 3
    )


def test_without_a_visible_joint_there_is_nothing_to_explain(tmp_path: Path) -> None:
    people, guesses = drawn(1, 2)
    people[..., 2] = 0
    assert explained(tmp_path, people, guesses)[0] == {}


def test_sides_and_parts_of_whole_bodies() -> None:
    mirror = mirror_of(COCO_WHOLEBODY.names)
    assert mirror is not None and mirror[[23, 39, 91, 17]].tolist() == [39, 23, 112, 20]
    parts = [region_of(name) for name in COCO_WHOLEBODY.names]
    assert {part: parts.count(part) for part in dict.fromkeys(parts)} == {
        "head": 5, "arms": 6, "legs": 6, "feet": 6, "face": 68, "hands": 42,
    }  # fmt: skip
    assert mirror_of(["tip", "root"]) is None
