"""The images of a set in which points lie worst, as a table of an analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hrbench.types import AnalysisTable

MOST_IMAGES = 20


def worst_images(
    definition: str,
    images: np.ndarray,
    worst_first: np.ndarray,
    columns: Mapping[str, tuple[str, np.ndarray]],
    main: int,
    absent: str = "",
) -> AnalysisTable:
    """At most `MOST_IMAGES` images with some numbers of each.

    definition: how numbers are made; the order is added to it.
    images: (I,) names or ids.
    worst_first: places of images, in the order to show them.
    columns: heading -> unit and (I,) numbers.
    main: the column to show as bars.
    absent: why a number does not exist, "" if all do.
    """
    some = worst_first[:MOST_IMAGES]
    values = np.column_stack([numbers[some] for _, numbers in columns.values()]).astype(np.float64)
    return AnalysisTable(
        "images", "Worst images", f"{definition} At most {MOST_IMAGES} images, the worst first; equal ones by name.",
        "",
        tuple(str(one) for one in images[some].tolist()), tuple(columns), tuple(unit for unit, _ in columns.values()),
        values, {} if not absent else reasons_of(values, [absent] * len(columns)), main,
    )  # fmt: skip


def reasons_of(values: np.ndarray, reasons: Sequence[str]) -> dict[tuple[int, int], str]:
    """The reason of its column at each NaN of a table (R, C)."""
    return {(row, column): reasons[column] for row, column in np.argwhere(np.isnan(values)).tolist()}
