"""Which images and classes changed most between two results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.contracts import JudgedByImage
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError
from hrbench.judge.sides import state_of
from hrbench.types import ByImage, Result

IMAGES, CLASSES = 6, 10
"""How many of each."""


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """An image with how good its prediction was and is, in [0, 1] (`Metric.qualities`), or a number of one class.

    name: id of the image, or name of the number, such as IoU/road.
    """

    name: int | str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class MostChanged:
    """Images and classes by one metric, largest change first; those that did not change are left out."""

    images: tuple[ScoreChange, ...] = ()
    classes: tuple[ScoreChange, ...] = ()


def most_changed(first: Result, second: Result, metric: str) -> MostChanged:
    """The images and classes that changed most, on the images that both results have with equal truth.

    Nothing for a metric that has no numbers by image, and for states that cannot be read.
    """
    try:
        judge: Any = resolve("hrbench.metrics", metric)
        if not isinstance(judge, JudgedByImage):
            return MostChanged()
        before, after = (judge.by_image(state_of(result, metric), True) for result in (first, second))
        images, one, other = np.intersect1d(before.images, after.images, return_indices=True)
        if before.truth is not None and after.truth is not None:
            same = before.truth[one] == after.truth[other]
            images, one, other = images[same], one[same], other[same]
        judged = set(images.tolist())
        was, now = ({i: v for i, v in side.qualities().items() if i in judged} for side in (before, after))
        classes = _largest(_classes(before, one), _classes(after, other), CLASSES)
        return MostChanged(_largest(was, now, IMAGES), classes)
    except HrbenchError:
        return MostChanged()


def _classes(side: ByImage, places: np.ndarray) -> dict[str, float]:
    """The numbers of single classes on the images at these places; of several kinds only those of the first number."""
    if len(side.names) == side.overall or not len(places):
        return {}
    weights = np.zeros((1, len(side.images)), np.int64)
    weights[0, places] = 1
    values = side.at(weights)[0].tolist()
    found = dict(list(zip(side.names, values, strict=True))[side.overall :])
    return {name: value for name, value in found.items() if name.startswith(f"{side.names[0]}/")} or found


def _largest(before: Mapping[Any, float], after: Mapping[Any, float], count: int) -> tuple[ScoreChange, ...]:
    both = [ScoreChange(name, before[name], after[name]) for name in after if name in before]
    changed = [one for one in both if one.change and one.change == one.change]  # a number that is NaN did not change
    return tuple(sorted(changed, key=lambda one: (-abs(one.change), str(one.name)))[:count])
