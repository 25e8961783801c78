"""Keypoint AP: equal to pycocotools, and what it says of data that leaves a number undefined."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_coco import case
from seeds import halved

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.types import Prediction, State

SKELETONS = {17: None, 1: (0.05,), 3: (0.03, 0.06, 0.1), 21: tuple(np.linspace(0.02, 0.12, 21).tolist())}


def both(paths: tuple[Path, Path], sigmas=None, images=None) -> tuple[list[float], list[float]]:
    """The ten numbers, ours and pycocotools'."""
    metric = CocoKeypointAP(sigmas)
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target, images)
    return metric.raw(state).tolist(), list(metric.verify(*paths, images).values())


@pytest.mark.parametrize("block", halved(14))
def test_random_cases_equal_pycocotools_to_the_last_bit(block: int, written) -> None:
    numbers = []
    for seed in range(20 * block, 20 * (block + 1)):
        joints = (17, 17, 17, 3, 1, 21)[seed % 6]
        ours, theirs = both(written(*case(seed, joints, 1 + seed % 3)), SKELETONS[joints])
        assert ours == theirs, f"seed {seed}"
        numbers.append(ours)
    assert np.mean(np.array(numbers)[:, 0] > 0) > 0.8  # the cases are not trivial


@settings(max_examples=30)
@given(
    seed=st.integers(10_000, 2**31), joints=st.sampled_from(sorted(SKELETONS)),
    categories=st.integers(1, 4), images=st.integers(1, 12),
)  # fmt: skip
def test_drawn_cases_equal_pycocotools_to_the_last_bit(written, seed, joints, categories, images) -> None:
    ours, theirs = both(written(*case(seed, joints, categories, images)), SKELETONS[joints])
    assert ours == theirs


def test_more_images_than_a_chunk_holds_pairs(written) -> None:
    ours, theirs = both(written(*case(1, 17, 1, 300)))
    assert ours == theirs


def test_frames_that_are_not_labelled_change_nothing(written) -> None:
    for seed in range(6):
        truth, results = case(seed)
        expected, _ = both(written(truth, results))
        more = {**truth["annotations"][0], "image_id": 2000, "id": 10**6} if truth["annotations"] else None
        truth["images"] = [
            {"id": 2000, "is_labeled": False},
            *({**image, "is_labeled": True} if image["id"] % 2 else image for image in truth["images"]),
        ]
        truth["annotations"] += [more] if more else []
        paths, metric = written(truth, results), CocoKeypointAP(frames="labelled")
        target = metric.read_target(paths[0])
        state = metric.measure(metric.read_predictions(paths[1], target), target)
        assert metric.raw(state).tolist() == expected == list(metric.verify(*paths).values()), f"seed {seed}"
        assert state.params["form"] == {"frames": "labelled"}


def test_a_part_of_the_images(written) -> None:
    truth, results = case(3, images=20)
    some = [image["id"] for image in truth["images"]][4:11]
    ours, theirs = both(written(truth, results), images=some)
    assert ours == theirs


def test_one_category_of_several_equals_pycocotools_to_the_last_bit(written) -> None:
    metric, different = CocoKeypointAP(category=4), 0
    for seed in range(12):
        truth, results = case(seed, categories=3, images=20)
        paths = written(truth, results)
        target = metric.read_target(paths[0])
        state = metric.measure(metric.read_predictions(paths[1], target), target)
        ours = metric.raw(state).tolist()
        assert ours == list(metric.verify(*paths).values()), f"seed {seed}"
        assert state.params["categories"] == [4]
        different += ours != both(paths)[0]
        # as if the others were not there at all
        truth["annotations"] = [row for row in truth["annotations"] if row["category_id"] == 4]
        truth["categories"] = [row for row in truth["categories"] if row["id"] == 4]
        assert ours == both(written(truth, [row for row in results if row["category_id"] == 4]))[0], f"seed {seed}"
    assert different > 8


def test_other_categories_are_held_to_no_joints_but_to_ids_and_scores(written, small) -> None:
    truth, results = small
    truth["categories"].append({"id": 2, "name": "dog"})
    metric = CocoKeypointAP((0.1,) * 3, category=1)
    paths = written(truth, [{**results[0], "category_id": 2, "score": None}])
    with pytest.raises(InputError, match=r"category_id 2.*score is null"):
        metric.read_predictions(paths[1], metric.read_target(paths[0]))
    truth["annotations"][1] |= {"category_id": 2, "keypoints": [1, 2]}
    metric.read_target(written(truth, results)[0])
    truth["annotations"][1]["image_id"] = 77
    with pytest.raises(InputError, match="image_id 77 is not among"):
        metric.read_target(written(truth, results)[0])
    truth["annotations"][1] |= {"category_id": 1, "image_id": truth["annotations"][0]["image_id"]}
    with pytest.raises(InputError, match="keypoints holds 2 values"):
        metric.read_target(written(truth, results)[0])


def test_what_is_not_judged_changes_no_number(written) -> None:
    metric = CocoKeypointAP(category=4)
    for seed in range(6):
        truth, results = case(seed, categories=3, images=12)
        expected = metric.raw(judged(metric, written(truth, results))).tolist()
        for row in truth["annotations"]:
            if row["category_id"] != 4:  # as tools export objects that have no joints
                for key in ("keypoints", "num_keypoints", "iscrowd", "area", "bbox")[seed % 4 :]:
                    row.pop(key)
            elif not row["num_keypoints"] and not any(row["keypoints"][2::3]):
                row["keypoints"] = []
                row.pop("num_keypoints") if seed % 2 else None
        for row in results:
            if row["category_id"] != 4:
                row["keypoints"] = row["keypoints"][:6]
        paths = written(truth, results)
        assert metric.raw(judged(metric, paths)).tolist() == expected == list(metric.verify(*paths).values())


def judged(metric: CocoKeypointAP, paths: tuple[Path, Path]) -> State:
    target = metric.read_target(paths[0])
    return metric.measure(metric.read_predictions(paths[1], target), target)


def test_a_category_that_the_file_does_not_have(written, small) -> None:
    with pytest.raises(InputError, match=r"category 5, asked for, is not among its categories \(1( \(person\))?\)"):
        CocoKeypointAP((0.1,) * 3, category=5).read_target(written(*small)[0])


def test_boxes_in_the_results_give_the_detections_areas(written) -> None:
    truth, results = case(8, images=20)
    rng = np.random.default_rng(0)
    for row in results:
        row["bbox"] = rng.uniform(1, 200, 4).tolist()
    paths = written(truth, results)
    ours, theirs = both(paths)
    assert ours == theirs
    metric = CocoKeypointAP()
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    assert "own boxes" in metric.summarise(state, 0)[0].quantity.description


def test_nothing_found_gives_zeros(written) -> None:
    ours, theirs = both(written(case(3)[0], []))
    assert ours == theirs
    assert ours[0] == 0


@pytest.mark.parametrize("name", ["evaluate_oks_nms_0.9", "evaluate_soft", "evaluate_oks_nms_0.5_vis_0.4"])
def test_official_runs_are_reproduced(name: str, golden, written) -> None:
    record = golden("pose/protocol/nms.json")
    run = record[name]
    results = [
        {
            "image_id": image,
            "category_id": 1,
            "score": score,
            "keypoints": np.array(record["persons"]["preds"][person]).ravel().tolist(),
        }
        for person, score, image in zip(
            run["kept_person_in_result_order"], run["final_score"], run["image_id"], strict=True
        )
    ]
    truth = {**record["ground_truth"], "categories": [{"id": 1, "name": "person"}]}  # the record names none
    ours, theirs = both(written(truth, results))
    assert ours == theirs == list(run["stats"].values())


@pytest.mark.realdata
def test_real_people_equal_pycocotools_to_the_last_bit(realdata: Path, tmp_path: Path) -> None:
    truth = realdata / "coco/annotations/person_keypoints_val2017.json"
    content = json.loads(truth.read_text())
    rng = np.random.default_rng(0)
    rows = []
    for person in content["annotations"]:
        for _ in range(3):
            points = np.array(person["keypoints"], float).reshape(-1, 3)
            points[:, :2] += rng.normal(0, rng.exponential(0.08) * person["area"] ** 0.5, (17, 2))
            rows.append({"image_id": person["image_id"], "category_id": 1, "score": round(rng.random(), 2),
                         "keypoints": points.ravel().tolist()})  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps(rows))
    ours, theirs = both((truth, path))
    assert ours == theirs
    assert 0.1 < ours[0] < 0.9
    for path in sorted((realdata / "coco/expected").glob("*.json")):
        ours, theirs = both((truth, path))
        assert ours == theirs


def test_a_number_that_does_not_exist_says_why(written, small) -> None:
    truth, results = small
    truth["annotations"] = truth["annotations"][:1]
    metric = CocoKeypointAP((0.1, 0.1, 0.1))
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    scores = {score.quantity.name: score for score in metric.summarise(state, 50)}
    # pycocotools adds the spacing of 1 to every denominator, so that a perfect first detection is not quite 1
    assert scores["AP"].value == scores["APM"].value == 1 / (1 + np.spacing(1))
    assert scores["AP"].n == 1
    large = scores["APL"]
    assert (large.value, large.interval, large.n) == (None, None, 0)
    assert "no annotated person of large area" in str(large.reason) and "2 images" in str(large.reason)
    assert metric.raw(state)[4] == -1


def test_perfect_and_absent_detections(written, small) -> None:
    truth, results = small
    metric = CocoKeypointAP((0.1, 0.1, 0.1))
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    # one of two people found, first of all: precision 1 up to recall 0.5, that is at 51 of 101 recalls
    assert metric.raw(state)[0] == pytest.approx(51 / 101)
    assert metric.raw(state)[5] == 0.5
    # the false detection lies behind the find in its image and costs it nothing
    assert metric.qualities(state) == {5: 1.0, 9: 0.0}


def test_confident_false_detections_lower_the_quality(written, small) -> None:
    truth, results = small
    results[1]["score"] = 0.95
    metric = CocoKeypointAP((0.1, 0.1, 0.1))
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    qualities = metric.qualities(metric.measure(metric.read_predictions(paths[1], target), target))
    assert qualities == {5: 0.5, 9: 0.0}


def test_images_without_people_have_no_quality(written, small) -> None:
    truth, results = small
    truth["annotations"][1]["num_keypoints"] = 0
    truth["images"].append({"id": 77})
    metric = CocoKeypointAP((0.1, 0.1, 0.1))
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    assert set(metric.qualities(metric.measure(metric.read_predictions(paths[1], target), target))) == {5}


def test_unknown_images_are_refused(written, small) -> None:
    metric = CocoKeypointAP((0.1, 0.1, 0.1))
    paths = written(*small)
    target = metric.read_target(paths[0])
    predictions = metric.read_predictions(paths[1], target)
    with pytest.raises(InputError, match=r"image 6, asked for, is not among its 2 images"):
        metric.measure(predictions, target, [5, 6])


@pytest.mark.parametrize("sigmas", [(), (0.1, 0.0), (0.1, float("nan")), (-1.0,)])
def test_sigmas_must_be_positive(sigmas) -> None:
    with pytest.raises(UsageError, match="one positive number per joint"):
        CocoKeypointAP(sigmas)


def test_what_is_written_is_read_back(written, small, tmp_path: Path) -> None:
    truth, results = small
    metric = CocoKeypointAP((0.1, 0.1, 0.1))
    paths = written(truth, results)
    out = tmp_path / "out.json"
    as_numpy = {**results[1], "keypoints": np.array(results[1]["keypoints"], np.float32), "score": np.float32(0.8)}
    metric.write_predictions(iter([Prediction(9, []), Prediction(5, [results[0], as_numpy])]), out)
    assert json.loads(out.read_text()) == [results[0], {**results[1], "score": float(np.float32(0.8))}]
    target = metric.read_target(paths[0])
    assert len(metric.read_predictions(out, target).keypoints) == 2
    metric.write_predictions([], out)
    assert json.loads(out.read_text()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": float("nan")}, "row 0: score is nan"),
        ({"keypoints": [1.0, float("inf"), 0.0] * 3}, r"row 0: keypoints\[1\] is inf"),
        ({"keypoints": [1.0, 2.0]}, "2 numbers in keypoints; 3 joints need 9"),
        ({"center": object()}, "cannot be written as JSON"),
    ],
)
def test_unwritable_rows_leave_the_old_file(change, says, small, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("before")
    row = {**small[1][0], **change}
    with pytest.raises(InputError, match=says):
        CocoKeypointAP((0.1,) * 3).write_predictions([Prediction(5, [row])], out)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_rows_without_a_score_are_refused(small, tmp_path: Path) -> None:
    row = {key: value for key, value in small[1][0].items() if key != "score"}
    with pytest.raises(InputError, match="'score' is missing"):
        CocoKeypointAP((0.1,) * 3).write_predictions([Prediction(5, [row])], tmp_path / "out.json")


def test_a_folder_that_is_a_file(small, tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(UsageError, match=r"out\.json: cannot be written"):
        CocoKeypointAP((0.1,) * 3).write_predictions([Prediction(5, small[1])], tmp_path / "no" / "out.json")
