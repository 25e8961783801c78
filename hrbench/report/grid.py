"""A table ready for any format: columns, rows, cells and footnotes. `table.py` builds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    label: what the quantity is called where no table stands around it, "PCKh@0.5 mean"; "" for as the heading.
    machine: METRIC/NAME of a score, the name of a cost: what policies, layouts and files call it.
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
    label: str = ""
    machine: str = ""

    @property
    def alone(self) -> str:
        """What its quantity is called where no table stands around it: "PCKh@0.5 mean", "Box AP"."""
        return self.label or self.heading

    @property
    def measure(self) -> str:
        """The same with its unit, as an axis has it: "PCKh@0.5 mean (points)"."""
        return f"{self.alone} ({self.unit})" if self.unit and not self.says_unit else self.alone

    @property
    def says_unit(self) -> bool:
        """Whether its heading, or that of its group, has the unit already; that of a cost always has."""
        return self.cost or any(f"({self.unit})" in text for text in (self.heading, self.group, self.label))

    @property
    def full_label(self) -> str:
        """Group, heading and part in one line: "Latency (ms): batch 1", "AP published"."""
        part = "" if self.part in ("measured", "text") else f" {PART_LABELS[self.part]}"
        return f"{self.group}: {self.heading}{part}" if self.group else self.heading + part


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row.

    name: of the entry, or of the model of a published row.
    section: what the rows of its section have in common and others have not: only rows of one section are compared by
        their scores; "" if all rows of the table are of one.
    group: the heading below that of its section; "" for none.
    tags: short labels ("miniature", "failed").
    notes: numbers of footnotes.
    limited: number of images, None for all.
    result: index among the results the tables were built from; None for a published row.
    use: what builds the network, "timm:hrnet_w18"; "" for a published row.
    why: why the whole row has no score, "" if it has one.
    """

    name: str
    kind: Literal["measured", "published"]
    cells: tuple[Cell, ...]
    group: str = ""
    section: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[int, ...] = ()
    status: str = ""
    limited: int | None = None
    result: int | None = None
    use: str = ""
    why: str = ""

    @property
    def called(self) -> str:
        """The first text of the row, with what the heading of its section tells of it."""
        text = self.cells[0].text if self.cells else self.name
        return f"{text} · {self.section}" if self.section else text


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be typeset.

    footnotes: the notes of rows and cells are their indices.
    remarks: unnumbered notes.
    short_remarks: the same, without settings of a protocol that all rows have.
    notes: how much of all this stands below the table in LaTeX.
    folded: whether the page shows it only when it is opened.
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
    folded: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        """Remarks that are not among the short ones: all settings of the protocols."""
        return tuple(text for text in self.remarks if text not in self.short_remarks)


def headed(rows: Sequence[TableRow]) -> Iterator[tuple[str, str, TableRow]]:
    """Each row with the headings that begin at it: of a section, and of a group; "" for none."""
    section = group = ""
    for number, row in enumerate(rows):
        new = row.section != section or (number == 0 and bool(row.section))
        if new:
            group = ""
        yield (row.section if new else ""), (row.group if row.group != group else ""), row
        section, group = row.section, row.group


ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "neither": ""}
"""Which way is better, beside a heading."""

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


def titled(column: Column, between: str = "\N{NARROW NO-BREAK SPACE}") -> str:
    """The heading of a quantity with the arrow of its direction; of a text, and of a part that has none, without.

    >>> titled(Column("AP", "AP", "measured", 0, better="higher"), " "), titled(Column("model", "Model", "text", 1))
    ('AP ↑', 'Model')
    """
    arrow = ARROWS[column.better] if column.part in ("measured", "published") else ""
    return f"{column.heading}{between}{arrow}" if arrow else column.heading


def spanning(column: Column, columns: Sequence[Column], between: str = "\N{NARROW NO-BREAK SPACE}") -> str:
    """The heading over all parts of a quantity, with its arrow. columns: of the table."""
    parts = [one for one in columns if one.quantity == column.quantity]
    return titled(next((one for one in parts if one.part in ("measured", "published")), column), between)


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
