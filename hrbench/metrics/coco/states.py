"""States of the COCO metrics: `Matches` as named arrays, and their merging."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.matching import Matches, Settings
from hrbench.statistics.bootstrap import intervals
from hrbench.types import Measurement, Quantity, Reason, State

ARRAYS = ("image", "offsets", "score", "category", "hits", "ignored", "positives")


def state_of(matches: Matches, metric: str, version: int, params: Mapping[str, Any]) -> State:
    """Wrap matches of categories params["categories"]."""
    arrays = {
        "image": matches.images,
        "offsets": matches.offsets,
        "score": matches.score,
        "category": matches.category,
        "hits": matches.hits,
        "ignored": matches.ignored,
        "positives": matches.positives,
    }
    return State(metric, version, params, arrays)


def matches_of(state: State, metric: str, version: int) -> Matches:
    """Unwrap a state, its images by rising id. Raises InputError where it is of another metric or version."""
    if (state.metric, state.version) != (metric, version):
        raise InputError(
            f"a state of {state.metric} version {state.version} was given to {metric} version {version}; measure again"
        )
    lacking = [name for name in ARRAYS if name not in state.arrays]
    if lacking:
        raise InputError(f"a state of {metric} lacks {', '.join(lacking)}; measure again")
    image, offsets, score, category, hits, ignored, positives = (state.arrays[name] for name in ARRAYS)
    order = np.argsort(image, kind="stable")
    many = np.diff(offsets)[order]
    ends = np.cumsum(many)
    rows = np.repeat(offsets[:-1][order] - (ends - many), many) + np.arange(many.sum())
    return Matches(
        image[order],
        np.asarray(state.params["categories"], np.int64),
        np.concatenate((np.zeros(1, np.int64), ends)),
        score[rows],
        category[rows],
        hits[rows],
        ignored[rows],
        positives[order],
    )


def merged(states: Sequence[State], metric: str, version: int) -> State:
    """All rows together, by rising image id: the same bits for any split in any order.

    Raises UsageError for no states; InputError where an image occurs twice or the parameters differ.
    """
    if not states:
        raise UsageError(f"nothing to merge: give at least one state of {metric}")
    parts = [matches_of(state, metric, version) for state in states]
    params = states[0].params
    for state in states[1:]:
        for key in sorted({*params, *state.params}):
            one, other = (json.dumps(p.get(key), sort_keys=True) for p in (params, state.params))
            if one != other:
                raise InputError(f"states of {metric} differ in {key}: {one[:60]} and {other[:60]}; measure all alike")
    images = np.concatenate([part.images for part in parts])
    ordered = np.sort(images)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise InputError(f"image {twice[0]} is in more than one of the merged states; merge each image once")
    many = np.concatenate([np.diff(part.offsets) for part in parts])
    together = Matches(
        images,
        parts[0].categories,
        np.concatenate((np.zeros(1, np.int64), np.cumsum(many))),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS[2:]),
    )
    whole = matches_of(state_of(together, metric, version, params), metric, version)
    return state_of(whole, metric, version, params)


def chosen(images: Sequence[int | str] | None, known: np.ndarray, path: Path) -> np.ndarray:
    """Ids to evaluate, rising; None: all that are known (I,). Raises InputError for another, naming the file `path`."""
    if images is None:
        return known
    among = set(known.tolist())
    for image in images:
        if image not in among:
            raise InputError(f"{path}: image {image!r}, asked for, is not among its {len(among)} images")
    return np.array(sorted({int(image) for image in images}), np.int64)


def scored(
    metric: str,
    matches: Matches,
    settings: Settings,
    numbers: Sequence[Number],
    quantities: Sequence[Quantity],
    absent: Callable[[Number], str],
    resamples: int,
    seed: int,
) -> list[Measurement]:
    """All numbers with their 95 % intervals over images; n is the objects that count.

    absent: number -> what was not annotated, in words, where it has no value.
    """
    accumulator = Accumulator(matches, settings, numbers)
    values = accumulator.at()

    def statistic(weights: np.ndarray) -> np.ndarray:
        drawn = accumulator.at(weights)
        return np.where(drawn > -1, drawn, np.nan)

    ends = intervals(statistic, len(matches.images), resamples, seed)
    objects = matches.positives.sum(axis=0, dtype=np.int64)  # (C, A)
    scores = []
    for number, quantity, value, interval in zip(numbers, quantities, values.tolist(), ends, strict=True):
        if value > -1:
            several = objects.sum(axis=0) if number.category is None else objects[number.category]
            scores.append(Measurement(quantity, value, metric, interval, int(several[number.area])))
        else:
            reason = f"no annotated {absent(number)} in {len(matches.images)} images"
            scores.append(Measurement(quantity, None, metric, reason=Reason(reason)))
    return scores


def image_qualities(matches: Matches, settings: Settings) -> dict[int | str, float]:
    """Image id -> how well its objects were found, in [0, 1]; images without objects that count are absent.

    Each object counts for the share of thresholds at which a detection finds it, each find times the precision among
    this image's detections down to that one: what is found behind confident false detections counts less, false
    detections behind all finds count nothing. (The image's own average precision, not interpolated.)
    """
    objects = matches.positives[:, :, 0].sum(axis=1)
    own = _own_precision(matches, objects, len(settings.thresholds))
    found = zip(matches.images.tolist(), own.tolist(), objects.tolist(), strict=True)
    return {image: value for image, value, number in found if number}


def _own_precision(matches: Matches, objects: np.ndarray, thresholds: int) -> np.ndarray:
    """(I,) float64: average precision within each image over area range 0, mean over thresholds; 0 without objects."""
    image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))
    order = np.lexsort((-matches.score, image))
    start = matches.offsets[image]
    total = np.zeros(len(matches.images))
    for t in range(thresholds):
        hit = (matches.hits[order, 0] >> t) & 1
        counted = 1 - ((matches.ignored[order, 0] >> t) & 1)
        hits, seen = (np.concatenate(([0], np.cumsum(part, dtype=np.int64))) for part in (hit, counted))
        precision = (hits[1:] - hits[start]) / np.maximum(seen[1:] - seen[start], 1)
        total += np.bincount(image, precision * hit, minlength=len(matches.images))
    return total / np.maximum(objects, 1) / thresholds
