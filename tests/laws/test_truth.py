"""What a data set shows as its ground truth is what its metrics hold predictions to, in the same frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_sets import drawn_with

from hrbench import catalog
from hrbench.contracts import Renders, ShowsTruth
from hrbench.core import plugins
from hrbench.fetch.data import folder_of
from hrbench.suite.registry import protocol_for
from hrbench.types import Prediction, Sample

ROWS = {name: row for name, row in catalog.datasets().items() if row.draw and row.task != "classification"}


def predicted(sample: Sample, truth: Any, category: int | None) -> Prediction:
    """The truth of a sample as a network would predict it, sure of all."""
    if isinstance(truth, np.ndarray):
        return Prediction(sample.id, np.where(truth < 255, truth, 0).astype(np.uint8))
    given = {"image_id": sample.id, "score": 1.0, **({} if category is None else {"category_id": category})}
    people = sample.content or [None] * len(truth)
    rows = [
        {**given, **row, **({} if person is None else {"index": person.index})}
        for row, person in zip(truth, people, strict=True)
        if not row.get("iscrowd")
    ]
    return Prediction(sample.id, rows)


@pytest.mark.parametrize("name", ROWS)
def test_it_is_scored_as_perfect_and_can_be_drawn(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    with drawn_with(6):
        plugins.resolve("hrbench.datasets", row.draw)(folder_of(row, tmp_path))
    dataset = plugins.resolve("hrbench.datasets", row.use)(tmp_path, **row.args)
    assert isinstance(dataset, ShowsTruth)
    protocol = {**protocol_for(row), **({"boxes": "ground_truth"} if row.task == "pose" else {})}
    samples = list(dataset.samples(protocol))
    truth = dataset.truth(samples)
    assert list(truth) == [sample.id for sample in samples]
    category = dataset.scheme.category if row.task == "pose" else None
    for metric in row.metrics:
        scorer = plugins.resolve("hrbench.metrics", metric)(**dataset.metric_options())
        file = tmp_path / scorer.prediction_file
        scorer.write_predictions([predicted(sample, truth[sample.id], category) for sample in samples], file)
        target = scorer.read_target(dataset.target)
        found = scorer.summarise(scorer.measure(scorer.read_predictions(file, target), target), resamples=0)
        scores = {one.quantity.name: one.value for one in found}
        assert scores[scorer.main] == pytest.approx(1.0, abs=1e-9), metric
    variant = next(variant for variant in catalog.variants().values() if variant.task == row.task)
    task = plugins.resolve("hrbench.tasks", row.task)(variant, dataset, protocol)
    assert isinstance(task, Renders)
    task.draw(samples[0], truth[samples[0].id], tmp_path / "truth.png")
    task.draw(samples[0], type(truth[samples[0].id])() if row.task != "segmentation" else np.full((8, 8), 255),
              tmp_path / "nothing.png")  # fmt: skip
    shown, empty = (cv2.imread(str(tmp_path / f"{which}.png")) for which in ("truth", "nothing"))
    assert shown is not None and empty is not None
    assert shown.shape != empty.shape or (shown != empty).any()
