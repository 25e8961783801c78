"""Results without a network, and networks that are files: what a report says and leaves out."""

from __future__ import annotations

from dataclasses import replace

from report_factory import make, of, spend

from hrbench.report.choose import choose_layout
from hrbench.report.csv import render_csv
from hrbench.report.latex import render_latex
from hrbench.report.layout import PublishedLayout
from hrbench.report.markdown import render_markdown
from hrbench.report.published import find_row, read_published
from hrbench.report.rows import text_of
from hrbench.report.summary import leaders, missing
from hrbench.report.table import build_tables
from hrbench.report.table_cells import score_conditions
from hrbench.runner.precomputed import NO_NETWORK
from hrbench.types import Result, Variant


def given(**more) -> Result:
    """A result of predictions alone."""
    costs = (spend("parameters", None, "count", reason=NO_NETWORK), spend("macs", None, reason=NO_NETWORK))
    result = make("mine", of("AP", 0.7, (0.6, 0.8)), costs=costs, published=False, **more)
    variant = Variant("mine", "", "pose", (0, 0))
    return replace(result, entry=replace(result.entry, variant=variant, protocol={}, predictions="/a/mine.json"))


def tables(*results: Result):
    layout = choose_layout(results)
    return build_tables(results, layout, read_published(layout))


def test_there_is_no_input_and_no_cost_to_miss():
    assert text_of(given(), "input")[0] == "" and text_of(given(), "protocol")[0] == "not stated"
    assert missing([given()]) == []
    assert missing([make("net", costs=(spend("macs", None, reason="no rule"),))])[0].reason == "no rule"
    for text in (render_markdown(tables(given())), render_csv(tables(given())), render_latex(tables(given()))):
        assert "0×0" not in text and "0x0" not in text and "mine" in text


def test_a_headline_names_it_without_a_size():
    (one,) = leaders([given()], tables(given()))
    assert (one.network, one.among, one.value) == ("mine", "only one measured", "70.0")


def test_how_it_was_computed_is_not_known():
    facts = dict(score_conditions(given()))
    assert facts["predictions"] == "from the file mine.json" and facts["protocol"] == "not stated"
    assert "computed in" not in facts and "computed in" in dict(score_conditions(make("net")))


def test_it_is_found_among_published_rows_by_its_title():
    rows = ({"model": "mine", "input": "256x192", "AP": 70.0},)
    assert find_row(rows, given(), PublishedLayout(file="own.yaml")) == rows[0]


def test_a_row_of_another_protocol_is_not_outdone_by_it():
    network, other = make("HRNet-W32", of("AP", 0.6, (0.5, 0.7))), make("HRNet-W48", of("AP", 0.5, (0.4, 0.6)))
    cells = [cell for table in tables(given(), network, other) for row in table.rows for cell in row.cells if cell.bold]
    assert [cell.text for cell in cells if cell.kind == "measured"] == ["60.0"]
