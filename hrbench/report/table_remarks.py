"""What is told of a whole table: its caption, and the remarks below its footnotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hrbench.report.layout import ColumnLayout
from hrbench.report.rows import is_miniature
from hrbench.report.table_cells import Cell, ColumnValue
from hrbench.report.words import on_images_text
from hrbench.types import Result

MINIATURES = "Miniatures: small generated data sets and narrow networks; no figure of the real data sets."
BOLD_COSTS = "Bold compares only costs that were measured under the same conditions."


def caption_of(text: str, results: Sequence[Result]) -> str:
    """A layout's caption in one line, with what is to say of limited rows and miniatures."""
    sentences = [text]
    limits = sorted({result.limited for result in results if result.limited is not None})
    if limits:
        counts = " or ".join(f"{limit:,}" for limit in limits)
        sentences.append(f"Rows limited to {counts} images are not comparable with anything.")
    if any(is_miniature(result) for result in results):
        sentences.append(MINIATURES)
    return " ".join(" ".join(sentences).split())


def counted_remarks(columns: Sequence[ColumnLayout], found: Sequence[Sequence[ColumnValue | None]]) -> list[str]:
    """What operations were counted for: boxes of detectors, and images. found: row by row."""
    counted: dict[str, None] = {}
    for row in found:
        for layout, fact in zip(columns, row, strict=True):
            if fact is None or layout.source != "cost" or fact.value is None or fact.quantity is None:
                continue
            if fact.quantity.unit == "operations":
                heads = (("proposals", fact.under.proposals), ("masks", fact.under.masks))
                parts = ", ".join(f"{number} {name}" for name, number in heads if number is not None)
                counted |= {f"Operations of detectors with {parts}, for each image.": None} if parts else {}
            if fact.under.spread is not None:
                counted |= {f"{on_images_text(fact.under)}.": None}
    return list(counted)


def bold_remarks(
    columns: Sequence[ColumnLayout],
    rows: Sequence[Sequence[Cell]],
    places: Sequence[int],
    tied: str = "",
    sections: bool = False,
) -> list[str]:
    """What bold and underlined numbers are, and that they do not compare all costs of a column, if some has such.

    places: of the column of measured values of each layout, among the cells of a row; -1 for none.
    tied: which rows are bold beside the best, in words; "" for none.
    sections: whether rows stand below headings, and are compared with those of one heading only.
    """
    shown = [(place, column) for column, place in zip(columns, places, strict=True) if place >= 0]
    scores = [place for place, column in shown if column.source == "score"]
    told = _legend([[row[place] for place in scores] for row in rows], tied, sections)
    return [*told, *_bold_costs(columns, rows, places)]


def _legend(rows: Sequence[Sequence[Cell]], tied: str, sections: bool) -> list[str]:
    """A sentence on bold and underlined scores. rows: cells of scores."""
    if not any(cell.bold for row in rows for cell in row):
        return []
    among = " below its heading" if sections else ""
    second = "; underlined: the second" if any(cell.second for row in rows for cell in row) else ""
    return [f"Bold: the best{among}{tied}{second}."]


def _bold_costs(columns: Sequence[ColumnLayout], rows: Sequence[Sequence[Cell]], places: Sequence[int]) -> list[str]:
    for column, place in zip(columns, places, strict=True):
        cells = [row[place] for row in rows if place >= 0 and row[place].values]
        if column.source == "cost" and any(cell.bold for cell in cells) and len({cell.peers for cell in cells}) > 1:
            return [BOLD_COSTS]
    return []


def sources_remarks(used: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the published figures of these published rows are from."""
    origins = list(dict.fromkeys(str(row["source"]) for row in used if row.get("source")))
    return [f"Published figures: {'; '.join(origins)}."] if origins else []
