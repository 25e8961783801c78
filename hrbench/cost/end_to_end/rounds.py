"""Rounds over the images of a pipeline: each image once split into stages, and once as a whole. Knows no network.

The stages are timed in one run of an image and the whole in another, without a mark and without waiting for the device
in between, so that the sum of the stages is held against a time of its own. Which of the two comes first changes from
round to round. Both runs of an image follow one another, so what disturbs the machine disturbs both alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Generic, TypeVar

from hrbench.core.stages import STAGES, measured

T = TypeVar("T")

Times = Mapping[str, float]
"""Seconds of an image by stage."""


@dataclass(slots=True)
class Rounds(Generic[T]):
    """Times a pipeline over its images, round by round; `whole` and `stages` have a list of the images' times a round.

    run: the pipeline for one image, until its device has finished.
    images: what it takes.
    now: a clock, in seconds.
    wait: returns when the device has done all that it was asked for.
    """

    run: Callable[[T], object]
    images: Sequence[T]
    now: Callable[[], float]
    wait: Callable[[], object] = lambda: None
    whole: list[list[float]] = field(default_factory=list)
    stages: list[list[Times]] = field(default_factory=list)

    def once(self) -> None:
        """One round."""
        split_first = len(self.whole) % 2 == 0
        wholes: list[float] = []
        splits: list[Times] = []
        for image in self.images:
            if split_first:
                splits.append(self._split(image))
            wholes.append(self._whole(image))
            if not split_first:
                splits.append(self._split(image))
        self.whole.append(wholes)
        self.stages.append(splits)

    def _whole(self, image: T) -> float:
        self.wait()
        began = self.now()
        self.run(image)
        self.wait()
        return self.now() - began

    def _split(self, image: T) -> Times:
        self.wait()
        with measured(self.now, self.wait) as times:
            self.run(image)
        return times.seconds


@dataclass(frozen=True, slots=True)
class Split:
    """What rounds found.

    whole: seconds of an image.
    stages: stage -> seconds of an image, for each stage that was told apart.
    apart: by which share of the whole the stages add up to more, or to less (below 0).
    """

    whole: float
    stages: Mapping[str, float]
    apart: float


def split_of(whole: Sequence[Sequence[float]], stages: Sequence[Sequence[Times]]) -> Split:
    """Of each image the interquartile mean of its runs (`middle`), then the mean over images.

    whole, stages: by round, then by image. A stage that no image had is absent; in an image that lacks it, it took no
    time. What a task calls by a name of its own belongs to "postprocess".
    """
    known = [[_of_known(times) for times in each] for each in stages]
    names = {name for each in known for times in each for name in times}
    total = fmean(fmean(image[run] for run in middle(image)) for image in zip(*whole, strict=True))
    parts: list[dict[str, float]] = []
    for image in zip(*known, strict=True):
        runs = [image[run] for run in middle([sum(times.values()) for times in image])]
        parts.append({name: fmean(times.get(name, 0.0) for times in runs) for name in names})
    by_stage = {name: fmean(part[name] for part in parts) for name in STAGES if name in names}
    return Split(total, by_stage, sum(by_stage.values()) / total - 1 if total > 0 else 0.0)


def middle(totals: Sequence[float]) -> list[int]:
    """Numbers of the runs of an image whose totals are the middle half: neither the fastest nor the slowest quarter.

    Means of stages over the same runs add up to the mean of these runs' totals, which medians of stages do not:
    where a processor is shared, they add up to several percent less than the median of the whole.

    >>> middle([5.0, 1.0, 3.0, 2.0])
    [3, 2]
    """
    order = sorted(range(len(totals)), key=totals.__getitem__)
    quarter = len(order) // 4
    return order[quarter : len(order) - quarter]


def _of_known(times: Times) -> dict[str, float]:
    """Seconds by the names of `STAGES`."""
    found: dict[str, float] = {}
    for name, seconds in times.items():
        stage = name if name in STAGES else "postprocess"
        found[stage] = found.get(stage, 0.0) + seconds
    return found


def stage_samples(stages: Sequence[Sequence[Times]], name: str) -> tuple[float, ...]:
    """Seconds of one stage in each run, in the order taken."""
    return tuple(_of_known(times).get(name, 0.0) for each in stages for times in each)
