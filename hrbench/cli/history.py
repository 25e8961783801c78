"""The command `hrbench history`: numbers over baselines and run folders, and where they changed."""

from __future__ import annotations

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hrbench.cli.shared import Echo, write_text
from hrbench.cli.standard_streams import echo_error
from hrbench.cli.text import columns
from hrbench.core import units
from hrbench.errors import UsageError
from hrbench.judge.history import History, Series, index_in, left_out_text
from hrbench.judge.history import history as read_history
from hrbench.judge.trend import Trend, trend
from hrbench.judge.values import as_json
from hrbench.report import trend as words
from hrbench.store.elsewhere.runs import folder_of_runs
from hrbench.store.elsewhere.snapshot import Needs
from hrbench.store.places import shown
from hrbench.types import Event


def history(args: Namespace, echo: Echo) -> int:
    """0, or raises where there is nothing to tell."""
    if args.tracking and not args.export:
        raise UsageError("--tracking is an option of --export mlflow: give both")
    runs, baselines = (folder_of_runs(place, Needs.STATES) for place in (args.runs, args.baselines))
    index = index_in(runs, baselines)
    with _progress() as tell:
        found = read_history(
            runs, baselines, args.quantity, args.only, index, lambda done, of: tell("folders", done, of)
        )
        looked = bool(args.quantity or args.html)
        trends = []
        for number, series in enumerate(found.series if looked else ()):
            what = f"{words.heading(series)} of {series.entry} ({number + 1} of {len(found.series)})"
            trends.append(trend(series, index, args.seed, lambda done, of, what=what: tell(what, done, of)))
    if args.format == "table":
        echo("\n".join([_detailed(trends) if args.quantity else _overview(found), *_told(found, args.quantity)]))
    else:
        for told in _told(found, args.quantity):
            echo_error(f"hrbench: {told}")
        values = _values(found, trends)
        echo(as_json(values) if args.format == "json" else _csv(values))
    if args.html:
        from hrbench.report.history_page import render_history

        write_text(args.html, render_history(found, trends))
    if args.export:
        from hrbench.report.tracking import export

        echo(export(found, args.tracking))
    return 0


def _told(found: History, quantity: str) -> list[str]:
    """What is not among the numbers, a line each; of times that are left out only if a quantity is asked for."""
    left_out = [left_out_text(found.unstable)] if quantity and found.unstable else []
    return [*found.damaged, *left_out]


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Tells on standard error how far reading is: bars on a terminal, else plain lines."""
    from hrbench.cli.progress import Bars, Lines

    display = Bars() if sys.stderr.isatty() else Lines(echo_error)
    try:
        yield lambda what, done, of: display(Event("progress", "history", what, "releases", done, of))
    finally:
        display.close()


def _overview(found: History) -> str:
    """A line for each entry's main numbers."""
    rows: list[tuple[str, ...]] = [("entry", "number", "releases", "first", "last", "", "lowest", "highest", "")]
    for series in found.series:
        values = [point.value for point in series.points]
        alike = len({point.basis for point in series.points}) == 1
        rows.append(
            (
                series.entry,
                words.heading(series),
                str(len(values)),
                *(words.value_text(series, value) for value in (values[0], values[-1])),
                words.difference_text(series, values[-1] - values[0]) if alike else "–",
                *(words.value_text(series, value) for value in (min(values), max(values))),
                words.spark(values[-24:]) if alike else "measured otherwise in between",
            )
        )
    first, last = found.releases[0], found.releases[-1]
    span = first.name if first == last else f"{first.name} to {last.name}"
    quantity = found.series[0].quantity.name
    return "\n".join(
        [
            f"{units.amount(len(found.releases), 'release')}, {span}",
            "",
            columns(rows, right=(2, 3, 4, 5, 6, 7)),
            "",
            f"changes are looked for where a number is named: hrbench history {quantity}",
        ]
    )


def _detailed(trends: Sequence[Trend]) -> str:
    return "\n\n".join(_one(each) for each in trends)


def _one(each: Trend) -> str:
    """A series, a line a release, and what was found."""
    series = each.series
    rows = [("release", "measured", "value", "95 %", "level", "change")]
    for row in words.trend_rows(each):
        point = series.points[row.place]
        interval = point.interval
        rows.append(
            (
                point.release.name,
                units.date(point.release.date) if point.release.date else "–",
                words.value_text(series, point.value),
                "" if interval is None else " to ".join(words.value_text(series, end) for end in interval),
                "" if row.level is None else words.value_text(series, row.level),
                words.change_text(series, row.change) if row.change is not None else row.told,
            )
        )
    lines = [f"{series.entry}, {words.heading(series)}: {words.sentence(each)}", columns(rows, right=(2, 3, 4))]
    return "\n".join([*lines, *words.method(each)])


def _values(found: History, trends: Sequence[Trend]) -> list[dict[str, Any]]:
    """A row for each release of each series, as plain values."""
    by_series = {id(one.series): words.trend_rows(one) for one in trends}
    return [row for series in found.series for row in _series_values(series, by_series.get(id(series)))]


def _series_values(series: Series, rows: Sequence[words.TrendRow] | None) -> Iterator[dict[str, Any]]:
    for place, point in enumerate(series.points):
        row = words.TrendRow(place, None, None, "") if rows is None else rows[place]
        low, high = point.interval or (None, None)
        change_low, change_high = (row.change and row.change.interval) or (None, None)
        yield {
            "entry": series.entry,
            "metric": series.metric,
            "quantity": series.quantity.name,
            "cell": series.cell,
            "unit": series.quantity.unit,
            "release": point.release.name,
            "path": shown(point.release.path),
            "date": point.release.date,
            "value": point.value,
            "low": low,
            "high": high,
            "level": row.level,
            "change": None if row.change is None else row.change.difference,
            "change_low": change_low,
            "change_high": change_high,
            "measured_otherwise": row.told,
        }


def _csv(values: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(values[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(values)
    return out.getvalue().rstrip("\n")
