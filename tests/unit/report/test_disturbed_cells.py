"""A number that a disturbed machine gave: grey with its reason in every format, never bold, never compared."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from report_factory import make, of, spend

from hrbench.report.cost_plots import plots
from hrbench.report.csv import render_csv
from hrbench.report.html import render_html
from hrbench.report.latex import render_latex
from hrbench.report.layout import ColumnLayout, Layout, TableLayout
from hrbench.report.markdown import render_markdown
from hrbench.report.scene import Path as Lines
from hrbench.report.scene import Told, Words
from hrbench.report.strips import strips
from hrbench.report.table import build_tables
from hrbench.store.dataframe import frame
from hrbench.types import Result

WAITED = "threads waited for a processor (40 % of the time in which they ran or waited)"
SHORT = "unstable: threads waited for a processor; the warm-up never settled"


def timed(name: str, value: float, stability: str = "stable", mode: str = "gate", **more) -> Result:
    reasons = {"unstable": (WAITED, "the warm-up never settled"), "unknown": ("no /proc",)}.get(stability, ())
    conditions = {"batch": 1, "mode": mode, "stability": stability, "stability_reasons": reasons, "p99_bound": value}
    conditions |= more
    cost = spend("latency", value, "seconds", interval=(value, 1.1 * value), **conditions)
    cost = replace(cost, samples=(value, 1.1 * value))
    return make(name, of("AP", 0.7), costs=(cost,), name=name)


COLUMNS = (
    ColumnLayout("text", "model"),
    ColumnLayout("score", "AP"),
    ColumnLayout("cost", "latency", bold=True, parts=("measured", "interval")),
)
LAYOUT = Layout("l", (TableLayout("t", "Title", COLUMNS, group="none"),))


def tables(*results: Result):
    return build_tables(results, LAYOUT, {})


def test_it_is_never_bold_and_nothing_is_compared_with_it():
    smoke = timed("d", 0.0005, mode="smoke")
    (table,) = tables(timed("a", 0.001, "unstable"), timed("b", 0.002), timed("c", 0.003), smoke)
    cells = {row.name: row.cells[2] for row in table.rows}
    assert [name for name, cell in cells.items() if cell.bold] == ["b"]
    assert [name for name, cell in cells.items() if cell.unstable] == ["a"]
    assert [cell.peers for cell in cells.values()] == [None, 1, 1, None]
    assert table.footnotes == (SHORT, "smoke: three passes, to see that the network runs; they measure nothing")
    assert table.rows[0].cells[3].unstable  # its interval, too
    assert cells["a"].reason == SHORT and any(WAITED in text for _, text in cells["a"].conditions)


def test_what_is_not_known_is_said_and_stays_comparable():
    (table,) = tables(timed("a", 0.001, "unknown"), timed("b", 0.002))
    assert table.footnotes == ("not known to be stable: no /proc",)
    assert table.rows[0].cells[2].bold and not table.rows[0].cells[2].unstable


def test_a_gate_that_its_cap_ended_says_so_and_stays_comparable():
    (table,) = tables(timed("a", 0.001, p99_bound=None, passes=54), timed("b", 0.002))
    assert table.footnotes == ("ended by its cap after 54 passes, too few to bound p99",)
    assert table.rows[0].cells[2].bold


def test_every_format_shows_it():
    some = tables(timed("a", 0.0012, "unstable"), timed("b", 0.0023))
    assert "*1.20*<sup>" in render_markdown(some) and "**2.30**" not in render_markdown(some)
    latex = render_latex(some)
    assert r"\textcolor{gray}{1.20}" in latex and "xcolor" in latex.splitlines()[0]
    assert "xcolor" not in render_latex(tables(timed("b", 0.0023)))
    lines = render_csv(some).splitlines()
    assert f"latency: {SHORT}" in lines[1] and SHORT not in lines[2] and "1.2" in lines[1]
    table = frame([timed("a", 0.0012, "unstable")])
    assert list(table.stability.dropna()) == ["unstable"] and list(table["mode"].dropna()) == ["gate"]
    assert table.reason.iloc[-1] == f"{WAITED}; the warm-up never settled"


def test_the_page_shows_it_grey_with_all_reasons_beside_its_samples():
    results = [timed("a", 0.0012, "unstable", p90_bound=0.0013), timed("b", 0.0023)]
    page = render_html(results, LAYOUT, {}, "", lambda result: Path())
    assert len(re.findall(r'<td class="measured [^"]*unstable"', page)) == 1 and WAITED in page
    shown = strips(results)
    assert [(one.unstable, one.stability, one.p90, one.p99) for one in shown] == [
        (True, f"unstable: {WAITED}; the warm-up never settled", "1.30", "1.20"),
        (False, "stable", "", "2.30"),
    ]


def test_a_plot_marks_it_and_joins_no_line_through_it():
    results = [timed("HRNet-W32", 0.0012, "unstable"), timed("HRNet-W48", 0.0023), timed("HRNet-W64", 0.0033)]
    (plot,) = plots(results, tables(*results))
    (drawing,) = [svg for label, svg in plot.drawings if label.startswith("Latency")]
    told = [mark for mark in drawing.wide.marks if isinstance(mark, Told)]
    (crossed,) = [each for each in told if SHORT in each.tooltip]
    assert len(told) == 3 and isinstance(crossed.marks[0], Lines) and len(crossed.marks[0].lines) == 2
    assert "cost unstable" in {mark.text for mark in drawing.wide.marks if isinstance(mark, Words)}
    joined = [mark for mark in drawing.wide.marks if isinstance(mark, Lines) and mark.opacity == 0.4]
    assert [len(line) for path in joined for line in path.lines] == [2]


def test_times_of_stages_stand_below_latencies_with_their_names():
    whole = spend("end-to-end", 0.2, "seconds", label="End to end", samples=(0.2, 0.3))
    stage = spend("end-to-end-decode", 0.1, "seconds", label="End to end: decode", samples=(0.1, 0.1))
    one = timed("a", 0.0012)
    results = [replace(one, costs=(whole, stage, *one.costs))]
    assert [(strip.quantity, strip.latency) for strip in strips(results)] == [
        ("latency", True), ("End to end", False), ("End to end: decode", False),
    ]  # fmt: skip
    page = render_html(results, LAYOUT, {}, "", lambda result: Path())
    assert "<td>End to end: decode</td>" in page and page.count('<th scope="col" class="number">p50 (ms)</th>') == 1
