"""PCKh against the record of the official code: every percentage to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hrbench.metrics.pckh import MpiiPckh, percentages


@pytest.fixture(scope="module")
def folder(golden_folder: Path) -> Path:
    return golden_folder / "pose/protocol/mpii"


@pytest.fixture(scope="module")
def official(golden) -> list[float]:
    """In the order of the quantities: seven parts, the mean at 0.5, at the true 0.11, at 0.10; percent."""
    record = golden("pose/protocol/mpii.json")
    names = ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1"]
    return [record["evaluate"][name] for name in names] + [record["extra_not_official"]["mean_at_0.10"]]


def counts(metric: MpiiPckh, state) -> np.ndarray:
    visible, distance = state.arrays["visible"], state.arrays["distance"]
    return np.stack([*((visible & (distance <= t)).sum(axis=0) for t in (0.5, 0.11, 0.1)), visible.sum(axis=0)])


def test_percentages_are_the_official_ones_to_the_last_bit(folder: Path, official: list[float]) -> None:
    metric = MpiiPckh()
    target = metric.read_target(folder / "annot/gt_valid.mat")
    state = metric.measure(metric.read_predictions(folder / "preds.npy", target), target)
    assert percentages(counts(metric, state), target.joints).tolist() == official
    scores = metric.summarise(state, resamples=20)
    assert [score.value for score in scores] == [value / 100 for value in official]
    for score in scores:
        assert score.interval is not None and score.value is not None
        assert 0 <= score.interval[0] <= score.interval[1] <= 1


def test_the_official_mat_file_gives_the_same(folder: Path, official: list[float], tmp_path: Path) -> None:
    metric = MpiiPckh()
    target = metric.read_target(folder)  # the folder, as --gt may name it
    # the official code adds one, drops the confidence, and saves
    savemat(tmp_path / "pred.mat", {"preds": np.load(folder / "preds.npy")[:, :, 0:2] + 1.0})
    state = metric.measure(metric.read_predictions(tmp_path / "pred.mat", target), target)
    assert [score.value for score in metric.summarise(state, 0)] == [value / 100 for value in official]


def test_counting_one_by_one_agrees(folder: Path, official: list[float]) -> None:
    checked = MpiiPckh().verify(folder, folder / "preds.npy")
    assert list(checked.values()) == pytest.approx([value / 100 for value in official], rel=1e-12)


def test_the_official_mean_at_a_tenth_is_at_011(golden) -> None:
    record = golden("pose/protocol/mpii.json")
    assert record["evaluate"]["Mean@0.1"] == record["extra_not_official"]["mean_at_index11"]
    assert np.arange(0, 0.5 + 0.01, 0.01)[11] == 0.11
