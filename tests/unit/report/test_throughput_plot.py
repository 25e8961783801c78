"""The drawing of throughput against latency, and the table behind it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from dataclasses import replace
from pathlib import Path

from report_factory import make, of

from hrbench.cost.throughput.summary import at_knee
from hrbench.cost.throughput.sweep import batch_time
from hrbench.report.choose import choose_layout
from hrbench.report.html import render_html
from hrbench.report.scene_svg import inline
from hrbench.report.table import build_tables
from hrbench.report.throughput_plot import throughput_plots
from hrbench.types import Conditions, Measurement, Result

UNDER = Conditions(
    dtype="float32", device="a CPU", threads=2, mode="gate", stability="stable", ended="batch 4 brought +0.0 %"
)


def throughput(*seconds: float, **more) -> Measurement:
    curve = [batch_time(2**power, [each]) for power, each in enumerate(seconds)]
    return at_knee(curve, replace(UNDER, **more))


def drawn(plot) -> xml.Element:
    """The drawing of a page that is wide."""
    return xml.fromstring(f"<g>{inline(plot.drawing)}</g>")[0]


def result(title: str, *costs: Measurement) -> Result:
    return make(title, of("AP", 0.7), costs=costs)


def plots(*results: Result):
    return throughput_plots(results)


def test_each_network_is_a_line_whose_batches_have_tooltips():
    (plot,) = plots(result("A", throughput(0.1, 0.1, 0.2)), result("B", throughput(0.2, 0.3, 0.6)))
    root = drawn(plot)
    assert root.get("aria-label") == "Throughput against latency over batches for 2 networks"
    titles = re.findall(r"<title>(.*?)</title>", inline(plot.drawing), re.S)
    assert "A 256×192\nbatch 2, the knee\n20.0 img/s\n100 ms a pass" in titles and len(titles) == 2 * 6
    assert "B 256×192\nbatch 4\n6.67 img/s\n600 ms a pass" in titles
    assert "knee" in {element.text for element in root.iter()}
    assert plot.conditions == "a CPU, float32, threads 2, mode gate"
    assert [(row.batch, row.rate, row.p50, row.knee) for row in plot.rows[:3]] == [
        ("1", "10.0", "100", False), ("2", "20.0", "100", True), ("4", "20.0", "200", False),
    ]  # fmt: skip
    assert plot.endings[0] == ("A 256×192", "batch 4 brought +0.0 %")


def test_what_was_measured_otherwise_has_a_plot_of_its_own_with_its_own_files():
    first, second = plots(result("A", throughput(0.1, 0.1), throughput(0.2, 0.2, dtype="bfloat16")))
    assert "bfloat16" in second.conditions and "float32" in first.conditions
    assert first.drawing.name != second.drawing.name
    assert plots(result("A", Measurement(throughput(1.0).quantity, None, conditions=UNDER))) == []


def test_runtimes_and_threads_share_a_plot_in_which_names_tell_them():
    results = [result("A", throughput(0.1, 0.1)), result("B", throughput(0.1, 0.1)),
               result("C", throughput(0.2, 0.2, runtime="compile, threads 1", threads=1))]  # fmt: skip
    (plot,) = plots(*results)
    assert plot.conditions == "a CPU, float32, eager unless named, threads 2 unless named, mode gate"
    assert [row.model for row in plot.rows[::2]] == ["A 256×192", "B 256×192", "C 256×192, compile, threads 1"]


def test_the_dtype_of_an_entry_is_no_name_for_its_costs():
    def of_dtype(name, dtype):
        one = make("A", of("AP", 0.7), costs=(throughput(0.1, 0.1, dtype="bfloat16"),), name=name)
        return replace(one, entry=replace(one.entry, dtype=dtype))

    (alone,) = plots(of_dtype("one", "float32"))
    assert alone.rows[0].model == "A 256×192"
    (both,) = plots(of_dtype("one", "float32"), of_dtype("two", "bfloat16"))
    assert {row.model for row in both.rows} == {
        "A · eager of an entry in float32 256×192",
        "A · eager of an entry in bfloat16 256×192",
    }


def test_an_unstable_curve_and_one_without_a_knee_say_so():
    reasons = ("passes drifted (by 7 %; in 1 of 2 batches)",)
    unstable = throughput(0.1, 0.2, stability="unstable", stability_reasons=reasons)
    (plot,) = plots(result("A", unstable), result("B", throughput(0.1, 0.1, ended="batch 2 was the largest asked for")))
    texts = {element.text for element in drawn(plot).iter()}
    assert {"unstable", "largest measured, no knee yet"} <= texts
    assert "unstable: passes drifted" in inline(plot.drawing)
    assert [row.unstable for row in plot.rows] == [True, True, False, False]
    assert [row.knee for row in plot.rows] == [True, False, False, False]


def test_one_batch_can_be_drawn():
    drawn(plots(result("A", throughput(0.1)))[0])


def test_the_page_has_the_plot_and_the_table_tells_of_a_missing_knee():
    results = [result("A", throughput(0.1, 0.1, ended="out of memory at batch 4"))]
    layout = choose_layout(results)
    page = render_html(results, layout, {}, "", lambda one: Path())
    assert "Throughput against latency" in page and '<th scope="row">A 256×192</th>' in page
    every = [note for table in build_tables(results, layout, {}) for note in table.footnotes]
    assert "a larger batch may be faster: out of memory at batch 4" in every
