"""mIoU of label maps of Cityscapes' size beside mmsegmentation and torchmetrics, each in a process of its own.

From PNG files of train ids to the IoU of 19 classes, in CPU seconds after imports, on one thread. The peers take
tensors: Pillow reads the files for them, and mmsegmentation's `intersect_and_union` and `total_area_to_metrics` are
called as its IoUMetric calls them. hrbench checks every file and keeps a state of every image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import street_scale
from coco_engines import measured
from peers import install
from PIL import Image

from hrbench.core.native import loader

SCENES, ROUNDS = 8, 3
PINNED = (
    "mmsegmentation==1.2.2",
    "mmcv-lite==2.1.0",
    "mmengine==0.10.7",
    "torchmetrics==1.9.0",
    # what they import
    "lightning-utilities==0.15.3",
    "addict==2.4.0",
    "yapf==0.43.0",
    "termcolor==3.3.0",
    "platformdirs==4.14.9",
    "tomli==2.5.0",
    "ftfy==6.3.1",
    "prettytable==3.18.0",
    "wcwidth==0.9.4",
)

OURS = """
from pathlib import Path
from hrbench.metrics.labels.mean_iou import MeanIoU
start, wall = time.process_time(), time.perf_counter()
metric = MeanIoU(classes=19)
target = metric.read_target(Path(truth))
state = metric.merge([metric.measure(metric.read_predictions(Path(results), target), target)])
scores = {score.quantity.name: score.value for score in metric.summarise(state, resamples=0)}
numbers = [scores["mIoU"], *(value for name, value in scores.items() if name.startswith("IoU/"))]
"""
PAIRS = """
from pathlib import Path
import numpy as np, torch
from PIL import Image
torch.set_num_threads(1)
def pairs():
    for path in sorted(Path(truth).glob("*.png")):
        yield [torch.from_numpy(np.array(Image.open(one))).long() for one in (Path(results) / path.name, path)]
"""
MMSEG = (
    PAIRS
    + """
from mmseg.evaluation.metrics.iou_metric import IoUMetric
start, wall = time.process_time(), time.perf_counter()
areas = zip(*(IoUMetric.intersect_and_union(found, wanted, 19, 255) for found, wanted in pairs()))
found = IoUMetric.total_area_to_metrics(*(sum(one) for one in areas), ["mIoU"])
numbers = [float(np.nanmean(found["IoU"])), *map(float, found["IoU"])]
"""
)
TORCHMETRICS = (
    PAIRS
    + """
from torchmetrics.classification import MulticlassJaccardIndex
start, wall = time.process_time(), time.perf_counter()
metric = MulticlassJaccardIndex(num_classes=19, ignore_index=255, average="none")
for found, wanted in pairs():
    metric.update(found, wanted)
each = metric.compute()
numbers = [float(each.mean()), *map(float, each)]
"""
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of true and of predicted maps of train ids."""
    folder = tmp_path_factory.mktemp("maps")
    train_id = np.full(256, 255, np.uint8)
    train_id[street_scale.EVALUATED] = np.arange(len(street_scale.EVALUATED))
    rng = np.random.default_rng(0)
    for number in range(SCENES):
        truth, _, guess = street_scale.scene(rng)
        for name, labels in (("truth", truth), ("results", guess)):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(train_id[labels]).save(folder / name / f"{number}.png")
    return folder / "truth", folder / "results"


def test_cheaper_than_mmsegmentation_and_torchmetrics(benchmark, files, tmp_path, tmp_path_factory) -> None:
    installed = {"PYTHONPATH": str(install(tmp_path_factory.mktemp("peers"), *PINNED))}
    sides = {
        "hrbench": (OURS, {"HRBENCH_COMPILED": "1"}),
        "hrbench on NumPy": (OURS, {"HRBENCH_COMPILED": "0"}),
        "mmsegmentation": (MMSEG, installed),
        "torchmetrics": (TORCHMETRICS, installed),
    }
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, (code, variables) in sides.items():
            runs[name].append(measured(code, files, "labels", tmp_path / "out.json", variables))
    for name, its in runs.items():
        assert its[0]["numbers"] == pytest.approx(runs["hrbench"][0]["numbers"], abs=1e-6), name
    least = {name: min(run["cpu"] for run in its) / SCENES for name, its in runs.items()}
    benchmark.extra_info.update(least, helper=loader.described())
    benchmark.extra_info["MiB"] = {name: max(run["peak"] for run in its) >> 20 for name, its in runs.items()}
    benchmark.pedantic(lambda: None, rounds=1)
    ours = least["hrbench" if loader.library() is not None else "hrbench on NumPy"]
    assert 4 * ours <= min(least["mmsegmentation"], least["torchmetrics"]), least
