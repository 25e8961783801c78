"""The table of costs: bounds of percentiles, stability and the Pareto front, in every format."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import make, of, spend

from hrbench.report.choose import choose_layout
from hrbench.report.cost_plots import plots
from hrbench.report.csv import render_csv
from hrbench.report.html import render_html
from hrbench.report.latex import render_latex
from hrbench.report.layout import ColumnLayout, Layout, TableLayout
from hrbench.report.markdown import render_markdown
from hrbench.report.pareto import MARK, fronts
from hrbench.report.published import read_published
from hrbench.report.scene import Disc, Told, Words
from hrbench.report.table import build_tables
from hrbench.types import Measurement, Result

FURTHER = "pose-coco-keypoints-val2017-further-costs"
REASONS = ("passes drifted (medians of successive windows lie 9 % apart)",)


def timed(seconds: float, p99: float | None = None, **more) -> Measurement:
    under = {"batch": 1, "dtype": "float32", "mode": "gate", "stability": "stable", "p90_bound": 1.1 * seconds, **more}
    return spend("latency", seconds, "seconds", label="Latency", p99_bound=p99, **under)


def rate(value: float | None, **more) -> Measurement:
    one = spend("throughput", value, "rate", label="Throughput", **{"dtype": "float32", **more})
    return replace(one, quantity=replace(one.quantity, better="higher"))


def result(name: str, accuracy: float, *costs: Measurement, **more) -> Result:
    return make(name, of("AP", accuracy, (accuracy - 0.01, accuracy + 0.01)), costs=costs, published=False, **more)


def tables(*results: Result):
    layout = choose_layout(results)
    return {table.name: table for table in build_tables(results, layout, read_published(layout))}


def further(*results: Result):
    return tables(*results)[FURTHER]


def shown(table, number: int = 0) -> dict[str, str]:
    cells = table.rows[number].cells
    return {column.full_label: cell.text for column, cell in zip(table.columns, cells, strict=True)}


def test_one_table_has_latency_with_its_bounds_throughput_memory_energy_and_stability():
    costs = (
        timed(0.01, 0.012), rate(120.0, stability="unknown"), spend("memory-peak", 2.0**28, "bytes", batch=1),
        spend("energy", 0.25, "joules", batch=1, stability="stable"),
    )  # fmt: skip
    table = further(result("A", 0.7, *costs))
    assert shown(table) == {
        "Model": "A", "Input": "256×192", "AP": "70.0", "Latency (ms)": "10.0", "Latency (ms) p90, at most": "11.0",
        "Latency (ms) p99, at most": "12.0", "Throughput (img/s)": "120", "peak": "256", "Energy (J/img)": "0.250",
        "Stability": "unknown",
    }  # fmt: skip


def test_a_folded_table_of_costs_does_not_repeat_what_is_told_of_accuracies():
    rows = [result(name, 0.7, timed(0.01), notes=("people are hidden",)) for name in ("A", "B")]
    found = tables(*rows)
    folded, others = found[FURTHER], [table for name, table in found.items() if name != FURTHER]
    assert folded.folded and "people are hidden" not in folded.footnotes
    assert not any(one.startswith("Protocol") for one in folded.remarks)
    assert any(one.startswith("Protocol") for table in others for one in table.remarks)
    assert any("people are hidden" in table.footnotes for table in others)


def test_a_latency_with_bounds_has_the_table_and_one_without_needs_none():
    assert FURTHER in tables(result("A", 0.7, timed(0.01)))
    assert FURTHER not in tables(result("A", 0.7, timed(0.01, p90_bound=None)))
    table = further(result("A", 0.7, timed(0.01)))
    assert "Latency (ms) p99, at most" not in shown(table)  # no row has one


def test_every_batch_has_its_bounds_and_a_missing_one_its_reason():
    table = further(result("A", 0.7, timed(0.01, 0.02), timed(0.05, batch=8)))
    assert shown(table)["Latency (ms): batch 8"] == "50.0"
    assert shown(table)["Latency (ms): batch 8 p90, at most"] == "55.0"
    both = further(result("A", 0.7, timed(0.01, 0.02)), result("B", 0.8, timed(0.05)))
    (cell,) = [cell for column, cell in zip(both.columns, both.rows[1].cells, strict=True) if column.part == "p99"]
    assert (cell.text, cell.reason) == ("", "too few passes to bound p99")


def test_costs_alone_have_bounds_and_stability_too():
    one = make("A", costs=(timed(0.01, 0.02), rate(7.0)), dataset=None, task="depth")
    (table,) = tables(one).values()
    assert shown(table)["Latency (ms) p99, at most"] == "20.0" and shown(table)["Stability"] == "stable"


def test_every_format_has_the_bounds():
    grey = result("B", 0.8, timed(0.02, 0.03, stability="unstable", stability_reasons=REASONS))
    table = further(result("A", 0.7, timed(0.01, 0.012)), grey)
    (first, second) = csv.DictReader(io.StringIO(render_csv([table])))
    assert (first["latency batch=1 dtype=float32.p90 [ms]"], first["latency batch=1 dtype=float32.p99 [ms]"]) == (
        "11",
        "12",
    )
    assert (first["stability"], second["stability"]) == ("stable", "unstable")
    assert "| Latency (ms) p90, at most | Latency (ms) p99, at most |" in render_markdown([table])
    assert r"p50 & p90 $\leq$ & p99 $\leq$" in render_latex([table])
    page = render_html([grey], choose_layout([grey]), {}, "", lambda one: Path())
    headings = re.findall(r"<button[^>]*>(p50|p90 ≤|p99 ≤)</button>", page)
    assert headings == ["p50", "p90 ≤", "p99 ≤"]
    assert re.search(r'<td class="p90 bound[^"]* unstable"[^>]*>22\.0</td>', page)
    assert "*22.0*" in render_markdown([table]) and r"\textcolor{gray}{22.0}" in render_latex([table])


# --- the Pareto front


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_a_front_is_what_no_other_beats(points):
    found = fronts(points, "lower")
    for place, (key, accuracy, cost) in enumerate(points):
        alike = [one for one in points if one[0] == key]
        beaten = any(a >= accuracy and c <= cost and (a, c) != (accuracy, cost) for _, a, c in alike)
        assert (place in found) == (not beaten and len(alike) > 1)


def test_more_is_better_of_a_throughput_and_of_what_has_no_better_there_is_no_front():
    points = [("a", 70, 100), ("a", 75, 50), ("a", 70, 90), None]
    assert fronts(points, "higher") == {0, 1}
    assert fronts(points, "lower") == {1}
    assert fronts(points, "neither") == frozenset()


def marked(table) -> dict[str, list[str]]:
    """Column -> rows whose cost is on its front."""
    found = {}
    for index, column in enumerate(table.columns):
        if rows := [row.name for row in table.rows if row.cells[index].front]:
            found[column.key.partition(" ")[0]] = rows
    return found


def test_costs_on_the_front_are_marked_and_only_comparable_and_stable_ones_take_part():
    results = (
        result("A", 0.70, timed(0.010, 0.1), rate(100.0)),
        result("B", 0.75, timed(0.020, 0.1), rate(60.0)),
        result("C", 0.74, timed(0.030, 0.1), rate(80.0)),
        result("D", 0.79, timed(0.001, stability="unstable", stability_reasons=REASONS), rate(1e6, mode="smoke")),
        result("E", 0.99, timed(0.001), rate(1e6), limited=5),
    )
    table = further(*results)
    assert marked(table) == {"latency": ["A", "B"], "throughput": ["A", "B", "C"]}
    assert (
        f"{MARK} on the Pareto front: no comparable row is as good in AP and this cost, and better in one."
        in table.remarks
    )
    markdown = render_markdown([table])
    assert f"| 10.0 {MARK} |" in markdown and f"30.0 {MARK}" not in markdown
    assert r"10.0$^{\diamond}$" in render_latex([table])
    assert MARK not in render_csv([table]).replace("\n", " ")
    page = render_html(results, choose_layout(results), {}, "", lambda one: Path())
    assert f'10.0<span class="front" role="img" aria-label="Pareto front">{MARK}</span>' in page


def test_other_conditions_have_a_front_of_their_own_and_a_row_alone_is_on_none():
    results = [result("A", 0.7, timed(0.01)), result("B", 0.6, timed(0.02, threads=9))]
    assert "latency" not in marked(further(*results))
    assert marked(further(results[0])) == {}
    columns = (ColumnLayout("text", "model"), ColumnLayout("cost", "latency"))
    (table,) = build_tables(results, Layout("l", (TableLayout("t", "T", columns, group="none"),)), {})
    assert marked(table) == {} and not any(MARK in text for text in table.remarks)


@pytest.mark.parametrize(("mode", "rings"), [("gate", 2), ("smoke", 0)])
def test_a_plot_rings_the_front(mode, rings):
    results = [result(name, accuracy, timed(s, mode=mode)) for name, accuracy, s in
               (("A", 0.70, 0.010), ("B", 0.75, 0.020), ("C", 0.74, 0.030))]  # fmt: skip
    layout = choose_layout(results)
    found = plots(results, build_tables(results, layout, {}))
    (drawing,) = [drawing for plot in found for label, drawing in plot.drawings if label.startswith("Latency")]
    marks = [mark for told in drawing.wide.marks if isinstance(told, Told) for mark in told.marks]
    assert sum(isinstance(mark, Disc) and not mark.fill for mark in marks) == rings
    texts = {mark.text for mark in drawing.wide.marks if isinstance(mark, Words)}
    assert ("Pareto front" in texts) == bool(rings)


def test_every_cost_has_a_plot():
    results = [
        result(name, accuracy, timed(0.01), rate(100.0 * accuracy), spend("memory-peak", 1e8, "bytes", batch=1),
               spend("energy", 0.2, "joules", batch=1))
        for name, accuracy in (("A", 0.7), ("B", 0.8))
    ]  # fmt: skip
    (plot,) = plots(results, build_tables(results, choose_layout(results), {}))
    assert [label for label, _ in plot.drawings] == [
        "Latency at batch 1 (ms)", "Throughput (img/s)", "Peak memory at batch 1 (MiB)", "Energy at batch 1 (J/img)",
        "Intervals",
    ]  # fmt: skip


def counted(value: float | None, spread: float | None, **more) -> Measurement:
    under = {"batch": 1, "images": 4, "inputs": "4 images of pets", "weights": "official", "spread": spread, **more}
    return spend("macs-on-images", value, label="GMACs on images", samples=(1e9, 3e9), **under)


def test_operations_on_images_have_their_spread_beside_the_mean_in_every_format():
    rows = [result("A", 0.7, counted(2e9, 1e9, sizes=("480x640", "800x1333"))), result("B", 0.6, counted(None, None))]
    table = further(*rows)
    first, second = shown(table), shown(table, 1)
    assert (first["GMACs on images"], first["GMACs on images standard deviation"]) == ("2.000", "± 1.000")
    assert (second["GMACs on images"], second["GMACs on images standard deviation"]) == ("–", "")
    told = "4 images of pets, of 480x640 to 800x1333 pixels, weights: official."
    assert any(told in text for text in table.remarks)
    (line, _) = csv.DictReader(io.StringIO(render_csv([table])))
    assert {"2", "1"} <= {text for name, text in line.items() if name.startswith("macs-on-images")}
    assert r"mean & $\pm$" in render_latex([table]) and "2.000 & ± 1.000" in render_markdown([table]).replace("|", "&")
    page = render_html(rows, choose_layout(rows), {}, "suite: x", lambda _: Path())
    assert re.search(r"<button[^>]*>±</button>", page) and "1,000,000,000 to 3,000,000,000" in page


# --- columns


def heads(table) -> list[str]:
    return [column.full_label for column in table.columns if column.part == "measured" and column.key != "AP"]


def of_dtype(result: Result, dtype: str) -> Result:
    return replace(result, entry=replace(result.entry, dtype=dtype))


def peak(**more) -> Measurement:
    return spend("memory-peak", 2.0**28, "bytes", label="Peak memory", **more)


def test_entries_of_several_dtypes_share_columns_and_their_rows_tell_the_dtype():
    half = result("B", 0.6, rate(8.0, dtype="bfloat16"), peak(batch=1, dtype="bfloat16"))
    table = further(result("A", 0.7, rate(9.0), peak(batch=1, dtype="float32")), of_dtype(half, "bfloat16"))
    assert heads(table) == ["Throughput (img/s)", "peak"]
    assert [shown(table, number)["Dtype"] for number in (0, 1)] == ["float32", "bfloat16"]
    assert all(cell.text != "–" for row in table.rows for cell in row.cells)


def test_dtypes_of_one_entry_have_columns_that_name_only_what_tells_them_apart():
    both = result("A", 0.7, rate(9.0), rate(8.0, dtype="bfloat16"), peak(batch=1, dtype="float32"))
    assert heads(further(both)) == ["Throughput (img/s): float32", "Throughput (img/s): bfloat16", "peak"]
    batches = [peak(batch=batch, dtype=dtype) for batch in (1, 8) for dtype in ("float32", "bfloat16")]
    names = [f"peak: batch {batch}, {dtype}" for batch in (1, 8) for dtype in ("float32", "bfloat16")]
    assert heads(further(result("A", 0.7, *batches))) == names


def test_what_was_not_asked_for_of_an_entry_has_one_footnote_without_names_of_keys():
    both = result("A", 0.7, rate(9.0), rate(8.0, dtype="bfloat16"), peak(batch=1, dtype="float32"))
    table = further(both, result("B", 0.6, rate(7.0)))
    assert [text for text in table.footnotes if "not measured" in text] == [
        "not measured: not among the costs of this entry"
    ]
    assert sum(bool(cell.notes) for cell in table.rows[1].cells if cell.text == "–") == 1


def test_a_cost_whose_reason_states_no_batch_has_no_column_of_its_own():
    why = spend("end-to-end", None, "seconds", images=8, reason="no weights")
    table = further(
        result("A", 0.7, spend("end-to-end", 0.1, "seconds", batch=1, dtype="float32")), result("B", 0.6, why)
    )
    assert heads(table) == ["total"] and table.footnotes[-1] == "no weights"


def test_weights_do_not_depend_on_the_batch_and_have_one_column_also_of_stored_results():
    batches = [spend(f"memory-{what}", 2.0**20, "bytes", batch=batch, dtype="float32")
               for batch in (1, 8) for what in ("peak", "weights")]  # fmt: skip
    table = further(result("A", 0.7, *batches))
    assert heads(table) == ["Memory (MiB), peak: batch 1", "Memory (MiB), peak: batch 8", "Memory (MiB): weights"]


def test_the_cost_beside_an_accuracy_is_that_of_its_dtype():
    fast, slow = timed(0.01, dtype="bfloat16", p90_bound=None), timed(0.02, p90_bound=None)
    columns = (ColumnLayout("text", "model"), ColumnLayout("cost", "latency", where={"batch": 1}))
    for dtype, text in (("float32", "20.0"), ("bfloat16", "10.0")):
        one = of_dtype(result("A", 0.7, fast, slow), dtype)
        (table,) = build_tables([one], Layout("l", (TableLayout("t", "T", columns),)), {})
        assert table.rows[0].cells[1].text == text
