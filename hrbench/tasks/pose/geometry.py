"""Where a person is in an image and in a network's input: boxes, affine maps, crops, decoded and mirrored heatmaps.

NumPy and OpenCV only. The arithmetic follows the official HRNet code step by step, dtype for dtype
(deep-high-resolution-net.pytorch, lib/utils/transforms.py, lib/core/inference.py, lib/dataset/coco.py), because a
quarter of a pixel here is a point of AP: golden records under tests/golden pin every function.

Frames: an input or heatmap of width w and height h has its centre at (w/2, h/2), not at ((w-1)/2, (h-1)/2). The maps
of UDP (Huang et al., CVPR 2020, arXiv 1911.07524) are the exception: they measure lengths between the centres of the
outermost pixels, so an input is w - 1 wide. Their arithmetic follows mmpose 1.3.2 (structures/bbox/transforms.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

PIXEL_STD = 200.0
"""Scales are widths and heights divided by this: MPII's person height of 200 px."""

PADDING = 1.25
"""How much larger than the box the cropped region is, along each axis."""

Affine = Literal["classic", "udp"]
"""How a region becomes a crop: its width becomes the crop's w pixels (HRNet), or their w - 1 steps (UDP)."""


def box_to_centre_scale(box: Sequence[float], input: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Centre and padded scale of a box, its short side grown to the aspect of the input.

    box: x, y, width, height in image pixels. input: (height, width). Returns centre (2,) float32 in image pixels and
    scale (2,) float32 in units of 200 px. A centre whose x is exactly -1 is not padded, as in the official code.
    """
    x, y, w, h = (float(v) for v in box[:4])
    aspect = input[1] * 1.0 / input[0]
    centre = np.array([x + w * 0.5, y + h * 0.5], dtype=np.float32)
    if w > aspect * h:
        h = w / aspect
    elif w < aspect * h:
        w = h * aspect
    scale = np.array([w / PIXEL_STD, h / PIXEL_STD], dtype=np.float32)
    return centre, scale * np.float32(PADDING) if centre[0] != -1 else scale


def mpii_centre_scale(centre: Sequence[float], scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) float64 in 0-based image pixels and padded scale (2,) float64 of an MPII annotation.

    centre: 1-based, as annotated; it moves down by 15 x scale so that the feet stay inside, and the scale grows by a
    quarter; both are skipped where the centre's x is exactly -1.
    """
    point, size = np.array(centre, dtype=np.float64), np.array([scale, scale], dtype=np.float64)
    if point[0] != -1:
        point[1] += 15 * size[1]
        size *= PADDING
    return point - 1, size


def affine_matrix(
    centre: np.ndarray,
    scale: np.ndarray | float,
    output: tuple[int, int],
    *,
    rotation: float = 0.0,
    shift: Sequence[float] = (0.0, 0.0),
    inverse: bool = False,
) -> np.ndarray:
    """The 2 x 3 float64 matrix from image pixels to a crop of `output` = (width, height), or back if `inverse`.

    The three point pairs are rounded to float32 before the matrix is solved in float64.

    centre: (2,) in image pixels, in the protocol's dtype.
    scale: (2,), or a scalar for both axes, in units of 200 px; only the width's scale decides the magnification.
    rotation: degrees, positive turns the region clockwise in the image.
    shift: of the centre, in fractions of the region.
    """
    centre = np.asarray(centre)
    size = np.broadcast_to(np.asarray(scale), (2,)) * PIXEL_STD
    offset = size * np.asarray(shift, dtype=np.float32)
    angle = np.pi * rotation / 180
    half = float(size[0]) * -0.5
    direction = np.array([-half * np.sin(angle), half * np.cos(angle)])

    source = np.zeros((3, 2), dtype=np.float32)
    target = np.zeros((3, 2), dtype=np.float32)
    source[0] = centre + offset
    source[1] = centre + direction + offset
    target[0] = output[0] * 0.5, output[1] * 0.5
    target[1] = output[0] * 0.5, output[1] * 0.5 + output[0] * -0.5
    for points in (source, target):
        across = points[0] - points[1]
        points[2] = points[1] + np.array([-across[1], across[0]], dtype=np.float32)
    return cv2.getAffineTransform(target, source) if inverse else cv2.getAffineTransform(source, target)


def udp_matrix(centre: np.ndarray, scale: np.ndarray | float, output: tuple[int, int]) -> np.ndarray:
    """The 2 x 3 float32 matrix from image pixels to a crop of `output` = (width, height) by UDP: the region's corners
    go to the centres of the crop's corner pixels.

    centre: (2,) in image pixels.
    scale: (2,), or a scalar for both axes, in units of 200 px; each axis has its own magnification.
    """
    size = np.asarray(np.broadcast_to(np.asarray(scale), (2,)) * PIXEL_STD, np.float64)
    steps = (np.array(output, np.float64) - 1) / size
    move = steps * (0.5 * size - np.asarray(centre, np.float64))
    return np.array([[steps[0], 0, move[0]], [0, steps[1], move[1]]], np.float32)


def heatmap_to_image(
    affine: Affine, centre: np.ndarray, scale: np.ndarray | float, size: tuple[int, int]
) -> np.ndarray:
    """The 2 x 3 float64 matrix from the pixels of heatmaps of `size` = (width, height) to those of the image.

    affine: that of the crop.
    centre, scale: of the region, as in `affine_matrix`.
    """
    if affine == "classic":
        return affine_matrix(centre, scale, size, inverse=True)
    region = np.asarray(np.broadcast_to(np.asarray(scale), (2,)) * PIXEL_STD, np.float64)
    factor = region / np.maximum(np.array(size) - 1, 1)
    corner = np.asarray(centre, np.float64) - 0.5 * region
    return np.array([[factor[0], 0, corner[0]], [0, factor[1], corner[1]]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`points` (..., 2) through a 2 x 3 affine `matrix`, in float64."""
    points = np.asarray(points, dtype=np.float64)
    return points @ matrix[:, :2].T + matrix[:, 2]


def crop(
    image: np.ndarray,
    centre: np.ndarray,
    scale: np.ndarray,
    output: tuple[int, int],
    *,
    rotation: float = 0.0,
    affine: Affine = "classic",
) -> np.ndarray:
    """The region of a person, resampled bilinearly to `output` = (width, height); black beyond the border.

    OpenCV 3.4 to 4.x give the same bits; 5.0 does not, which is why it is excluded.

    image: uint8 (H, W, C).
    centre, scale: of the region, as in `affine_matrix`.
    rotation: degrees, as in `affine_matrix`; of the classic map alone.
    affine: how the region becomes the crop.
    """
    if affine == "udp":
        matrix = udp_matrix(centre, scale, output)
    else:
        matrix = affine_matrix(centre, scale, output, rotation=rotation)
    return cv2.warpAffine(image, matrix, (int(output[0]), int(output[1])), flags=cv2.INTER_LINEAR)


def heatmap_maxima(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First maximum of every heatmap in row-major order.

    heatmaps: (N, K, h, w). Returns coordinates (N, K, 2) float32 as x, y in heatmap pixels, zero where the maximum is
    not positive, and the maxima (N, K, 1) in the heatmaps' dtype.
    """
    n, k, _, width = heatmaps.shape
    flat = heatmaps.reshape(n, k, -1)
    index = flat.argmax(axis=2)
    value = np.take_along_axis(flat, index[..., None], axis=2)
    points = np.stack([index % width, index // width], axis=2).astype(np.float32)
    points[~(value[..., 0] > 0)] = 0
    return points, value


def refine_quarter(points: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Moves each maximum a quarter pixel towards its higher neighbour along x and y.

    points: (N, K, 2) float32 from `heatmap_maxima`. Only where 1 < x < w - 1 and 1 < y < h - 1 hold together.
    """
    height, width = heatmaps.shape[2:]
    x, y = points[..., 0].astype(np.int64), points[..., 1].astype(np.int64)
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    i, j = np.nonzero(inside)
    px, py = x[inside], y[inside]
    refined = points.copy()
    refined[i, j, 0] += np.sign(heatmaps[i, j, py, px + 1] - heatmaps[i, j, py, px - 1]) * np.float32(0.25)
    refined[i, j, 1] += np.sign(heatmaps[i, j, py + 1, px] - heatmaps[i, j, py - 1, px]) * np.float32(0.25)
    return refined


def decode(
    heatmaps: np.ndarray, centres: Sequence[np.ndarray], scales: Sequence[np.ndarray], quarter_offset: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps to joints in image pixels.

    heatmaps: (N, K, h, w).
    centres, scales: N of each.
    quarter_offset: whether maxima are moved a quarter pixel towards the higher neighbour.

    Returns (N, K, 2) float32 and confidences (N, K, 1).
    """
    points, confidence = heatmap_maxima(heatmaps)
    if quarter_offset:
        points = refine_quarter(points, heatmaps)
    size = (heatmaps.shape[3], heatmaps.shape[2])
    for row, (centre, scale) in enumerate(zip(centres, scales, strict=True)):
        points[row] = transform_points(points[row], affine_matrix(centre, scale, size, inverse=True))
    return points, confidence


def mirror_heatmaps(heatmaps: np.ndarray, flip_pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Heatmaps of a mirrored image, as if of the image itself: x reversed, left and right joints exchanged.

    heatmaps: (N, K, h, w). The result is a new array.
    """
    order = np.arange(heatmaps.shape[1])
    for left, right in flip_pairs:
        order[[left, right]] = order[[right, left]]
    return heatmaps[:, order, :, ::-1].copy()


def shift_right(heatmaps: np.ndarray) -> np.ndarray:
    """Heatmaps one pixel to the right; column 0 keeps its own value.

    An even-sized input mirrored about its centre lands one heatmap pixel off, so the mirrored maps are shifted.
    """
    shifted = heatmaps.copy()
    shifted[..., 1:] = heatmaps[..., :-1]
    return shifted


def mirror_combined(heatmaps: np.ndarray, flip_pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """As `mirror_heatmaps` of three maps a joint, (N, 3 K, h, w): where it is, and its offsets along x and y."""
    n, many, height, width = heatmaps.shape
    maps = heatmaps.reshape(n, many // 3, 3 * height, width)
    back = mirror_heatmaps(maps, flip_pairs).reshape(n, many, height, width)
    back[:, 1::3] *= -1
    return back


def average_flip(
    direct: np.ndarray,
    mirrored: np.ndarray,
    flip_pairs: Sequence[tuple[int, int]],
    shift: bool = True,
    combined: bool = False,
) -> np.ndarray:
    """Mean of the heatmaps of an image and of its mirror image, (N, K, h, w) both, in their dtype.

    shift: whether those of the mirror image are moved right by one pixel.
    combined: whether they are three maps a joint (`mirror_combined`).
    """
    back = (mirror_combined if combined else mirror_heatmaps)(mirrored, flip_pairs)
    if shift:
        back = shift_right(back)
    return (direct + back) * direct.dtype.type(0.5)
