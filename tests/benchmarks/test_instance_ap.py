"""Box and mask AP at val2017's size: from files to twelve numbers, states and checks included, beside other engines.

All sides run in processes of their own, by turns, so that none profits from another's memory or caches; times are CPU
seconds after imports, memory is the process's peak as the kernel counted it. pycocotools and this package work on one
thread; hotcoco and faster-coco-eval, which are only shown, on as many as they like, so that their CPU seconds include
those of all threads. This package runs three times: with the compiled helper, on NumPy, and as it was before.

Masks are 20 an image and not 100: with 500,000 of them pycocotools alone takes minutes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commit_before import before

from hrbench.core.native import loader
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks

PEAK = """
import sys, json, time
def peak():
    try:
        lines = open("/proc/self/status").read().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
truth, results, kind, out = sys.argv[1:]
"""
OURS = """
from pathlib import Path
from hrbench.metrics.coco.instances import CocoBoxes, CocoMasks
start, wall = time.process_time(), time.perf_counter()
metric = CocoBoxes() if kind == "bbox" else CocoMasks()
target = metric.read_target(Path(truth))
state = metric.merge([metric.measure(metric.read_predictions(Path(results), target), target)])
numbers = [score.value for score in metric.summarise(state, resamples=0)]
"""
PLAIN = """
import contextlib, io
start, wall = time.process_time(), time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO(truth)
    evaluation = COCOeval(coco, coco.loadRes(results), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
numbers = [float(number) for number in evaluation.stats][:12]
"""
REPORT = """
cpu, wall = time.process_time() - start, time.perf_counter() - wall
with open(out, "w") as stream:
    json.dump({"cpu": cpu, "wall": wall, "peak": peak(), "numbers": numbers}, stream)
"""
OTHERS = {
    "pycocotools": "from pycocotools.coco import COCO\nfrom pycocotools.cocoeval import COCOeval\n",
    "hotcoco": "from hotcoco import COCO, COCOeval\n",
    "faster_coco_eval": "from faster_coco_eval import COCO, COCOeval_faster as COCOeval\n",
}
ROUNDS = 3
AS_BEFORE = 0.95  # NumPy is no slower; the rest is what two runs of the same differ by


def measured(code: str, files: tuple[Path, Path], kind: str, out: Path, variables: dict[str, str]) -> dict:
    """Run a side in a fresh process; what it prints is not looked at."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-c", PEAK + code + REPORT, *map(str, files), kind, str(out)]
    # a process imports what lies in its folder first
    folder = variables.get("PYTHONPATH")
    subprocess.run(command, capture_output=True, check=True, env=environment, cwd=folder)
    return json.loads(out.read_text())


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
    for _ in range(ROUNDS):
        for name, found in runs.items():
            found.append(measured(sides[name], files, kind, folder / "report.json", ways.get(name, {})))
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
