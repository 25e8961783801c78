"""COCO AP at val2017's size beside engines that are no requirement of the tests: installed into a temporary folder.

Each engine judges the same files in a process of its own, by turns, on one thread (`RAYON_NUM_THREADS=1`); times are
CPU seconds after imports, from files to all numbers. torchmetrics takes tensors: it is given the files by its own
`coco_to_tm`, and only boxes, once, since dense masks of that many objects do not fit into memory.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from coco_engines import OURS, PLAIN, measured
from peers import install

from hrbench.core.native import loader

PINNED = (
    "ultrafast-pycocotools==0.1.14",
    "vernier==0.5.4",
    "pyarrow==26.0.1",  # of vernier
    "torchmetrics==1.9.0",
    "lightning-utilities==0.15.3",  # of torchmetrics
)
ROUNDS = 3

ULTRAFAST = "from ultrafast_pycocotools import COCO, COCOeval\n" + PLAIN
VERNIER = """
from pathlib import Path
from vernier.instance import Bbox, CocoDataset, Evaluator
start, wall = time.process_time(), time.perf_counter()
target = CocoDataset.from_json(Path(truth).read_bytes())
found = Evaluator(iou=Bbox(), parity_mode="strict").evaluate(target, Path(results).read_bytes(), num_threads=1)
numbers = [float(number) for number in found.stats][:12]
"""
VERNIER_IN_PLACE = "from pycocotools.coco import COCO\nfrom vernier import COCOeval\n" + PLAIN
"""Of keypoints: its own reader wants a `bbox` in each result, which these files do not have. Of masks neither way takes
them (findings/vernier_masks_of_pycocotools.sh)."""

TORCHMETRICS = """
import contextlib, io
from torchmetrics.detection import MeanAveragePrecision
start, wall = time.process_time(), time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    metric = MeanAveragePrecision(iou_type=kind, box_format="xywh")  # which coco_to_tm gives
    found, wanted = metric.coco_to_tm(results, truth, iou_type=kind)
    metric.update(found, wanted)
    scores = metric.compute()
names = ["", "_50", "_75", "_small", "_medium", "_large"]
limits = ["_1", "_10", "_100", "_small", "_medium", "_large"]
numbers = [float(scores["map" + name]) for name in names] + [float(scores["mar" + name]) for name in limits]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the engines, for PYTHONPATH; their requirements are those of hrbench."""
    return install(tmp_path_factory.mktemp("peers"), *PINNED)


@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_no_slower_than_any_of_them(kind: str, request, benchmark, installed: Path, tmp_path: Path) -> None:
    files = request.getfixturevalue({"bbox": "box", "segm": "mask", "keypoints": "coco"}[kind] + "_scale_files")
    sides = {
        "hrbench": OURS,
        "ultrafast-pycocotools": ULTRAFAST,
        "vernier": VERNIER if kind == "bbox" else VERNIER_IN_PLACE,
        "torchmetrics": TORCHMETRICS,
    }
    if kind != "bbox":
        del sides["torchmetrics"]
    if kind == "segm":
        del sides["vernier"]
    variables = {"RAYON_NUM_THREADS": "1"}
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    for number in range(ROUNDS):
        for name, code in sides.items():
            if number == 0 or name != "torchmetrics":
                own = {} if name == "hrbench" else {"PYTHONPATH": str(installed)}
                runs[name].append(measured(code, files, kind, tmp_path / "out.json", variables | own))
    numbers = runs["hrbench"][0]["numbers"]
    for name in sides.keys() - {"torchmetrics"}:  # whose numbers are its own: AP 49.01, not 48.92
        assert runs[name][0]["numbers"] == pytest.approx(numbers, abs=1e-6), name
    least = {name: min(run["cpu"] for run in its) for name, its in runs.items()}
    benchmark.extra_info.update(least, helper=loader.described())
    benchmark.extra_info["MiB"] = {name: max(run["peak"] for run in its) >> 20 for name, its in runs.items()}
    benchmark.pedantic(lambda: None, rounds=1)
    if loader.library() is not None:
        assert all(least["hrbench"] <= 1.1 * seconds for seconds in least.values()), least
