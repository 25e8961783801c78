"""Every quantity of every result in tables of one form, for programs: their columns do not depend on a layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from glob import escape

from hrbench.report.choose import cost_columns, default_layouts
from hrbench.report.grid import Table
from hrbench.report.layout import ColumnLayout, Layout, TableLayout, read_layout
from hrbench.report.published import Rows, read_published
from hrbench.report.rows import matches
from hrbench.report.table import build_tables
from hrbench.types import Result

TEXTS = ("model", "input", "dataset", "protocol", "weights", "device", "dtype", "runtime", "stability")
"""Texts on every row; whether times are stable is the last."""


def full_tables(results: Sequence[Result]) -> list[Table]:
    """A table of each task and data set, with columns for all quantities that some of its results have.

    Each score has the ends of its interval, each cost the bounds of its percentiles. Beside a score stand its published
    figure and the difference, if a layout that ships with hrbench has one for it.
    """
    shipped = [(layout, table) for layout in map(read_layout, default_layouts(results)) for table in layout.tables]
    tables: list[TableLayout] = []
    published: dict[str, Rows] = {}
    for (task, dataset), group in _groups(results).items():
        name = "-".join(filter(None, [task, dataset or "costs"]))
        rows = {"task": task, "dataset": dataset, "entry": [escape(result.name) for result in group]}
        known = next((one for one in shipped if _has_figures(one[1], group)), None)
        figures = {} if known is None else {one.name: one.published for one in known[1].columns if one.published}
        columns = [_beside(column, figures) for column in _scores(group)]
        costs = cost_columns(group, None, exactly=True) if any(result.costs for result in group) else []
        texts = [ColumnLayout("text", text) for text in TEXTS]
        source = None if known is None else known[1].published
        full = TableLayout(name, name, (*texts, *columns, *costs), rows, group="none", published=source)
        tables.append(full)
        if known is not None:
            published |= read_published(Layout(name, (full,), folder=known[0].folder))
    return build_tables(results, Layout("all", tuple(tables)), published)


def _has_figures(table: TableLayout, results: Sequence[Result]) -> bool:
    """Whether a table has published figures of scores beside some of these results."""
    figures = any(one.source == "score" and one.published for one in table.columns)
    return table.published is not None and figures and any(matches(result, table) for result in results)


def _groups(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        dataset = result.entry.dataset
        found.setdefault((result.entry.variant.task, dataset.name if dataset else ""), []).append(result)
    return found


def _scores(results: Sequence[Result]) -> list[ColumnLayout]:
    """A column for each score, with an interval if some result has one."""
    found: dict[tuple[str, str], bool] = {}
    for score in (score for result in results for score in result.scores):
        key = (score.metric, score.quantity.name)
        found[key] = found.get(key, False) or score.interval is not None
    return [
        ColumnLayout("score", name, metric=metric, parts=("measured", "interval") if interval else ("measured",))
        for (metric, name), interval in found.items()
    ]


def _beside(column: ColumnLayout, keys: dict[str, str]) -> ColumnLayout:
    """The column with the published figures and differences beside it, if there is a key for them."""
    if not keys.get(column.name):
        return column
    return replace(column, published=keys[column.name], parts=(*column.parts, "published", "difference"))
