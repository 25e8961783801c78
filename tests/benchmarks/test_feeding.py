"""What the loop costs the process that runs the network, which returns constants here, beside a DataLoader of torch.

Loading: CPU time of this process from samples to bytes on a stand-in device, which copies them and computes nothing.
The DataLoader prepares the same by the same code, collates in its workers as torch does, and copies to the same device.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import street_scale
import torch
from pycocotools import mask as coco_mask
from torch.utils.data import DataLoader, Dataset

from hrbench import catalog
from hrbench.core.streams import fan_out
from hrbench.datasets.coco_instances import CocoInstances
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.formats.coco.write import write_boxes, write_masks
from hrbench.runner import pipeline
from hrbench.runner.workers import prepare_samples
from hrbench.tasks.classification.task import Classification
from hrbench.tasks.detection import mask_pasting
from hrbench.tasks.detection.task import Detection
from hrbench.tasks.pose.task import Pose
from hrbench.tasks.segmentation.protocols import NAMED_PROTOCOLS
from hrbench.tasks.segmentation.task import Segmentation
from hrbench.types import ClassScheme, Sample

WORKERS = 2
BOXES = {"boxes": "person_detection_results/detections_person.json"}
Case = tuple[Any, list[Sample], int]
"""A task, its samples, and how many of them a DataLoader takes in a batch."""


def pose(realdata: Path, folder: Path) -> Case:
    data = CocoKeypointsDataset(realdata)
    task = Pose(catalog.variants()["pose_hrnet_w32_coco_256x192"], data, BOXES)
    return task, [sample for sample in data.samples(BOXES) if sample.content] * 2, 4


def detection(realdata: Path, folder: Path) -> Case:
    variant = next(each for name, each in catalog.variants().items() if name.startswith("mask_rcnn_hrnetv2p_w18"))
    data = CocoInstances(realdata)
    protocol = dataclasses.asdict(next(each for each in Detection.protocols if each.name == "mmdet"))
    return Detection(variant, data, protocol), list(data.samples(protocol)) * 2, 1


def cityscapes(realdata: Path, folder: Path) -> Case:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    samples = []
    for number in range(6):
        path = folder / f"{number}.png"
        assert cv2.imwrite(str(path), colours[street_scale.scene(rng)[0]])
        samples.append(Sample(number, path, (2048, 1024)))
    variant = next(each for name, each in catalog.variants().items() if name.startswith("seg_hrnet_w48_cityscapes"))
    data: Any = SimpleNamespace(scheme=ClassScheme(tuple(map(str, range(19)))))
    return Segmentation(variant, data, {**dataclasses.asdict(NAMED_PROTOCOLS[0]), **variant.protocol}), samples * 8, 1


def imagenet(realdata: Path, folder: Path) -> Case:
    variant = next(each for each in catalog.variants().values() if each.task == "classification")
    data: Any = SimpleNamespace(scheme=ClassScheme(tuple(map(str, range(1000)))))
    task = Classification(variant, data, dataclasses.asdict(Classification.protocols[0]))
    paths = sorted((realdata / "coco/val2017").glob("*.jpg"))
    return task, [Sample(path.stem, path) for path in paths] * 5, 16


class PreparedImages(Dataset):
    """What the task prepares of each sample, for a DataLoader."""

    def __init__(self, task: Any, samples: Sequence[Sample]) -> None:
        self.task, self.samples = task, samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> list[torch.Tensor]:
        return [torch.from_numpy(item.image) for item in self.task.prepare(self.samples[number])]


def collated(parts: list[list[torch.Tensor]]) -> list[torch.Tensor]:
    images = [image for part in parts for image in part]
    return [torch.stack(images)] if len({image.shape for image in images}) == 1 else images


class BytesOnly:
    """A stand-in for a device: memory that uint8 is copied to, of each size as often as it is asked for."""

    def __init__(self) -> None:
        self.memory: dict[Any, torch.Tensor] = {}

    def take(self, images: torch.Tensor) -> int:
        place = self.memory.setdefault(images.shape, torch.empty_like(images))
        place.copy_(images)
        return len(images) if images.ndim == 4 else 1


def by_loop(case: Case) -> int:
    task, samples, _ = case
    device = BytesOnly()
    prepared = prepare_samples(task, samples, WORKERS)
    return sum(device.take(torch.from_numpy(item.image)) for _, items in prepared for item in items)


def by_data_loader(case: Case) -> int:
    task, samples, batch = case
    device = BytesOnly()
    loader = DataLoader(PreparedImages(task, samples), batch_size=batch, num_workers=WORKERS, collate_fn=collated)
    return sum(device.take(images) for part in loader for images in part)


def least(rounds: int, *works: Callable[[], object]) -> tuple[list[float], list[float]]:
    """The least CPU seconds of this process, and the least wall seconds, of works that take turns."""
    spent: list[list[tuple[float, float]]] = [[] for _ in works]
    for _ in range(rounds):
        for work, its in zip(works, spent, strict=True):
            cpu, wall = time.process_time(), time.perf_counter()
            work()
            its.append((time.process_time() - cpu, time.perf_counter() - wall))
    return [min(each[0] for each in its) for its in spent], [min(each[1] for each in its) for its in spent]


@pytest.mark.parametrize("case", [pose, detection, cityscapes, imagenet])
def test_loading_costs_no_more_than_a_data_loader(benchmark, realdata, tmp_path, case):
    made = case(realdata, tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # others would wait busily for the next copy to the stand-in, which counts as CPU time
    assert by_loop(made) == by_data_loader(made)
    (ours, peer), _ = least(3, lambda: by_loop(made), lambda: by_data_loader(made))
    benchmark.extra_info.update(ratio=ours / peer, ours_ms=1e3 * ours / len(made[1]), peer_ms=1e3 * peer / len(made[1]))
    benchmark.pedantic(by_loop, (made,), rounds=1)
    torch.set_num_threads(threads)
    assert ours <= 1.5 * peer


# --- a hundred masks an image -----------------------------------------------------------------------------------------


class Constants:
    """A Mask R-CNN that finds the same hundred objects everywhere, of the sizes of val2017's."""

    def __init__(self, annotations: Path, count: int = 100) -> None:
        rng = np.random.default_rng(0)
        content = json.loads(annotations.read_text())
        size = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
        shares = np.array([np.array(row["bbox"][2:]) / size[row["image_id"]] for row in content["annotations"]])
        self.sides = shares[rng.integers(len(shares), size=count)].clip(0.01, 1)
        self.corner = rng.random((count, 2)) * (1 - self.sides)
        y, x = np.mgrid[-1:1:28j, -1:1:28j]
        waves = [np.sin(x * rng.uniform(3, 9) + 6 * rng.random()) * np.cos(y * rng.uniform(3, 9)) for _ in range(count)]
        crops = [1 / (1 + np.exp(8 * ((x / 0.9) ** 2 + (y / 0.8) ** 2 - 1 + 0.35 * wave))) for wave in waves]
        self.crops = torch.from_numpy(np.array(crops, np.float32))
        self.scores, self.labels = torch.linspace(0.99, 0.05, count), torch.from_numpy(rng.integers(0, 80, count))

    def __call__(self, images: Sequence[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        found = []
        for image in images:
            side = np.array([image.shape[2], image.shape[1]])
            boxes = np.concatenate([self.corner * side, (self.corner + self.sides) * side], 1).astype(np.float32)
            found.append(
                {
                    "boxes": torch.from_numpy(boxes),
                    "scores": self.scores,
                    "labels": self.labels,
                    "mask_crops": self.crops,
                }
            )
        return found


def whole_image_codes(crops: np.ndarray, boxes: np.ndarray, size: tuple[int, int], paste: str) -> list[dict[str, Any]]:
    """Masks as they were encoded before: all drawn on whole images, in the order in which the codec reads them."""
    width, height = size
    canvases = np.zeros((height, width, len(crops)), np.uint8, order="F")
    for number, (crop, box) in enumerate(zip(crops, boxes, strict=True)):
        part, left, top = mask_pasting._sampled(crop, box, size)
        canvases[top : top + part.shape[1], left : left + len(part), number] = np.ascontiguousarray(part.T)
    codes: Any = coco_mask.encode(canvases)
    return [{"size": [height, width], "counts": each["counts"].decode("ascii")} for each in codes]


class FinishedHere:
    """A detection task as the loop knew it before: whatever follows the network is done in a thread of this process."""

    def __init__(self, task: Detection) -> None:
        self.task = task
        self.prepare, self.forward = task.prepare, task.forward

    def finish(self, sample: Sample, pairs: Any) -> Any:
        begun: Any = self.task.begin_finish(sample, pairs)
        return begun.complete(whole_image_codes(*begun.arguments))


def test_a_hundred_masks_cost_a_quarter_and_come_four_times_as_fast(benchmark, realdata, tmp_path, monkeypatch):
    """The bound of the rate: what this process does for an image, or what 8 workers do, whichever takes longer.

    Workers do not wait for one another, so with 8 of them an eighth of a worker's time passes for each image; it is
    measured here, in this process, as the loading and the pasting of the same images on one thread.
    """
    task, samples, _ = detection(realdata, tmp_path)
    samples = samples[:60]
    net = Constants(realdata / "coco/annotations/instances_val2017.json")
    monkeypatch.setattr(
        Detection, "_input", lambda self, net, item: torch.empty((3, *item.image.shape[:2]), device="meta")
    )
    files = [tmp_path / "boxes.json", tmp_path / "masks.json"]

    def run(finishing: Any) -> None:
        predictions = pipeline.predict(finishing, net, samples, batch=1, workers=WORKERS)
        fan_out(predictions, [partial(write_boxes, path=files[0]), partial(write_masks, path=files[1])])

    def in_a_worker() -> None:
        for sample in samples[:20]:
            (item,) = task.prepare(sample)
            task.finish(sample, [(item, task.forward(net, [item])[0])])

    before = FinishedHere(task)
    (here, beside, worker), _ = least(3, lambda: run(before), lambda: run(task), in_a_worker)
    run(before)
    expected = [file.read_bytes() for file in files]
    benchmark.pedantic(run, (task,), rounds=1)
    assert [file.read_bytes() for file in files] == expected
    here, beside, worker = here / len(samples), beside / len(samples), worker / 20
    rate = 1 / max(beside, worker / 8)
    benchmark.extra_info.update(
        share=beside / here, before_ms=1e3 * here, ours_ms=1e3 * beside, worker_ms=1e3 * worker, rate_ratio=rate * here
    )
    assert beside <= here / 4 and rate >= 4 / here
