"""What is known about how far apart two numbers are, before anybody says whether that is good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hrbench.types import Quantity

Means = Literal["equal predictions", "exact", "bootstrap", "score test", "measured apart", "interleaved"]
"""How a difference was judged."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one number on both sides.

    entry: its name on the second side.
    former: its name on the first side.
    metric: "" for a cost.
    cell: under which conditions a cost was measured, of several ("batch 8"); "" for a score.
    single_class: whether it is the number of a single class.
    slice: the part of the images it is the number of; "" for all.
    on_images: whether a cost was measured on images, so that it depends on weights.
    first, second: values in the quantity's unit; None if there is none.
    difference: second minus first in the better direction, so that a negative one is worse, in the quantity's unit; for
        times, energy and memory the logarithm of the ratio, in the better direction. None if not comparable.
    interval: 95 %, of the difference.
    error: its standard error; 0 if it is exact, or not known.
    quiet: of times that were measured in turns: the interval of the first side against itself.
    means: how it was judged; "" if it was not.
    state: "compared", or why there is no difference, in a word.
    reasons: why, in words.
    notes: what should be known besides, the same for all numbers of a metric.
    units: images, or groups, that were resampled; rounds of times that were measured in turns.
    replicates: how many, of the bootstrap.
    p: one-sided p of the hypothesis "the difference is at least" a number in the difference's unit.
    gained_lost: of a share of images: how many are right on the second side alone, and on the first side alone.
    p_none: p of no difference at all (McNemar's exact test), for shares of images.
    more: gives the same evidence with another block of replicates; None if there is nothing to resample.
    """

    entry: str
    former: str
    metric: str
    quantity: Quantity
    cell: str = ""
    single_class: bool = False
    slice: str = ""
    on_images: bool = False
    first: float | None = None
    second: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    error: float = 0.0
    quiet: tuple[float, float] | None = None
    means: Means | Literal[""] = ""
    state: Literal["compared", "missing", "new", "not comparable", "failed"] = "compared"
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    units: int = 0
    replicates: int = 0
    p: Callable[[float], float] | None = None
    gained_lost: tuple[int, int] | None = None
    p_none: float | None = None
    more: Callable[[], Evidence] | None = field(default=None, compare=False)

    @property
    def is_part(self) -> bool:
        """Whether it is the number of a class or a slice: watched, and named only by patterns of its own."""
        return self.single_class or bool(self.slice)

    @property
    def key(self) -> str:
        """METRIC/NAME, or the name of a cost."""
        return f"{self.metric}/{self.quantity.name}" if self.metric else self.quantity.name


OnReplicates = Callable[[str, int, int], object]


@dataclass(frozen=True, slots=True)
class Options:
    """How to look.

    seed: of the bootstrap.
    classes: whether numbers of single classes are compared too.
    across: conditions that are meant to differ.
    common_images: whether images that only one side has, or whose truth differs, are left out rather than refused.
    groups: whether whole groups of images are resampled.
    slices: parts of the images on which each number is judged too (`judge.slices`).
    trust_stored: whether times that were measured apart are judged.
    on_replicates: called while images are resampled, with what is judged, replicates done, and how many are to do.
    """

    seed: int = 0
    classes: bool = False
    across: tuple[str, ...] = ()
    common_images: bool = False
    groups: bool = False
    slices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    trust_stored: bool = False
    on_replicates: OnReplicates = lambda what, done, total: None
