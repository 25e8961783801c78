"""Outputs that tell nothing apart are noted by every task; those that are no real numbers are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hrbench.core.plugins import resolve
from hrbench.errors import EntryError
from hrbench.tasks.outputs import OutputMonitor
from hrbench.types import ClassScheme, KeypointScheme, Person, Sample, Variant

CLASSES = 3
TASKS = ("classification", "segmentation", "pose")


class Net(nn.Module):
    """What `made` makes of a batch, behind a parameter that says where it is."""

    def __init__(self, made: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.weight, self.made = nn.Parameter(torch.zeros(1)), made

    def forward(self, images: Any) -> Any:
        return self.made(images)


def looks(task: str, batch: Tensor) -> Tensor:
    """A usual output of the task, which differs by class, place and image."""
    maps = torch.stack([batch.mean(1) * (number + 1) + number for number in range(CLASSES)], 1)
    return maps.mean((2, 3)) if task == "classification" else maps


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        assert cv2.imwrite(str(path), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        found.append(Sample(number, path, content=None))
    return found


def told(name: str, made: Callable[[Tensor], Any], samples: list[Sample], twice: bool = False) -> list[str]:
    """What a task says of a network's outputs, all images predicted and finished. twice: tried on them before."""
    kind = resolve("hrbench.tasks", name)
    scheme: Any = ClassScheme(("a", "b", "c"), (1, 2, 3))
    if name == "pose":
        scheme = KeypointScheme(("a", "b", "c"), (), (0.1, 0.1, 0.1), (), 1, annotated=True)
        whole = (Person(0, box=(0.0, 0.0, 32.0, 32.0)),)
        samples = [dataclasses.replace(sample, content=whole) for sample in samples]
    task = kind(Variant("v", "v", name, (32, 32)), SimpleNamespace(scheme=scheme), dataclasses.asdict(kind.Protocol()))
    net = Net(made)
    for sample in samples:
        items = task.prepare(sample)
        if twice:
            task.forward(net, items)
        raws = task.forward(net, items)
        task.finish(sample, list(zip(items, raws, strict=True)))
    return list(map(str, task.notes()))


SAME = {
    "classification": "every class has the same score in {} of 4 images, where ties go to the first class",
    "segmentation": "every class has the same score in {} of 4 images, where ties go to the first class",
    "pose": "every heatmap is constant in {} of 4 crops, where joints go to a corner",
}


@pytest.mark.parametrize("task", TASKS)
def test_usual_outputs_are_passed_over(task: str, samples: list[Sample]):
    assert told(task, lambda batch: looks(task, batch), samples) == []


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("value", [0.0, -1.5, 3e8])
@pytest.mark.parametrize("task", TASKS)
def test_constant_outputs_are_noted(task: str, value: float, twice: bool, samples: list[Sample]):
    if task == "segmentation" and value > 1e3:
        value = 80.0
    (note,) = told(task, lambda batch: torch.full_like(looks(task, batch), value), samples, twice)
    assert note.startswith(SAME[task].format(4))


@pytest.mark.parametrize("task", TASKS)
def test_so_are_some_of_them(task: str, samples: list[Sample]):
    seen = []

    def some(batch: Tensor) -> Tensor:
        seen.append(batch)
        made = looks(task, batch)
        return torch.ones_like(made) if len(seen) <= (4 if task == "pose" else 2) else made  # poses: mirrored as well

    (note,) = told(task, some, samples)
    assert note.startswith(SAME[task].format(2))


def test_a_classifier_that_says_the_same_of_every_image_is_noted(samples: list[Sample]):
    always = torch.tensor([[0.5, 0.25, 1.0]])
    assert told("classification", lambda batch: always.expand(len(batch), -1), samples) == [
        "the network returned the same numbers for all 4 images: are the weights the right ones?"
    ]
    assert told("classification", lambda batch: always.expand(len(batch), -1), samples[:1], twice=True) == []


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.uint8])
@pytest.mark.parametrize("task", TASKS)
def test_whole_numbers_are_noted(task: str, kind: torch.dtype, samples: list[Sample]):
    notes = told(task, lambda batch: (looks(task, batch).sigmoid() * 100).to(kind), samples)
    assert f"whole numbers ({str(kind).removeprefix('torch.')})" in notes[0]


@pytest.mark.parametrize("kind", [torch.bool, torch.complex64, torch.complex128])
@pytest.mark.parametrize("task", TASKS)
def test_booleans_and_complex_numbers_are_refused(task: str, kind: torch.dtype, samples: list[Sample]):
    with pytest.raises(EntryError, match=f"of type {str(kind).removeprefix('torch.')}; .* returns .*, of real numbers"):
        told(task, lambda batch: looks(task, batch).to(kind), samples)


def detections(images: list[Tensor], given: list[float], **kinds: torch.dtype) -> list[dict[str, Tensor]]:
    count = len(given)
    found = {
        "boxes": torch.tensor([[1.0, 1.0, 9.0, 9.0]]).expand(count, 4),
        "scores": torch.tensor(given),
        "labels": torch.zeros(count, dtype=torch.int64),
    }
    return [{name: value.to(kinds.get(name, value.dtype)) for name, value in found.items()} for _ in images]


def test_detections_of_one_score_are_noted(samples: list[Sample]):
    notes = told("detection", lambda images: detections(images, [0.5, 0.5]), samples)
    assert "8 detections all have the same score, 0.5: their order, and so AP, is arbitrary" in notes
    for scores in ([0.5, 0.25], [0.5], []):
        once = samples if len(scores) > 1 else samples[:1]
        notes = told("detection", lambda images, scores=scores: detections(images, scores), once)
        assert not any("same score" in note for note in notes)


@pytest.mark.parametrize("name", ["boxes", "scores", "labels"])
@pytest.mark.parametrize("kind", [torch.bool, torch.complex64])
def test_detections_that_are_no_real_numbers_are_refused(name: str, kind: torch.dtype, samples: list[Sample]):
    with pytest.raises(EntryError, match=f"of type {str(kind).removeprefix('torch.')}; a detector returns {name}"):
        told("detection", lambda images: detections(images, [0.5], **{name: kind}), samples)


@settings(max_examples=80)
@given(
    vectors=st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=2), max_size=8),
    cuts=st.lists(st.integers(0, 8), max_size=3),
    whole=st.booleans(),
)
def test_monitors_of_parts_say_what_one_of_all_outputs_says(vectors, cuts, whole):
    def seen(first, last):
        monitor = OutputMonitor("images", "{} are tied")
        for number in range(first, min(last, len(vectors))):
            monitor.note_vector(number, np.array(vectors[number], np.float32))
            if whole:
                monitor.note_dtype(torch.zeros(1, dtype=torch.int8))
        return monitor

    merged = OutputMonitor("images", "{} are tied")
    ends = [0, *sorted(cuts), 8]
    for first, last in pairwise(ends):
        merged.add_tally(seen(first, last).tally())
    again = OutputMonitor("images", "{} are tied")
    again.add_tally(merged.tally())
    assert again.notes() == merged.notes() == seen(0, 8).notes()
