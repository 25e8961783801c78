"""hrbench and hotcoco on LVIS's form, as `coco_engines` has them for COCO's."""

from __future__ import annotations

OURS = """
from pathlib import Path
from hrbench.metrics.coco.lvis import LvisBoxes, LvisMasks
start, wall = time.process_time(), time.perf_counter()
metric = {"bbox": LvisBoxes, "segm": LvisMasks}[kind]()
target = metric.read_target(Path(truth))
state = metric.merge([metric.measure(metric.read_predictions(Path(results), target), target)])
numbers = [score.value for score in metric.summarise(state, resamples=0)]
"""
HOTCOCO = """
import contextlib, io
from hotcoco import COCO, COCOeval
start, wall = time.process_time(), time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO(truth)
    evaluation = COCOeval(coco, coco.load_res(results), kind, lvis_style=True)
    evaluation.run()
found = evaluation.get_results()
order = "AP AP50 AP75 APs APm APl APr APc APf AR@300 ARs@300 ARm@300 ARl@300".split()
numbers = [float(found[name]) for name in order]
"""
