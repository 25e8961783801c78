"""COCO engines, each of which judges a pair of files in a process of its own and reports what that took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
from hrbench.metrics.coco.keypoints import CocoKeypointAP
start, wall = time.process_time(), time.perf_counter()
metric = {"bbox": CocoBoxes, "segm": CocoMasks, "keypoints": CocoKeypointAP}[kind]()
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
numbers = [float(number) for number in evaluation.stats][:12]  # keypoints have ten
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


def measured(code: str, files: tuple[Path, Path], kind: str, out: Path, variables: dict[str, str]) -> dict:
    """Run a side in a fresh process; what it prints is not looked at."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-c", PEAK + code + REPORT, *map(str, files), kind, str(out)]
    # not in the checkout: Python would take hrbench from the folder it runs in, whatever PYTHONPATH says
    subprocess.run(command, capture_output=True, check=True, env=environment, cwd=out.parent)
    return json.loads(out.read_text())
