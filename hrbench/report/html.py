"""The report as one self-contained HTML file: it makes no network requests."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from hrbench.core import units
from hrbench.core.shown_text import shown
from hrbench.core.text import last_lines
from hrbench.report import machines, page, summary
from hrbench.report.csv import render_csv
from hrbench.report.explained import explanations
from hrbench.report.figure_set import FOLDER, FigureSet, figure_set, file_stem
from hrbench.report.former import Replaced
from hrbench.report.full_tables import full_tables
from hrbench.report.gallery import Gallery, gallery
from hrbench.report.grid import Table, TableRow, marker
from hrbench.report.latex import render_latex
from hrbench.report.layout import Layout
from hrbench.report.markdown import render_markdown
from hrbench.report.pareto import MARK
from hrbench.report.published import Rows, read_published
from hrbench.report.rows import is_miniature, row_labels, title_of
from hrbench.report.scene import Artwork
from hrbench.report.scene_svg import inline
from hrbench.report.summary import FirstScreen, headline
from hrbench.report.table import build_tables
from hrbench.report.table_cells import Cell, Facts
from hrbench.report.table_headings import headings, narrow_headings, narrow_order
from hrbench.report.table_remarks import MINIATURES
from hrbench.report.words import joined, plain_text, protocol_text, reasons_of, use_text
from hrbench.store.integrity import LOG
from hrbench.types import Conditions, Measurement, Result
from hrbench.version import __version__

_FILES = (("SVG", ".svg"), ("PDF", ".pdf"), ("SVG", "-column.svg"), ("PDF", "-column.pdf"))
LOG_BYTES = 1 << 16  # that are read from the end of a log


@dataclass(slots=True)
class _SharedFacts:
    """Facts of many cells, each stored once in the page and referenced by its number."""

    known: dict[Facts, int] = field(default_factory=dict)

    def number(self, facts: Facts) -> int:
        facts = tuple((shown(name), shown(text)) for name, text in facts)
        return self.known.setdefault(facts, len(self.known))

    def of(self, cell: Cell) -> str:
        """The numbers of a cell's facts, for one attribute."""
        detail = cell.detail
        if cell.reason and cell.text:  # an empty cell, or a disturbed one
            detail = (("", cell.reason), *detail)
        return " ".join(str(self.number(facts)) for facts in (detail, cell.conditions) if facts)


def render_html(
    results: Sequence[Result],
    layout: Layout,
    environment: Mapping[str, Any],
    suite_text: str,
    folder_of: Callable[[Result], Path],
    *,
    title: str = "",
    published: Mapping[str, Rows] | None = None,
    options: Sequence[str] = (),
    commit: str = "",
    left_out: Sequence[str] = (),
    tables: Sequence[Table] | None = None,
    drawn: FigureSet | None = None,
    with_files: bool = False,
    replaced: Sequence[Replaced | None] = (),
    first: FirstScreen | None = None,
    texts: Mapping[str, str] | None = None,
    pictures: Gallery | None = None,
) -> str:
    """The whole page.

    results: all that the report shows.
    layout: from `choose_layout`.
    environment: nested plain values; of several runs from `machines.merge`.
    suite_text: the suite file as it was run.
    folder_of: returns the folder of an entry's rendered images.
    title: of the page; by default the layout's.
    published: table name -> rows; read if None.
    options: command-line options of the run, such as "--limit 3".
    commit: of the checkout that the suite lies in, "" for none.
    left_out: sentences on what is stored beside the results and not shown.
    tables: of the layout; built if None.
    drawn: the figures of these tables; drawn if None.
    with_files: whether the files of the figures lie beside the page, which then leads to them.
    replaced: of each result what it took the place of; () for nothing.
    first: what the first screen says; found if None.
    texts: ending of a file -> the same tables in that format; rendered if None.
    pictures: of these results; by default all of them, within the page.
    """
    if tables is None:
        tables = build_tables(results, layout, read_published(layout) if published is None else published)
    if drawn is None:
        drawn = figure_set(results, tables)
    facts = _SharedFacts()
    template = _environment().get_template("report.html.j2")
    labels = row_labels(results)
    all_miniatures = bool(results) and all(is_miniature(result) for result in results)
    css, script = page.text_of("report.css") + page.text_of("explained.css"), page.text_of("report.js")
    script += page.text_of("pictures.js")
    pictures = gallery(results, labels, folder_of) if pictures is None else pictures
    return template.render(
        title=title or layout.title or "Results",
        first=summary.first_screen(results, tables, replaced) if first is None else first,
        all_miniatures=all_miniatures,
        made_by=[
            *machines.dates_and_devices(environment),
            *(machines.versions(environment) or [f"hrbench {__version__}"]),
        ],
        version=__version__,
        tables=[_said_above(table) for table in tables] if all_miniatures else tables,
        headlines={table.name: headline(table) for table in tables},
        plots=drawn.plots,
        gallery=pictures,
        explained=explanations(results, labels),
        strips=drawn.strips,
        latencies=drawn.latencies,
        throughputs=drawn.throughputs,
        rooflines=drawn.rooflines,
        figure_links=_figure_links if with_files else lambda art: [],
        uncounted=_uncounted(results),
        entries=[
            _entry(result, environment, before)
            for result, before in zip(results, replaced or [None] * len(results), strict=True)
        ],
        environment=_tree(environment),
        suite_text=suite_text,
        options=" ".join(options),
        commit=commit,
        left_out=left_out,
        downloads=_downloads(texts or _texts(results, tables)),
        facts=facts,
        facts_of=facts.of,
        css=css,
        script=script,
        policy=page.policy([css], [script]),
    )


@cache
def _said_above(table: Table) -> Table:
    """A table whose caption leaves out what the first screen says of all: that these are miniatures."""
    return replace(table, caption=table.caption.replace(MINIATURES, "").strip())


@cache  # templates are compiled once in a process
def _environment() -> Environment:
    environment = page.environment()
    environment.globals.update(
        headings=headings,
        narrow_order=narrow_order,
        narrow_headings=narrow_headings,
        marker=marker,
        front=MARK,
        body=_body,
        input_of=_input,
    )
    environment.filters.update(svg=Markup, drawing=_drawing, units_size=units.size, miniature=is_miniature)
    return environment


def _drawing(art: Artwork) -> Markup:
    return Markup(inline(art))


def _figure_links(art: Artwork) -> list[tuple[str, str]]:
    """(words, address) of the files of a figure."""
    stem = f"{FOLDER}/{file_stem(art.name)}"
    return [(words, f"{stem}{ending}") for words, ending in _FILES]


def _body(table: Table) -> list[tuple[str, list[tuple[str, list[TableRow]]]]]:
    """Rows by section and group; each heading of a section, and each group, is a `<tbody>`."""
    return [
        (section, [(group, [*rows]) for group, rows in groupby(some, key=lambda row: row.group)])
        for section, some in groupby(table.rows, key=lambda row: row.section)
    ]


def _input(table: Table, row: TableRow) -> str:
    """The input size, which narrow screens show below the model instead of in a separate column."""
    cells = zip(table.columns, row.cells, strict=True)
    return next((cell.text for column, cell in cells if column.key == "input"), "")


def _uncounted(results: Sequence[Result]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """For every network of whose operations something was left out: its name, how much in words, and the lists.

    Operations on images are listed apart, with the calls of all images together.

    A list is of (conventions, operators and parts); conventions that left out the same share one.
    """
    found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    groups = [(result, *group) for result in results for group in _by_images(result).items()]
    for result, inputs, costs in groups:
        lists: dict[str, list[str]] = {}
        calls: dict[str, int] = {}
        for cost in costs:
            if left_out := _operators(cost.conditions):
                lists.setdefault(left_out, []).append(cost.quantity.heading or cost.quantity.label)
            calls |= cost.conditions.uncounted
        if lists:
            name = f"{title_of(result)} {inputs or units.size(result.entry.variant.input)}"
            amount = f"{units.amount(len(calls), 'operator')} in {units.amount(sum(calls.values()), 'call')}"
            how_many = amount if calls else "parts of the detector"
            merged = [(", ".join(dict.fromkeys(headings)), operators) for operators, headings in lists.items()]
            found.setdefault(name, (how_many, merged))
    return [(name, *rest) for name, rest in found.items()]


def _by_images(result: Result) -> dict[str, list[Measurement]]:
    """The costs of a result by what images they were measured on, "on 8 images of NAME"; "" for none."""
    found: dict[str, list[Measurement]] = {}
    for cost in result.costs:
        found.setdefault("" if cost.conditions.images is None else f"on {cost.conditions.inputs}", []).append(cost)
    return found


def _operators(conditions: Conditions) -> str:
    """What a count left out: operators with their calls, and parts of a detector in words."""
    parts = [f"{name} ×{plain_text(calls)}" for name, calls in conditions.uncounted.items()]
    return ", ".join([*parts, *filter(None, [conditions.not_counted])])


def _entry(
    result: Result, environment: Mapping[str, Any], before: Replaced | None
) -> tuple[str, list[tuple[str, Any]], str, str]:
    """Name of an entry, its provenance as a tree, its traceback if it failed, and the end of its output.

    The environment and the protocol are not repeated if the page shows them elsewhere.
    """
    entry, reason = result.entry, joined(reasons_of(result))
    more = {
        key: value
        for key, value in asdict(result.provenance).items()
        if key not in ("traceback", "prediction_notes")
        and not (key == "environment" and machines.is_stated(environment, value))
        and not (key == "protocol" and value == entry.protocol)
        and not (key == "not_comparable" and value in result.notes)
    }
    facts: dict[str, Any] = {
        "status": reason
        if result.status in ("costs_only", "failed")
        else ": ".join(filter(None, [result.status, reason])),
        "costs": str(result.costs_reason or ""),
        "model": f"{entry.variant.name} ({use_text(entry.variant)}{_arguments(entry.variant.args)})",
        "input": units.size(entry.variant.input),
        "data set": (entry.dataset.title or entry.dataset.name) if entry.dataset else "none: costs only",
        "protocol": protocol_text(entry.protocol) if entry.protocol or entry.predictions else "",
        "limited to": f"{result.limited} images" if result.limited is not None else "",
        "former result": "" if before is None else before.sentence(),
        "notes": "; ".join(map(str, dict.fromkeys(result.notes))),
        "prediction key": result.prediction_key or "",
        "score key": result.score_key or "",
        "cost key": result.cost_key or "",
        **{f"cost key, {name}": key for name, key in result.cost_keys.items()},
        "time spent": ", ".join(f"{phase} {units.duration(spent)}" for phase, spent in result.seconds.items()),
        **more,
    }
    return result.name, _tree(facts), result.provenance.traceback, _output(result)


def _output(result: Result) -> str:
    """The last lines of the entry's log, "" if it printed nothing or the log is missing."""
    if result.log != LOG or not result.folder:  # a stored name is not used as a path
        return ""
    try:
        with (Path(result.folder) / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES))
            return last_lines(log.read())
    except OSError:
        return ""


def _arguments(arguments: Mapping[str, Any]) -> str:
    return "".join(f", {key} {plain_text(value)}" for key, value in arguments.items())


def _tree(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Nested plain values as (name, text or list of the same)."""
    return [
        (str(key).replace("_", " "), _tree(value) if isinstance(value, Mapping) else _leaf_text(str(key), value))
        for key, value in values.items()
        if value not in ("", None, {}, [], ())
    ]


def _leaf_text(key: str, value: Any) -> str:
    """One value in words; memory is stored in bytes, dates in ISO form."""
    if key == "memory" and isinstance(value, int):
        return f"{value / 2**30:.1f} GiB"
    if key == "date":
        return "; ".join(units.date(str(date), clock=True) for date in (value if isinstance(value, list) else [value]))
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return "; ".join(", ".join(_leaf_text(k, v) for k, v in item.items()) for item in value)
    return plain_text(value)


def _texts(results: Sequence[Result], tables: Sequence[Table]) -> dict[str, str]:
    """Ending of a file -> its text."""
    csv = render_csv(full_tables(results))
    return {"csv": csv, "md": render_markdown(tables), "tex": render_latex(tables)}


_FORMATS = {"csv": ("CSV", "text/csv"), "md": ("Markdown", "text/markdown"), "tex": ("LaTeX", "application/x-tex")}


def _downloads(texts: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(label, file name, data URI) of the same tables in the other formats."""
    return [
        (
            label,
            f"report.{ending}",
            Markup(f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"),
        )
        for ending, (label, kind) in _FORMATS.items()
        if (text := texts.get(ending)) is not None
    ]
