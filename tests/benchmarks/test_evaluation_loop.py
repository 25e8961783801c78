"""Preparing beside decoding box by box, and the evaluation loop beside a bare loop."""

from __future__ import annotations

import dataclasses
import statistics
import time

import cv2
import pytest

import hrbench
from hrbench import catalog
from hrbench.datasets.coco_instances import CocoInstances
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.miniature.generate import object_dataset
from hrbench.runner import pipeline
from hrbench.tasks.detection.task import Detection
from hrbench.tasks.pose import geometry
from hrbench.tasks.pose.task import Pose

BOXES = {"boxes": "person_detection_results/detections_person.json"}


@pytest.fixture(scope="module")
def real(realdata):
    """The pose task of W32 at 256x192 and the real images that have detector boxes."""
    data = CocoKeypointsDataset(realdata)
    task = Pose(catalog.variants()["pose_hrnet_w32_coco_256x192"], data, BOXES)
    return task, [sample for sample in data.samples(BOXES) if sample.content]


def box_by_box(task: Pose, samples) -> int:
    """What the official loader does: read, decode and crop once for every box."""
    count = 0
    for sample in samples:
        for person in sample.content:
            image = cv2.imread(str(sample.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            centre, scale = geometry.box_to_centre_scale(person.box, task.input)
            matrix = geometry.affine_matrix(centre, scale, (task.input[1], task.input[0]))
            cv2.warpAffine(image, matrix, (task.input[1], task.input[0]), flags=cv2.INTER_LINEAR)
            count += 1
    return count


def test_preparing_costs_at_most_a_third_of_box_by_box(benchmark, real):
    task, samples = real
    cv2.setNumThreads(1)
    ours, peer = [], []
    for _ in range(3):
        started = time.process_time()
        crops = sum(len(task.prepare(sample)) for sample in samples)
        ours.append(time.process_time() - started)
        started = time.process_time()
        assert box_by_box(task, samples) == crops
        peer.append(time.process_time() - started)
    benchmark.extra_info["ratio"] = min(peer) / min(ours)
    benchmark.pedantic(lambda: [task.prepare(sample) for sample in samples], rounds=1)
    assert min(ours) <= min(peer) / 3


def test_the_loop_keeps_nine_tenths_of_a_bare_loop(benchmark, real):
    task, samples = real
    samples = samples[30:36]
    net = hrbench.build("pose_hrnet_w32_coco_256x192")
    items = [item for sample in samples for item in task.prepare(sample)]
    batches = [items[i : i + 16] for i in range(0, len(items), 16)]

    def bare() -> None:
        for batch in batches:
            task.forward(net, batch)

    def loop() -> None:
        assert sum(1 for _ in pipeline.predict(task, net, samples, batch=16)) == len(samples)

    task.forward(net, batches[0])
    ratios = []
    for _ in range(3):
        started = time.perf_counter()
        bare()
        middle = time.perf_counter()
        loop()
        ratios.append((middle - started) / (time.perf_counter() - middle))
    benchmark.extra_info["ratios"] = ratios
    benchmark.pedantic(loop, rounds=1)
    assert statistics.median(ratios) >= 0.9


@pytest.mark.parametrize(
    ("name", "kept"), [("retinanet_spinenet_miniature_coco", 0.9), ("mask_rcnn_hrnetv2p_miniature_coco", 0.8)]
)
def test_the_loop_keeps_most_of_a_bare_loop_of_a_miniature_detector(benchmark, tmp_path, name, kept):
    """Reading, and pasting and encoding of masks, beside a network that takes six thousandths of a second an image and
    fills all cores: what masks take, another tenth of its time, has no core to hide on.
    """
    object_dataset.generate(tmp_path / "set")
    variant, data = catalog.variants()[name], CocoInstances(tmp_path, folder="set")
    named = next(each for each in Detection.protocols if each.name == variant.protocol["name"])
    protocol = {**dataclasses.asdict(named), **variant.protocol}
    task = Detection(variant, data, protocol)
    samples = list(data.samples(protocol))
    net = hrbench.build(name, weights="shipped")
    items = [item for sample in samples for item in task.prepare(sample)]
    batches = [items[i : i + 16] for i in range(0, len(items), 16)]

    def bare() -> None:
        for batch in batches:
            task.forward(net, batch)

    def loop() -> None:
        assert sum(1 for _ in pipeline.predict(task, net, samples, batch=16)) == len(samples)

    task.forward(net, batches[0])
    ours, peer = [], []
    for _ in range(5):
        started = time.perf_counter()
        bare()
        middle = time.perf_counter()
        loop()
        peer.append(middle - started)
        ours.append(time.perf_counter() - middle)
    # A pass takes a second or two: the best of each, since what else the machine does would decide the others.
    benchmark.extra_info["ratio"] = min(peer) / min(ours)
    benchmark.pedantic(loop, rounds=1)
    assert min(peer) / min(ours) >= kept
