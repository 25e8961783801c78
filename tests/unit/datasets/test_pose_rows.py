"""Pose sets of the catalog, drawn in their real layouts: samples, joints, boxes, checks, options that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawn.pose_sets import SETS

from hrbench import catalog
from hrbench.core import plugins
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.skeletons import SKELETONS
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.runner.check_dataset import check_dataset
from hrbench.suite.registry import protocol_for

ROWS = {
    "crowdpose": ("crowdpose-test", "crowdpose"),
    "wholebody": ("coco-wholebody-val", "coco-wholebody"),
    "ochuman": ("ochuman-val", "coco"),
    "ap10k": ("ap10k-val", "ap-10k"),
    "halpe": ("halpe-val", "halpe-136"),
    "aic": ("aic-val", "ai-challenger"),
    "posetrack": ("posetrack18-val", "posetrack18"),
    "aic_original": ("aic-val-original", "ai-challenger"),
    "posetrack_videos": ("posetrack18-val-videos", "posetrack18"),
}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr("drawn.pose_sets.IMAGES", 9)


def test_every_drawn_set_is_tried():
    assert set(ROWS) == set(SETS)


@pytest.mark.parametrize("name", ROWS)
def test_a_set_is_read_in_its_layout(name: str, tmp_path: Path):
    SETS[name](tmp_path)
    row = catalog.datasets()[ROWS[name][0]]
    skeleton = SKELETONS[ROWS[name][1]]
    dataset = plugins.resolve("hrbench.datasets", row.use)(tmp_path / "data", **row.args)
    protocol = protocol_for(row)
    assert dataset.missing(protocol) == []
    scheme = dataset.scheme
    assert (scheme.names, scheme.sigmas, scheme.flip_pairs, scheme.limbs) == (
        skeleton.names, skeleton.sigmas, skeleton.flip_pairs, skeleton.limbs,
    )  # fmt: skip
    facts = dataset.facts()
    images = 8 if name.startswith("posetrack") else 9  # a frame is not labelled
    assert facts["joints"] == len(skeleton.names) and facts["images"] == images and facts["people"] > 10
    shown = list(dataset.samples({**protocol, "boxes": "ground_truth"}))
    people = [person for sample in shown for person in sample.content]
    assert 8 < len(people) <= facts["of these with joints"]
    assert all(
        len(one["keypoints"]) == 3 * len(skeleton.names) for some in dataset.truth(shown).values() for one in some
    )
    findings = {finding.kind: finding.text for finding in check_dataset(row, tmp_path / "data", protocol)}
    assert {"files", "looked", "digest"} <= set(findings) <= {"files", "looked", "sizes", "digest", "note"}
    for metric in row.metrics:
        made = plugins.resolve("hrbench.metrics", metric)(**dataset.metric_options())
        target = made.read_target(dataset.target)
        rows = json.loads((tmp_path / f"{name}.json").read_text())
        state = made.measure(made.read_predictions(tmp_path / f"{name}.json", target), target)
        assert len(state.arrays["image"]) == images and len(rows) > 10
    boxes = row.protocols["top-down"]["boxes"]
    if boxes != "ground_truth":
        detected = [person for some in dataset.people(protocol).values() for person in some]
        assert len(detected) == facts["people"] and all(person.score == 0.9 for person in detected)


def test_animals_keep_their_classes(tmp_path: Path):
    SETS["ap10k"](tmp_path)
    row = catalog.datasets()["ap10k-val"]
    whole = CocoKeypointsDataset(tmp_path / "data", **row.args)
    people = [one for sample in whole.samples({"boxes": "ground_truth"}) for one in sample.content]
    assert {one.category for one in people} == {1, 7, 26}
    assert whole.metric_options()["category"] is None
    truth = whole.truth(whole.samples({"boxes": "ground_truth"}))
    assert {row["category_id"] for rows in truth.values() for row in rows} == {1, 7, 26}
    single = CocoKeypointsDataset(tmp_path / "data", **{**row.args, "categories": "one"})
    alone = [one for sample in single.samples({"boxes": "ground_truth"}) for one in sample.content]
    assert {one.category for one in alone} == {None} and len(alone) < len(people)
    assert single.metric_options()["category"] == 1


def test_frames_that_are_not_labelled_are_left_out(tmp_path: Path):
    SETS["posetrack"](tmp_path)
    args = dict(catalog.datasets()["posetrack18-val"].args)
    dataset = CocoKeypointsDataset(tmp_path / "data", **args)
    assert sorted(sample.id for sample in dataset.samples({"boxes": "ground_truth"})) == [1, 2, 3, 4, 5, 6, 7, 9]
    every = CocoKeypointsDataset(tmp_path / "data", **{**args, "frames": "all"})
    assert len(every.samples({"boxes": "ground_truth"})) == 9
    assert dataset.metric_options()["frames"] == "labelled" and "frames" not in every.metric_options()
    metric = CocoKeypointAP(**dataset.metric_options())
    target = metric.read_target(dataset.target)
    assert target.images.tolist() == [1, 2, 3, 4, 5, 6, 7, 9]
    given = json.loads((tmp_path / "posetrack.json").read_text())
    (tmp_path / "more.json").write_text(json.dumps([*given, {**given[0], "image_id": 8}]))
    with pytest.raises(InputError, match="image_id 8 is not among the images of the ground truth"):
        metric.read_predictions(tmp_path / "more.json", target)
    with pytest.raises(UsageError, match="frames: all or labelled was expected, not 'some'"):
        CocoKeypointAP(frames="some")


def test_the_limbs_that_crowdpose_names_are_not_taken(tmp_path: Path):
    SETS["crowdpose"](tmp_path)
    file = tmp_path / "data/crowdpose/annotations/mmpose_crowdpose_test.json"
    assert max(json.loads(file.read_text())["categories"][0]["skeleton"][0]) > 14
    dataset = CocoKeypointsDataset(tmp_path / "data", **catalog.datasets()["crowdpose-test"].args)
    assert max(max(limb) for limb in dataset.scheme.limbs) < 14


def test_options(tmp_path: Path):
    args = dict(catalog.datasets()["crowdpose-test"].args)
    SETS["crowdpose"](tmp_path)
    options = CocoKeypointsDataset(tmp_path / "data", **args, crowd_bounds=[0.1, 0.8]).metric_options()
    assert options["crowd_bounds"] == [0.1, 0.8] and options["unseen"] == "drop"
    assert options["truth_area"] == "box*0.53" and len(options["sigmas"]) == 14
    own = CocoKeypointsDataset(tmp_path / "data", **args, sigmas=[0.1] * 14, flip_pairs=[["head", "neck"]])
    assert own.scheme.sigmas == (0.1,) * 14 and own.scheme.flip_pairs == ((12, 13),)
    with pytest.raises(UsageError, match="13 sigmas were given for the 14 joints of the skeleton"):
        _ = CocoKeypointsDataset(tmp_path / "data", **args, sigmas=[0.1] * 13).scheme
    with pytest.raises(UsageError, match="categories: one or all was expected, not 'every'"):
        CocoKeypointsDataset(tmp_path, categories="every")
    with pytest.raises(UsageError, match="skeleton 'cocoo': did you mean coco"):
        CocoKeypointsDataset(tmp_path, skeleton="cocoo")
