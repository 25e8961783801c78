"""Pictures of what was detected in one image: masks and boxes in the colour of their class, with its name and score."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrbench.formats.coco.rle import CodeError, decoded
from hrbench.formats.coco.rows import objects_of
from hrbench.tasks.sample_names import names_of
from hrbench.types import ClassScheme, Sample

SHORT_SIDE, LONG_SIDE = 300, 560
"""Drawings are enlarged until the short side has the first, and never grow past the second."""

MIN_SCORE, MAX_RENDERED, ALWAYS_RENDERED = 0.3, 20, 3
"""Drawn are detections with at least this score, so many at most, and the best few whatever their score."""

MASKS = "masks.json"
"""The file of masks beside a file of boxes, where a network has both."""

FONT, OPACITY = cv2.FONT_HERSHEY_SIMPLEX, 0.45


def read_detections_file(path: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
    """Sample id -> its detections, best first, from a file of COCO results.

    Of a file of boxes the masks are those of `masks.json` beside it, whose rows stand in the same order: they are
    left out if the two files disagree. Raises InputError if a file is no list of detections.
    """
    ids = [sample.id for sample in samples]
    names = names_of(samples)
    found = objects_of(path, ids, names)
    beside = path.with_name(MASKS)
    if beside != path and beside.is_file():
        masks = objects_of(beside, ids, names)
        for key, rows in found.items():
            if [_named(row) for row in rows] == [_named(mask) for mask in masks[key]]:
                found[key] = [{**mask, **row} for row, mask in zip(rows, masks[key], strict=True)]
    return {key: sorted(rows, key=lambda row: -row["score"]) for key, rows in found.items()}


def _named(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["category_id"], row["score"]


def render_detections(image: np.ndarray, rows: Sequence[Mapping[str, Any]], scheme: ClassScheme) -> np.ndarray:
    """The image, uint8 (H, W, 3) BGR, scaled for a report, with masks and boxes of `rows`, best first.

    rows: results of `Detection.finish`, boxes in the pixels of `image`, masks as run lengths on it. Other masks, which
    a file that was given may hold (polygons, plain run lengths), are not drawn. Rows without a score are annotated
    objects: all of them are drawn.
    """
    height, width = image.shape[:2]
    factor = min(max(1.0, SHORT_SIDE / min(height, width)), LONG_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    chosen = [row for n, row in enumerate(rows) if "score" not in row or _shown(n, row["score"])]
    places = {category: class_index for class_index, category in enumerate(scheme.ids or range(len(scheme.names)))}
    for row in reversed(chosen):  # the best on top
        class_index = places.get(row["category_id"])
        colour = _colour(scheme, class_index)
        mask = _mask(row.get("segmentation"), (height, width))
        if mask is not None:
            _tint(canvas, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) > 0, colour)
        name = f"category {row['category_id']}" if class_index is None else scheme.names[class_index]
        said = f"{row['score']:.2f}" if "score" in row else "crowd" if row.get("iscrowd") else ""
        _box(canvas, row.get("bbox") or _around(mask), factor, colour, f"{name} {said}".rstrip())
    return canvas


def _shown(place: int, score: float) -> bool:
    return place < ALWAYS_RENDERED or (place < MAX_RENDERED and score >= MIN_SCORE)


def _mask(segmentation: Any, size: tuple[int, int]) -> np.ndarray | None:
    """A mask (h, w) uint8 of valid compressed run lengths of this (height, width), None for anything else."""
    if not isinstance(segmentation, Mapping) or not isinstance(segmentation.get("counts"), str | bytes):
        return None
    if tuple(segmentation.get("size", ())) != size:
        return None
    try:
        return decoded(segmentation["counts"], size)
    except CodeError:
        return None


def _around(mask: np.ndarray | None) -> list[float] | None:
    if mask is None or not mask.any():
        return None
    ys, xs = np.nonzero(mask)
    return [float(v) for v in (xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)]


def _tint(canvas: np.ndarray, pixels: np.ndarray, colour: tuple[int, int, int]) -> None:
    mixed = canvas[pixels] * (1 - OPACITY) + np.array(colour) * OPACITY
    canvas[pixels] = np.rint(mixed).astype(np.uint8)


def _box(
    canvas: np.ndarray, box: Sequence[float] | None, factor: float, colour: tuple[int, int, int], text: str
) -> None:
    """A rectangle, and on a strip above it, or within where there is no room, its text."""
    if box is None:
        return
    x, y, w, h = (v * factor for v in box)
    left, top, right, bottom = (round(v) for v in (x, y, x + w, y + h))
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, 1, cv2.LINE_AA)
    (wide, high), base = cv2.getTextSize(text, FONT, 0.36, 1)
    top = min(max(top, high + base), canvas.shape[0])
    left = max(0, min(left, canvas.shape[1] - wide - 2))
    cv2.rectangle(canvas, (left, top - high - base), (left + wide + 2, top), colour, -1)
    dark = sum(colour) > 380
    shade = (0, 0, 0) if dark else (255, 255, 255)
    cv2.putText(canvas, text, (left + 1, top - base + 1), FONT, 0.36, shade, 1, cv2.LINE_AA)


def _colour(scheme: ClassScheme, class_index: int | None) -> tuple[int, int, int]:
    """BGR of a class: the data set's palette, or hues far from those of its neighbours in the list."""
    if class_index is None:
        return 160, 160, 160
    if scheme.palette:
        red, green, blue = scheme.palette[class_index]
        return blue, green, red
    red, green, blue = colorsys.hsv_to_rgb(class_index * 0.618034 % 1, 0.75, 0.95)
    return round(255 * blue), round(255 * green), round(255 * red)
