"""The metrics of label maps against records of the official code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from record_dice import CLASSES, drawn

from hrbench.metrics.labels.cityscapes import IDS, CityscapesIoU
from hrbench.metrics.labels.cityscapes_labels import LABELS
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.types import Prediction

DICTIONARIES = {
    "IoU": "classScores",
    "iIoU_class": "classInstScores",
    "IoU_category": "categoryScores",
    "iIoU_category": "categoryInstScores",
}
MEANS = {
    "mIoU": "averageScoreClasses",
    "iIoU_class": "averageScoreInstClasses",
    "IoU_category": "averageScoreCategories",
    "iIoU_category": "averageScoreInstCategories",
}
FOLDER = "seg_cls_det/protocol"


def assert_recorded(values: dict[str, float | None], result: dict[str, Any]) -> None:
    expected = {name: result[key] for name, key in MEANS.items()}
    for kind, key in DICTIONARIES.items():
        expected |= {f"{kind}/{part}": value for part, value in result[key].items()}
    for name, value in expected.items():
        assert values.get(name) == value, name


def test_cityscapes_evaluation(golden, golden_folder: Path) -> None:
    record, folder, metric = golden(f"{FOLDER}/cityscapes_pixel_eval.json"), golden_folder / FOLDER, CityscapesIoU()
    target = metric.read_target(folder / "cityscapes_mini/gtFine/val")
    predictions = metric.read_predictions(folder / "cityscapes_mini/results", target)
    assert predictions.kind == "ids"

    def values(images: list[int] | None) -> dict[str, float | None]:
        names = list(target.labels)
        state = metric.measure(predictions, target, None if images is None else [names[image] for image in images])
        return {score.quantity.name: score.value for score in metric.summarise(state, 0)}

    assert metric.matrix(metric.measure(predictions, target)).tolist() == record["result"]["confMatrix"]
    assert_recorded(values(None), record["result"])
    assert record["subsets"]
    for subset in record["subsets"]:
        assert_recorded(values(subset["images"]), subset["result"])
    assert {label.name: label.size for label in LABELS if label.size} == record["avgClassSize"]


def labels_of(fill, case: dict[str, Any], name: str) -> np.ndarray:
    height, width = case["label"]["size"]
    values = np.array(case["label"]["values"])
    noise = fill.image((-(-height // 8), -(-width // 8)), 0, name)
    blocks = values[np.floor(np.abs(noise) * 1e6).astype(np.int64) % len(values)]
    return np.kron(blocks, np.ones((8, 8), np.int64))[:height, :width]


@pytest.mark.parametrize("number", range(3))
def test_training_code_s_numbers(number: int, golden, fill, tmp_path: Path) -> None:
    record = golden(f"{FOLDER}/confusion_miou.json")
    assert len(record["cases"]) == 3
    case = record["cases"][number]
    classes, offset = case["classes"], -min(0, case["ignore"])  # a PNG holds no -1: labels are moved up by one
    labels = np.stack([labels_of(fill, case, name) for name in case["label"]["names"]])
    scores = fill.image((len(labels), classes, *case["label"]["size"]), 0, "score")
    image, y, x = np.nonzero(labels != case["ignore"])
    scores[image, labels[image, y, x], y, x] += 2.0
    (tmp_path / "labels").mkdir()
    for name, one in zip(case["label"]["names"], labels, strict=True):
        Image.fromarray((one + offset).astype(np.uint8)).save(tmp_path / f"labels/{name}.png")
    ids = range(offset, classes + offset)
    metric = MeanIoU(ids=ids, ignore=(case["ignore"] + offset,))
    guesses = zip(case["label"]["names"], scores.argmax(axis=1), strict=True)
    metric.write_predictions((Prediction(name, guess) for name, guess in guesses), tmp_path / "results")
    target = metric.read_target(tmp_path / "labels")
    state = metric.measure(metric.read_predictions(tmp_path / "results", target), target)
    assert metric.matrix(state)[:, :classes].tolist() == case["confusion"]
    found = {score.quantity.name: score for score in metric.summarise(state, 0)}
    assert found["mIoU_training"].value == case["mean_IoU"]
    assert found["pixel_acc"].value == case["pixel_acc"]
    assert found["mean_acc_training"].value == case["mean_acc"]
    for index, value in enumerate(case["IoU_array"]):
        assert (found[f"IoU/{index}"].value or 0.0) == value


def test_train_ids_of_the_record_are_those_of_the_metric(golden) -> None:
    record = golden(f"{FOLDER}/confusion_miou.json")
    assert [label.train for label in LABELS] == record["cityscapes_id_to_trainid"]
    assert list(IDS) == record["cityscapes_trainid_to_id"]


RECORDED_DICE = {
    ("left_out", "set"): ("torchmetrics global macro", "torchmetrics global none"),
    ("left_out", "image"): ("torchmetrics samplewise macro", "torchmetrics samplewise none"),
    ("one", "set"): ("smp macro", None),
    ("one", "image"): ("monai ignore_empty=False mean", "monai ignore_empty=False mean_batch"),
}
"""What is told of an empty class, over what -> the recorded mean, and the numbers of the classes."""


@pytest.mark.parametrize("rule", RECORDED_DICE, ids="-".join)
def test_dice_is_that_of_the_package_with_this_convention(rule: tuple[Any, Any], golden, tmp_path: Path) -> None:
    """To 1e-6, since they count in float32."""
    record = golden(f"{FOLDER}/dice.json")
    metric = MeanIoU(classes=CLASSES, dice=rule[0], dice_over=rule[1], labels="indices")
    (tmp_path / "truth").mkdir(), (tmp_path / "found").mkdir()
    for number, maps in enumerate(zip(*drawn(), strict=True)):
        for place, one in zip(("truth", "found"), maps, strict=True):
            Image.fromarray(one.astype(np.uint8)).save(tmp_path / place / f"{number}.png")
    target = metric.read_target(tmp_path / "truth")
    scores = metric.summarise(metric.measure(metric.read_predictions(tmp_path / "found", target), target), resamples=0)
    found = {score.quantity.name: score.value for score in scores}
    mean, classes = (record[name] if name else None for name in RECORDED_DICE[rule])
    assert found["mDice"] == pytest.approx(np.ravel(mean)[0], abs=1e-6)
    for label, value in enumerate(classes or ()):
        assert found[f"Dice/{label}"] == (None if value is None else pytest.approx(value, abs=1e-6))
    assert rule[1] == "set" or record["smp macro-imagewise"] == pytest.approx(
        record["monai ignore_empty=False mean"][0], abs=1e-6
    )
    if rule == ("left_out", "set"):
        assert [found[f"Dice/{label}"] for label in range(CLASSES)] == record["medpy"]
