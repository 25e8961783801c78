"""What judging costs: a pair of bootstraps beside two single ones, a gate whose predictions are all equal.

Of box AP at val2017's size: 36,000 objects of 80 classes, 500,000 detections, all twelve numbers.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import hotcoco
import numpy as np
from by_turns import least_cpu

from hrbench.cli.command_line import main
from hrbench.metrics.coco.curves import Accumulator
from hrbench.metrics.coco.instances import INSTANCES, CocoBoxes
from hrbench.metrics.coco.instances import NUMBERS as TWELVE
from hrbench.metrics.coco.states import matches_of
from hrbench.statistics import paired
from hrbench.statistics.bootstrap import resample_counts

DRAWS = 20
ENTRIES = 100


def test_a_pair_costs_little_more_than_two_single_bootstraps(benchmark, box_scale_files) -> None:
    """With the same number of replicates; what is prepared once is in neither. Both sides have the same state."""
    metric = CocoBoxes()
    target = metric.read_target(box_scale_files[0])
    state = metric.measure(metric.read_predictions(box_scale_files[1], target), target)
    matches = matches_of(state, metric.name, metric.version)
    accumulators = [Accumulator(matches, INSTANCES, TWELVE) for _ in range(2)]
    sides = [metric.by_image(state) for _ in range(2)]
    statistics = paired.PairedStatistics(sides[0].at, sides[1].at, 5000, np.arange(5000), at_once=sides[0].at_once)

    def single() -> None:
        for accumulator in accumulators:
            for weights in resample_counts(5000, DRAWS, 0):
                accumulator.at(weights)

    ours, theirs = least_cpu(3, lambda: statistics.block(0, 0, DRAWS), single)
    benchmark.pedantic(statistics.block, (0, 0, DRAWS), rounds=1)
    benchmark.extra_info.update(ratio=ours / theirs, seconds_for_2000=2000 / DRAWS * ours)
    assert ours <= 1.3 * theirs


def test_hotcoco_resamples_slower(benchmark, box_scale_files) -> None:
    """hotcoco's `compare` matches nothing again either; its bootstrap accumulates both sides anew for each resample."""
    truth = hotcoco.COCO(str(box_scale_files[0]))
    evaluations = []
    for _ in range(2):
        evaluation = hotcoco.COCOeval(truth, truth.load_res(str(box_scale_files[1])), "bbox")
        evaluation.evaluate()
        evaluations.append(evaluation)
    metric = CocoBoxes()
    target = metric.read_target(box_scale_files[0])
    state = metric.measure(metric.read_predictions(box_scale_files[1], target), target)
    sides = [metric.by_image(state) for _ in range(2)]
    statistics = paired.PairedStatistics(sides[0].at, sides[1].at, 5000, np.arange(5000), at_once=sides[0].at_once)
    ours, theirs, once = least_cpu(
        2,
        lambda: statistics.block(0, 0, DRAWS),
        lambda: hotcoco.compare(evaluations[0], evaluations[1], DRAWS, 0),
        lambda: hotcoco.compare(evaluations[0], evaluations[1], 0, 0),
    )
    benchmark.pedantic(statistics.block, (0, 0, DRAWS), rounds=1)
    benchmark.extra_info.update(ratio=(theirs - once) / ours)
    assert ours < theirs - once


def test_a_gate_of_equal_entries_grows_with_their_number(benchmark, tmp_path: Path, capsys) -> None:
    """Above a gate of one entry: 100 take at most 12 times the CPU time of 10."""
    one = stored_run(tmp_path / "one")
    sides = {many: _both(tmp_path / f"of{many}", one, many) for many in (1, ENTRIES // 10, ENTRIES)}
    spent: dict[int, list[float]] = {many: [] for many in sides}
    for _ in range(3):
        for many, (before, after) in sides.items():
            start = time.process_time()
            assert main(["gate", str(after), "--against", str(before)]) == 0
            spent[many].append(time.process_time() - start)
    capsys.readouterr()
    before, after = sides[ENTRIES]
    benchmark.pedantic(main, (["gate", str(after), "--against", str(before)],), rounds=1)
    least = {many: min(its) for many, its in spent.items()}
    benchmark.extra_info.update({str(many): seconds for many, seconds in least.items()})
    assert least[ENTRIES] - least[1] <= 12 * (least[ENTRIES // 10] - least[1]), least


def _both(folder: Path, one: Path, many: int) -> tuple[Path, Path]:
    """Two runs of so many entries, all of them equal."""
    for copy in range(many):
        shutil.copytree(one / "entries" / "net", folder / "before" / "entries" / f"net{copy:03d}")
    run = json.loads((one / "run.json").read_text())
    run["entries"] = [f"net{copy:03d}" for copy in range(many)]
    (folder / "before" / "run.json").write_text(json.dumps(run))
    shutil.copytree(folder / "before", folder / "after")
    return folder / "before", folder / "after"


def stored_run(folder: Path) -> Path:
    """A run of one miniature with its accuracy and counts."""
    suite = folder.with_suffix(".yaml")
    suite.write_text(
        "suite: one\ndefaults: {cost: {latency: false}, resamples: 100}\nentries:\n"
        "  - {name: net, model: pose_resnet_miniature_coco, dataset: miniature-coco-keypoints}\n"
    )
    data = folder.with_name("data")
    assert main(["run", str(suite), "--data", str(data), "--out", str(folder), "--plain", "--in-process"]) == 0
    return folder
