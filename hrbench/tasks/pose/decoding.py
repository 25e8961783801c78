"""Joints between the pixels of a heatmap: the expansions of DARK and UDP around its maximum, and UDP's offset maps.

Both take the logarithm of a heatmap that was smoothed with a Gaussian, as if it were a Gaussian itself: then one step
of Newton's method leads from the maximum to the centre. DARK: Zhang et al., CVPR 2020, arXiv 1910.06278. UDP: Huang et
al., CVPR 2020, arXiv 1911.07524. What the papers leave open follows mmpose 1.3.2 (codecs/utils/refinement.py,
post_processing.py), float32 where its code on NumPy 1.26 has float32, pinned by golden records:

          below           above     second differences over     at the border
    dark  1e-10           -         two pixels                  the maximum stays
    udp   0.001           50        one pixel                   the edge's values go on

Neither bounds the step: on a map without a peak it may lead far away, as in mmpose. A map without a positive value has
its joint at (-1, -1), as there.

UDP's combined heatmaps are three maps a joint: where it is, and how far it lies from each pixel along x and y, in units
of a radius. The joint is the maximum of the first map, smoothed, and the offset that the other two have there. mmpose
1.3.2 (codecs/udp_heatmap.py) smooths with a Gaussian of 2 x 11 + 1 pixels that mirrors the map at its border.

NumPy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from hrbench.tasks.pose import geometry

Decoding = Literal["maximum", "dark", "udp", "combined"]
COMBINED_MAPS = 3
"""Of each joint: where it is, its offset along x, that along y."""


def smoothed(heatmaps: np.ndarray, kernel: int, sigma: float = 0.0) -> np.ndarray:
    """Heatmaps convolved with a Gaussian, zero beyond the border, each scaled to keep its maximum.

    heatmaps: (N, K, h, w) float32. The result is a new array.
    kernel: side of the Gaussian in heatmap pixels, odd; 0 or 1 smooths nothing.
    sigma: of the Gaussian in heatmap pixels; 0 for that of the kernel by OpenCV's rule,
        0.3 ((kernel - 1) / 2 - 1) + 0.8, which is 2 for a kernel of 11.
    """
    n, k, height, width = heatmaps.shape
    heatmaps = heatmaps.astype(np.float32)
    if kernel < 2 or not heatmaps.size:
        return heatmaps
    border = kernel // 2
    # one tall picture of all maps: the zeros between two of them are as wide as the kernel reaches
    tall = np.zeros((n * k * (height + border) + border, width + 2 * border), np.float32)
    shape = (n * k, height + border, width + 2 * border)
    tall[border:].reshape(shape)[:, :height, border:-border] = heatmaps.reshape(n * k, height, width)
    blurred = cv2.GaussianBlur(tall, (kernel, kernel), sigma)[border:].reshape(shape)[:, :height, border:-border]
    found = np.ascontiguousarray(blurred).reshape(n, k, height, width)
    before, after = heatmaps.max(axis=(2, 3)), found.max(axis=(2, 3))
    factor = np.divide(before, after, out=np.ones_like(before), where=(before > 0) & (after > 0))
    found *= factor[..., None, None]
    return found


def dark_offsets(points: np.ndarray, logarithms: np.ndarray) -> np.ndarray:
    """Steps (M, 2) float64 in heatmap pixels from maxima to the centres, by DARK's expansion.

    points: (M, 2) int, x and y of the maxima.
    logarithms: (M, h, w) float32, of the smoothed heatmaps.

    A maximum within two pixels of the border stays where it is, and so does one whose Hessian is singular.
    """
    height, width = logarithms.shape[1:]
    x, y = points[:, 0], points[:, 1]
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    rows, x, y = np.flatnonzero(inside), x[inside], y[inside]

    def at(dx: int, dy: int) -> np.ndarray:
        return logarithms[rows, y + dy, x + dx]

    first_x = 0.5 * (at(1, 0) - at(-1, 0)).astype(np.float64)
    first_y = 0.5 * (at(0, 1) - at(0, -1)).astype(np.float64)
    middle = 2.0 * at(0, 0).astype(np.float64)
    second_x = 0.25 * (at(2, 0) - middle + at(-2, 0))
    second_y = 0.25 * (at(0, 2) - middle + at(0, -2))
    mixed = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)).astype(np.float64)
    steps = np.zeros((len(points), 2))
    steps[rows] = _newton(first_x, first_y, second_x, mixed, second_y)
    return steps


def udp_offsets(points: np.ndarray, logarithms: np.ndarray) -> np.ndarray:
    """Steps (M, 2) float64 in heatmap pixels from maxima to the centres, by UDP's expansion.

    points: (M, 2) int, x and y of the maxima.
    logarithms: (M, h, w) float32, of the smoothed heatmaps; beyond the border the values of the edge go on.
    """
    height, width = logarithms.shape[1:]
    rows, x, y = np.arange(len(points)), points[:, 0], points[:, 1]

    def at(dx: int, dy: int) -> np.ndarray:
        return logarithms[rows, np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]

    half = np.float32(0.5)
    middle, right, left, below, above = at(0, 0), at(1, 0), at(-1, 0), at(0, 1), at(0, -1)
    first_x, first_y = half * (right - left), half * (below - above)
    second_x = right - np.float32(2) * middle + left
    second_y = below - np.float32(2) * middle + above
    mixed = half * (at(1, 1) - right - below + middle + middle - left - above + at(-1, -1))
    tiny = np.finfo(np.float32).eps  # added to the diagonal, so that a flat map has a Hessian to invert
    return _newton(
        first_x.astype(np.float64),
        first_y.astype(np.float64),
        second_x.astype(np.float64) + tiny,
        mixed.astype(np.float64),
        second_y.astype(np.float64) + tiny,
    )


def _newton(
    first_x: np.ndarray, first_y: np.ndarray, second_x: np.ndarray, mixed: np.ndarray, second_y: np.ndarray
) -> np.ndarray:
    """Minus the inverse of the Hessian times the gradient, (M, 2); zero where the Hessian is singular."""
    determinant = second_x * second_y - mixed * mixed
    regular = determinant != 0
    over = np.where(regular, determinant, 1.0)
    steps = np.stack([mixed * first_y - second_y * first_x, mixed * first_x - second_x * first_y], axis=1)
    return np.where(regular[:, None], steps / over[:, None], 0.0)


def refined_maxima(
    heatmaps: np.ndarray, decoding: Decoding, kernel: int, sigma: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of heatmaps, refined by DARK's or UDP's expansion.

    heatmaps: (N, K, h, w).
    decoding: "dark" or "udp".
    kernel, sigma: of `smoothed`.

    Returns (N, K, 2) float32 in heatmap pixels, (-1, -1) where no value is positive, and the maxima (N, K, 1).
    """
    points, value = geometry.heatmap_maxima(heatmaps)
    positive = value[..., 0] > 0
    points[~positive] = -1
    chosen = smoothed(heatmaps, kernel, sigma)[positive]
    chosen = np.maximum(chosen, np.float32(1e-10)) if decoding == "dark" else np.clip(chosen, 1e-3, 50.0)
    offsets = dark_offsets if decoding == "dark" else udp_offsets
    steps = offsets(points[positive].astype(np.int64), np.log(chosen, dtype=np.float32))
    points[positive] = (points[positive] + steps).astype(np.float32)
    return points, value


def combined_maxima(
    heatmaps: np.ndarray, kernel: int, sigma: float = 0.0, radius: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Joints of UDP's combined heatmaps.

    heatmaps: (N, 3 K, h, w), the three maps of a joint one after the other.
    kernel, sigma: of the Gaussian that the first map of each joint is smoothed with (`smoothed`), mirrored at the
        border.
    radius: what an offset of 1 is, in parts of the longer side of a heatmap.

    Returns (N, K, 2) float32 in heatmap pixels, (-1, -1) where no value is positive (mmpose adds offsets of another
    joint there), and the maxima (N, K, 1) of the smoothed maps.
    """
    n, many, height, width = heatmaps.shape
    joints = many // COMBINED_MAPS
    place, *offsets = np.moveaxis(heatmaps.astype(np.float32).reshape(n, joints, COMBINED_MAPS, height, width), 2, 0)
    if kernel > 1:
        place = np.stack([cv2.GaussianBlur(one, (kernel, kernel), sigma) for one in place.reshape(-1, height, width)])
        place = place.reshape(n, joints, height, width)
    points, value = geometry.heatmap_maxima(place)
    positive = value[..., 0] > 0
    x, y = (points[positive][:, axis].astype(np.int64) for axis in (0, 1))
    rows, columns = np.nonzero(positive)
    length = np.float32(radius * max(height, width))
    points[positive] += np.stack([maps[rows, columns, y, x] * length for maps in offsets], axis=1)
    points[~positive] = -1
    return points, value


def decode(
    heatmaps: np.ndarray,
    centres: Sequence[np.ndarray],
    scales: Sequence[np.ndarray],
    *,
    decoding: Decoding = "maximum",
    affine: geometry.Affine = "classic",
    quarter_offset: bool = False,
    kernel: int = 0,
    sigma: float = 0.0,
    radius: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps to joints in image pixels.

    heatmaps: (N, K, h, w); of decoding "combined" (N, 3 K, h, w).
    centres, scales: N of each, as the crops were made with.
    decoding: how a maximum is refined; "maximum" with the classic map is HRNet's own (`geometry.decode`).
    affine: of the crops (`geometry.Affine`).
    quarter_offset: of decoding "maximum", whether it is moved a quarter pixel towards its higher neighbour.
    kernel, sigma: of `smoothed`, for "dark", "udp" and "combined".
    radius: of `combined_maxima`.

    Returns (N, K, 2), float32 of HRNet's own and float64 of the others, and confidences (N, K, 1).
    """
    if decoding == "maximum" and affine == "classic":
        return geometry.decode(heatmaps, centres, scales, quarter_offset)
    if decoding == "maximum":
        points, confidence = geometry.heatmap_maxima(heatmaps)
        points = geometry.refine_quarter(points, heatmaps) if quarter_offset else points
    elif decoding == "combined":
        points, confidence = combined_maxima(heatmaps, kernel, sigma, radius)
    else:
        points, confidence = refined_maxima(heatmaps, decoding, kernel, sigma)
    size = (heatmaps.shape[3], heatmaps.shape[2])
    joints = np.empty(points.shape)
    for row, (centre, scale) in enumerate(zip(centres, scales, strict=True)):
        back = geometry.heatmap_to_image(affine, centre, scale, size)
        joints[row] = geometry.transform_points(points[row], back)
    return joints, confidence
