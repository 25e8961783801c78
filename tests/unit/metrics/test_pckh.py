"""PCKh by hand: four people of two images, and every way its files can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from hrbench.errors import HrbenchError, InputError, MissingError, UsageError
from hrbench.metrics.pckh import MpiiPckh, percentages
from hrbench.store.analyses import fault_of
from hrbench.types import AnalysisCurves, AnalysisTable, Prediction

JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip
HEAD, PELVIS, THORAX, LEFT_WRIST = 9, 6, 7, 15


def content(people: int = 4) -> dict[str, np.ndarray]:
    """A gt_valid.mat: joint j of every person at (10 j, 100), all visible, heads 100/0.6 px: 1 is 100 px."""
    position = np.zeros((16, 2, people))
    position[:, 0] = 10 * np.arange(16)[:, None]
    position[:, 1] = 100
    heads = np.zeros((2, 2, people))
    heads[1] = np.array([60, 80])[:, None] / 0.6
    names = np.empty((1, 16), object)
    names[0] = JOINTS
    return {
        "dataset_joints": names,
        "jnt_missing": np.zeros((16, people), np.uint8),
        "pos_gt_src": position,
        "headboxes_src": heads,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    savemat(tmp_path / "gt_valid.mat", content())
    (tmp_path / "valid.json").write_text(json.dumps([{"image": name} for name in ("b.jpg", "a.jpg", "b.jpg", "c.jpg")]))
    return tmp_path


@pytest.fixture
def exact() -> np.ndarray:
    """(4, 16, 3) float32 predictions that hit every joint."""
    points = np.ones((4, 16, 3), np.float32)
    points[..., :2] = content()["pos_gt_src"].transpose(2, 0, 1) - 1
    return points


def scored(folder: Path, points: np.ndarray, images=None, resamples: int = 0) -> dict:
    metric = MpiiPckh()
    np.save(folder / "predictions.npy", points)
    target = metric.read_target(folder)
    state = metric.measure(metric.read_predictions(folder / "predictions.npy", target), target, images)
    return {score.quantity.name: score for score in metric.summarise(state, resamples)}


def test_exact_predictions(folder: Path, exact: np.ndarray) -> None:
    scores = scored(folder, exact)
    assert [score.value for score in scores.values()] == [1.0] * 10
    assert scores["pckh@0.5/head"].n == 4 and scores["pckh@0.5/hip"].n == 8 and scores["pckh@0.5/mean"].n == 56


@pytest.mark.parametrize(
    ("distance", "at_half", "at_011", "at_010"),
    [(9.9, 1, 1, 1), (10.5, 1, 1, 0), (11.5, 1, 0, 0), (49.9, 1, 0, 0), (50.1, 0, 0, 0)],
)
def test_distances_are_counted_in_heads(folder, exact, distance, at_half, at_011, at_010) -> None:
    exact[0, HEAD, 0] += distance  # one head of four; one joint of 56
    scores = scored(folder, exact)
    assert scores["pckh@0.5/head"].value == (3 + at_half) / 4
    for name, right in (("0.5", at_half), ("0.11", at_011), ("0.10", at_010)):
        assert scores[f"pckh@{name}/mean"].value == pytest.approx((55 + right) / 56)


def test_pelvis_and_thorax_are_left_out(folder, exact) -> None:
    exact[:, [PELVIS, THORAX]] += 900
    assert scored(folder, exact)["pckh@0.5/mean"].value == 1


def test_a_pair_is_the_mean_of_its_sides_and_the_mean_of_all_is_weighted(folder, exact) -> None:
    truth = content()
    truth["jnt_missing"][LEFT_WRIST, :3] = 1  # the left wrist is visible once, the right one four times
    savemat(folder / "gt_valid.mat", truth)
    exact[3, LEFT_WRIST] += 900
    scores = scored(folder, exact)
    assert scores["pckh@0.5/wrist"].value == 0.5 and scores["pckh@0.5/wrist"].n == 5
    assert scores["pckh@0.5/mean"].value == pytest.approx(52 / 53)


def test_a_joint_never_visible_leaves_its_part_empty(folder, exact) -> None:
    truth = content()
    truth["jnt_missing"][HEAD] = 1
    truth["pos_gt_src"][HEAD] = np.nan  # what is not visible may be annotated as anything
    savemat(folder / "gt_valid.mat", truth)
    scores = scored(folder, exact, resamples=5)
    head = scores["pckh@0.5/head"]
    assert (head.value, head.interval, head.n) == (None, None, 0)
    assert "visible in none of 4 people" in str(head.reason)
    assert scores["pckh@0.5/mean"].value == pytest.approx(1)


def test_nothing_visible_leaves_everything_empty() -> None:
    assert np.isnan(percentages(np.zeros((4, 16)), JOINTS)).all()


@pytest.mark.parametrize("images", [["b.jpg"], [0, 2], ["b.jpg", 2]])
def test_images_or_rows_may_be_chosen(folder, exact, images) -> None:
    exact[[1, 3]] = np.nan  # of no concern then
    exact[0, HEAD] += 900
    scores = scored(folder, exact, images)
    assert scores["pckh@0.5/head"].value == 0.5 and scores["pckh@0.5/head"].n == 2


@pytest.mark.parametrize("image", ["d.jpg", 4, -1])
def test_unknown_images_are_refused(folder, exact, image) -> None:
    with pytest.raises(InputError, match="asked for, is neither one of 3 images with names nor a row below 4"):
        scored(folder, exact, [image])


def test_whoever_is_not_predicted_is_named(folder, exact) -> None:
    exact[2, 5] = np.nan
    with pytest.raises(InputError, match=r"person 2 \(image b.jpg\): no prediction, or NaN, at joint 5; predict"):
        scored(folder, exact)
    exact[2, 5] = 0
    with pytest.raises(InputError, match=r"person 3 \(image c.jpg\): no prediction"):
        scored(folder, exact[:3])


def test_people_of_one_image_are_drawn_together(folder, exact) -> None:
    exact[[0, 2], HEAD] += 900  # both people of b.jpg fail, the others do not
    together = scored(folder, exact, resamples=400)["pckh@0.5/head"]
    (folder / "valid.json").unlink()
    alone = scored(folder, exact, resamples=400)["pckh@0.5/head"]
    assert together.value == alone.value == 0.5
    assert together.interval == (0.0, 1.0) and alone.interval is not None


def test_qualities_are_areas_under_the_curve(folder, exact) -> None:
    exact[1, HEAD, 0] += 25  # a quarter of a head: half of the range up to 0.5
    exact[3] += 900
    metric = MpiiPckh()
    target = metric.read_target(folder)
    state = metric.measure(exact[..., :2] + 1, target)
    assert metric.qualities(state) == pytest.approx({"a.jpg": 13.5 / 14, "b.jpg": 1.0, "c.jpg": 0.0})
    (folder / "valid.json").unlink()
    target = metric.read_target(folder)
    assert set(metric.qualities(metric.measure(exact[..., :2] + 1, target))) == {0, 1, 2, 3}


def test_written_predictions_are_read_back(folder, exact, tmp_path) -> None:
    metric = MpiiPckh()
    rows = [{"index": n, "keypoints": exact[n].ravel().tolist()} for n in range(4)]
    path = tmp_path / metric.prediction_file
    metric.write_predictions(
        [Prediction("b.jpg", [rows[0], rows[2]]), Prediction("c.jpg", []), Prediction("a.jpg", [rows[1]])], path
    )
    written = np.load(path)
    assert written.dtype == np.float32 and written.shape == (3, 16, 3)
    target = metric.read_target(folder)
    points = metric.read_predictions(path, target)
    assert points.shape == (4, 16, 2) and points.dtype == np.float32 and np.isnan(points[3]).all()
    np.testing.assert_array_equal(points[:3], exact[:3, :, :2] + 1)
    metric.write_predictions([], path)
    assert np.isnan(metric.read_predictions(path, target)).all()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"index": 0, "keypoints": [0.0] * 47}], "image x.jpg, person 0: keypoints must be 48 finite numbers"),
        ([{"index": 0, "keypoints": [0.0] * 47 + [np.nan]}], "does the network diverge"),
        ([{"index": 0, "keypoints": [0.0] * 48}] * 2, "person 0: predicted twice"),
        ([{"index": -1, "keypoints": [0.0] * 48}], "person -1: predicted twice, or not a row number"),
        ([{"keypoints": [0.0] * 48}], "'index' is missing"),
    ],
)
def test_unwritable_predictions_leave_nothing(rows, says, tmp_path) -> None:
    with pytest.raises(InputError, match=says):
        MpiiPckh().write_predictions([Prediction("x.jpg", rows)], tmp_path / "p.npy")
    assert list(tmp_path.iterdir()) == []


def changed(key: str, place, value):
    def edit(truth):
        truth[key] = truth[key].astype(float) if truth[key].dtype != object else truth[key]
        truth[key][place] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda t: t.pop("jnt_missing"), "'jnt_missing' is missing; is it the gt_valid.mat"),
        (lambda t: t.update(pos_gt_src=np.zeros((16, 3, 4))), r"pos_gt_src has shape \(16, 3, 4\)"),
        (lambda t: t.update(headboxes_src=np.zeros((2, 2, 5))), r"headboxes_src has shape \(2, 2, 5\)"),
        (lambda t: t.update(pos_gt_src="text"), r"jnt_missing has shape"),
        (changed("jnt_missing", (3, 2), 2), "person 2, joint 3: jnt_missing is neither 0 nor 1"),
        (changed("pos_gt_src", (3, 1, 2), np.nan), "person 2, joint 3: pos_gt_src is not finite"),
        (changed("headboxes_src", (slice(None), slice(None), 1), 7), "person 1: the head box has diagonal 0.0"),
        (changed("headboxes_src", (1, 1, 1), 1e300), "person 1: the head box has diagonal inf"),
        (changed("pos_gt_src", (3, 1, 2), -1e200), "person 2, joint 3: pos_gt_src is not finite, or beyond"),
        (changed("headboxes_src", (1, 1, 1), np.inf), "person 1: the head box has diagonal inf"),
        (lambda t: t.update(dataset_joints=t["dataset_joints"][:, :4]), "should be 16 different names; found 4"),
        (changed("dataset_joints", (0, 4), "knee"), "dataset_joints has 'knee'; MPII's are rank, rkne"),
    ],
)
def test_the_first_fault_of_the_ground_truth_is_named(edit, says, tmp_path) -> None:
    truth = content()
    edit(truth)
    savemat(tmp_path / "gt_valid.mat", truth)
    with pytest.raises(InputError, match=says):
        MpiiPckh().read_target(tmp_path / "gt_valid.mat")


@pytest.mark.parametrize(
    ("text", "says"),
    [("[", "not valid JSON"), ("{}", "holds no list"), ('[{"image": 3}, 1, 2, 3]', "person 0: 'image' is missing or")],
)
def test_the_list_of_images_is_checked(folder, text, says) -> None:
    (folder / "valid.json").write_text(text)
    with pytest.raises(InputError, match=says):
        MpiiPckh().read_target(folder)


def test_a_list_of_other_people_is_not_used(folder) -> None:
    (folder / "valid.json").write_text('[{"image": "a.jpg"}]')
    assert MpiiPckh().read_target(folder).image is None


def test_another_split_has_its_own_list(folder, exact) -> None:
    (folder / "gt_valid.mat").rename(folder / "gt_train.mat")
    metric = MpiiPckh()
    assert metric.read_target(folder / "gt_train.mat").image is None  # valid.json is not its list
    (folder / "valid.json").rename(folder / "train.json")
    target = metric.read_target(folder / "gt_train.mat")
    assert target.image is not None and target.image.tolist() == ["b.jpg", "a.jpg", "b.jpg", "c.jpg"]
    (folder / "train.json").write_text("{")
    with pytest.raises(InputError, match=r"train\.json: not valid JSON"):
        metric.read_target(folder / "gt_train.mat")


def test_what_is_not_there(tmp_path) -> None:
    metric = MpiiPckh()
    with pytest.raises(MissingError, match="holds neither gt_valid"):
        metric.read_target(tmp_path)
    with pytest.raises(MissingError, match="no such file"):
        metric.read_target(tmp_path / "gt_valid.mat")


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (np.zeros((5, 16, 3)), r"shape \(5, 16, 3\); the ground truth asks for \(4, 16, 2 or 3\)"),
        (np.zeros((4, 17, 3)), r"shape \(4, 17, 3\)"),
        (np.zeros((4, 16, 4)), r"shape \(4, 16, 4\)"),
        (np.zeros((4, 16)), "holds no array of numbers"),
        (np.full((4, 16, 3), "a"), "holds no array of numbers"),
        (np.full((4, 16, 3), np.inf), "person 0, joint 0: a coordinate is infinite"),
        (np.full((4, 16, 3), -1e30), "person 0, joint 0: a coordinate is infinite or beyond 1e\\+09 px"),
        (np.full((4, 16, 3), None), "cannot be read as a NumPy file of numbers"),
    ],
)
def test_the_first_fault_of_predictions_is_named(points, says, folder) -> None:
    metric = MpiiPckh()
    np.save(folder / "p.npy", points)
    with pytest.raises(InputError, match=says):
        metric.read_predictions(folder / "p.npy", metric.read_target(folder))


def test_mat_files_without_predictions(folder) -> None:
    metric = MpiiPckh()
    with pytest.raises(InputError, match="'preds' is missing"):
        metric.read_predictions(folder / "gt_valid.mat", metric.read_target(folder))


def test_states_of_others_are_refused(folder, exact) -> None:
    metric = MpiiPckh()
    target = metric.read_target(folder)
    state = metric.measure(exact[..., :2] + 1, target)
    with pytest.raises(UsageError, match="nothing to merge"):
        metric.merge([])
    (folder / "valid.json").unlink()
    nameless = metric.measure(exact[..., :2] + 1, metric.read_target(folder), [1])
    with pytest.raises(InputError, match="differ in whether images are known"):
        metric.merge([state, nameless])


@settings(max_examples=80)
@given(data=st.data())
def test_damaged_files_give_nothing_but_a_named_error(data, folder, exact) -> None:
    metric = MpiiPckh()
    savemat(folder / "gt_valid.mat", content())
    target = metric.read_target(folder)
    np.save(folder / "p.npy", exact)
    name = data.draw(st.sampled_from(["gt_valid.mat", "p.npy", "q.mat"]))
    if name == "q.mat":
        savemat(folder / name, {"preds": exact})
    sound = (folder / name).read_bytes()
    place = data.draw(st.integers(0, len(sound) - 1))
    damage = data.draw(st.binary(max_size=8))
    damaged = sound[:place] + damage + (sound[place + len(damage) :] if data.draw(st.booleans()) else b"")
    (folder / name).write_bytes(damaged)
    try:
        if name == "gt_valid.mat":
            metric.read_target(folder)
        else:
            metric.read_predictions(folder / name, target)
    except HrbenchError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_predictions_with_another_origin_are_recognised_and_an_option_mends_them(folder, exact, shift) -> None:
    wobble = np.random.default_rng(0).normal(0, 0.3, (4, 16, 2))
    exact[..., :2] += wobble + shift
    np.save(folder / "predictions.npy", exact)

    def told(origin: Literal[0, 1] | None) -> list[str]:
        metric = MpiiPckh(origin)
        target = metric.read_target(folder)
        found = metric.read_predictions(folder / "predictions.npy", target)
        return [note.option for note in metric.input_notes(found, target, metric.measure(found, target))]

    assert told(None) == {-1: ["origin: 0"], 0: [], 1: ["origin: 1"]}[shift]
    if shift == 1:
        assert told(1) == []  # what it advises ends it
    savemat(folder / "pred.mat", {"preds": exact[..., :2] + 1})
    metric = MpiiPckh()
    target = metric.read_target(folder)
    found = metric.read_predictions(folder / "pred.mat", target)
    said = [note.option for note in metric.input_notes(found, target, metric.measure(found, target))]
    assert said == {-1: ["origin: 0"], 0: [], 1: ["origin: 1"]}[shift]
    moved = MpiiPckh(0).read_predictions(folder / "pred.mat", target)
    assert np.array_equal(moved, found + 1)


@pytest.mark.parametrize("origin", [2, -1, True, "1"])
def test_an_origin_is_0_or_1(origin) -> None:
    with pytest.raises(UsageError, match="say 0 or 1"):
        MpiiPckh(origin)


def people_of_mpii(folder: Path, seed: int, people: int = 40) -> tuple[MpiiPckh, np.ndarray]:
    """People who stand, with heads of 60 px; and a good estimate of them, (N, 16, 3) float32, top-left pixel at 0."""
    rng = np.random.default_rng(seed)
    side = {"r": -1, "l": 1}
    height = {"ank": 400, "kne": 300, "hip": 200, "wri": 190, "elb": 120, "sho": 50}
    body = np.array([(side.get(name[0], 0) * (60 if name[1:] in height else 0), height.get(name[1:], 20))
                     for name in JOINTS], float)  # fmt: skip
    places = body * rng.uniform(0.8, 1.2, (people, 1, 1)) + rng.uniform(100, 500, (people, 1, 2))
    made = content(people)
    made["pos_gt_src"] = places.transpose(1, 2, 0)
    made["headboxes_src"][1] = np.array([36, 48])[:, None]
    savemat(folder / "gt_valid.mat", made)
    (folder / "valid.json").write_text(json.dumps([{"image": f"{n}.jpg"} for n in range(people)]))
    points = np.ones((people, 16, 3), np.float32)
    points[..., :2] = places - 1 + rng.normal(0, 5, places.shape)
    return MpiiPckh(), points


def kinds_told(metric: MpiiPckh, folder: Path, points: np.ndarray) -> dict[str, str]:
    np.save(folder / "predictions.npy", points)
    target = metric.read_target(folder)
    predictions = metric.read_predictions(folder / "predictions.npy", target)
    return {
        note.kind: note.what for note in metric.input_notes(predictions, target, metric.measure(predictions, target))
    }


MIRROR = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]


@pytest.mark.parametrize("seed", range(4))
def test_left_and_right_exchanged_are_told_and_good_and_bad_estimates_are_not(seed: int, tmp_path: Path) -> None:
    metric, points = people_of_mpii(tmp_path, seed)
    rng = np.random.default_rng(seed)
    assert kinds_told(metric, tmp_path, points[:, MIRROR]) == {
        "misread_joints": "predicted joints look like left and right exchanged"
    }
    half = np.where(rng.random((len(points), 1, 1)) < 0.5, points, points[:, MIRROR])  # a network that cannot tell
    bad = points + rng.normal(0, 80, points.shape).astype(np.float32)
    middle = np.tile(points.mean(axis=1, keepdims=True), (1, 16, 1))
    for estimate in (points, half, bad, middle, np.zeros_like(points)):
        assert "misread_joints" not in kinds_told(metric, tmp_path, estimate)


def test_few_joints_say_nothing_of_left_and_right(tmp_path: Path) -> None:
    metric, points = people_of_mpii(tmp_path, 0, 2)
    assert "misread_joints" not in kinds_told(metric, tmp_path, points[:, MIRROR])


def test_the_analysis_tells_exchanged_joints_and_is_the_metric_at_each_threshold(
    folder: Path, exact: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    exact[..., :2] += rng.normal(0, 15, exact[..., :2].shape)
    exact[0, [10, 15], :2] = [[189, 99], [999, 99]]  # 90 px from its place and 40 from the other wrist's; far from both
    metric = MpiiPckh()
    np.save(folder / "predictions.npy", exact)
    target = metric.read_target(folder)
    points = metric.read_predictions(folder / "predictions.npy", target)
    state = metric.measure(points, target)
    analysis = metric.analyse(points, target, state)
    assert fault_of(analysis) == ""
    table, curves = analysis.sections
    assert isinstance(table, AnalysisTable) and isinstance(curves, AnalysisCurves)
    scores = {score.quantity.name: score.value for score in metric.summarise(state, 0)}
    line = dict(zip(curves.names, curves.y, strict=True))
    for name in ("mean", "head", "wrist", "ankle"):
        assert line[name.capitalize()][50] == pytest.approx(scores[f"pckh@0.5/{name}"])
    assert line["Mean"][[10, 11]] == pytest.approx([scores["pckh@0.10/mean"], scores["pckh@0.11/mean"]])
    assert table.rows[15] == "left wrist" and table.values[:, 0].tolist() == [4] * 16
    assert table.values[[10, 15], 3].tolist() == [0.25, 0] and table.values[[10, 15], 4].tolist() == [0, 0.25]
    for joint in range(16):
        row = table.values[joint]
        error = np.linalg.norm(points[:, joint] - target.position[:, joint], axis=1) / (target.head * 0.6)
        assert row[[1, 2, 5]].tolist() == pytest.approx(
            [(error <= 0.5).mean(), (error <= 0.1).mean(), np.median(error)]
        )
        assert row[1] + row[3] + row[4] == pytest.approx(1)
