"""COCO-WholeBody's AP: areas of bodies, parts by their own scores, files in both forms, and what they may lack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import random_poses
from random_poses import SCORES

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.skeletons import COCO_WHOLEBODY, WHOLEBODY_PARTS
from hrbench.formats.coco.wholebody import KEYS
from hrbench.metrics.coco.keypoints import NUMBERS, CocoKeypointAP
from hrbench.metrics.coco.wholebody import NAMES, WholebodyAP
from hrbench.metrics.coco.wholebody_analysis import mirrored_joints
from hrbench.store.analyses import fault_of
from hrbench.types import Prediction


def measured(metric, paths, images=None):
    target = metric.read_target(paths[0])
    found = metric.read_predictions(paths[1], target)
    return metric.measure(found, target, images), found, target


def joined(results):
    """The same results with all joints in `keypoints`."""
    return [
        {
            **{key: value for key, value in row.items() if key not in KEYS},
            "keypoints": [number for key in KEYS for number in row[key]],
        }
        for row in results
    ]


def test_one_list_of_133_joints_is_the_same(written):
    truth, results = random_poses.wholebody(3)
    one, _, _ = measured(WholebodyAP(), written(truth, results))
    other, _, _ = measured(WholebodyAP(), written(truth, joined(results)))
    assert one.params == other.params
    assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)


def person(spread: float = 1.0):
    """One person of 60 x 60 px^2, all joints in a square of that size, and a prediction of it.

    spread: by how much face, feet and hands of the prediction reach beyond the body, in no joint that is judged.
    """
    rng = np.random.default_rng(0)
    row = {"id": 1, "image_id": 1, "category_id": 1, "area": 3600.0, "bbox": [0, 0, 60, 60], "iscrowd": 0}
    for key, joints in random_poses.PARTS:
        points = np.concatenate([rng.uniform(0, 60, (joints, 2)), np.full((joints, 1), 2)], axis=1)
        row[key] = points.ravel().tolist()
    guess = {key: row[key] for key in ("image_id", "category_id", *KEYS)}
    row["face_kpts"] = [0] * 204
    guess["face_kpts"] = [spread * 200, spread * 200, 1] * 68
    images = [{"id": 1, "width": 300, "height": 300}]
    return {"images": images, "annotations": [row], "categories": [{"id": 1, "name": "person"}]}, {
        **guess,
        "score": 0.9,
    }


def test_the_area_of_a_prediction_is_that_of_its_body(written):
    truth, good = person(spread=2.0)
    # a false prediction as large as a medium person in its body, and as a large one with its face
    false = {**good, "keypoints": [value + 150 for value in good["keypoints"]], "score": 0.95}
    metric = WholebodyAP()
    state, found, _ = measured(metric, written(truth, [good, false]))
    body = np.array(good["keypoints"]).reshape(17, 3)[:, :2]
    assert found.detections.area.tolist() == [np.ptp(body[:, 0]) * np.ptp(body[:, 1])] * 2
    values = dict(zip((one.name for one in metric.quantities), metric.raw(state).ravel(), strict=True))
    assert values["APM_body"] == values["AP_body"] == pytest.approx(0.5)  # the false one counts among the medium
    every = np.array([value for key in KEYS for value in good[key]]).reshape(133, 3)[:, :2]
    assert np.ptp(every[:, 0]) * np.ptp(every[:, 1]) > 96**2  # where the area of all joints would leave it out
    boxed = [{**row, "bbox": [0, 0, 200, 200]} for row in (good, false)]
    large, found, _ = measured(metric, written(truth, boxed))
    assert found.area_from == "box" and found.detections.area.tolist() == [40000.0] * 2
    values = dict(zip((one.name for one in metric.quantities), metric.raw(large).ravel(), strict=True))
    assert values["APM_body"] == pytest.approx(1) and values["AP_body"] == pytest.approx(0.5)
    again, _, _ = measured(WholebodyAP(detection_area="keypoints"), written(truth, boxed))
    assert np.array_equal(metric.raw(again), metric.raw(state))


def test_a_part_that_nobody_has_is_empty_with_its_reason(written):
    truth, good = person()
    metric = WholebodyAP()
    found = {one.quantity.name: one for one in metric.summarise(measured(metric, written(truth, [good]))[0], 0)}
    assert found["AP_face"].value is None and found["AP_body"].value == found["AP_lefthand"].value == pytest.approx(1)
    assert (
        str(found["AP_face"].reason) == "no annotated person of any area with a labelled joint of the face in 1 images"
    )


def test_parts_go_by_their_own_scores(written):
    truth, good = person()
    false = {**good, **{key: [value + 500 for value in good[key]] for key in KEYS}, "score": 0.5}
    metric = WholebodyAP()
    plain = metric.raw(measured(metric, written(truth, [good, false]))[0])
    own = metric.raw(measured(metric, written(truth, [{**good, "foot_score": 0.1}, false]))[0])
    at = NAMES.index("foot")
    assert plain[at, 0] == pytest.approx(1) and own[at, 0] == pytest.approx(0.5)
    assert np.array_equal(np.delete(plain, at, 0), np.delete(own, at, 0))


def test_flags_that_contradict_the_joints_are_told(written):
    truth, good = person()
    truth["annotations"][0] |= {"lefthand_valid": False, "face_valid": False}
    metric = WholebodyAP()
    state, found, target = measured(metric, written(truth, [good]))
    notes = {note.kind: note for note in metric.input_notes(found, target, state)}
    assert notes["valid_flags"].count == 1 and "unseen_foot" not in notes
    blind = {**good, "foot_kpts": [1, 1, 0] * 6}
    state, found, target = measured(metric, written(truth, [blind]))
    notes = {note.kind: note for note in metric.input_notes(found, target, state)}
    assert notes["unseen_foot"].count == 1
    kept = WholebodyAP(unseen="keep")
    assert len(measured(kept, written(truth, [blind]))[0].arrays["foot_score"]) == 1
    assert len(state.arrays["foot_score"]) == 0


def test_what_is_written_is_read_by_either_form(tmp_path: Path, written):
    truth, results = random_poses.wholebody(3)
    metric, paths = WholebodyAP(), written(truth, results)
    target = metric.read_target(paths[0])
    for number, rows in enumerate((results, joined(results))):
        path = tmp_path / f"{number}.json"
        metric.write_predictions([Prediction(0, rows)], path)
        assert all(len(row["face_kpts"]) == 204 and len(row["keypoints"]) == 51 for row in json.loads(path.read_text()))
        ours, given = (metric.read_predictions(one, target) for one in (path, paths[1]))
        assert np.array_equal(ours.points, given.points) and np.array_equal(ours.scores, given.scores)


def change(rows, key, value):
    if value is None:
        del rows[1][key]
    else:
        rows[1][key] = value


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("face_kpts", None, "annotation 1 .*'face_kpts' is missing; COCO-WholeBody has the joints of a person in"),
        ("foot_kpts", [0] * 17, "foot_kpts holds 17 values; its 6 joints need 18"),
        ("lefthand_kpts", "none", "lefthand_kpts holds text; its 21 joints need 63"),
        ("righthand_kpts", ["x"] * 63, r"keypoints\[336\] is \"x\""),
        ("area", None, "'area' is missing"),
        ("iscrowd", 2, "iscrowd is 2; it must be 0 or 1"),
    ],
)
def test_faults_of_annotations(key, value, words, written):
    truth, results = random_poses.wholebody(3)
    change(truth["annotations"], key, value)
    with pytest.raises(InputError, match=words):
        WholebodyAP().read_target(written(truth, results)[0])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("face_kpts", None, "result 1 .*'face_kpts' is missing"),
        ("foot_kpts", [0] * 21, "foot_kpts holds 21 values; its 6 joints need 18"),
        ("face_score", "high", 'face_score is "high"; scores must be finite numbers'),
        ("score", None, "'score' is missing"),
        ("image_id", 123456, "image_id 123456 is not among the images"),
        ("segmentation", [], "'segmentation' does not belong into keypoint results"),
    ],
)
def test_faults_of_results(key, value, words, written):
    truth, results = random_poses.wholebody(3)
    change(results, key, value)
    paths, metric = written(truth, results), WholebodyAP()
    with pytest.raises(InputError, match=words):
        metric.read_predictions(paths[1], metric.read_target(paths[0]))


def test_mixed_forms_are_refused(written):
    truth, results = random_poses.wholebody(3)
    mixed = [*joined(results)[:2], *results[2:]]
    paths, metric = written(truth, mixed), WholebodyAP()
    with pytest.raises(InputError, match=r"result 2 .*has foot_kpts, .* which the first row has not; write all alike"):
        metric.read_predictions(paths[1], metric.read_target(paths[0]))


def test_names_and_options():
    names = [one.name for one in WholebodyAP.quantities]
    assert len(names) == 60 and names[:10] == [one.name for one in NUMBERS] and names[10] == "AP_body"
    with pytest.raises(UsageError, match="the whole body has 133 joints"):
        WholebodyAP(sigmas=[0.1] * 17)
    with pytest.raises(UsageError, match="detection_area 'all'"):
        WholebodyAP(detection_area="all")


OWN = {"oks_thresholds": [0.05, 0.3], "recall_thresholds": 11, "areas": {"tiny": [0, 20000]}, "max_detections": [2, 5]}


def test_other_criteria_are_pycocotools_by_these_in_every_part(written):
    paths, metric = written(*random_poses.wholebody(11)), WholebodyAP(**OWN)
    state, found, target = measured(metric, paths)
    told = metric.summarise(state, 0)
    values = {one.quantity.name: -1.0 if one.value is None else one.value for one in told}
    assert values == metric.verify(*paths) and len(set(values.values())) > 20
    assert [one.quantity for one in told] == list(metric.quantities) and metric.main == "AP@0.05+0.3@R11"
    assert "AP-tiny@0.05+0.3@R11_face" in values and "AR@2dets@0.05+0.3_lefthand" in values
    assert WholebodyAP.by_image(state).names == tuple(values)
    assert metric.own_criteria() == OWN and WholebodyAP().own_criteria() == {}
    with pytest.raises(InputError, match="measure all alike"):
        metric.merge([state, WholebodyAP().measure(found, target)])


def test_no_results(written):
    truth, _ = random_poses.wholebody(3)
    metric = WholebodyAP()
    values = metric.raw(measured(metric, written(truth, []))[0])
    assert set(values.ravel().tolist()) <= {0.0, -1.0}


# --- why --------------------------------------------------------------------------------------------------------------


def explained(metric, paths):
    """The tables of the analysis by key, and the numbers of the score by name."""
    state, found, target = measured(metric, paths)
    analysis = metric.analyse(found, target, state)
    assert fault_of(analysis) == ""
    scores = {score.quantity.name: score.value for score in metric.summarise(state, 0)}
    return {table.key: table for table in analysis.sections}, scores


def only(rows, place):
    """Rows with the joints of one part alone, in COCO's form."""
    key, score = KEYS[place], SCORES[place]
    kept = [{name: value for name, value in row.items() if name not in (*KEYS, *SCORES)} for row in rows]
    for one, row in zip(kept, rows, strict=True):
        one["keypoints"] = row[key]
        one["num_keypoints"] = sum(seen > 0 for seen in row[key][2::3])
        if "score" in row:
            one["score"] = row.get(score, row["score"]) if place else row["score"]
    return kept


@pytest.mark.parametrize(("place", "part"), [(0, "body"), (3, "lefthand")])
def test_a_part_is_explained_as_a_set_of_its_joints(written, place, part):
    """By the analysis of `coco-keypoints`, which pycocotools knows; hands have no mirrored joints there, too."""
    for seed in (3, 13):
        truth, results = random_poses.wholebody(seed, images=10)
        tables, _ = explained(WholebodyAP(detection_area="keypoints"), written(truth, results))
        places = WHOLEBODY_PARTS[place][2]
        named = [{**one, "keypoints": list(COCO_WHOLEBODY.names[places])} for one in truth["categories"]]
        alone = {**truth, "annotations": only(truth["annotations"], place), "categories": named}
        metric = CocoKeypointAP(
            sigmas=COCO_WHOLEBODY.sigmas[places], unseen="drop", detection_area="keypoints", num_keypoints="joints"
        )
        expected, _ = explained(metric, written(alone, only(results, place)))
        for key in ("errors", "joints", *(("visibility", "size", "crowding") if part == "body" else ())):
            one, other = tables[f"{part}-{key}"], expected[key]
            if part == "body":
                assert np.array_equal(np.isnan(one.values), np.isnan(other.values))
            known = ~(np.isnan(one.values) | np.isnan(other.values))
            assert known.mean() > 0.4 and np.allclose(one.values[known], other.values[known], atol=1e-12)
            assert one.definition == other.definition and one.title.startswith(
                {"body": "Body: "}.get(part, "Left hand: ")
            )


def test_what_errors_of_each_part_cost_sums_to_what_its_ap_lacks(written):
    for seed in (1, 3):
        tables, scores = explained(WholebodyAP(), written(*random_poses.wholebody(seed, images=8)))
        parts = tables["parts"]
        assert parts.rows == ("Whole body", "Body", "Feet", "Face", "Left hand", "Right hand")
        for row, part in enumerate(NAMES):
            ap = scores["AP" if part == "whole" else f"AP_{part}"]
            assert ap is not None and parts.values[row, 0] == pytest.approx(ap, abs=1e-12)
            assert parts.values[row].sum() == pytest.approx(1)
        face = tables["face-joints"]
        assert len(face.rows) == 69 and {key.partition("-")[0] for key in tables} == {*NAMES, "parts"} - {"whole"}


def test_joints_are_mirrored_within_their_part():
    face = mirrored_joints(WHOLEBODY_PARTS[2][2])
    assert face[[0, 8, 16, 36, 45]].tolist() == [16, 8, 0, 45, 36] and (face[face] == np.arange(68)).all()
    assert mirrored_joints(WHOLEBODY_PARTS[4][2]).tolist() == list(range(21))


def test_a_part_that_nobody_has_is_not_explained(written):
    truth, good = person()
    tables, _ = explained(WholebodyAP(), written(truth, [good]))
    assert not [key for key in tables if key.startswith("face")] and "body-errors" in tables
    row = tables["parts"].rows.index("Face")
    assert np.isnan(tables["parts"].values[row]).all() and "annotated" in tables["parts"].reasons[row, 0]
