"""How far apart two accuracies are: paired over images, from the stored states.

Cheapest first: predictions with equal digests are unchanged, and need no statistics; shares of images are judged in
closed form; all other numbers by the bootstrap over images with common multiplicities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrbench.contracts import JudgedByImage
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError
from hrbench.judge import comparability
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.sides import prediction_digests, state_of
from hrbench.statistics import paired, proportions
from hrbench.types import ByImage, Measurement, Quantity, Result

MIN_GROUPS = 30
"""So many groups are needed to resample groups: an interval over the 3 cities of Cityscapes val covers 75 %."""


def accuracy_evidence(first: Result, second: Result, options: Options) -> list[Evidence]:
    """The evidence for every score that either side has, metric after metric."""
    metrics = dict.fromkeys(score.metric for result in (first, second) for score in result.scores)
    found: list[Evidence] = []
    for metric in metrics:
        one, other = ({s.quantity.name: s for s in result.scores if s.metric == metric} for result in (first, second))
        found += _metric(first, second, metric, one, other, options)
    if not metrics and "failed" in (first.status, second.status) and (first.entry.metrics or second.entry.metrics):
        reason = second.reason if second.status == "failed" else f"the former result: {first.reason}"
        nothing = Quantity("accuracy", "accuracy", "fraction", "higher")
        names = second.entry.metrics or first.entry.metrics
        found += [Evidence(second.name, first.name, name, nothing, state="failed", reasons=(reason,)) for name in names]
    return found


def _metric(
    first: Result,
    second: Result,
    metric: str,
    one: Mapping[str, Measurement],
    other: Mapping[str, Measurement],
    options: Options,
) -> list[Evidence]:
    """The evidence for the numbers of one metric, by name on either side."""
    rows = []
    for name in dict.fromkeys([*other, *one]):
        known = other.get(name) or one[name]
        was, now = (side[name].value if name in side else None for side in (one, other))
        rows.append(Evidence(second.name, first.name, metric, known.quantity, first=was, second=now))
    # a number that neither side has, such as the IoU of a class that does not occur, is no news
    rows = [row for row in rows if row.first is not None or row.second is not None]
    rows = [_existence(row, one, other, first, second) for row in rows]
    both = [row for row in rows if row.state == "compared"]
    if not both:
        return rows
    judged = _paired(first, second, metric, both, options)
    return [*judged, *(row for row in rows if row.state != "compared")]


def _existence(
    row: Evidence, one: Mapping[str, Measurement], other: Mapping[str, Measurement], first: Result, second: Result
) -> Evidence:
    """The row, with the state of a number that one side does not have."""
    name = row.quantity.name
    if row.second is None:
        reason = str(other[name].reason) if name in other else second.reason or "the entry has no such number"
        state = "failed" if second.status == "failed" else "missing"
        return replace(row, state=state, reasons=(reason,))
    if row.first is None:
        reason = str(one[name].reason) if name in one else first.reason or "the former result has no such number"
        return replace(row, state="new", reasons=(reason,))
    return row


def _paired(first: Result, second: Result, metric: str, rows: list[Evidence], options: Options) -> list[Evidence]:
    """The rows of one metric with their differences, or with what forbids one; of classes only if asked for."""
    differ = comparability.protocol_differences(first, second)
    differ += comparability.version_differences(first, second, metric)
    if not options.common_images:
        differ += comparability.data_differences(first, second) + comparability.limit_differences(first, second)
    if differ:
        return _refused(rows, *differ)
    try:
        found: Any = resolve("hrbench.metrics", metric)
        if not isinstance(found, JudgedByImage):
            raise HrbenchError(f"{metric} does not tell its numbers by image (`by_image`)")
        made: Any = found
        digests = [prediction_digests(result, made.prediction_file) for result in (first, second)]
        if digests[0] and digests[0] == digests[1] and _equal(rows):
            return [_unchanged(row) for row in rows]
        states = state_of(first, metric), state_of(second, metric)
        if differ := comparability.metric_differences(*states):
            return _refused(rows, *differ)
        sides = [made.by_image(state, options.classes) for state in states]
        pairing = _pairing(sides[0], sides[1], options)
    except HrbenchError as error:
        return _refused(rows, str(error))
    if isinstance(pairing, str):
        return _refused(rows, pairing)
    return _judged(sides, pairing, rows, options)


def _refused(rows: Sequence[Evidence], *reasons: str) -> list[Evidence]:
    """The rows as not comparable, for these reasons; those of single classes would say the same and are left out."""
    parts = "/" in rows[0].quantity.name
    shown = [row for row in rows if parts or "/" not in row.quantity.name]
    return [replace(row, state="not comparable", reasons=reasons) for row in shown]


def _equal(rows: Sequence[Evidence]) -> bool:
    return all(row.first == row.second for row in rows)


def _unchanged(row: Evidence) -> Evidence:
    return replace(
        row,
        difference=0.0,
        interval=(0.0, 0.0),
        means="equal predictions",
        p=lambda bound: float(bound <= 0),
        p_none=1.0,
    )


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


def _judged(sides: Sequence[ByImage], pairing: _Pairing, rows: list[Evidence], options: Options) -> list[Evidence]:
    """The differences of all numbers that both sides have by image, classes included."""
    first, second = sides
    names = [name for name in second.names if name in first.names]
    known = {row.quantity.name: row for row in rows}
    template = rows[0]
    rows = [known.get(name) or _class_row(template, name) for name in names]
    overall = {*first.names[: first.overall], *second.names[: second.overall]}
    rows = [
        replace(row, notes=pairing.notes, units=len(pairing.first), single_class=row.quantity.name not in overall)
        for row in rows
    ]
    columns = [[side.names.index(name) for name in names] for side in sides]
    if first.right is not None and second.right is not None:
        return [
            _share(row, first.right[pairing.first, i], second.right[pairing.second, j])
            for row, i, j in zip(rows, *columns, strict=True)
        ]
    statistics = paired.PairedStatistics(
        first=_on_common(first, pairing.first, columns[0]),
        second=_on_common(second, pairing.second, columns[1]),
        images=len(pairing.first),
        used=np.arange(len(pairing.first)),
        groups=pairing.groups,
        at_once=max(1, min(first.at_once, second.at_once)),
    )
    return _bootstrapped(statistics, rows, options.seed, np.zeros((0, len(rows))))


def _class_row(template: Evidence, name: str) -> Evidence:
    """A row for a number of a single class, which results need not hold."""
    label = name.partition("/")[2] or name
    quantity = replace(template.quantity, name=name, label=label, description=f"{name}, of a single class.")
    return Evidence(template.entry, template.former, template.metric, quantity)


def _on_common(side: ByImage, places: np.ndarray, columns: Sequence[int]) -> paired.ImageStatistic:
    """A side's numbers as a function of the weights of the common images."""

    def at(weights: np.ndarray) -> np.ndarray:
        spread = np.zeros((len(weights), len(side.images)), np.int64)
        spread[:, places] = weights
        return side.at(spread)[:, columns]

    return at


def _bootstrapped(
    statistics: paired.PairedStatistics, rows: Sequence[Evidence], seed: int, former: np.ndarray
) -> list[Evidence]:
    """The rows judged by one more block of replicates than `former` (B, Q) has."""
    values = statistics.values()
    block = statistics.block(len(former) // paired.BLOCK, seed)
    replicates = np.concatenate([former, block])
    again: list[list[Evidence]] = []

    def more(place: int) -> Evidence:
        if not again:  # all rows of the metric share their replicates
            again.append(_bootstrapped(statistics, rows, seed, replicates))
        return again[0][place]

    found = []
    for place, (row, one, other) in enumerate(zip(rows, *(value.tolist() for value in values), strict=True)):
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
        p_none=proportions.mcnemar(gained, lost),
    )
