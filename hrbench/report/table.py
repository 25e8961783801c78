"""Builds tables from results, a layout and published figures; all formats typeset the same tables.

Pure functions: nothing here reads a file, and the same results give the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hrbench.core import units
from hrbench.report.class_tables import class_table
from hrbench.report.comparable import data_notes, incomparable_reasons
from hrbench.report.grid import Table, TableRow
from hrbench.report.layout import ColumnLayout, Layout, Part, TableLayout
from hrbench.report.pareto import fronts, legend, main_score, point_of
from hrbench.report.part_cells import Rank, bound_cell, ranks, spread_cell
from hrbench.report.published import Rows, find_row, notes_for
from hrbench.report.row_groups import PUBLISHED, grouped_rows, lettered, sections
from hrbench.report.rows import (
    area,
    family,
    figure_of,
    is_miniature,
    matches,
    published_decimals,
    row_labels,
    run_of,
    text_of,
    title_of,
)
from hrbench.report.table_cells import Cell, ColumnValue, better_of, column_value, divisor_of, unit_of
from hrbench.report.table_columns import columns_of, is_used, metric_of, quantity_of, remark_names
from hrbench.report.table_remarks import bold_remarks, caption_of, counted_remarks, sources_remarks
from hrbench.report.ties import PairedInterval, Ties
from hrbench.report.told_conditions import ColumnConditions, column_conditions, condition_remarks
from hrbench.report.words import grouped, joined, limited_text, protocol_remarks, reasons_of, status_text, use_text
from hrbench.types import Quantity, Reason, Result, Unit


def build_tables(
    results: Sequence[Result], layout: Layout, published: Mapping[str, Rows], paired: PairedInterval | None = None
) -> list[Table]:
    """The layout's tables that have rows among `results`.

    published: table name -> published rows, from `read_published`.
    paired: for rows that are not known to differ from the best (`ties.py`); None to look at the numbers alone.
    """
    tables = []
    for table in layout.tables:
        chosen = {index: result for index, result in enumerate(results) if matches(result, table)}
        if table.by_class and chosen:
            tables.append(class_table(table, chosen))
        elif chosen:
            tables.append(_Builder(table, chosen, published.get(table.name, ()), paired).table())
    return tables


@dataclass(frozen=True, slots=True)
class _RowFacts:
    """One measured row: its place, its label and section, the published row beside it, the values of its columns."""

    place: int
    result: Result
    label: str
    section: str
    linked: Mapping[str, Any] | None
    found: Sequence[ColumnValue | None]
    data_note: str


class _Builder:
    """Builds one table, and numbers its footnotes."""

    def __init__(
        self, layout: TableLayout, results: Mapping[int, Result], published: Rows, paired: PairedInterval | None
    ) -> None:
        self.layout, self.paired = layout, paired
        self.ties: Ties | None = None
        self.results = list(results.values())
        self.indices = list(results)
        self.published = published
        self.footnotes: list[str] = []
        self.peers: dict[Any, int] = {}
        self.fronts: list[frozenset[int]] = []
        self.told: list[ColumnConditions] = []
        without_scores = ("empty", "costs_only")
        self.groups = grouped(reasons_of(result) for result in self.results if result.status in without_scores)
        self.columns = [column for column in layout.columns if is_used(column, self.results)]
        self.quantities = [quantity_of(column, self.results) for column in self.columns]
        self.shown = columns_of(self.columns, self.quantities, [metric_of(c, self.results) for c in self.columns])
        self.main = main_score(self.columns)
        scores = sum(column.source == "score" for column in self.columns)
        # a folded table of costs repeats one score of another table, which tells all of it
        self.tells_scores = scores > (1 if layout.folded else 0)

    def table(self) -> Table:
        linked = [self._linked(result) for result in self.results]
        distinguishing = [one.name for one in self.columns if one.source == "text" and one.name in ("runtime", "dtype")]
        below = [""] * len(self.results) if self.main is None else sections(self.results)
        names = row_labels(self.results, distinguishing, sections=below)
        found = [[column_value(r, c) if c.source != "text" else None for c in self.columns] for r in self.results]
        best = [self._ranks([row[i] for row in found], i) for i in range(len(self.columns))]
        self.fronts = [self._front(found, i) for i in range(len(self.columns))]
        texts = [column.name for column in self.columns if column.source == "text"]
        self.told = [
            column_conditions(column, self.results, [row[i] for row in found], texts)
            for i, column in enumerate(self.columns)
        ]
        each = zip(self.results, names, below, linked, found, data_notes(self.results), strict=True)
        facts = [_RowFacts(place, *one) for place, one in enumerate(each)]
        rows = [
            replace(self._on_fronts(self._measured_row(fact, best), fact.place), result=self.indices[fact.place])
            for fact in facts
        ]
        if self.layout.published is not None and self.layout.published.show == "all":
            apart = PUBLISHED if any(below) else ""
            rows += [replace(self._published_row(row), section=apart) for row in self.published if row not in linked]
        rows, footnotes = lettered(grouped_rows(rows), self.footnotes)
        return Table(
            self.layout.name,
            self.layout.title,
            caption_of(self.layout.caption, self.results),
            tuple(self.shown),
            tuple(rows),
            footnotes,
            tuple(self._remarks(found, linked, rows)),
            tuple(self._remarks(found, linked, rows, short=True)),
            self.layout.notes,
            self.layout.folded,
        )

    def _ranks(self, found: Sequence[ColumnValue | None], index: int) -> list[Rank]:
        """Which rows of a column are best and second; of the main score also those that are as good as the best."""
        column, quantity = self.columns[index], self.quantities[index]
        if self.paired is None or index != self.main:
            return ranks(found, column, quantity)
        self.ties = Ties(self.results, found, column, self.paired)
        return ranks(found, column, quantity, self.ties.as_good)

    # --- rows

    def _linked(self, result: Result) -> Mapping[str, Any] | None:
        return find_row(self.published, result, self.layout.published) if self.layout.published else None

    def _measured_row(self, facts: _RowFacts, best: Sequence[Sequence[Rank]]) -> TableRow:
        result = facts.result
        tags, notes = [], []
        if is_miniature(result) and "miniature" not in facts.label.lower():
            tags.append("miniature")
        if result.limited is not None:
            tags.append(limited_text(result.limited))
        if result.status == "failed":
            tags.append("failed")
            notes.append(self._note(joined(reasons_of(result))))
        elif result.costs_reason is not None:
            notes.append(self._note(str(result.costs_reason)))
        # Notes are about accuracies; a table of costs shows them only for entries without a data set.
        if result.entry.dataset is None or self.tells_scores:
            notes += [self._note(text) for text in (*map(str, result.notes), facts.data_note) if text.strip()]
        cells: list[Cell] = []
        noted: set[tuple[Reason, ...]] = {reasons_of(result)} if result.status == "failed" else set()
        noted |= {(result.costs_reason,)} if result.costs_reason is not None else set()
        for index, (layout, fact) in enumerate(zip(self.columns, facts.found, strict=True)):
            if fact is None:
                text, key = text_of(result, layout.name)
                cells.append(Cell(facts.label if layout.name == "model" else text, "text", key))
                continue
            cells += [self._cell(part, index, facts, fact, best[index][facts.place], noted) for part in layout.parts]
        group = "" if facts.section and self.layout.group == "dataset" else self._group(result)
        return TableRow(
            result.name, "measured", tuple(cells), group, facts.section, tuple(tags), tuple(sorted(set(notes))),
            status_text(result), result.limited, use=use_text(result.entry.variant),
            why="" if result.scores else joined(reasons_of(result)),
        )  # fmt: skip

    def _published_row(self, row: Mapping[str, Any]) -> TableRow:
        cells: list[Cell] = []
        for layout, quantity in zip(self.columns, self.quantities, strict=True):
            if layout.source == "text":
                text = str(row.get(layout.name, ""))
                size = area(text)
                cells.append(Cell(text.replace("x", "×") if size else text, "text", size))
                continue
            for part in layout.parts:
                shown = self._published_cell(layout, quantity, row) if part == "published" else Cell()
                cells.append(shown)
        group = family(str(row.get("model", ""))) if self.layout.group == "family" else ""
        note = self._note(f"published only, not measured here: {row.get('source', 'source not given')}")
        return TableRow(str(row.get("model", "")), "published", tuple(cells), group, "", ("published",), (note,))

    def _cell(
        self,
        part: Part,
        index: int,
        row: _RowFacts,
        fact: ColumnValue,
        rank: Rank,
        noted: set[tuple[Reason, ...]],
    ) -> Cell:
        layout, quantity = self.columns[index], self.quantities[index]
        unit, own = unit_of(layout, quantity), divisor_of(layout, quantity)
        if part == "published":
            return self._published_cell(layout, quantity, row.linked)
        if part == "difference":
            return self._difference(layout, unit, row, fact, noted)
        if fact.value is None:
            if part in ("spread", "interval", "p90", "p99"):
                return Cell(reason=joined(fact.reasons))
            notes = self._first_note(fact.reasons, noted)
            return Cell("–", "empty", reason=joined(fact.reasons), notes=notes, conditions=fact.conditions)
        unstable = bool(fact.unstable)
        if part in ("p90", "p99"):
            return bound_cell(part, layout, unit, own, fact)
        if part == "spread":
            return spread_cell(layout, unit, own, fact)
        if part == "interval":
            if fact.interval is None:
                return Cell(reason="no interval was computed")
            text = units.interval(*fact.interval, unit, layout.decimals, own)
            values = tuple(units.shown(end, unit, own) for end in fact.interval)
            return Cell(text, "interval", values, detail=fact.detail, conditions=fact.conditions, unstable=unstable)
        text = units.show(fact.value, unit, layout.decimals, own)
        number = (units.shown(fact.value, unit, own),)
        peers = None if fact.comparable is None else self.peers.setdefault(fact.comparable, len(self.peers))
        told = self.told[index].notes[row.place]
        notes = tuple(sorted(self._note(text) for text in (fact.unstable, fact.doubt, *told) if text))
        return Cell(
            text, "measured", number, rank == "best", rank == "second", fact.detail, fact.conditions,
            fact.unstable or fact.doubt, notes, unstable=unstable, peers=peers,
        )  # fmt: skip

    def _front(self, found: Sequence[Sequence[ColumnValue | None]], index: int) -> frozenset[int]:
        """Which rows are on the Pareto front of the table's accuracy and this cost."""
        main, layout = self.main, self.columns[index]
        if main is None or layout.source != "cost":
            return frozenset()
        dtypes = [result.entry.dtype for result in self.results]
        points = [point_of(row[main], row[index], dtype) for row, dtype in zip(found, dtypes, strict=True)]
        return fronts(points, better_of(layout, self.quantities[index]))

    def _on_fronts(self, row: TableRow, place: int) -> TableRow:
        """The row with its costs marked that are on a front."""
        cells = [
            replace(cell, front=cell.kind == "measured" and place in self.fronts[column.quantity])
            for cell, column in zip(row.cells, self.shown, strict=True)
        ]
        return replace(row, cells=tuple(cells))

    def _published_cell(self, layout: ColumnLayout, quantity: Quantity | None, row: Mapping[str, Any] | None) -> Cell:
        figure = figure_of(row, layout.published)
        if row is None or figure is None:
            return Cell(reason="no published figure")
        unit, own = unit_of(layout, quantity), divisor_of(layout, quantity)
        text = units.show(figure * units.divisor(unit, own), unit, published_decimals(layout, unit, figure), own)
        detail = [("published", f"{figure:g} {units.NAMES[unit]}"), ("source", str(row.get("source", "not given")))]
        detail += [(key, str(row[key])) for key in ("split", "boxes") if key in row]
        assert self.layout.published is not None
        texts = notes_for(self.layout.published, row, layout.published)
        detail += [("note", text) for text in texts]
        return Cell(text, "published", (figure,), detail=tuple(detail), notes=tuple(self._note(t) for t in texts))

    def _difference(
        self,
        layout: ColumnLayout,
        unit: Unit,
        row: _RowFacts,
        fact: ColumnValue,
        noted: set[tuple[Reason, ...]],
    ) -> Cell:
        """Measured minus published, if the two are comparable."""
        figure = figure_of(row.linked, layout.published)
        if fact.value is None or figure is None:
            return Cell(reason="no published figure" if figure is None else joined(fact.reasons))
        assert self.layout.published is not None
        incomparable = incomparable_reasons(row.result, self.layout.published) if layout.source == "score" else ()
        if incomparable:
            notes = tuple(note for reason in incomparable for note in self._first_note((Reason(reason),), noted))
            return Cell("≠", "empty", reason="; ".join(incomparable), notes=notes)
        own = divisor_of(layout, fact.quantity)
        base = figure * units.divisor(unit, own)
        value = fact.value - base
        text = units.signed(value, unit, published_decimals(layout, unit, figure), own)
        ends = fact.interval
        notable = ends is not None and not ends[0] <= base <= ends[1]
        detail = [("measured − published", units.signed(value, unit, 2 if unit == "fraction" else None, own))]
        if ends is not None:
            words = "outside" if notable else "inside"
            detail.append(("", f"the published figure lies {words} the measured 95 % interval"))
        return Cell(text, "difference", (units.shown(value, unit, own),), detail=tuple(detail), notable=notable)

    # --- around the rows

    def _group(self, result: Result) -> str:
        if self.layout.group == "family":
            return family(title_of(result))
        if self.layout.group == "dataset":
            dataset = result.entry.dataset
            return (dataset.title or dataset.name) if dataset else "costs only"
        return run_of(result) if self.layout.group == "run" else ""

    def _tied(self, main: str) -> str:
        """Which rows are bold beside the best, in words; "" if no two rows could be compared by their images."""
        if self.ties is None or not self.ties.known:
            return ""
        without = ", as far as both have states" if self.ties.unknown else ""
        told = "whose paired difference from it has a 95 % interval that holds 0 (bootstrap over images)"
        return f", in {main} also each row {told}{without}"

    def _note(self, text: str) -> int:
        text = " ".join(text.split())
        if text not in self.footnotes:
            self.footnotes.append(text)
        return self.footnotes.index(text)

    def _first_note(self, reasons: tuple[Reason, ...], noted: set[tuple[Reason, ...]]) -> tuple[int, ...]:
        """The footnotes of reasons; () if another cell of the row has them already."""
        if reasons in noted:
            return ()
        noted.add(reasons)
        return tuple(self._note(text) for text in self.groups.get(reasons, (joined(reasons),)))

    def _remarks(
        self,
        found: Sequence[Sequence[ColumnValue | None]],
        linked: Sequence[Mapping[str, Any] | None],
        rows: Sequence[TableRow],
        short: bool = False,
    ) -> list[str]:
        """Remarks for the whole table: protocols, devices, conventions, sources of published figures."""
        remarks = []
        if self.tells_scores:
            remarks += protocol_remarks([r.entry.protocol for r in self.results if r.entry.protocol], short)
        remarks += counted_remarks(self.columns, found)
        names = remark_names(self.columns, self.quantities)
        remarks += condition_remarks(self.columns, names, self.told)
        measured = {one.quantity: place for place, one in enumerate(self.shown) if one.part == "measured"}
        places = [measured.get(index, -1) for index in range(len(self.columns))]
        place = -1 if self.main is None else places[self.main]
        main = self.shown[place].heading if place >= 0 else None
        told, apart = self._tied(main or ""), any(row.section for row in rows)
        remarks += bold_remarks(self.columns, [row.cells for row in rows], places, told, apart)
        if main is not None and any(self.fronts):
            remarks.append(legend(main))
        if any("published" in column.parts for column in self.columns):
            remarks += sources_remarks([row for row in linked if row])
        return remarks
