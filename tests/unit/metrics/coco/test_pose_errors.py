"""Errors of joints and what they cost: equal to loops over people and to pycocotools on files that were put right."""

from __future__ import annotations

import contextlib
import io
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from both_ways import take
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from random_coco import case

from hrbench.formats.coco.skeletons import AP_10K, COCO_SIGMAS
from hrbench.metrics.coco.joint_errors import KINDS
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.metrics.coco.pose_analysis import joints_of
from hrbench.metrics.coco.pose_costs import PARTS
from hrbench.store.analyses import fault_of
from hrbench.types import Analysis, AnalysisTable

MIRROR = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def confused(seed: int, categories: int = 1, images: int = 8) -> tuple[dict, list[dict]]:
    """A random case in which joints are exchanged, too, and taken from other people."""
    rng = np.random.default_rng([seed, 99])
    truth, results = case(seed, 17, categories, images)
    for row in results:
        points = np.array(row["keypoints"]).reshape(17, 3)
        if rng.random() < 0.5:
            some = rng.random(17) < 0.4
            points[some] = points[MIRROR][some]
        others = [one for one in truth["annotations"] if one["image_id"] == row["image_id"]]
        if others and rng.random() < 0.5:
            other, some = np.array(others[rng.integers(len(others))]["keypoints"]).reshape(17, 3), rng.random(17) < 0.3
            points[some, :2] = (other if rng.random() < 0.5 else other[MIRROR])[some, :2] + rng.normal(0, 1)
        row["keypoints"] = points.ravel().tolist()
    return truth, results


class Slow:
    """The evaluation by pycocotools, and joints one by one."""

    def __init__(self, truth: dict, results: list[dict], lowest: float = 0.5) -> None:
        self.truth, self.results = truth, results
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO()
            coco.dataset = deepcopy(truth)
            coco.createIndex()
            found = coco.loadRes(deepcopy(results)) if results else COCO()
            self.run = COCOeval(coco, found, "keypoints")
            self.run.params.areaRng, self.run.params.areaRngLbl = [[0.0, 1e10]], ["all"]
            if lowest < 0.5:
                self.run.params.iouThrs = np.array([lowest])
            self.run.evaluate()
            self.run.accumulate()
        self.people = {one["id"]: one for one in coco.dataset["annotations"]}

    def ap(self) -> float:
        precision = self.run.eval["precision"]
        kept = precision[precision > -1]
        return float(kept.mean()) if len(kept) else float("nan")

    def pairs(self) -> list[tuple[int, int]]:
        """(row of the results, id of the person) of all that found somebody who counts, at the only threshold."""
        found = []
        for each in filter(None, self.run.evalImgs):
            matched = zip(each["dtIds"], each["dtMatches"][0], each["dtIgnore"][0], strict=True)
            found += [(row - 1, int(person)) for row, person, ignored in matched if person and not ignored]
        return found

    def judged(self) -> set[int]:
        return {row - 1 for each in filter(None, self.run.evalImgs) for row in each["dtIds"]}

    def finders(self) -> set[int]:
        """Rows that find somebody at any threshold, or are ignored."""
        found = set()
        for each in filter(None, self.run.evalImgs):
            hit = ((each["dtMatches"] > 0) | (each["dtIgnore"] != 0)).any(axis=0)
            found |= {row - 1 for row, some in zip(each["dtIds"], hit, strict=True) if some}
        return found

    def best(self) -> dict[int, float]:
        """Row -> its greatest OKS with anybody who counts."""
        best = dict.fromkeys(self.judged(), 0.0)
        for (image, category), table in self.run.ious.items():
            rows = sorted(self.run._dts[image, category], key=lambda one: -one["score"])[:20]
            for row, similar in zip(rows, table, strict=True) if len(table) else ():
                for person, value in zip(self.run._gts[image, category], similar, strict=True):
                    if not person["ignore"]:
                        best[row["id"] - 1] = max(best[row["id"] - 1], float(value))
        return best


def similarity(point: np.ndarray, person: dict, joint: int, of: int) -> float:
    x, y, seen = person["keypoints"][3 * joint : 3 * joint + 3]
    if not seen:
        return -1.0
    squared = (point[0] - x) ** 2 + (point[1] - y) ** 2
    return float(np.exp(-squared / (2 * COCO_SIGMAS[of]) ** 2 / (person["area"] + np.spacing(1)) / 2))


def slow_kinds(slow: Slow) -> dict[tuple[int, int], list[str]]:
    """(row, person) -> the kind of each joint, "" if it is not annotated."""
    found = {}
    for row, number in slow.pairs():
        person, points = slow.people[number], np.array(slow.results[row]["keypoints"]).reshape(17, 3)
        others = [
            one for one in slow.people.values()
            if one["id"] != number and one["image_id"] == person["image_id"]
            and one["category_id"] == person["category_id"] and not one["iscrowd"]
        ]  # fmt: skip
        kinds = []
        for joint, point in enumerate(points[:, :2]):
            own = similarity(point, person, joint, joint)
            side = similarity(point, person, MIRROR[joint], joint) if MIRROR[joint] != joint else -1.0
            else_ = [similarity(point, one, each, joint) for one in others for each in (joint, MIRROR[joint])]
            away = max(else_, default=-1.0)
            if own < 0:
                kinds.append("")
            elif own >= 0.5:
                kinds.append("good" if own >= 0.85 else "jitter")
            elif side >= 0.5 and side >= away:
                kinds.append("inversion")
            else:
                kinds.append("swap" if away >= 0.5 else "miss")
        found[row, number] = kinds
    return found


def put_right(slow: Slow, kinds: dict, some: tuple[str, ...]) -> list[dict]:
    results = deepcopy(slow.results)
    for (row, number), mine in kinds.items():
        for joint, kind in enumerate(mine):
            if kind in some:
                results[row]["keypoints"][3 * joint : 3 * joint + 2] = slow.people[number]["keypoints"][3 * joint :][:2]
    return results


def analysed(paths, sigmas=None, **options: Any) -> tuple[Analysis, float | None]:
    metric = CocoKeypointAP(sigmas, **options)
    target = metric.read_target(paths[0])
    results = metric.read_predictions(paths[1], target)
    state = metric.measure(results, target)
    return metric.analyse(results, target, state), metric.summarise(state, resamples=0)[0].value


def tables(analysis: Analysis) -> dict[str, AnalysisTable]:
    return {section.key: section for section in analysis.sections}


def rescored(judge: Slow) -> Slow:
    """Each score is the greatest OKS; equal ones stay in the order of their scores."""
    best = judge.best()
    order = sorted(best, key=lambda row: (-judge.results[row]["score"], row))
    return Slow(judge.truth, [{**judge.results[row], "score": best[row]} for row in order])


def test_each_kind_of_error_costs_what_pycocotools_says_of_files_put_right(written) -> None:
    kinds_seen = dict.fromkeys(KINDS, 0)
    for seed in (1, 2, 4):
        truth, results = confused(seed, 1 + seed % 2)
        analysis, ap = analysed(written(truth, results))
        plain = Slow(truth, results)
        kinds = slow_kinds(Slow(truth, results, 0.1))
        errors = tables(analysis)["errors"]
        values = dict(zip(errors.rows, errors.values.tolist(), strict=True))
        assert plain.ap() == ap
        for kind in KINDS:
            many = sum(mine.count(kind) for mine in kinds.values())
            kinds_seen[kind] += many
            assert kind == "good" or values[kind][0] == many, (seed, kind)

        before, fixed = plain.ap(), []
        for kind in ("miss", "swap", "inversion", "jitter"):
            alone = Slow(truth, put_right(plain, kinds, (kind,))).ap() - plain.ap()
            fixed.append(kind)
            now = Slow(truth, put_right(plain, kinds, tuple(fixed))).ap()
            assert values[kind][1:] == pytest.approx([alone, now - before], abs=1e-12), (seed, kind)
            before = now

        after = rescored(Slow(truth, put_right(plain, kinds, tuple(fixed))))
        expected = [rescored(plain).ap() - plain.ap(), after.ap() - before]
        assert values["scores"][1:] == pytest.approx(expected, abs=1e-12), seed
        near = {row for row, value in plain.best().items() if value >= 0.1}
        false = plain.judged() - plain.finders()
        for part, some in (("background", false - near), ("duplicates", false & near)):
            kept = Slow(truth, [row for number, row in enumerate(results) if number in plain.judged() - some])
            assert values[part][1] == pytest.approx(kept.ap() - plain.ap(), abs=1e-12), (seed, part)
    assert min(kinds_seen.values()) > 10


def test_parts_in_turn_and_what_remains_sum_to_what_is_lost(written) -> None:
    for seed in range(5):
        analysis, ap = analysed(written(*confused(100 + seed, 1 + seed % 3)))
        if ap is None:
            assert not analysis.sections
            continue
        errors = tables(analysis)["errors"]
        assert errors.rows == PARTS and fault_of(analysis) == ""
        assert errors.values[:, 2].sum() == pytest.approx(1 - ap, abs=1e-12)


@pytest.mark.parametrize("way", ["compiled"], indirect=True)
def test_both_ways_give_the_same_bits(way, written, monkeypatch) -> None:
    paths, found = written(*confused(2, 2)), []
    for one in ("compiled", "numpy"):
        take(one, monkeypatch)
        found.append([section.values.tobytes() for section in tables(analysed(paths)[0]).values()])
    assert found[0] == found[1]


def test_missed_people_and_false_ones_cost_what_they_must(written) -> None:
    """Four people, each alone: two found exactly, one found by nobody, one by a copy that came first by its score."""
    joints = [[x, y, 2] for x, y in zip(range(10, 180, 10), range(5, 90, 5), strict=True)]
    keypoints = [number for joint in joints for number in joint]
    person = {"category_id": 1, "area": 9000.0, "bbox": [0, 0, 200, 100], "iscrowd": 0, "num_keypoints": 17}
    people = [{**person, "id": n + 1, "image_id": n + 1, "keypoints": keypoints} for n in range(4)]
    truth = {"images": [{"id": n + 1} for n in range(4)], "annotations": people, "categories": [{"id": 1, "name": "p"}]}
    far = [number + 5000 for number in keypoints]
    rows = [(1, keypoints, 0.9), (2, keypoints, 0.8), (3, far, 0.99), (4, keypoints, 0.7), (4, keypoints, 0.5)]
    results = [{"image_id": i, "category_id": 1, "keypoints": k, "score": s} for i, k, s in rows]
    analysis, ap = analysed(written(truth, results))
    # 76 of 101 recalls are reached, at a precision of 3/4: the far one comes first
    assert ap == pytest.approx(76 / 101 * 0.75)
    values = dict(zip(PARTS, tables(analysis)["errors"].values.tolist(), strict=True))
    assert values["background"][:2] == [1, pytest.approx(76 / 101 * 0.25)]
    assert values["duplicates"][:2] == [1, 0]
    assert values["missed people"][:2] == [1, pytest.approx(0.75 - ap)]
    assert [values[kind][0] for kind in ("miss", "swap", "inversion", "jitter")] == [0, 0, 0, 0]
    assert values["scores"][2] == pytest.approx(76 / 101 * 0.25)  # after it, false detections cost nothing
    assert values["missed people"][2] == pytest.approx(25 / 101)
    assert values["remaining"][2] == pytest.approx(0)


def test_joints_are_told_with_what_is_occluded(written) -> None:
    truth, results = confused(2, images=12)
    kinds = slow_kinds(slow := Slow(truth, results, 0.1))
    table = tables(analysed(written(truth, results))[0])["joints"]
    assert table.rows[:3] == ("nose", "left eye", "right eye")
    for joint in range(17):
        alike: dict[int, list[float]] = {1: [], 2: []}
        for row, number in kinds:
            seen = slow.people[number]["keypoints"][3 * joint + 2]
            if seen:
                point = np.array(results[row]["keypoints"][3 * joint : 3 * joint + 2])
                alike[seen].append(similarity(point, slow.people[number], joint, joint))
        mine = [one[joint] for one in kinds.values() if one[joint]]
        row = table.values[joint]
        means = [np.mean(part) if part else np.nan for part in (alike[1] + alike[2], alike[2], alike[1])]
        shares = [mine.count(kind) / len(mine) if mine else np.nan for kind in KINDS]
        shares[2] = np.nan if MIRROR[joint] == joint else shares[2]
        assert row.tolist() == pytest.approx([len(mine), *means, *shares], abs=1e-12, nan_ok=True)
    assert np.isnan(table.values).sum() == len(table.reasons)


def test_groups_are_pycocotools_with_the_others_ignored(written) -> None:
    truth, results = confused(11, images=14)
    found = tables(analysed(written(truth, results))[0])
    for key, table in found.items():
        if key not in ("visibility", "crowding"):
            continue
        for row, label in enumerate(table.rows):
            chosen = deepcopy(truth)
            for person in chosen["annotations"]:
                original = next(one for one in truth["annotations"] if one["id"] == person["id"])
                if not member(key, label, original, truth):
                    person["num_keypoints"] = 0  # whom the evaluation ignores
            slow = Slow(chosen, results)
            recall = slow.run.eval["recall"]
            people = sum(not one["ignore"] for mine in slow.run._gts.values() for one in mine)
            expected = [people, slow.ap(), recall[recall > -1].mean() if people else np.nan]
            assert table.values[row, :3].tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True), (key, label)


def member(key: str, label: str, person: dict, truth: dict) -> bool:
    if key == "visibility":
        low, _, high = label.removesuffix(" joints").partition("-")
        return int(low) <= sum(seen > 0 for seen in person["keypoints"][2::3]) <= int(high or low)
    x, y, w, h = person["bbox"]
    many = 0
    for other in truth["annotations"]:
        alike = other["image_id"] == person["image_id"] and other["category_id"] == person["category_id"]
        if other is person or not alike or other["iscrowd"] or person["iscrowd"]:
            continue
        a, b, c, d = other["bbox"]
        shared = max(0, min(x + w, a + c) - max(x, a)) * max(0, min(y + h, b + d) - max(y, b))
        many += shared / (w * h + c * d - shared) > 0.1
    return {"no other person": many == 0, "1-2 others": many in (1, 2), "3 or more others": many > 2}[label]


def test_ap_by_size_is_that_of_the_same_ranges(written) -> None:
    paths = written(*confused(5, images=14))
    size = tables(analysed(paths)[0])["size"]
    bounds = [0, 32**2, 64**2, 96**2, 128**2, None]
    metric = CocoKeypointAP(areas={f"r{n}": [bounds[n], bounds[n + 1]] for n in range(5)})
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    scores = {score.quantity.name: score.value for score in metric.summarise(state, resamples=0)}
    for row in range(5):
        told = [scores[f"{kind}-r{row}"] for kind in ("AP", "AR")]
        assert size.values[row, 1:3].tolist() == pytest.approx([np.nan if v is None else v for v in told], nan_ok=True)


def test_own_criteria_and_joints_without_sides(written) -> None:
    paths = written(*case(4, 3, 2))
    analysis, ap = analysed(
        paths, (0.03, 0.06, 0.1), oks_thresholds=[0.3, 0.6], class_agnostic=True, max_detections=4
    )  # fmt: skip
    errors = tables(analysis)["errors"]
    assert errors.values[:, 2].sum() == pytest.approx(1 - (ap or 0), abs=1e-12)
    inversion = errors.rows.index("inversion")
    assert "mirrored" in errors.reasons[inversion, 0] and np.isnan(errors.values[inversion, 0])
    assert tables(analysis)["visibility"].rows == ("1 joint", "2 joints", "3 joints")


def test_joints_are_named_by_the_file_or_by_the_public_set() -> None:
    names, mirror = joints_of((), AP_10K.sigmas)
    assert names == AP_10K.names and mirror is not None and names[mirror[0]] == "right eye"
    names, mirror = joints_of(("tip_left", "tip_right", "root"), (0.1, 0.1, 0.2))
    assert names == ("tip left", "tip right", "root") and mirror is not None and mirror.tolist() == [1, 0, 2]
    assert joints_of((), (0.1, 0.2)) == (("joint 1", "joint 2"), None)


def test_without_people_that_count_there_is_nothing_to_explain(written) -> None:
    truth, results = case(1)
    analysis, ap = analysed(written({**truth, "annotations": []}, results))
    assert ap is None and analysis.sections == ()


def test_without_predictions_everybody_is_missed(written) -> None:
    truth, _ = case(1)
    analysis, ap = analysed(written(truth, []))
    values = dict(zip(PARTS, tables(analysis)["errors"].values.tolist(), strict=True))
    assert ap == 0 and values["missed people"][1:] == [1, 1]
