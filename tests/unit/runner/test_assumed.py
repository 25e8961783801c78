"""What is told of the size that images go in at, where nothing states how they are prepared."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from hrbench.runner.assumed import assumed_notes
from hrbench.tasks.detection.task import Detect
from hrbench.tasks.segmentation.protocols import Inference
from hrbench.types import Entry, Variant


@pytest.mark.parametrize(
    ("task", "protocol", "said"),
    [
        ("segmentation", Inference(), "at their own size, padded to multiples of 32, and not to its input of 64x64,"),
        ("segmentation", Inference(size="squash", crop=(64, 64), multiple=1), "go in resized to 64x64,"),
        ("segmentation", Inference(size="short side", short=520, multiple=1), "a short side of 520 pixels,"),
        ("segmentation", Inference(windows="cut", crop=(32, 32), multiple=1), "own size, in windows of 32x32,"),
        ("detection", Detect(), "at their own size, and not to its input of 64x64,"),
        ("detection", Detect(resize="mmdet"), "a short side of 800 pixels and a long side of at most 1333,"),
        ("detection", Detect(resize="fixed"), "they go in resized to its input of 64x64,"),
    ],
)
def test_the_note_on_defaults_says_the_size_that_images_go_in_at(task: str, protocol: Any, said: str) -> None:
    variant = Variant("own", "mine:net", task, (64, 64))
    entry = Entry("one", variant, None, asdict(protocol), (), {}, assumed=("model.colour",))
    (note,) = assumed_notes(entry)
    assert said in note.what and "by the defaults of hrbench" in note.what
