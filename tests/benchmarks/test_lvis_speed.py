"""LVIS's AP at its size beside hotcoco's LVIS mode: from files to the thirteen numbers, a million detections.

Engines run in processes of their own, by turns, on one thread; times are CPU seconds after imports, memory is the
process's peak as the kernel counted it. The bound on time holds with the compiled helper, that on memory also without.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import many_classes
import pytest
from coco_engines import measured
from lvis_engines import HOTCOCO, OURS
from many_classes import LVIS

from hrbench.core.native import loader
from hrbench.metrics.coco.lvis import LvisBoxes

ROUNDS = 3
SIDES = {
    "hrbench": (OURS, {"HRBENCH_COMPILED": "1"}),
    "hrbench on NumPy": (OURS, {"HRBENCH_COMPILED": "0"}),
    "hotcoco": (HOTCOCO, {"RAYON_NUM_THREADS": "1"}),
}
CROWDED = replace(LVIS, images=3_000, objects=36_600, detections=1_050_000)
"""Images with 350 detections, of which the best 300 count, as a detector of many classes gives them."""


@pytest.mark.parametrize("scale", [LVIS, CROWDED], ids=["lvis", "over_the_limit"])
def test_time_and_memory_of_hotcoco(benchmark, scale: many_classes.ClassScale, tmp_path: Path) -> None:
    truth, results = many_classes.write(tmp_path, scale)
    files = many_classes.as_lvis(truth, tmp_path / "lvis.json"), results
    runs: dict[str, list[dict]] = {side: [] for side in SIDES}
    for _ in range(ROUNDS):
        for side, (code, variables) in SIDES.items():
            runs[side].append(measured(code, files, "bbox", tmp_path / "report.json", variables))
    ours = [run["numbers"] for side in ("hrbench", "hrbench on NumPy") for run in runs[side]]
    assert all(one == ours[0] for one in ours)
    assert ours[0] == pytest.approx(runs["hotcoco"][0]["numbers"], abs=1e-9)
    engines = {
        side: {"cpu": min(run["cpu"] for run in found), "peak": max(run["peak"] for run in found)}
        for side, found in runs.items()
    }
    metric = LvisBoxes()
    target = metric.read_target(files[0])
    benchmark.pedantic(lambda: metric.measure(metric.read_predictions(files[1], target), target), rounds=1)
    benchmark.extra_info.update(engines, **{"compiled helper": loader.described()})
    assert engines["hrbench"]["peak"] <= 1.2 * engines["hotcoco"]["peak"]
    assert engines["hrbench on NumPy"]["peak"] <= 1.2 * engines["hotcoco"]["peak"]
    if loader.library() is not None:
        assert engines["hrbench"]["cpu"] <= 1.2 * engines["hotcoco"]["cpu"]
