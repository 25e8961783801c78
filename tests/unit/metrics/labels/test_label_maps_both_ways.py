"""From label maps to states, notes and numbers, compiled and on NumPy: the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import random_streets
from both_ways import take

from hrbench.metrics.labels.cityscapes import CityscapesIoU
from hrbench.metrics.labels.mean_iou import MeanIoU


def judged(metric: CityscapesIoU | MeanIoU, truth: Path, results: Path) -> list[bytes]:
    target = metric.read_target(truth)
    found = metric.read_predictions(results, target)
    state = metric.merge([metric.measure(found, target)])
    arrays = [f"{name} {array.dtype} {array.shape}".encode() + array.tobytes() for name, array in state.arrays.items()]
    notes = metric.input_notes(found, target, state)
    numbers = [(score.quantity.name, score.value, score.n) for score in metric.summarise(state, resamples=0)]
    return [*arrays, repr((state.params, notes, numbers)).encode()]


def both(metric: CityscapesIoU | MeanIoU, truth: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    found = []
    for way in ("compiled", "numpy"):
        take(way, monkeypatch)
        found.append(judged(metric, truth, results))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("way", ["compiled"], indirect=True)
@pytest.mark.parametrize("seed", range(8))
def test_cityscapes(way, seed: int, tmp_path: Path, monkeypatch):
    random_streets.write(tmp_path, seed + 500, scenes=4, labels=[None, 3][seed % 2], evaluated=seed % 3 == 0)
    metric = CityscapesIoU(labels="ids", interval=("image", "group")[seed % 2])
    assert both(metric, tmp_path / "gtFine/val", tmp_path / "results", monkeypatch)


@pytest.mark.parametrize("way", ["compiled"], indirect=True)
@pytest.mark.parametrize("classes", [1, 2, 21, 200, 300])
def test_mean_iou(way, classes: int, tmp_path: Path, monkeypatch):
    """Maps of 8 and 16 bits, of all sizes from one pixel on; most classes never occur."""
    rng = np.random.default_rng(classes)
    occur, kind = rng.choice(classes, min(classes, 9)), np.uint16 if classes > 255 else np.uint8
    ignored = int(np.iinfo(kind).max)
    for number in range(8):
        size = tuple(rng.integers(1, 70, 2).tolist())
        truth = rng.choice([*occur, ignored], size)
        guess = np.where((rng.random(size) < 0.7) & (truth != ignored), truth, rng.integers(0, classes, size))
        for folder, labels in (("labels", truth), ("results", guess)):
            random_streets.save(tmp_path / folder / f"{'xy'[number % 2]}/{number}.png", labels.astype(kind))
    metric = MeanIoU(classes=classes, ignore=(ignored,), labels="indices")
    assert both(metric, tmp_path / "labels", tmp_path / "results", monkeypatch)
