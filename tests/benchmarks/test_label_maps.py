"""The Cityscapes metric against the official script in the same run, and its memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import street_scale
from PIL import Image

from hrbench.formats.labels import read_labels
from hrbench.metrics.labels import cityscapes_reference as oracle
from hrbench.metrics.labels.cityscapes import CityscapesIoU
from hrbench.metrics.labels.cityscapes_counts import FORM, KINDS, count
from hrbench.metrics.labels.states import state_of
from hrbench.statistics.bootstrap import resample_counts

SCENES = 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], list[Path]]:
    folder = tmp_path_factory.mktemp("streets")
    return folder, *street_scale.write(folder, SCENES)


def fastest(rounds: int, *works: Callable[[], object]) -> list[tuple[float, float]]:
    """Least wall and CPU seconds per scene of each of several works, warmed up, in turn."""
    spent = [[] for _ in works]
    for number in range(rounds + 1):
        for work, its in zip(works, spent, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            if number:
                its.append((time.perf_counter() - wall, time.process_time() - cpu))
    return [(min(wall for wall, _ in its) / SCENES, min(cpu for _, cpu in its) / SCENES) for its in spent]


def from_files(folder: Path, resamples: int = 0) -> dict[str, float | None]:
    metric = CityscapesIoU()
    target = metric.read_target(folder / "gtFine/val")
    state = metric.measure(metric.read_predictions(folder / "results", target), target)
    return {score.quantity.name: score.value for score in metric.summarise(state, resamples)}


def test_from_png_twice_as_fast_as_the_official_script(benchmark, files) -> None:
    """The whole way, checks of every file and states included."""
    folder, truths, guesses = files
    results = oracle.official_results(guesses, truths)
    assert from_files(folder)["iIoU_class"] == results["averageScoreInstClasses"]
    ours, theirs = fastest(9, lambda: from_files(folder), lambda: oracle.official_results(guesses, truths))
    benchmark(from_files, folder)
    benchmark.extra_info.update(
        wall_per_scene=ours[0], cpu_per_scene=ours[1], official_wall=theirs[0], official_cpu=theirs[1]
    )
    assert ours[0] * 2 <= theirs[0]


class Decoded:
    """An image that is in memory already, as Pillow hands it to the script."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.size = array, array.shape[::-1]

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.array


def test_from_arrays_ten_times_as_fast_as_the_official_script(benchmark, files, monkeypatch) -> None:
    """What comes after decoding: the official script is handed arrays in place of files."""
    _, truths, guesses = files
    paths = [
        (t, t.with_name(t.name.replace("labelIds", "instanceIds")), g) for t, g in zip(truths, guesses, strict=True)
    ]
    maps = [[read_labels(path, "labels") for path in scene] for scene in paths]
    decoded = {
        str(path): Decoded(array)
        for scene, arrays in zip(paths, maps, strict=True)
        for path, array in zip(scene, arrays, strict=True)
    }
    expected = oracle.official_results(guesses, truths)
    pictures = type("Image", (), {"open": staticmethod(decoded.__getitem__)})
    monkeypatch.setattr(oracle.official(), "Image", pictures)
    assert oracle.official_results(guesses, truths)["confMatrix"] == expected["confMatrix"]

    def ours() -> list[dict[str, np.ndarray]]:
        return [count(*scene) for scene in maps]

    own, theirs = fastest(15, ours, lambda: oracle.official_results(guesses, truths))
    benchmark(ours)
    benchmark.extra_info.update(cpu_per_scene=own[1], official_cpu=theirs[1], ratio=theirs[1] / own[1])
    assert own[1] * 10 <= theirs[1]


def test_memory_stays_flat(benchmark, files) -> None:
    """Twice the scenes take no more memory than the few that are open at once."""
    folder, *_ = files
    metric = CityscapesIoU()
    target = metric.read_target(folder / "gtFine/val")
    predictions = metric.read_predictions(folder / "results", target)
    names = list(target.labels)
    peaks = []
    for some in (names[:3], names):
        tracemalloc.start()
        metric.measure(predictions, target, some)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    benchmark.pedantic(metric.measure, (predictions, target), rounds=1)
    benchmark.extra_info.update(peaks=peaks)
    assert peaks[1] < 1.2 * peaks[0]


def test_a_thousand_draws_of_val(benchmark, files) -> None:
    """500 scenes, as val has: all numbers with their intervals in seconds."""
    _, truths, guesses = files
    with Image.open(truths[0]) as one, Image.open(guesses[0]) as other:
        small = [np.asarray(picture)[::8, ::8] for picture in (one, other)]
    rows = []
    for roll, _ in enumerate(resample_counts(1, 500, 0)):
        truth = np.roll(small[0], roll, 1)
        rows.append(count(truth, np.where(truth < 24, truth, truth * np.uint16(1000) + 1), np.roll(small[1], roll, 1)))
    names = [f"town/{number:03d}" for number in range(500)]
    state = state_of(FORM, {"labels": "ids"}, names, ["town"] * 500, rows, KINDS)
    started = time.process_time()
    scores = benchmark.pedantic(CityscapesIoU().summarise, (state, 1000), rounds=1)
    spent = time.process_time() - started
    benchmark.extra_info.update(cpu_seconds=spent)
    assert spent <= 3
    assert all(score.interval is not None for score in scores if score.value is not None)
