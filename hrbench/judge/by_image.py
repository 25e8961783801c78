"""How far apart two metrics' states are, image by image: which images both have, and what resampling them says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.slices import members, slice_row, unmatched
from hrbench.statistics import paired, proportions
from hrbench.types import ByImage

MIN_GROUPS = 30
"""So many groups are needed to resample groups: an interval over the 3 cities of Cityscapes val covers 75 %."""


@dataclass(frozen=True)
class _Pairing:
    """Which images both sides have: their places on each side, (U,) each, and what should be known about them."""

    first: np.ndarray
    second: np.ndarray
    groups: np.ndarray | None
    notes: tuple[str, ...]


def _pairing(first: ByImage, second: ByImage, options: Options) -> _Pairing | str:
    """The images that both sides are judged on, or why there are none, in words."""
    common, one, other = np.intersect1d(first.images, second.images, return_indices=True)
    same = np.ones(len(common), bool)
    if first.truth is not None and second.truth is not None:
        same = first.truth[one] == second.truth[other]
    notes: tuple[str, ...] = ()
    if len(common) < max(len(first.images), len(second.images)) or not same.all():
        if not options.common_images:
            told = f"images: {len(first.images):,} / {len(second.images):,}, {len(common):,} of them the same"
            if not same.all():
                told = f"truth: of {np.count_nonzero(~same):,} images, {_first_of(common[~same])}, it is not the same"
            return f"{told} (--common-images judges both on the images that both have)"
        notes = (f"on the {np.count_nonzero(same):,} images that both have with equal truth",)
    if options.common_images and (first.truth is None or second.truth is None):
        return "truth: a state of format 1 does not tell the truth of its images: run the suite again"
    one, other, common = one[same], other[same], common[same]
    if len(common) < 2:
        return f"images: {len(common)} that both have with equal truth"
    groups = None
    if options.groups:
        if first.groups is None:
            return "groups: the images belong to none"
        names, groups = np.unique(first.groups[one], return_inverse=True)
        if len(names) < MIN_GROUPS:
            return (
                f"groups: {len(names)}, fewer than {MIN_GROUPS}: an interval over so few covers less than it says; "
                "judge by image"
            )
    elif first.groups is not None and 1 < len(np.unique(first.groups)) < MIN_GROUPS:
        notes += ("images of one group, such as scenes of a city, resemble each other: the interval is too narrow",)
    return _Pairing(one, other, groups, notes)


def _first_of(images: np.ndarray) -> str:
    return f"the first is {images[0]}"


def evidence_by_image(
    first: ByImage, second: ByImage, rows: Sequence[Evidence], options: Options
) -> list[Evidence] | str:
    """The rows of one metric with their differences: all numbers that both sides have by image, classes included.

    rows: at least one; without differences.

    Returns why the sides cannot be compared, in words, if they cannot.
    """
    pairing = _pairing(first, second, options)
    if isinstance(pairing, str):
        return pairing
    names = [name for name in second.names if name in first.names]
    known = {row.quantity.name: row for row in rows}
    template = rows[0]
    rows = [known.get(name) or class_row(template, name) for name in names]
    overall = {*first.names[: first.overall], *second.names[: second.overall]}
    rows = [
        replace(row, notes=pairing.notes, units=len(pairing.first), single_class=row.quantity.name not in overall)
        for row in rows
    ]
    columns = [[side.names.index(name) for name in names] for side in (first, second)]
    sides = _JudgedSides(first, second, columns[0], columns[1], options)
    found = sides.judged(rows, pairing.first, pairing.second, pairing.groups)
    for name, images in options.slices.items():
        found += _on_slice(sides, pairing, [row for row in rows if not row.single_class], name, images)
    return found


@dataclass(frozen=True)
class _JudgedSides:
    """Both sides, with the places among each side's numbers of those that are judged."""

    first: ByImage
    second: ByImage
    first_columns: Sequence[int]
    second_columns: Sequence[int]
    options: Options

    def judged(
        self, rows: Sequence[Evidence], one: np.ndarray, other: np.ndarray, groups: np.ndarray | None
    ) -> list[Evidence]:
        """The rows, which are the first of the numbers judged, on the images at these places of each side, (U,)."""
        first, second, many = self.first, self.second, len(rows)
        columns, others = self.first_columns[:many], self.second_columns[:many]
        if first.right is not None and second.right is not None:
            return [
                _share(row, first.right[one, i], second.right[other, j])
                for row, i, j in zip(rows, columns, others, strict=True)
            ]
        statistics = paired.PairedStatistics(
            first=_on_common(first, one, columns),
            second=_on_common(second, other, others),
            images=len(one),
            used=np.arange(len(one)),
            groups=groups,
            at_once=max(1, min(first.at_once, second.at_once)),
        )
        return _bootstrapped(statistics, rows, self.options, np.zeros((0, many)))


def _on_slice(
    sides: _JudgedSides, pairing: _Pairing, rows: Sequence[Evidence], name: str, images: frozenset[str]
) -> list[Evidence]:
    """The rows on the images of a slice; missing if both sides have fewer than two of them."""
    inside = members(sides.first.images[pairing.first], images)
    told = unmatched(name, images, inside, sides.first.images[pairing.first])
    some = [replace(slice_row(row, name), units=int(inside.sum())) for row in rows]
    some = [replace(row, notes=(*row.notes, *told)) for row in some]
    if inside.sum() < 2:
        told = f"the slice {name} has {inside.sum()} of the images"
        return [replace(row, state="missing", reasons=(told,)) for row in some]
    groups = None
    if pairing.groups is not None:
        many, groups = np.unique(pairing.groups[inside], return_inverse=True)
        if len(many) < MIN_GROUPS:
            told = f"groups: {len(many)} in the slice {name}, fewer than {MIN_GROUPS}: judge by image"
            return [replace(row, state="not comparable", reasons=(told,)) for row in some]
    return sides.judged(some, pairing.first[inside], pairing.second[inside], groups)


def class_row(template: Evidence, name: str) -> Evidence:
    """A row for a number of a single class, which results need not hold."""
    label = name.partition("/")[2] or name
    quantity = replace(template.quantity, name=name, label=label, description=f"{name}, of a single class.")
    return Evidence(template.entry, template.former, template.metric, quantity)


def _on_common(side: ByImage, places: np.ndarray, columns: Sequence[int]) -> paired.ImageStatistic:
    """A side's numbers as a function of the weights of the common images."""

    once = np.zeros(len(side.images), np.int64)
    once[places] = 1

    def at(weights: np.ndarray) -> np.ndarray:
        spread = np.zeros((len(weights), len(side.images)), np.int64)
        spread[:, places] = weights
        values = side.at(spread) if side.resampled is None else side.resampled(spread, once)
        return values[:, columns]

    return at


def _bootstrapped(
    statistics: paired.PairedStatistics, rows: Sequence[Evidence], options: Options, former: np.ndarray
) -> list[Evidence]:
    """The rows judged by one more block of replicates than `former` (B, Q) has."""
    values = statistics.values()
    some, total = rows[0], len(former) + paired.BLOCK
    what = f"{some.metric} of {some.entry}" + (f", slice {some.slice}" if some.slice else "")

    def tell(done: int) -> None:
        options.on_replicates(what, len(former) + done, total)

    block = statistics.block(len(former) // paired.BLOCK, options.seed, on_replicates=tell)
    replicates = np.concatenate([former, block])
    again: list[list[Evidence]] = []

    def more(place: int) -> Evidence:
        if not again:  # all rows of the metric share their replicates
            again.append(_bootstrapped(statistics, rows, options, replicates))
        return again[0][place]

    found = []
    for place, (row, one, other) in enumerate(zip(rows, *(value.tolist() for value in values), strict=True)):
        if math.isnan(one) and math.isnan(other) and not row.slice:
            continue  # such as the IoU of a class that does not occur
        if math.isnan(one) or math.isnan(other):
            reasons = (*row.reasons, "the number does not exist on these images")
            found.append(replace(row, state="missing", reasons=reasons, first=_some(one), second=_some(other)))
            continue
        sign = -1.0 if row.quantity.better == "lower" else 1.0
        differences = sign * replicates[:, place]
        found.append(
            replace(
                row,
                first=one,
                second=other,
                difference=sign * (other - one),
                interval=paired.interval(differences),
                error=paired.standard_error(differences),
                means="bootstrap",
                units=statistics.units,
                replicates=len(replicates),
                p=lambda bound, differences=differences: paired.p_not_below(differences, bound),
                more=(lambda place=place: more(place)) if len(replicates) < paired.MOST else None,
            )
        )
    return found


def _some(value: float) -> float | None:
    return None if math.isnan(value) else value


def _share(row: Evidence, one: np.ndarray, other: np.ndarray) -> Evidence:
    """A share of images, judged in closed form. one, other: (U,) bool, whether each image is right."""
    n, gained, lost = len(one), int((other & ~one).sum()), int((one & ~other).sum())
    return replace(
        row,
        first=float(one.mean()),
        second=float(other.mean()),
        difference=(gained - lost) / n,
        interval=proportions.score_interval(gained, lost, n),
        error=proportions.standard_error(gained, lost, n),
        means="score test",
        p=lambda bound: proportions.p_not_below(gained, lost, n, bound),
        gained_lost=(gained, lost),
        p_none=proportions.mcnemar(gained, lost),
    )
