"""Which images changed most between two results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


def metrics_of(result: Result) -> Sequence[str]:
    """The metrics that scored a result, in order."""
    return tuple(dict.fromkeys(score.metric for score in result.scores))
