"""Builds tables from results, a layout and published figures; all formats typeset the same tables.

Pure functions: nothing here reads a file, and the same results give the same tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hrbench.core import units
from hrbench.report.comparable import data_notes, incomparable_reasons
from hrbench.report.grid import Column, Table, TableRow
from hrbench.report.layout import ColumnLayout, Layout, Part, TableLayout
from hrbench.report.pareto import fronts, legend, main_score, point_of
from hrbench.report.published import Rows, find_row, notes_for
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
from hrbench.report.words import (
    grouped,
    joined,
    limited_text,
    on_images_text,
    protocol_remarks,
    reasons_of,
    status_text,
    use_text,
)
from hrbench.types import Quantity, Reason, Result, Unit

_TIMED_WITH = ("dtype", "device", "threads", "mode", "inputs", "weights", "caches")
"""Conditions of times that a remark below the table tells."""
_UNTOLD = ("standard normal", "warm")
"""Of these, what is usual."""


def build_tables(results: Sequence[Result], layout: Layout, published: Mapping[str, Rows]) -> list[Table]:
    """The layout's tables that have rows among `results`.

    published: table name -> published rows, from `read_published`.
    """
    tables = []
    for table in layout.tables:
        chosen = {index: result for index, result in enumerate(results) if matches(result, table)}
        if chosen:
            tables.append(_Builder(table, chosen, published.get(table.name, ())).table())
    return tables


class _Builder:
    """Builds one table, and numbers its footnotes."""

    def __init__(self, layout: TableLayout, results: Mapping[int, Result], published: Rows) -> None:
        self.layout = layout
        self.results = list(results.values())
        self.indices = list(results)
        self.published = published
        self.footnotes: list[str] = []
        self.peers: dict[Any, int] = {}
        self.fronts: list[frozenset[int]] = []
        without_scores = ("empty", "costs_only")
        self.groups = grouped(reasons_of(result) for result in self.results if result.status in without_scores)
        self.columns = [column for column in layout.columns if self._used(column)]
        self.quantities = [self._quantity(column) for column in self.columns]

    def table(self) -> Table:
        linked = [self._linked(result) for result in self.results]
        distinguishing = [one.name for one in self.columns if one.source == "text" and one.name in ("runtime", "dtype")]
        names = row_labels(self.results, distinguishing)
        found = [[column_value(r, c) if c.source != "text" else None for c in self.columns] for r in self.results]
        best = [self._best([row[i] for row in found], i) for i in range(len(self.columns))]
        self.fronts = [self._front(found, i) for i in range(len(self.columns))]
        rows = [
            replace(self._on_fronts(self._measured_row(result, label, row, facts, best, note), place), result=index)
            for place, (index, result, label, row, facts, note) in enumerate(
                zip(self.indices, self.results, names, linked, found, data_notes(self.results), strict=True)
            )
        ]
        if self.layout.published is not None and self.layout.published.show == "all":
            rows += [self._published_row(row) for row in self.published if row not in linked]
        rows = _grouped(rows)
        return Table(
            self.layout.name,
            self.layout.title,
            " ".join(self._caption(linked).split()),
            tuple(self._columns()),
            tuple(rows),
            tuple(self.footnotes),
            tuple(self._remarks(found)),
        )

    # --- columns

    def _used(self, column: ColumnLayout) -> bool:
        """Whether a column is shown: not a cost without measurements, nor a `varies` text that is equal in all rows."""
        if column.source == "text":
            return not column.varies or len({text_of(result, column.name)[0] for result in self.results}) > 1
        if column.source == "score" or "published" in column.parts:
            return True
        return any(column_value(result, column).quantity is not None for result in self.results)

    def _quantity(self, column: ColumnLayout) -> Quantity | None:
        if column.source == "text":
            return None
        return next((q for result in self.results if (q := column_value(result, column).quantity) is not None), None)

    def _columns(self) -> list[Column]:
        columns = []
        for index, (layout, quantity) in enumerate(zip(self.columns, self.quantities, strict=True)):
            heading = layout.label or (quantity.label if quantity else "") or layout.name
            if layout.source == "text":
                columns.append(Column(layout.name, layout.label or heading.capitalize(), "text", index, layout.group))
                continue
            unit = units.NAMES[unit_of(layout, quantity)]
            where = "".join(f" {key}={value}" for key, value in layout.where.items())
            # box and mask AP of one table are both called AP
            alike = any(one.name == layout.name and one.metric != layout.metric for one in self.columns)
            name = f"{layout.metric}/{layout.name}" if alike and layout.metric else layout.name
            for part in layout.parts:
                columns.append(
                    Column(
                        key=f"{name}{where}{'' if part == 'measured' else '.' + part}",
                        heading=heading,
                        part=part,
                        quantity=index,
                        group=layout.group,
                        unit=unit,
                        better=better_of(layout, quantity) if part in ("measured", "published") else "higher",
                        description=quantity.description if quantity else "",
                    )
                )
        return columns

    # --- rows

    def _linked(self, result: Result) -> Mapping[str, Any] | None:
        return find_row(self.published, result, self.layout.published) if self.layout.published else None

    def _measured_row(
        self,
        result: Result,
        label: str,
        row: Mapping[str, Any] | None,
        found: Sequence[ColumnValue | None],
        best: Sequence[Mapping[Any, str]],
        data_note: str,
    ) -> TableRow:
        tags, notes = [], []
        if is_miniature(result) and "miniature" not in label.lower():
            tags.append("miniature")
        if result.limited is not None:
            tags.append(limited_text(result.limited))
        if result.status == "failed":
            tags.append("failed")
            notes.append(self._note(joined(reasons_of(result))))
        elif result.costs_reason is not None:
            notes.append(self._note(str(result.costs_reason)))
        # Notes are about accuracies; a table of costs shows them only for entries without a data set.
        if result.entry.dataset is None or any(column.source == "score" for column in self.columns):
            notes += [self._note(text) for text in (*map(str, result.notes), data_note) if text.strip()]
        cells: list[Cell] = []
        noted: set[tuple[Reason, ...]] = {reasons_of(result)} if result.status == "failed" else set()
        noted |= {(result.costs_reason,)} if result.costs_reason is not None else set()
        for index, (layout, fact) in enumerate(zip(self.columns, found, strict=True)):
            if fact is None:
                text, key = text_of(result, layout.name)
                cells.append(Cell(label if layout.name == "model" else text, "text", key))
                continue
            cells += [self._cell(part, index, result, row, fact, best[index], noted) for part in layout.parts]
        return TableRow(
            result.name, "measured", tuple(cells), self._group(result), tuple(tags), tuple(sorted(set(notes))),
            status_text(result), result.limited, use=use_text(result.entry.variant),
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
        return TableRow(str(row.get("model", "")), "published", tuple(cells), group, ("published",), (note,))

    def _cell(
        self,
        part: Part,
        index: int,
        result: Result,
        row: Mapping[str, Any] | None,
        fact: ColumnValue,
        best: Mapping[Any, str],
        noted: set[tuple[Reason, ...]],
    ) -> Cell:
        layout, quantity = self.columns[index], self.quantities[index]
        unit, own = unit_of(layout, quantity), divisor_of(layout, quantity)
        if part == "published":
            return self._published_cell(layout, quantity, row)
        if part == "difference":
            return self._difference(layout, unit, result, row, fact, noted)
        if fact.value is None:
            if part in ("spread", "interval", "p90", "p99"):
                return Cell(reason=joined(fact.reasons))
            notes = self._first_note(fact.reasons, noted)
            return Cell("–", "empty", reason=joined(fact.reasons), notes=notes, conditions=fact.conditions)
        unstable = bool(fact.unstable)
        if part in ("p90", "p99"):
            return self._bound(part, layout, unit, own, fact)
        if part == "spread":
            return self._spread(layout, unit, own, fact)
        if part == "interval":
            if fact.interval is None:
                return Cell(reason="no interval was computed")
            text = units.interval(*fact.interval, unit, layout.decimals, own)
            values = tuple(units.shown(end, unit, own) for end in fact.interval)
            return Cell(text, "interval", values, detail=fact.detail, conditions=fact.conditions, unstable=unstable)
        text = units.show(fact.value, unit, layout.decimals, own)
        bold = fact.comparable is not None and best.get(fact.comparable) == text
        number = (units.shown(fact.value, unit, own),)
        peers = None if fact.comparable is None else self.peers.setdefault(fact.comparable, len(self.peers))
        notes = tuple(self._note(text) for text in (fact.unstable, fact.doubt) if text)
        return Cell(
            text, "measured", number, bold, fact.detail, fact.conditions, fact.unstable or fact.doubt, notes,
            unstable=unstable, peers=peers,
        )  # fmt: skip

    def _bound(self, part: Part, layout: ColumnLayout, unit: Unit, own: float | None, fact: ColumnValue) -> Cell:
        """The upper bound of a percentile."""
        bound = fact.under.p90_bound if part == "p90" else fact.under.p99_bound
        if bound is None:
            return Cell(reason=f"too few passes to bound {part}")
        text = units.show(bound, unit, layout.decimals, own)
        return Cell(text, "bound", (units.shown(bound, unit, own),), detail=fact.detail, conditions=fact.conditions,
                    reason=fact.unstable, unstable=bool(fact.unstable))  # fmt: skip

    @staticmethod
    def _spread(layout: ColumnLayout, unit: Unit, own: float | None, fact: ColumnValue) -> Cell:
        """The standard deviation over images."""
        spread = fact.under.spread
        if spread is None:
            return Cell(reason="not measured on several images one by one")
        text = f"± {units.show(spread, unit, layout.decimals, own)}"
        return Cell(text, "bound", (units.shown(spread, unit, own),), detail=fact.detail, conditions=fact.conditions)

    def _front(self, found: Sequence[Sequence[ColumnValue | None]], index: int) -> frozenset[int]:
        """Which rows are on the Pareto front of the table's accuracy and this cost."""
        main, layout = main_score(self.columns), self.columns[index]
        if main is None or layout.source != "cost":
            return frozenset()
        return fronts([point_of(row[main], row[index]) for row in found], better_of(layout, self.quantities[index]))

    def _on_fronts(self, row: TableRow, place: int) -> TableRow:
        """The row with its costs marked that are on a front."""
        cells = [
            replace(cell, front=cell.kind == "measured" and place in self.fronts[column.quantity])
            for cell, column in zip(row.cells, self._columns(), strict=True)
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
        result: Result,
        row: Mapping[str, Any] | None,
        fact: ColumnValue,
        noted: set[tuple[Reason, ...]],
    ) -> Cell:
        """Measured minus published, if the two are comparable."""
        figure = figure_of(row, layout.published)
        if fact.value is None or figure is None:
            return Cell(reason="no published figure" if figure is None else joined(fact.reasons))
        assert self.layout.published is not None
        incomparable = incomparable_reasons(result, self.layout.published) if layout.source == "score" else ()
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

    def _best(self, found: Sequence[ColumnValue | None], index: int) -> dict[Any, str]:
        """Comparability key -> the text of its best value; only for keys with several different values."""
        layout, quantity = self.columns[index], self.quantities[index]
        bold = layout.bold if layout.bold is not None else layout.source == "score"
        better = better_of(layout, quantity)
        if layout.source == "text" or not bold or better == "neither":
            return {}
        own = divisor_of(layout, quantity)
        values: dict[Any, list[float]] = {}
        for fact in found:
            if fact is not None and fact.value is not None and fact.comparable is not None:
                values.setdefault(fact.comparable, []).append(fact.value)
        best = {}
        for key, group in values.items():
            unit = unit_of(layout, quantity)
            texts = {units.show(value, unit, layout.decimals, own) for value in group}
            if len(texts) > 1:
                top = max(group) if better == "higher" else min(group)
                best[key] = units.show(top, unit, layout.decimals, own)
        return best

    # --- around the rows

    def _group(self, result: Result) -> str:
        if self.layout.group == "family":
            return family(title_of(result))
        if self.layout.group == "dataset":
            dataset = result.entry.dataset
            return (dataset.title or dataset.name) if dataset else "costs only"
        return run_of(result) if self.layout.group == "run" else ""

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

    def _caption(self, linked: Sequence[Mapping[str, Any] | None]) -> str:
        sentences = [self.layout.caption]
        limits = sorted({result.limited for result in self.results if result.limited is not None})
        if limits:
            counts = " or ".join(f"{limit:,}" for limit in limits)
            sentences.append(f"Rows limited to {counts} images are not comparable with anything.")
        if any(is_miniature(result) for result in self.results):
            sentences.append(
                "Miniatures: small generated data sets and narrow networks; no figure of the real data sets."
            )
        return " ".join(sentences)

    def _remarks(self, found: Sequence[Sequence[ColumnValue | None]]) -> list[str]:
        """Remarks for the whole table: protocols, devices, conventions, sources of published figures."""
        remarks = []
        sources = {column.source for column in self.columns}
        if "score" in sources:
            remarks += protocol_remarks([r.entry.protocol for r in self.results if r.entry.protocol])
        conditions: dict[str, None] = {}
        counted: dict[str, None] = {}
        for row in found:
            for layout, fact in zip(self.columns, row, strict=True):
                if fact and layout.source == "cost" and fact.value is not None and fact.quantity:
                    if fact.quantity.unit == "operations":
                        heads = (("proposals", fact.under.proposals), ("masks", fact.under.masks))
                        parts = ", ".join(f"{number} {name}" for name, number in heads if number is not None)
                        counted |= {f"Operations of detectors with {parts}, for each image": None} if parts else {}
                    if fact.under.spread is not None:
                        counted |= {on_images_text(fact.under): None}
                    if fact.quantity.unit == "operations" or fact.quantity.unit == "count":
                        continue
                    under = fact.under.stated()
                    if not {"device", "mode"} & {*under} and fact.quantity.unit in ("bytes", "intensity"):
                        continue  # counted, on no device
                    told = {key: under[key] for key in _TIMED_WITH if under.get(key, "warm") not in _UNTOLD}
                    shown = ", ".join(f"{key} {value}" for key, value in told.items())
                    of_what = (fact.quantity.label or fact.quantity.name).partition(": ")[0]  # one for all stages
                    conditions[f"{of_what}: {shown}"] = None
        remarks += [f"{text}." for text in (*counted, *list(conditions)[:4]) if not text.endswith(": ")]
        main = main_score(self.columns)
        if main is not None and any(self.fronts):
            remarks.append(legend(next(one.heading for one in self._columns() if one.quantity == main)))
        used = [row for row in (self._linked(result) for result in self.results) if row]
        origins = list(dict.fromkeys(str(row["source"]) for row in used if row.get("source")))
        if origins and any("published" in column.parts for column in self.columns):
            remarks.append(f"Published figures: {'; '.join(origins)}.")
        return remarks


def _grouped(rows: Sequence[TableRow]) -> list[TableRow]:
    """Rows of one group together, groups in the order of their first row.

    A heading that repeats a name is left out: that of a single group, of a row with the name of its group, and all of
    them if no group has several rows. Rows without a heading come first: they belong to no group.
    """
    sizes = Counter(row.group for row in rows)
    if len(sizes) == 1 or all(size == 1 and _repeats(row, row.group) for row in rows if (size := sizes[row.group])):
        return [replace(row, group="") for row in rows]
    rows = [replace(row, group="") if sizes[row.group] == 1 and row.group in _names(row) else row for row in rows]
    order = dict.fromkeys(["", *(row.group for row in rows)])
    return [row for group in order for row in rows if row.group == group]


def _names(row: TableRow) -> list[str]:
    """The names of a row: the entry's, and the text of its first cell."""
    return [row.name, *(cell.text for cell in row.cells[:1] if cell.kind == "text")]


def _repeats(row: TableRow, group: str) -> bool:
    return any(name.startswith(group) for name in _names(row))
