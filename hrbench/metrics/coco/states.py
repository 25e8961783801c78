"""States of the COCO metrics: `Matches` as named arrays, and their merging."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..types import InputError, State, UsageError
from .coco import Matches

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
