"""How far apart two accuracies are: paired over images, from the stored states.

Cheapest first: predictions with equal digests are unchanged, and need no statistics; shares of images are judged in
closed form; all other numbers by the bootstrap over images with common multiplicities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hrbench.contracts import JudgedByImage
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError
from hrbench.judge import comparability
from hrbench.judge.by_image import class_row, evidence_by_image
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.sides import check_files, prediction_digests, state_of
from hrbench.judge.slices import members, slice_row, unmatched
from hrbench.types import ByImage, Measurement, Quantity, Result


def accuracy_evidence(first: Result, second: Result, options: Options) -> list[Evidence]:
    """The evidence for every score that either side has, metric after metric."""
    metrics = dict.fromkeys(score.metric for result in (first, second) for score in result.scores)
    found: list[Evidence] = []
    for metric in metrics:
        one, other = ({s.quantity.name: s for s in result.scores if s.metric == metric} for result in (first, second))
        found += _metric(first, second, metric, one, other, options)
    return found if metrics else _without_scores(first, second)


def _without_scores(first: Result, second: Result) -> list[Evidence]:
    """What becomes of an entry whose accuracy neither side has although it was asked for: one row for each metric."""
    if "costs_only" in (first.status, second.status):
        return []
    state, reason = "missing", f"neither side has an accuracy: {second.reason}"
    if "failed" in (first.status, second.status):
        state, reason = "failed", second.reason if second.status == "failed" else f"the former result: {first.reason}"
    nothing = Quantity("accuracy", "accuracy", "fraction", "higher")
    return [
        Evidence(second.name, first.name, name, nothing, state=state, reasons=(reason,))
        for name in second.entry.metrics or first.entry.metrics
    ]


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
        known = one.get(name) or other[name]  # what is better is for the former side to say
        was, now = (side[name].value if name in side else None for side in (one, other))
        rows.append(Evidence(second.name, first.name, metric, known.quantity, first=was, second=now))
    # a number that neither side has, such as the IoU of a class that does not occur, is no news
    rows = [row for row in rows if row.first is not None or row.second is not None]
    rows = [_existence(row, one, other, first, second) for row in rows]
    both = [row for row in rows if row.state == "compared"]
    if not both:
        return rows
    apart = [row for row in rows if row.state != "compared"]
    lacking = {row.quantity.name for row in apart}
    judged = [row for row in _paired(first, second, metric, both, options) if row.quantity.name not in lacking]
    return [*judged, *apart]


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
        offered: Any = resolve("hrbench.metrics", metric)
        if not isinstance(offered, JudgedByImage):
            raise HrbenchError(f"{metric} does not tell its numbers by image (`by_image`)")
        made: Any = offered
        digests = [prediction_digests(result, made.prediction_file) for result in (first, second)]
        if digests[0] and digests[0] == digests[1] and _equal(rows):
            for result in (first, second):
                check_files(result, metric, made.prediction_file)
            parts = _classes(made, second, metric, rows) if options.classes else []
            if options.slices:
                parts += _slices(made, second, metric, rows, options)
            return [*map(_unchanged, rows), *(_unchanged(row) if row.state == "compared" else row for row in parts)]
        states = state_of(first, metric), state_of(second, metric)
        if differ := comparability.metric_differences(*states):
            return _refused(rows, *differ)
        sides = [made.by_image(state, options.classes) for state in states]
        found = evidence_by_image(sides[0], sides[1], rows, options)
    except HrbenchError as error:
        return _refused(rows, str(error))
    return _refused(rows, found) if isinstance(found, str) else found


def _refused(rows: Sequence[Evidence], *reasons: str) -> list[Evidence]:
    """The rows as not comparable, for these reasons; those of single classes would say the same and are left out."""
    parts = "/" in rows[0].quantity.name
    shown = [row for row in rows if parts or "/" not in row.quantity.name]
    return [replace(row, state="not comparable", reasons=reasons) for row in shown]


def _classes(metric: Any, result: Result, name: str, rows: Sequence[Evidence]) -> list[Evidence]:
    """The numbers of single classes of a state, which both sides share."""
    side: ByImage = metric.by_image(state_of(result, name), True)
    values = side.at(np.ones((1, len(side.images)), np.int64))[0].tolist()
    known = {row.quantity.name for row in rows}
    return [
        replace(class_row(rows[0], label), first=value, second=value, single_class=True)
        for label, value in list(zip(side.names, values, strict=True))[side.overall :]
        if label not in known and value == value
    ]


def _slices(metric: Any, result: Result, name: str, rows: Sequence[Evidence], options: Options) -> list[Evidence]:
    """The numbers on each slice of a state, which both sides share."""
    side: ByImage = metric.by_image(state_of(result, name))
    known = {row.quantity.name: row for row in rows}
    found = []
    for label, images in options.slices.items():
        inside = members(side.images, images)
        none = [math.nan] * len(side.names)  # as where the predictions differ, where two images are the least
        values = side.at(inside[None].astype(np.int64))[0].tolist() if inside.sum() > 1 else none
        for number, value in list(zip(side.names, values, strict=True))[: side.overall]:
            if number in known:
                row = replace(slice_row(known[number], label), first=value, second=value, units=int(inside.sum()))
                row = replace(row, notes=(*row.notes, *unmatched(label, images, inside, side.images)))
                told = f"the slice {label} has {inside.sum()} of the images, and no {number} on them"
                gone = replace(row, first=None, second=None, state="missing", reasons=(told,))
                found.append(row if value == value else gone)
    return found


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
