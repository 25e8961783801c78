"""PCK by hand: two people in a picture and one in another, each reference, and every way an option can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from hrbench.catalog import datasets
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.datasets.mpii import Mpii
from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.skeletons import COCO_SIGMAS, skeleton_named
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.metrics.points.keypoint_pck import Pck
from hrbench.runner.prepare import metric_of
from hrbench.runner.score import metric_args_of, score_file
from hrbench.types import Prediction

LEFT_SHOULDER, RIGHT_HIP = 5, 12
MPII_JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip


def joints(x: float) -> np.ndarray:
    """(17, 3): joint j at (x, 10 j); left shoulder to right hip is 70 px."""
    return np.stack([np.full(17, x), 10.0 * np.arange(17), np.full(17, 2.0)], axis=1)


def person(number: int, image: int, x: float, **more: Any) -> dict[str, Any]:
    row = {"id": number, "image_id": image, "category_id": 1, "area": 4000.0, "iscrowd": 0, "num_keypoints": 17}
    return {**row, "bbox": [x - 20, 0, 40, 200], "keypoints": joints(x).ravel().tolist(), **more}


def guess(image: int, x: float, dx: float = 0.0, **more: Any) -> dict[str, Any]:
    moved = joints(x) + np.array([dx, 0.0, 0.0])
    return {"image_id": image, "category_id": 1, "keypoints": moved.ravel().tolist(), "score": 0.5, **more}


PEOPLE = [person(1, 7, 100), person(2, 7, 300), person(3, 9, 100)]


def scored(folder: Path, people: list, results: list, images: list | None = None, **options: Any) -> dict[str, Any]:
    content = {
        "images": [{"id": 7}, {"id": 9}, {"id": 11}],
        "annotations": people,
        "categories": [{"id": 1, "name": "person"}],
    }
    (folder / "truth.json").write_text(json.dumps(content))
    (folder / "results.json").write_text(json.dumps(results))
    metric = Pck(**options)
    target = metric.read_target(folder / "truth.json")
    found = metric.read_predictions(folder / "results.json", target)
    state = metric.measure(found, target, images)
    scores = {one.quantity.name: one for one in metric.summarise(state, 0)}
    checked = metric.verify(folder / "truth.json", folder / "results.json", images)
    assert {name: one.value for name, one in scores.items()} == {n: None if v != v else v for n, v in checked.items()}
    return {**scores, "notes": {note.kind: note for note in metric.input_notes(found, target, state)}}


def test_each_row_is_held_to_the_person_it_is_like(tmp_path: Path) -> None:
    """In whatever order rows stand: 9 px off is within 0.05 of a box of 200, and 10 px is not."""
    rows = [guess(9, 100, 10), guess(7, 300, 9), guess(7, 100)]
    found = scored(tmp_path, PEOPLE, rows)
    assert found["pck@0.05"].value == pytest.approx(2 / 3) and found["pck@0.05"].n == 51
    assert found["pck@0.2"].value == 1 and found["epe"].value == pytest.approx(19 / 3) and found["epe"].n == 51
    assert found["notes"] == {}


@pytest.mark.parametrize(("reference", "size"), [("box", 200.0), ("torso", 70.0)])
def test_the_reference_is_what_thresholds_are_of(tmp_path: Path, reference: str, size: float) -> None:
    for share, right in ((0.49, 1.0), (0.51, 0.0)):
        rows = [guess(9, 100, share * size)]
        found = scored(tmp_path, PEOPLE[2:], rows, reference=reference, thresholds=0.5)
        assert found["pck@0.5"].value == right


def test_the_area_is_of_thirty_pixels_or_of_the_reference(tmp_path: Path) -> None:
    rows = [guess(9, 100, 14.9)]  # below 15/30, so above the thresholds 0 to 9 of 20
    assert scored(tmp_path, PEOPLE[2:], rows)["auc"].value == pytest.approx(10 / 20)
    assert scored(tmp_path, PEOPLE[2:], rows, curve_size="reference", curve_steps=10)["auc"].value == pytest.approx(0.9)
    assert scored(tmp_path, PEOPLE[2:], rows, curve_size=15, curve_steps=4)["auc"].value == 0


def test_the_mean_over_joints_is_not_that_over_all_of_them(tmp_path: Path) -> None:
    """Nose shown by one of two people, and wrong: a joint with one point weighs as much as one with two."""
    hidden = joints(100)
    hidden[0] = 0
    people = [PEOPLE[2], person(4, 7, 100, keypoints=hidden.ravel().tolist(), num_keypoints=16)]
    off = joints(100)
    off[0, 0] += 500
    rows = [guess(7, 100), guess(9, 100, keypoints=off.ravel().tolist())]
    found = scored(tmp_path, people, rows, per_joint=True)
    assert found["pck@0.2"].value == pytest.approx(16 / 17) and found["pck_points@0.2"].value == pytest.approx(32 / 33)
    assert found["pck@0.2/nose"].value == 0 and found["pck@0.2/nose"].n == 1 and found["pck@0.2/left_eye"].n == 2
    assert found["epe/nose"].value == 500 and found["epe"].value == pytest.approx(500 / 33)


def test_who_has_no_prediction_is_wrong_and_who_is_nobody_is_told(tmp_path: Path) -> None:
    rows = [guess(7, 100), guess(7, 101), guess(7, 99), guess(11, 50)]
    found = scored(tmp_path, PEOPLE, rows, thresholds=[0.2])
    assert found["pck@0.2"].value == pytest.approx(1 / 3)  # who stands at 300 gets a row that is far away
    assert found["notes"]["unpredicted_people"].count == 1 and found["notes"]["unpaired_predictions"].count == 2
    assert found["epe"].n == 34


def test_who_has_no_torso_is_in_the_error_alone(tmp_path: Path) -> None:
    hidden = joints(100)
    hidden[RIGHT_HIP] = 0
    people = [PEOPLE[0], person(3, 9, 100, keypoints=hidden.ravel().tolist(), num_keypoints=16)]
    found = scored(tmp_path, people, [guess(7, 100), guess(9, 100, 3)], reference="torso")
    assert found["pck@0.05"].n == 17 and found["pck@0.05"].value == 1 and found["epe"].value == pytest.approx(48 / 33)
    assert found["notes"]["people_without_reference"].count == 1


def test_crowds_and_people_without_joints_are_not_judged(tmp_path: Path) -> None:
    crowd = person(5, 9, 200, iscrowd=1)
    empty = person(6, 9, 200, keypoints=[0] * 51, num_keypoints=0)
    found = scored(tmp_path, [*PEOPLE, crowd, empty], [guess(9, 200), guess(9, 100), guess(7, 100), guess(7, 300)])
    assert found["pck@0.05"].value == 1 and found["pck@0.05"].n == 51
    assert found["notes"]["unpaired_predictions"].count == 1


def test_nothing_annotated_is_no_number(tmp_path: Path) -> None:
    found = scored(tmp_path, PEOPLE, [], images=[11])
    assert found["pck@0.05"].value is None and str(found["pck@0.05"].reason) == "no joint is visible"
    assert str(found["epe"].reason) == "no joint is visible that has a prediction"
    found = scored(tmp_path, PEOPLE, [])
    assert found["pck@0.05"].value == 0 and found["epe"].value is None


def mpii(folder: Path, off: np.ndarray) -> Path:
    """Three people in two pictures, head boxes of 60 x 80 px over 0.6; predictions `off` (3, 16, 2) px beside them."""
    position, heads = np.zeros((16, 2, 3)), np.zeros((2, 2, 3))
    position[:, 0], position[:, 1] = 10 * np.arange(16)[:, None], 50
    heads[1] = np.array([60, 80])[:, None] / 0.6
    names = np.empty((1, 16), object)
    names[0] = MPII_JOINTS
    content = {"dataset_joints": names, "jnt_missing": np.zeros((16, 3), np.uint8), "pos_gt_src": position}
    savemat(folder / "gt_valid.mat", {**content, "headboxes_src": heads})
    people = [{"image": name, "scale": scale} for name, scale in (("b.jpg", 1.0), ("a.jpg", 0.5), ("b.jpg", 1.0))]
    (folder / "valid.json").write_text(json.dumps(people))
    points = np.concatenate([position.transpose(2, 0, 1) - 1 + off, np.ones((3, 16, 1))], axis=2)
    np.save(folder / "predictions.npy", points)
    rows = [{"index": n, "keypoints": one.ravel().tolist()} for n, one in enumerate(points)]
    Pck().write_predictions([Prediction("a.jpg", rows[1:2]), Prediction("b.jpg", rows[::2])], folder / "rows.json")
    return folder


@pytest.mark.parametrize("file", ["predictions.npy", "rows.json"])
@pytest.mark.parametrize(
    ("reference", "size"),
    [
        ("head", (100, 100, 100)),
        ("box", (200, 100, 200)),
        ("torso", (110, 110, 110)),
        ("head_segment", (10, 10, 10)),
    ],
)
def test_mpii_has_all_four_references(tmp_path: Path, reference: str, size: tuple, file: str) -> None:
    off = np.zeros((3, 16, 2))
    off[:, :, 1] = np.array([0.49, 0.51, 0.0])[:, None] * np.array(size)[:, None]
    folder = mpii(tmp_path, off)
    judged = score_file("pck", ground_truth=folder, predictions=folder / file, verify=True,
                        options={"reference": reference, "thresholds": [0.5]})  # fmt: skip
    values = {one.quantity.name: one.value for one in judged.scores}
    assert values["pck@0.5"] == pytest.approx(2 / 3) and "bit for bit" in judged.verdict
    assert judged.state.arrays["image"].tolist() == ["a.jpg", "b.jpg"] and judged.scores[0].n == 48


def test_a_list_of_mpii_people_without_scales_is_refused(tmp_path: Path) -> None:
    folder = mpii(tmp_path, np.zeros((3, 16, 2)))
    for text, told in (
        ('[{"image": "a"}, {"image": "a"}, {"image": "a"}]', "'scale' is no positive number"),
        ("[]", "should list the 3 people"),
        ("[", "not valid JSON"),
    ):
        (folder / "valid.json").write_text(text)
        with pytest.raises(InputError, match=told):
            Pck(reference="box").read_target(folder)
    (folder / "valid.json").unlink()
    assert Pck(reference="head").read_target(folder).images.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"index": 0}', "no list of rows"),
        ('[{"index": 3, "keypoints": []}]', "index 3 occurs twice, or is no row of the 3 people"),
        ('[{"index": 0, "keypoints": [1.0]}]', "person 0 has 1 numbers in keypoints; 16 joints need 48"),
    ],
)
def test_faults_of_rows_are_named(tmp_path: Path, text: str, told: str) -> None:
    folder = mpii(tmp_path, np.zeros((3, 16, 2)))
    (folder / "rows.json").write_text(text)
    with pytest.raises(InputError, match=told):
        Pck(reference="head").read_predictions(folder / "rows.json", Pck(reference="head").read_target(folder))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reference": "feet"}, "reference 'feet'"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [0.5, 0.5]}, "each once"),
        ({"thresholds": [0.5, 0.50000001]}, "each once in six digits"),
        ({"thresholds": "0.5"}, "thresholds"),
        ({"curve_size": 0}, "curve_size"),
        ({"curve_steps": 0}, "curve_steps"),
        ({"curve_steps": True}, "curve_steps"),
        ({"torso": ["nose"]}, "name two joints"),
        ({"origin": 2}, "origin"),
        ({"head": "nose"}, "head 'nose': name two joints"),
        ({"unseen": "hide"}, "unseen: keep or drop"),
        ({"frames": "some"}, "frames: all or labelled"),
        ({"skeleton": "poser"}, "skeleton 'poser'"),
    ],
)
def test_options_say_what_they_take(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Pck(**options)


def test_a_reference_that_a_file_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="annotates no head boxes"):
        scored(tmp_path, PEOPLE, [], reference="head")
    with pytest.raises(UsageError, match="name the two joints in option torso"):
        few = [person(1, 7, 100, keypoints=joints(100)[:3].ravel().tolist(), num_keypoints=3)]
        scored(tmp_path, few, [], reference="torso", sigmas=[0.1, 0.1, 0.1])
    with pytest.raises(UsageError, match="torso 'knee': no such joint"):
        scored(tmp_path, PEOPLE, [], reference="torso", torso=["knee", "nose"])
    named = scored(tmp_path, PEOPLE[2:], [guess(9, 100, 4)], reference="torso", torso=["nose", 1], thresholds=[0.5])
    assert named["pck@0.5"].value == 1  # of 10 px


def test_the_head_segment_lies_between_two_joints(tmp_path: Path) -> None:
    """PoseTrack18's head bottom and top are its second and third joint: 10 px apart here."""
    options: dict[str, Any] = {"reference": "head_segment", "thresholds": [0.5], "skeleton": "posetrack18"}
    for dx, right in ((4.99, 1.0), (5.0, 0.0)):
        found = scored(tmp_path, PEOPLE[2:], [guess(9, 100, dx)], **options)
        assert found["pck@0.5"].value == right and found["pck@0.5"].n == 17
    assert "0.5 x the distance from the top of the head to its lower end" in found["pck@0.5"].quantity.description
    named = scored(tmp_path, PEOPLE[2:], [guess(9, 100, 9.9)], **{**options, "head": ["head top", 4]})
    assert named["pck@0.5"].value == 1  # of 20 px
    hidden = joints(100)
    hidden[2] = 0
    lacking = scored(tmp_path, [person(1, 9, 100, keypoints=hidden.ravel().tolist())], [guess(9, 100)], **options)
    assert lacking["pck@0.5"].value is None and lacking["notes"]["people_without_reference"].count == 1


@pytest.mark.parametrize("name", ["posetrack18-val", "crowdpose-test", "crowdpose-val", "aic-val", "halpe-val"])
def test_rows_of_sets_with_heads_name_their_ends(name: str) -> None:
    args = datasets()[name].args
    metric = Pck(**args["metric_args"]["pck"])
    assert metric.reference == "head_segment" and metric.skeleton is skeleton_named(args["skeleton"])
    ends = metric.ends["head"]
    assert ends is not None and {str(end).replace("_", " ") for end in ends} < set(metric.skeleton.names)


def test_a_set_without_a_head_has_no_head_segment(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"other names than head_top and head_bottom, .*in option head, of nose, "):
        scored(tmp_path, PEOPLE, [], reference="head_segment")
    with pytest.raises(UsageError, match="head 'neck': no such joint"):
        scored(tmp_path, PEOPLE, [], reference="head_segment", head=["nose", "neck"])
    with pytest.raises(UsageError, match="skeleton: crowdpose has 14 joints, and sigmas are 17"):
        Pck(skeleton="crowdpose", sigmas=COCO_SIGMAS)


def test_files_without_images_have_empty_numbers(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}')
    (tmp_path / "results.json").write_text("[]")
    metric = Pck()
    target = metric.read_target(tmp_path / "truth.json")
    state = metric.measure(metric.read_predictions(tmp_path / "results.json", target), target)
    assert {str(one.reason).partition(" that")[0] for one in metric.summarise(state)} == {"no joint is visible"}


def test_joints_in_another_order_and_people_that_do_not_count_are_told(tmp_path: Path) -> None:
    people = [person(1 + n, 7, 100 + 300 * n, num_keypoints=17 * (n > 0)) for n in range(30)]
    turned = [one | {"keypoints": joints(100 + 300 * n)[:, [1, 0, 2]].ravel().tolist()} for n, one in
              enumerate([guess(7, 0)] * 30)]  # fmt: skip
    notes = scored(tmp_path, people, turned)["notes"]
    assert "y, x" in notes["misread_joints"].what and notes["num_keypoints"].count == 1


def test_a_category_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="category 5, asked for, is not among its categories"):
        scored(tmp_path, PEOPLE, [], category=5)


def test_a_skeleton_says_how_many_joints_there_are() -> None:
    for metric in (Pck, CocoKeypointAP):
        assert metric(skeleton="crowdpose").sigmas == skeleton_named("crowdpose").sigmas
        assert metric(skeleton="crowdpose", sigmas=[0.1] * 14).sigmas == (0.1,) * 14
        with pytest.raises(UsageError, match=r"skeleton \['crowdpose'\]: did you mean crowdpose"):
            metric(skeleton=["crowdpose"])


def test_frames_without_labels_and_people_without_a_seen_joint(tmp_path: Path) -> None:
    unseen = joints(100)
    unseen[:, 2] = 0
    results = [guess(9, 100, keypoints=unseen.ravel().tolist()), guess(9, 100, 30)]
    kept, dropped = (scored(tmp_path, PEOPLE[2:], results, unseen=how, thresholds=[0.1]) for how in ("keep", "drop"))
    assert (kept["pck@0.1"].value, dropped["pck@0.1"].value) == (1, 0)
    assert dropped["notes"]["unseen"].count == 1 and "unseen" not in kept["notes"]
    truth = json.loads((tmp_path / "truth.json").read_text())
    truth["images"][0]["is_labeled"] = False
    (tmp_path / "truth.json").write_text(json.dumps({**truth, "annotations": PEOPLE}))
    target = Pck(frames="labelled").read_target(tmp_path / "truth.json")
    assert target.images.tolist() == [9, 11] and len(target.row) == 1


def test_a_data_set_gives_the_metric_its_own_options(tmp_path: Path) -> None:
    told = {"pck": {"reference": "torso", "thresholds": [0.1]}}
    for dataset in (Mpii(tmp_path, metric_args=told), CocoKeypointsDataset(tmp_path, metric_args=told)):
        assert "pck" not in dataset.metric_args.get("coco-keypoints", {})
        assert metric_args_of("pck", dataset) == told["pck"] and metric_args_of("mpii-pckh", dataset) == {}
    metric = metric_of("pck", Mpii(tmp_path, origin=1, metric_args=told))
    assert isinstance(metric, Pck) and (metric.reference, metric.main, metric.origin) == ("torso", "pck@0.1", 1)
