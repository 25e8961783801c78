"""Joints near enough, counted by image: what PCK, its area and end-point errors are sums of.

A joint's distance is float32, as mmpose's `keypoint_pck_accuracy` has it, of an offset that was divided by the size in
float64; it is right below the threshold, not at it. Source: mmpose/evaluation/functional/keypoint_eval.py of
https://github.com/open-mmlab/mmpose, 1.3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrbench.metrics.points.image_rows import summed, weighted


@dataclass(frozen=True)
class Curve:
    """The area under a PCK curve: `steps` thresholds 0, 1 / steps, ... below 1, of `size`.

    size: px, or "reference": each person's own.
    """

    size: float | str
    steps: int

    def thresholds(self) -> list[float]:
        return [number / self.steps for number in range(self.steps)]


def distances(offset: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(n, K) float32: lengths of offsets (n, K, 2) over sizes (n,), which are positive."""
    part = offset / size[:, None, None]
    return np.sqrt(part[..., 0] * part[..., 0] + part[..., 1] * part[..., 1]).astype(np.float32)


def errors(offset: np.ndarray) -> np.ndarray:
    """(...) float64, px: lengths of offsets (..., 2)."""
    return np.sqrt(offset[..., 0] * offset[..., 0] + offset[..., 1] * offset[..., 1])


@dataclass(frozen=True)
class JointTable:
    """Counts by image, of I images and K joints. Whole numbers but `error`.

    near: (I, T + A, K) joints below each threshold and each step of the area's curve; those of people without a
        prediction are not.
    judged: (I, K) joints that a threshold can be asked of.
    on_curve: (I, K) those of the area's curve.
    error: (I, K) px, the sum of distances.
    found: (I, K) of how many joints.
    """

    near: np.ndarray
    judged: np.ndarray
    on_curve: np.ndarray
    error: np.ndarray
    found: np.ndarray

    @property
    def images(self) -> int:
        return len(self.judged)


def table_of(
    place: np.ndarray,
    images: int,
    offset: np.ndarray,
    size: np.ndarray,
    visible: np.ndarray,
    found: np.ndarray,
    thresholds: Sequence[float],
    curve: Curve,
) -> JointTable:
    """The counts of people (n) whose images are at `place` (n,), rising.

    images: how many there are.
    offset: (n, K, 2) px, prediction less annotation.
    size: (n,) px, 0 for a person without reference.
    visible: (n, K) bool.
    found: (n,) bool, whether there is a prediction.
    thresholds: of PCK.
    curve: of the area.
    """
    has_size = size > 0
    judged = visible & has_size[:, None]
    right = judged & found[:, None]
    distance = distances(offset, np.where(has_size, size, 1.0))
    pixels = isinstance(curve.size, float)
    lengths = distances(offset, np.full(len(size), curve.size)) if pixels else distance
    on_curve = visible if pixels else judged
    near = np.empty((images, len(thresholds) + curve.steps, visible.shape[1]))
    for number, threshold in enumerate(thresholds):
        near[:, number] = summed(right & (distance < np.float32(threshold)), place, images)
    met = on_curve & found[:, None]
    for number, threshold in enumerate(curve.thresholds(), len(thresholds)):
        near[:, number] = summed(met & (lengths < np.float32(threshold)), place, images)
    seen = visible & found[:, None]
    others = (judged, on_curve, np.where(seen, errors(offset), 0.0), seen)
    return JointTable(near, *(summed(rows, place, images) for rows in others))


def numbers(table: JointTable, weights: np.ndarray, thresholds: int, held: np.ndarray | None = None) -> np.ndarray:
    """(B, T + 1 + T + 2 + K (T + 1)) float64 for image weights (B, I); NaN for a number that does not exist.

    In this order: PCK at each threshold as a mean over joints; the same over all joints together; the area; the mean
    end-point error in px; then PCK of each joint, threshold after threshold, and each joint's end-point error.

    held: (T + A, K) shares of all images, of which `weights` are resamples: in means, a joint that a resample lacks
        keeps its share of them. None if they are no resamples.
    """
    weights = np.asarray(weights, np.float64)
    (images, steps), joints = table.near.shape[:2], table.found.shape[1]
    near = (weights @ table.near.reshape(images, steps * joints)).reshape(len(weights), steps, joints)  # whole: exact
    judged, on_curve, found = (weights @ rows for rows in (table.judged, table.on_curve, table.found))
    error = weighted(weights, table.error)
    asked = np.concatenate(
        [np.repeat(judged[:, None], thresholds, 1), np.repeat(on_curve[:, None], steps - thresholds, 1)], axis=1
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        share = near / asked
        over = share if held is None else np.where(asked > 0, share, held)
        mean = _mean(over)
        total = near[:, :thresholds].sum(axis=2) / judged.sum(axis=1)[:, None]
        parts = mean[:, thresholds:] * (1.0 / (steps - thresholds))
        area = np.cumsum(parts, axis=1)[:, -1]
        whole_error = np.cumsum(error, axis=1)[:, -1] / found.sum(axis=1)
        own_error = error / found
    columns = [mean[:, :thresholds], total, area[:, None], whole_error[:, None]]
    return np.concatenate([*columns, share[:, :thresholds].reshape(len(weights), -1), own_error], axis=1)


def shares(table: JointTable, thresholds: int) -> np.ndarray:
    """(T + A, K) float64 shares of all images, NaN for joints that none has: what `numbers` takes as `held`."""
    steps = table.near.shape[1]
    asked = np.stack([*[table.judged.sum(axis=0)] * thresholds, *[table.on_curve.sum(axis=0)] * (steps - thresholds)])
    with np.errstate(invalid="ignore", divide="ignore"):
        return table.near.sum(axis=0) / asked


def _mean(values: np.ndarray) -> np.ndarray:
    """(B, S) the mean of those of (B, S, K) that are not NaN, as `numpy.mean` adds them; NaN if there is none."""
    exist = ~np.isnan(values)
    if exist.all() and values.shape[-1]:
        return values.mean(axis=-1)
    flat, known = values.reshape(-1, values.shape[-1]), exist.reshape(-1, values.shape[-1])
    means = [row[some].mean() if some.any() else np.nan for row, some in zip(flat, known, strict=True)]
    return np.array(means, np.float64).reshape(values.shape[:-1])
