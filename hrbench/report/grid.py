"""A table ready for any format: columns, rows, cells and footnotes. `table.py` builds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hrbench.report.layout import Notes, Part
from hrbench.report.table_cells import Cell
from hrbench.types import Better


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    key: unique in the table.
    heading: of the quantity.
    part: what of the quantity it shows.
    quantity: number shared by the columns of one quantity (its measured, published ... parts).
    unit: as shown ("points", "M", ...; "" for text).
    description: for a tooltip.
    cost: whether it shows a cost.
    """

    key: str
    heading: str
    part: Part | Literal["text"]
    quantity: int
    group: str = ""
    unit: str = ""
    better: Better = "neither"
    description: str = ""
    cost: bool = False

    @property
    def full_label(self) -> str:
        """Group, heading and part in one line: "Latency (ms): batch 1", "AP published"."""
        part = "" if self.part in ("measured", "text") else f" {PART_LABELS[self.part]}"
        return f"{self.group}: {self.heading}{part}" if self.group else self.heading + part


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row.

    name: of the entry, or of the model of a published row.
    tags: short labels ("miniature", "failed").
    notes: numbers of footnotes.
    limited: number of images, None for all.
    result: index among the results the tables were built from; None for a published row.
    use: what builds the network, "timm:hrnet_w18"; "" for a published row.
    """

    name: str
    kind: Literal["measured", "published"]
    cells: tuple[Cell, ...]
    group: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[int, ...] = ()
    status: str = ""
    limited: int | None = None
    result: int | None = None
    use: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be typeset.

    footnotes: the notes of rows and cells are their indices.
    remarks: unnumbered notes.
    short_remarks: the same, without settings of a protocol that all rows have.
    notes: how much of all this stands below the table in LaTeX.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    footnotes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    short_remarks: tuple[str, ...] = ()
    notes: Notes = "short"


PART_LABELS: dict[str, str] = {
    "measured": "measured",
    "spread": "standard deviation",
    "interval": "95 % interval",
    "p90": "p90, at most",
    "p99": "p99, at most",
    "published": "published",
    "difference": "difference",
}


SHORT_PARTS: dict[str, str] = {
    "measured": "meas.", "spread": "±", "interval": "95 %", "p90": "p90 ≤", "p99": "p99 ≤", "published": "publ.",
    "difference": "Δ",
}  # fmt: skip


def part_heading(column: Column, columns: Sequence[Column]) -> str:
    """The short heading of one part of a quantity; beside bounds of percentiles the measured one is the median, beside
    a spread the mean.

    columns: of the table.
    """
    parts = {one.part for one in columns if one.quantity == column.quantity}
    if column.part == "measured" and parts & {"p90", "p99", "spread"}:
        return "mean" if "spread" in parts else "p50"
    return SHORT_PARTS[column.part]


def marker(number: int) -> str:
    """The sign of a footnote: a, b, ... z, aa, ab, ...

    >>> [marker(number) for number in (0, 25, 26, 53)]
    ['a', 'z', 'aa', 'bb']
    """
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
