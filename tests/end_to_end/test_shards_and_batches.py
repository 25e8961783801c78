"""Segmentation, detection and classification from a suite to scores, on a few drawn images and trained networks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from seeds import some

import hrbench
from hrbench.cli.command_line import main
from hrbench.miniature.generate import object_dataset, shape_dataset, street_dataset
from hrbench.runner import pipeline
from hrbench.runner.precomputed import prediction_file
from hrbench.runner.prepare import Assembled, assemble, load_network
from hrbench.runner.settings import Settings
from hrbench.types import Prediction, Result

pytestmark = pytest.mark.numeric

SUITE = """
suite: tasks
defaults: {resamples: 60, cost: {operations: false, latency: false}}
entries:
  - name: segmentation
    model: seg_hrnet_miniature_cityscapes
    dataset: {use: cityscapes, folder: streets}
    metrics: [cityscapes, miou]
  - name: windows
    model: seg_refinenet_miniature_cityscapes
    dataset: {use: cityscapes, folder: streets, interval: group}
    protocol: {scales: [0.75, 1.0], flip: true}
  - {name: boxes, model: retinanet_spinenet_miniature_coco, dataset: {use: coco-instances, folder: objects}}
  - {name: masks, model: mask_rcnn_hrnetv2p_miniature_coco, dataset: {use: coco-instances, folder: objects}}
  - {name: classification, model: cls_hrnet_miniature_imagenet, dataset: {use: image-folders, folder: shapes}}
"""
RESAMPLES = 60
NAMES = ("segmentation", "windows", "boxes", "masks", "classification")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data, the suite, and its run in `run`."""
    folder = tmp_path_factory.mktemp("tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(street_dataset, "IMAGES", 6)
        patch.setattr(object_dataset, "IMAGES", 8)
        patch.setattr(shape_dataset, "TEST_IMAGES", 20)
        street_dataset.generate(folder / "data" / "streets")
        object_dataset.generate(folder / "data" / "objects")
        shape_dataset.generate_imagenet(folder / "data" / "shapes")
    (folder / "suite.yaml").write_text(SUITE)
    assert run(folder, "--in-process") == 0
    yield folder


def run(folder: Path, *more: str, out: str = "run") -> int:
    places = ["--data", str(folder / "data"), "--out", str(folder / out), "--device", "cpu"]
    return main(["run", str(folder / "suite.yaml"), *places, "--plain", *more])


def result(folder: Path, name: str, out: str = "run") -> Result:
    return next(one for one in hrbench.load(folder / out) if one.name == name)


def parts(folder: Path, name: str) -> Assembled:
    entries = {entry.name: entry for entry in hrbench.load_suite(folder / "suite.yaml").entries}
    return assemble(entries[name], Settings(data=folder / "data", device="cpu"))


@pytest.mark.parametrize("name", some(NAMES, later=["boxes"]))
def test_shards_give_the_same_scores_and_intervals_bit_for_bit(place, name):
    made = parts(place, name)
    ids = [sample.id for sample in made.dataset.samples(made.entry.protocol)]
    for metric in made.metrics:
        target = metric.read_target(made.dataset.target)
        predictions = metric.read_predictions(prediction_file(metric, Path(result(place, name).folder)), target)
        whole = metric.summarise(metric.measure(predictions, target), RESAMPLES)
        assert whole == metric.summarise(metric.measure(predictions, target, ids), RESAMPLES)
        assert sorted(score.quantity.name for score in whole) == sorted(
            score.quantity.name for score in result(place, name).scores if score.metric == metric.name
        )
        assert any(score.interval is not None and score.interval[0] < score.interval[1] for score in whole)
        for shards in (2, 7):
            states = [metric.measure(predictions, target, ids[number::shards]) for number in range(shards)]
            random.Random(shards).shuffle(states)
            assert metric.summarise(metric.merge(states), RESAMPLES) == whole
            halves = [metric.merge(states[:1]), metric.merge(states[1:])]
            assert metric.summarise(metric.merge(halves), RESAMPLES) == whole


def values(prediction: Prediction) -> Any:
    """What a prediction says in numbers that may be compared."""
    value = prediction.value
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, tuple):
        return np.concatenate([np.asarray(part, np.float64) for part in value])
    return np.array([[row["category_id"], row["score"], *row["bbox"]] for row in value])


@pytest.mark.parametrize("name", some(NAMES, later=["boxes"]))
def test_a_batch_of_one_and_one_of_sixteen_predict_the_same(place, name):
    made = parts(place, name)
    net = load_network(made)[0].eval()
    samples = list(made.dataset.samples(made.entry.protocol))[:18]
    one, many = ([*pipeline.predict(made.task, net, samples, batch=batch, workers=0)] for batch in (1, 16))
    assert [prediction.sample for prediction in one] == [prediction.sample for prediction in many]
    for single, together in zip(map(values, one), map(values, many), strict=True):
        if single.dtype.kind == "u":  # of two scores that are equal but for rounding either may be the higher
            assert np.mean(single != together) < 1e-4
        else:
            np.testing.assert_allclose(together, single, rtol=1e-4, atol=1e-4)


def test_a_batch_that_is_found_changes_no_score(place):
    assert run(place, "--set", "batch=auto", "--in-process", out="auto") == 0
    for name in NAMES:
        for score, other in zip(result(place, name).scores, result(place, name, "auto").scores, strict=True):
            assert (score.value is None) == (other.value is None)
            assert score.value is None or score.value == pytest.approx(other.value, abs=1e-3)


def test_a_prediction_of_another_size_is_named_where_it_is_kept(place, tmp_path, capsys):
    (tmp_path / "suite.yaml").write_text(SUITE)
    copied(place / "data" / "streets", tmp_path / "data" / "streets")
    image = next((tmp_path / "data" / "streets" / "leftImg8bit").rglob("*.png"))
    cv2.imwrite(str(image), cv2.imread(str(image))[:-1])
    assert run(tmp_path, "--only", "segmentation", "--in-process") == 3
    (failed,) = hrbench.load(tmp_path / "run")
    said, _, kept = failed.reason.partition(" pixels, its ground truth ")
    assert Path(said.partition(": is ")[0]).is_file() and kept.endswith("entries/segmentation")
    assert failed.status == "failed" and "Traceback" not in capsys.readouterr().out


def copied(source: Path, goal: Path) -> None:
    for path in source.rglob("*.png"):
        other = goal / path.relative_to(source)
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(path.read_bytes())
