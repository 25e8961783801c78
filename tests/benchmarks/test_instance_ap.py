"""Box and mask AP at val2017's size: from files to twelve numbers, states and checks included, beside other engines.

All sides run in processes of their own, by turns, so that none profits from another's memory or caches; times are CPU
seconds after imports, memory is the process's peak as the kernel counted it. pycocotools and this package work on one
thread, and so does hotcoco here (`RAYON_NUM_THREADS=1`); faster-coco-eval on as many as it likes, and its CPU seconds
are those of all. This package runs three ways: with the compiled helper, on NumPy, and as it was before. Engines that
take more than five times its time run once, the others three times.

Masks are 20 an image and not 100: with 500,000 of them pycocotools alone takes minutes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from coco_engines import OTHERS, OURS, PLAIN, measured
from commit_before import before

from hrbench.core.native import loader
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks

ROUNDS = 3
SLOW = ("pycocotools", "faster_coco_eval")
AS_BEFORE = 0.95  # NumPy is no slower; the rest is what two runs of the same differ by


def compared(files: tuple[Path, Path], kind: str, folder: Path, tree: Path) -> dict[str, dict]:
    """The least CPU and wall seconds and the highest peak of each engine; all give the numbers of pycocotools.

    tree: of the commit before.
    """
    ways = {
        "hrbench": {"HRBENCH_COMPILED": "1"},
        "hrbench on NumPy": {"HRBENCH_COMPILED": "0"},
        "hrbench before": {"PYTHONPATH": str(tree)},
    }
    there = {name: imports for name, imports in OTHERS.items() if importlib.util.find_spec(name)}
    sides = {**dict.fromkeys(ways, OURS), **{name: imports + PLAIN for name, imports in there.items()}}
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    for number in range(ROUNDS):
        for name, found in runs.items():
            if number == 0 or name not in SLOW:
                variables = ways.get(name, {"RAYON_NUM_THREADS": "1"})
                found.append(measured(sides[name], files, kind, folder / "report.json", variables))
    official = runs["pycocotools"][0]["numbers"]
    assert all(run["numbers"] == official for way in ways for run in runs[way])
    for found in runs.values():
        assert found[0]["numbers"] == pytest.approx(official, abs=1e-6)
    # the least of several runs: what other programs on the machine add is not theirs to count
    return {
        name: {
            "cpu": min(run["cpu"] for run in found),
            "wall": min(run["wall"] for run in found),
            "peak": max(run["peak"] for run in found),
        }
        for name, found in runs.items()
    }


def told(benchmark, engines: dict[str, dict]) -> tuple[float, float, float]:
    """Adds all figures to the benchmark's; pycocotools' CPU and wall time to ours, our memory to its."""
    ours, theirs = engines["hrbench"], engines["pycocotools"]
    ratios = theirs["cpu"] / ours["cpu"], theirs["wall"] / ours["wall"], ours["peak"] / theirs["peak"]
    benchmark.extra_info.update(engines)
    benchmark.extra_info["compiled helper"] = loader.described()
    benchmark.extra_info.update(zip(("times_faster", "times_sooner", "memory"), ratios, strict=True))
    return ratios


def times_faster_than_before(engines: dict[str, dict], side: str = "hrbench") -> float:
    return engines["hrbench before"]["cpu"] / engines[side]["cpu"]


def once(metric: CocoBoxes | CocoMasks, files: tuple[Path, Path]) -> None:
    target = metric.read_target(files[0])
    metric.summarise(metric.measure(metric.read_predictions(files[1], target), target), resamples=0)


def test_boxes_faster_than_before_and_fifteen_times_faster_than_pycocotools(
    benchmark, box_scale_files, tmp_path, tmp_path_factory
) -> None:
    benchmark.pedantic(once, (CocoBoxes(), box_scale_files), rounds=3, warmup_rounds=1)
    engines = compared(box_scale_files, "bbox", tmp_path, before(tmp_path_factory))
    cpu, wall, memory = told(benchmark, engines)
    assert cpu >= 15 and wall >= 15
    assert memory <= 0.25
    assert times_faster_than_before(engines, "hrbench on NumPy") >= AS_BEFORE
    if loader.library() is not None:
        assert times_faster_than_before(engines) >= 1.6


def test_masks_three_times_faster_than_before_with_a_quarter_of_the_memory_of_pycocotools(
    benchmark, mask_scale_files, tmp_path, tmp_path_factory
) -> None:
    benchmark.pedantic(once, (CocoMasks(), mask_scale_files), rounds=3, warmup_rounds=1)
    engines = compared(mask_scale_files, "segm", tmp_path, before(tmp_path_factory))
    cpu, wall, memory = told(benchmark, engines)
    assert cpu >= 2 and wall >= 2
    assert memory <= 0.25
    assert times_faster_than_before(engines, "hrbench on NumPy") >= AS_BEFORE
    if loader.library() is not None:
        assert times_faster_than_before(engines) >= 3
