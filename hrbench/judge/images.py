"""Which images and classes changed most between two results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.contracts import JudgedByImage
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError
from hrbench.judge.sides import state_of
from hrbench.types import Result


@dataclass(frozen=True, slots=True)
class ImageChange:
    """One image. before, after: how good its prediction was and is, in [0, 1] (`Metric.qualities`)."""

    image: int | str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


def most_changed(first: Result, second: Result, metric: str, count: int = 6) -> list[ImageChange]:
    """The images whose own score changed most, largest change first; those that did not change are left out.

    Returns an empty list for a metric that has no score for an image, and for states that cannot be read.
    """
    try:
        judge: Any = resolve("hrbench.metrics", metric)
        if not isinstance(judge, JudgedByImage):
            return []
        before, after = (judge.by_image(state_of(result, metric)).qualities() for result in (first, second))
    except HrbenchError:
        return []
    both = [ImageChange(image, before[image], after[image]) for image in after if image in before]
    changed = [one for one in both if one.change]
    return sorted(changed, key=lambda one: (-abs(one.change), str(one.image)))[:count]


@dataclass(frozen=True, slots=True)
class ClassChange:
    """A number of one class, such as IoU/road. before, after: as the metric has them."""

    name: str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


def most_changed_classes(first: Result, second: Result, metric: str, count: int = 10) -> list[ClassChange]:
    """The numbers of single classes that changed most, largest change first; those that did not change are left out.

    Returns an empty list for a metric without classes, for results on different images, and for states that cannot be
    read.
    """
    try:
        judge: Any = resolve("hrbench.metrics", metric)
        if not isinstance(judge, JudgedByImage):
            return []
        sides = [judge.by_image(state_of(result, metric), True) for result in (first, second)]
        if not np.array_equal(sides[0].images, sides[1].images):
            return []
        values = [dict(zip(side.names, side.at(np.ones((1, len(side.images)), np.int64))[0].tolist(), strict=True))
                  for side in sides]  # fmt: skip
    except HrbenchError:
        return []
    both = [
        ClassChange(name, values[0][name], values[1][name])
        for name in sides[1].names[sides[1].overall :]
        if name in values[0]
    ]
    changed = [one for one in both if one.change and one.change == one.change]
    return sorted(changed, key=lambda one: (-abs(one.change), one.name))[:count]


def metrics_of(result: Result) -> Sequence[str]:
    """The metrics that scored a result, in order."""
    return tuple(dict.fromkeys(score.metric for score in result.scores))
