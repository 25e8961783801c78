"""Box AP where classes are many: from files to numbers beside hotcoco, unused classes, growth, bootstrap, states.

Engines run in processes of their own, by turns, on one thread; times are CPU seconds after imports, memory is the
process's peak as the kernel counted it. Bounds on hotcoco's time hold with the compiled helper, those on its memory and
on the commit before also with NumPy alone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import many_classes
import numpy as np
import pytest
from by_turns import least_cpu
from coco_engines import OTHERS, OURS, PLAIN, measured
from commit_before import before
from many_classes import LVIS, OBJECTS365, ClassScale

from hrbench.core.native import loader
from hrbench.metrics.coco.curves import Accumulator
from hrbench.metrics.coco.instances import INSTANCES, CocoBoxes, numbers
from hrbench.metrics.coco.instances import NUMBERS as TWELVE
from hrbench.metrics.coco.states import matches_of
from hrbench.statistics.bootstrap import resample_counts
from hrbench.store.states import write_state
from hrbench.types import State

ROUNDS = 2
ONE_THREAD = {"RAYON_NUM_THREADS": "1"}
WAYS = {"hrbench": {"HRBENCH_COMPILED": "1"}, "hrbench on NumPy": {"HRBENCH_COMPILED": "0"}}
SCALES = {"LVIS": LVIS, "Objects365": OBJECTS365}


@pytest.fixture(scope="module")
def lvis_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return many_classes.write(tmp_path_factory.mktemp("lvis"), LVIS)


@pytest.fixture(scope="module")
def lvis_state(lvis_files) -> State:
    return state_of(lvis_files)


def state_of(files: tuple[Path, Path]) -> State:
    metric = CocoBoxes()
    target = metric.read_target(files[0])
    return metric.measure(metric.read_predictions(files[1], target), target)


def least(runs: list[dict]) -> dict[str, float]:
    return {"cpu": min(run["cpu"] for run in runs), "peak": max(run["peak"] for run in runs)}


@pytest.mark.parametrize("name", SCALES)
def test_time_and_memory_of_hotcoco(benchmark, name: str, tmp_path: Path, tmp_path_factory) -> None:
    files = many_classes.write(tmp_path, SCALES[name])
    sides = {way: (OURS, variables) for way, variables in WAYS.items()}
    sides["hrbench before"] = OURS, {"PYTHONPATH": str(before(tmp_path_factory))}
    sides["hotcoco"] = OTHERS["hotcoco"] + PLAIN, ONE_THREAD
    runs: dict[str, list[dict]] = {side: [] for side in sides}
    for _ in range(ROUNDS):
        for side, (code, variables) in sides.items():
            runs[side].append(measured(code, files, "bbox", tmp_path / "report.json", variables))
    every = [run["numbers"] for side, found in runs.items() if side != "hotcoco" for run in found]
    assert all(one == every[0] for one in every)
    assert every[0] == pytest.approx(runs["hotcoco"][0]["numbers"], abs=1e-9)
    engines = {side: least(found) for side, found in runs.items()}
    benchmark.pedantic(state_of, (files,), rounds=1)
    benchmark.extra_info.update(engines, **{"compiled helper": loader.described()})
    assert engines["hrbench"]["peak"] <= engines["hotcoco"]["peak"]
    assert engines["hrbench on NumPy"]["peak"] <= engines["hotcoco"]["peak"]
    assert engines["hrbench on NumPy"]["cpu"] <= engines["hrbench before"]["cpu"]
    if loader.library() is not None:
        assert engines["hrbench"]["cpu"] <= 1.1 * engines["hotcoco"]["cpu"]


@pytest.mark.parametrize("way", WAYS)
def test_classes_that_never_occur_cost_nothing(benchmark, way: str, box_scale_files, tmp_path: Path) -> None:
    """val2017's own boxes beside 4,480 classes more."""
    more = many_classes.add_unused_classes(box_scale_files[0], tmp_path / "more.json", 4480)
    runs: list[list[dict]] = [[], []]
    for _ in range(5):
        for truth, found in zip((box_scale_files[0], more), runs, strict=True):
            found.append(measured(OURS, (truth, box_scale_files[1]), "bbox", tmp_path / "report.json", WAYS[way]))
    assert runs[0][0]["numbers"] == runs[1][0]["numbers"]
    few, many = map(least, runs)
    benchmark.pedantic(state_of, ((more, box_scale_files[1]),), rounds=1)
    benchmark.extra_info.update(time=many["cpu"] / few["cpu"], memory=many["peak"] / few["peak"])
    assert many["cpu"] <= 1.1 * few["cpu"] and many["peak"] <= 1.1 * few["peak"]


@pytest.mark.parametrize("grows", ["images", "detections"])
def test_time_grows_linearly(benchmark, grows: str, tmp_path: Path) -> None:
    """From files to numbers: eight times the images with all that is in them, or the detections of the same images."""
    factors = (1, 2, 4, 8)
    base = LVIS.times(0.1)
    scales = [base.times(n) if grows == "images" else replace(base, detections=n * base.detections) for n in factors]
    states, spent = [], []
    files = [many_classes.write(folder(tmp_path / str(n)), scale) for n, scale in zip(factors, scales, strict=True)]

    def judged(pair: tuple[Path, Path]) -> State:
        state = state_of(pair)
        CocoBoxes().summarise(state, resamples=0)
        return state

    states = [judged(pair) for pair in files]
    spent = least_cpu(3, *[lambda pair=pair: judged(pair) for pair in files])
    sizes = {"detections": [scale.detections for scale in scales], "pairs": [occupied(state) for state in states]}
    exponents = {what: float(np.polyfit(np.log(many), np.log(spent), 1)[0]) for what, many in sizes.items()}
    benchmark.pedantic(judged, (files[0],), rounds=1)
    benchmark.extra_info.update(exponents, seconds=spent)
    assert exponents["detections"] <= 1.05
    # on the same images new detections fall on pairs that are occupied: these grow slower than the work on them
    assert grows == "detections" or exponents["pairs"] <= 1.05


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def occupied(state: State) -> int:
    """Pairs of an image and a class that have detections."""
    image = np.repeat(np.arange(len(state.arrays["image"])), np.diff(state.arrays["offsets"]))
    return len(np.unique(image * len(state.params["categories"]) + state.arrays["category"]))


@pytest.mark.parametrize("single", [False, True], ids=["twelve", "and_every_class"])
def test_a_draw_of_twelve_hundred_classes(benchmark, lvis_state: State, single: bool) -> None:
    """In at most NumPy's running sum over all detections at each of the ten thresholds; twice that with NumPy alone."""
    matches = matches_of(lvis_state, "coco-boxes", 1)
    accumulator = Accumulator(matches, INSTANCES, numbers(lvis_state.params["names"]) if single else TWELVE)
    table = np.random.default_rng(0).random((10, len(matches.score)))
    weights = list(resample_counts(len(matches.images), 3, 0))
    ours, peer = least_cpu(
        5, lambda: [accumulator.at(each) for each in weights], lambda: [np.cumsum(table, axis=1) for _ in weights]
    )
    benchmark(accumulator.at, weights[0])
    benchmark.extra_info.update(share=ours / peer, seconds=ours / 3, sum_seconds=peer / 3)
    assert ours <= (1 if loader.library() is not None else 3) * peer


def test_a_million_detections_are_stored_in_six_megabytes(benchmark, lvis_state: State, tmp_path: Path) -> None:
    assert len(lvis_state.arrays["score"]) > 990_000
    benchmark.pedantic(write_state, (lvis_state, tmp_path / "states.npz"), rounds=1)
    size = (tmp_path / "states.npz").stat().st_size
    benchmark.extra_info["bytes"] = size
    assert size < 6e6


@pytest.mark.parametrize("way", WAYS)
def test_four_million_detections_in_one_and_a_half_gigabytes(benchmark, way: str, tmp_path: Path) -> None:
    scale: ClassScale = replace(OBJECTS365, detections=4_000_000)
    files = many_classes.write(tmp_path, scale)
    start = time.process_time()
    run = benchmark.pedantic(measured, (OURS, files, "bbox", tmp_path / "report.json", WAYS[way]), rounds=1)
    benchmark.extra_info.update(cpu=run["cpu"], peak=run["peak"], parent=time.process_time() - start)
    assert run["peak"] <= 1.5e9
