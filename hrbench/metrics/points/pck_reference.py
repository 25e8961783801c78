"""PCK, its area and end-point errors by a plain count, joint by joint: what `keypoint_pck` is held to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import nan, sqrt

import numpy as np

from hrbench.metrics.points.counts import Curve
from hrbench.metrics.points.people import People, Posed


def plain_numbers(
    people: People, posed: Posed, images: Sequence[int], thresholds: Sequence[float], curve: Curve
) -> list[float]:
    """The numbers in the order of `counts.numbers`; NaN if there is none.

    images: places in `people.images`.
    """
    steps, joints, first = [*thresholds, *curve.thresholds()], len(people.joints), len(thresholds)
    near = [[0] * joints for _ in steps]
    judged, on_curve, found, error = ([0] * joints, [0] * joints, [0] * joints, [0.0] * joints)
    for image in images:
        own = [0.0] * joints
        for person in np.flatnonzero(people.image == image).tolist():
            size = float(people.size[person])
            units = [size] * first + [curve.size if isinstance(curve.size, float) else size] * curve.steps
            for joint in np.flatnonzero(people.visible[person]).tolist():
                x, y = (posed.points[person, joint] - people.position[person, joint]).tolist()
                judged[joint] += size > 0
                on_curve[joint] += units[-1] > 0
                if not posed.found[person]:
                    continue
                found[joint] += 1
                own[joint] += sqrt(x * x + y * y)
                for number, (step, unit) in enumerate(zip(steps, units, strict=True)):
                    if unit > 0:
                        distance = np.float32(sqrt((x / unit) * (x / unit) + (y / unit) * (y / unit)))
                        near[number][joint] += bool(distance < np.float32(step))
        error = [before + more for before, more in zip(error, own, strict=True)]
    return _numbers(near, judged, on_curve, error, found, first)


def _numbers(
    near: list[list[int]],
    judged: list[int],
    on_curve: list[int],
    error: list[float],
    found: list[int],
    first: int,
) -> list[float]:
    """Of counts by joint, of each threshold in `near`, of which so many are the first."""
    share = [
        [right / every if every else nan for right, every in zip(row, judged if n < first else on_curve, strict=True)]
        for n, row in enumerate(near)
    ]
    mean = [float(np.mean([one for one in row if one == one] or [np.nan])) for row in share]
    area = 0.0
    for one in mean[first:]:
        area += 1.0 / (len(near) - first) * one
    together = [sum(row) / sum(judged) if sum(judged) else nan for row in near[:first]]
    whole = 0.0
    for one in error:
        whole += one
    epe = whole / sum(found) if sum(found) else nan
    own = [one / many if many else nan for one, many in zip(error, found, strict=True)]
    return [*mean[:first], *together, area, epe, *chain.from_iterable(share[:first]), *own]
