"""Where a series changed: a fit of constant pieces to each stretch of releases that may be compared.

The noise is what the choice of images does to all releases together: replicates of each release's stored state, with
the same images drawn in all of them. They are remembered in the index, so a release is resampled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from hrbench.contracts import JudgedByImage
from hrbench.core.digests import digest
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError, InputError
from hrbench.judge.comparability import basis_differences, metric_options
from hrbench.judge.costs import cell_of
from hrbench.judge.history import ReleaseValue, Series, stretches
from hrbench.judge.sides import state_digest, state_of
from hrbench.judge.verdict import TOO_FEW_IMAGES
from hrbench.statistics import change_points, paired
from hrbench.statistics.change_points import Fit
from hrbench.store.index import Index
from hrbench.store.results import from_json
from hrbench.types import ByImage, Measurement, Result

METHOD = 2
"""Raised when replicates of the same state can change: they are remembered by it."""

REPLICATES = 1000

EXACT = ("count", "operations")
"""Units of numbers that chance has no part in: every change is one."""

OnState = Callable[[int, int], object]
"""Called with (releases whose replicates are known, releases)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbours that may be compared.

    start, stop: their places in the series.
    fit: None if there is none, and then `reason` says why.
    images: how many were drawn; 0 for exact numbers.
    differs: how they were measured otherwise than the stretch before, in words.
    """

    start: int
    stop: int
    fit: Fit | None
    reason: str = ""
    images: int = 0
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trend:
    """A series with its stretches, which follow one another."""

    series: Series
    stretches: tuple[Stretch, ...]


class _Replicates(msgspec.Struct, array_like=True):
    """Of one state. basis: equal for states of the same images, truth and options. columns: name -> float64 bytes."""

    basis: str
    images: int
    columns: dict[str, bytes]


def trend(series: Series, index: Index | None = None, seed: int = 0, on_state: OnState | None = None) -> Trend:
    """Where a series changed.

    index: in which replicates are remembered.
    seed: of the bootstrap.
    on_state: called while states are resampled.
    """
    found: list[Stretch] = []
    done = 0
    for start, stop in stretches(series.points):
        points = series.points[start:stop]

        def resampled(here: int, before: int = done) -> None:
            if on_state is not None:
                on_state(before + here, len(series.points))

        differs = tuple(_differs(series, start)) if start else ()
        parts = _parts(series, points, index or Index(None), seed, resampled)
        found += [
            replace(part, start=start + part.start, stop=start + part.stop, differs=part.differs or differs)
            for part in parts
        ]
        done += len(points)
    return Trend(series, tuple(found))


def _parts(
    series: Series, points: Sequence[ReleaseValue], index: Index, seed: int, resampled: Callable[[int], None]
) -> list[Stretch]:
    """The stretches among neighbours that were measured alike, as far as their results say; places from 0.

    States tell more: their images, the truth of each, the options of the metric. Where these differ a stretch ends.
    """
    values, many = [point.value for point in points], len(points)
    if series.quantity.unit in EXACT and not series.metric:
        return [Stretch(0, many, change_points.fit(values, np.zeros((many, 0))))]
    if not series.metric:
        return [Stretch(0, many, None, "measured apart, each on the machine as it was: stored values tell no change")]
    known: list[_Replicates] = []
    for number, point in enumerate(points):
        resampled(number)
        try:
            known.append(_replicates(series, point, index, seed))
        except HrbenchError as error:
            return [Stretch(0, many, None, str(error))]
    starts = [0, *(at for at in range(1, many) if known[at].basis != known[at - 1].basis), many]
    return [_fitted(series, values, known, start, stop) for start, stop in pairwise(starts)]


def _fitted(series: Series, values: Sequence[float], known: Sequence[_Replicates], start: int, stop: int) -> Stretch:
    """The stretch of releases whose states agree."""
    images = known[start].images
    differs = ("images, their truth, or options of the metric",) if start else ()
    if stop - start < 2:
        told = "a single release" if len(known) == 1 else "a single release between two that were measured otherwise"
        return Stretch(start, stop, None, told, images, differs)
    if images < TOO_FEW_IMAGES:
        return Stretch(start, stop, None, f"too few images: {images}, at least {TOO_FEW_IMAGES}", images, differs)
    rows = np.stack([np.frombuffer(one.columns[series.quantity.name], "<f8") for one in known[start:stop]])
    usable = int((~np.isnan(rows).any(axis=0)).sum())
    if usable < REPLICATES / 2:
        told = f"the number exists in {usable} of {REPLICATES:,} replicates only: too few images have a part in it"
        return Stretch(start, stop, None, told, images, differs)
    return Stretch(start, stop, change_points.fit(values[start:stop], rows), "", images, differs)


def _result(series: Series, point: ReleaseValue) -> Result:
    path = point.release.path / "entries" / series.entry / "result.json"
    try:
        return from_json(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _replicates(series: Series, point: ReleaseValue, index: Index, seed: int) -> _Replicates:
    """The replicates of a release's metric, with the number asked for among them. Raises HrbenchError."""
    result, name = _result(series, point), series.quantity.name
    key = digest([state_digest(result, series.metric), series.metric, "/" in name, seed, REPLICATES, METHOD])
    remembered = index.derived(key)
    known = None
    if remembered is not None:
        with suppress(msgspec.MsgspecError):  # else it is derived again
            known = msgspec.msgpack.decode(remembered, type=_Replicates)
    if known is None:
        known = _resample(result, series.metric, "/" in name, seed)
        index.remember(key, msgspec.msgpack.encode(known))
    if name not in known.columns:
        raise InputError(f"{series.metric} does not tell {name} by image")
    return known


def _resample(result: Result, metric: str, classes: bool, seed: int) -> _Replicates:
    judge: Any = resolve("hrbench.metrics", metric)
    if not isinstance(judge, JudgedByImage):
        raise InputError(f"{metric} does not tell its numbers by image (`by_image`)")
    state = state_of(result, metric)
    side: ByImage = judge.by_image(state, classes)
    order = np.argsort(side.images, kind="stable")
    many, parts, once = len(order), [], np.ones(len(order), np.int64)
    for counts in paired.multiplicities(many, 0, seed, REPLICATES, max(1, side.at_once)):
        weights = np.zeros((len(counts), many), np.int64)
        weights[:, order] = counts
        parts.append(side.at(weights) if side.resampled is None else side.resampled(weights, once))
    truth = None if side.truth is None else side.truth[order].tolist()
    basis = digest([side.images[order].tolist(), truth, metric_options(state)])
    values = np.concatenate(parts).astype("<f8")
    columns = {name: values[:, place].tobytes() for place, name in enumerate(side.names)}
    return _Replicates(basis, many, columns)


def _differs(series: Series, at: int) -> list[str]:
    """How point `at` was measured otherwise than the one before, in words."""
    try:
        results = [_result(series, series.points[place]) for place in (at - 1, at)]
        pair = [_measurement(series, result) for result in results]
    except (HrbenchError, StopIteration) as error:
        return [str(error) or "one of them is not there any more"]
    if found := basis_differences(results[0], results[1], pair[0], pair[1]):
        return found
    if any(not result.entry.protocol for result in results):
        return ["protocol: that of predictions from a file is not known"]
    return ["the conditions of the measurement"]


def _measurement(series: Series, result: Result) -> Measurement:
    return next(
        one
        for one in (*result.scores, *result.costs)
        if (one.metric, one.quantity.name, cell_of(one)) == (series.metric, series.quantity.name, series.cell)
    )
