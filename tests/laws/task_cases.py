"""One case for every task: the task on a few samples, with a network of its kind. A new task adds its own here."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from hrbench import catalog
from hrbench.core import plugins
from hrbench.runner.prepare import assemble
from hrbench.runner.settings import Settings
from hrbench.types import ClassScheme, Entry, KeypointScheme, Person, Sample, Variant


def _all_close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one, other, atol=1e-5)


@dataclass(frozen=True)
class Case:
    """What the laws are tried on.

    shape: of every item's image, None where it follows the photograph's. alike: raises where the raw outputs of an
    item alone and in a batch are not the same but for rounding. nothing: whether an image may have no items. unused:
    the task pickled, before it has counted anything.
    """

    task: Any
    samples: Sequence[Sample]
    net: nn.Module
    shape: tuple[int, ...] | None = None
    alike: Callable[[Any, Any], None] = _all_close
    nothing: bool = False
    unused: bytes = b""


def case_of(name: str, folder: Path) -> Case:
    """The case of a task, its data below `folder`."""
    assert name in CASES, f"the laws of tasks are not tried on {name}: tests/laws/task_cases.py has no case of it"
    torch.manual_seed(0)
    case = CASES[name](folder)
    return dataclasses.replace(case, unused=pickle.dumps(case.task))


def _pose(folder: Path) -> Case:
    """On the miniature of COCO keypoints."""
    kind = plugins.resolve("hrbench.tasks", "pose")
    row = next(row for row in catalog.datasets().values() if row.task == "pose" and row.draw)
    variant = next(v for v in catalog.variants().values() if v.task == "pose" and v.miniature)
    protocol = {**dataclasses.asdict(kind.Protocol()), **row.fixed}
    parts = assemble(Entry("one", variant, row, protocol, row.metrics, {}), Settings(data=folder))
    assert not parts.reasons
    net = nn.Conv2d(3, len(parts.task.scheme.names), 1, stride=4).eval()
    samples = list(parts.dataset.samples(protocol))[:6]
    return Case(parts.task, samples, net, shape=(*variant.input, 3), nothing=True)


def _noise(folder: Path) -> list[Sample]:
    """Photographs of noise, of several sizes."""
    rng = np.random.default_rng(0)
    samples = []
    for number, (height, width) in enumerate([(40, 56), (40, 56), (33, 70), (64, 64), (21, 18), (40, 56)]):
        path = folder / f"{number}.png"
        assert cv2.imwrite(str(path), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        samples.append(Sample(f"scene/{number}", path))
    return samples


def _segmentation(folder: Path) -> Case:
    """On photographs of noise, of several sizes, by two scales and mirrored."""
    samples = _noise(folder)
    kind = plugins.resolve("hrbench.tasks", "segmentation")
    protocol = {**dataclasses.asdict(kind.Protocol()), "scales": [0.75, 1.0], "flip": True}
    scheme = ClassScheme(("sky", "left", "right", "ground", "other"), flip_pairs=((1, 2),))
    variant = Variant("noise", "noise", "segmentation", (64, 64))
    task = kind(variant, SimpleNamespace(scheme=scheme), protocol)
    return Case(task, samples, nn.Conv2d(3, 5, 8, stride=4, padding=2).eval(), alike=_same_but_for_ties)


def _classification(folder: Path) -> Case:
    """On photographs of noise, of several sizes."""
    rng = np.random.default_rng(0)
    samples = []
    for number, (height, width) in enumerate([(40, 56), (70, 33), (64, 64), (21, 18)]):
        path = folder / f"{number}.png"
        assert cv2.imwrite(str(path), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        samples.append(Sample(f"noise/{number}", path))
    kind = plugins.resolve("hrbench.tasks", "classification")
    scheme = ClassScheme(tuple("abcdefg"), tuple(range(7)))
    variant = Variant("noise", "noise", "classification", (32, 32))
    task = kind(variant, SimpleNamespace(scheme=scheme), dataclasses.asdict(kind.Protocol()))
    net = nn.Sequential(nn.Conv2d(3, 7, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    return Case(task, samples, net, shape=(32, 32, 3))


class _Regions(nn.Module):
    """A detector of one box in each image, whose corners and score hang on its pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        values = self.conv(torch.stack(images)).mean(dim=(2, 3)).sigmoid()  # (N, 5), a batch of one size
        corner = values.new_tensor([0.0, 0.0, 8.0, 8.0])
        return [
            {
                "boxes": (4 * row[:4] + corner)[None],
                "scores": row[4:],
                "labels": torch.ones(1, dtype=torch.long),
                "mask_crops": row[None, None, :4] * torch.ones(1, 4, 4),
            }
            for row in values
        ]


def _detection(folder: Path) -> Case:
    """On photographs of noise, of several sizes, made larger as mmdetection does."""
    samples = _noise(folder)
    kind = plugins.resolve("hrbench.tasks", "detection")
    chosen = next(each for each in kind.protocols if each.name == "mmdet")
    protocol = {**dataclasses.asdict(chosen), "short": 64, "long": 96}
    variant = Variant("noise", "noise", "detection", (64, 96))
    task = kind(variant, SimpleNamespace(scheme=ClassScheme(("cat", "dog"), (3, 7))), protocol)
    return Case(task, samples, _Regions().eval(), alike=_same_findings)


def _same_findings(one: Any, other: Any) -> None:
    for name in ("boxes", "scores", "labels", "crops"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4)


def _same_but_for_ties(one: np.ndarray, other: np.ndarray) -> None:
    assert one.shape == other.shape and one.dtype == other.dtype
    assert np.mean(one != other) < 0.001


def _landmarks(folder: Path) -> Case:
    """On photographs of noise with one face or two, or none."""
    samples = []
    for number, sample in enumerate(_noise(folder)):
        faces = [Person(2 * number + one, centre=(20.0 + one, 16.5), scale=0.1 + 0.02 * number) for one in range(2)]
        samples.append(dataclasses.replace(sample, content=tuple(faces[: number % 3])))
    kind = plugins.resolve("hrbench.tasks", "landmarks")
    scheme = KeypointScheme(tuple("abcde"), (), annotated=True)
    variant = Variant("noise", "noise", "landmarks", (32, 32), colour="rgb")
    task = kind(variant, SimpleNamespace(scheme=scheme), dataclasses.asdict(kind.Protocol()))
    return Case(task, samples, nn.Conv2d(3, 5, 1, stride=4).eval(), shape=(32, 32, 3), nothing=True)


class _Queries(nn.Module):
    """Four queries whose classes and masks hang on the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, stride=4, padding=2)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        masks = 40 * self.conv(images)
        sure = masks.mean((2, 3))[..., None] * torch.tensor([0.1, -0.1, 0.0]) + torch.tensor([9.0, 8.0, 1.0])
        return {"class_logits": sure, "mask_logits": masks}


def _panoptic(folder: Path) -> Case:
    """On photographs of noise, of several sizes."""
    samples = _noise(folder)
    kind = plugins.resolve("hrbench.tasks", "panoptic")
    protocol = {**dataclasses.asdict(kind.Protocol()), "size": "own", "threshold": 0.1, "overlap": 0.05}
    scheme = ClassScheme(("cat", "sky"), (3, 7), things=(True, False))
    variant = Variant("noise", "noise", "panoptic", (64, 96))
    task = kind(variant, SimpleNamespace(scheme=scheme), protocol)
    return Case(task, samples, _Queries().eval(), alike=_same_segments)


def _same_segments(one: Any, other: Any) -> None:
    assert one.labels == other.labels and one.labels and np.mean(one.ids != other.ids) < 0.001


CASES: dict[str, Callable[[Path], Case]] = {
    "landmarks": _landmarks,
    "pose": _pose,
    "segmentation": _segmentation,
    "panoptic": _panoptic,
    "detection": _detection,
    "classification": _classification,
}
