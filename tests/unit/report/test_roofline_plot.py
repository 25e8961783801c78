"""The drawing of a roofline, and the table behind it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from pathlib import Path

from report_factory import make, of

from hrbench.cost.roofline.arithmetic import Ceilings, Work, reached, stated
from hrbench.cost.roofline.probe import REACHED
from hrbench.report.choose import choose_layout
from hrbench.report.html import render_html
from hrbench.report.roofline_plot import roofline_plots
from hrbench.report.scene_svg import inline
from hrbench.types import Conditions, Measurement, Reason, Result

CEILINGS = Ceilings(bandwidth=2e10, peak=1e11, copied=2**28, copies=5, matrix=2048, products=9)


def share(flops: float, moved: float, p50: float, **more) -> Measurement:
    work, ceilings = Work(flops, moved), more.pop("ceilings", CEILINGS)
    under = {"batch": 1, "dtype": "float32", "device": "a CPU", "threads": 2, **more}
    conditions = Conditions(roofline=stated(work, p50, ceilings), **under)
    return Measurement(REACHED, reached(work, p50, ceilings), conditions=conditions)


def drawn(plot) -> xml.Element:
    """The drawing of a page that is wide."""
    return xml.fromstring(f"<g>{inline(plot.drawing)}</g>")[0]


def result(title: str, *costs: Measurement) -> Result:
    return make(title, of("AP", 0.7), costs=costs)


def plots(*results: Result):
    return roofline_plots(results)


def test_each_network_is_a_point_below_the_roofs():
    (plot,) = plots(result("HRNet-W32", share(1e9, 1e9, 0.1)), result("Other-1", share(4e9, 1e8, 0.1)))
    root = drawn(plot)
    assert root.get("aria-label") == "Speed against arithmetic intensity under the roofs of the device for 2 networks"
    titles = re.findall(r"<title>(.*?)</title>", inline(plot.drawing), re.S)
    assert "HRNet-W32 256×192\n1.00 FLOP/byte\n10.0 GFLOP/s\n50.0 % of what is attainable" in titles
    assert "Other-1 256×192\n40.0 FLOP/byte\n40.0 GFLOP/s\n40.0 % of what is attainable" in titles
    assert plot.roofs == "100 GFLOP/s in products of matrices of 2,048 rows, 20 GB/s in copies of 256 MiB"
    row = plot.rows[0]
    cells = (row.batch, row.flops, row.moved, row.intensity, row.attainable, row.speed, row.reached, row.unstable)
    assert cells == ("1", "1.00", "954", "1.00", "20.0", "10.0", "50.0 %", False)


def test_the_highest_ceilings_are_drawn_and_other_dtypes_have_their_own():
    more = Ceilings(bandwidth=1e10, peak=2e11, copied=2**28, copies=5, matrix=512, products=9, tf32=True)
    one, other = plots(
        result("A", share(1e9, 1e9, 0.1), share(8e9, 1e9, 0.1, batch=8, ceilings=more)),
        result("B", share(1e9, 1e9, 0.1, dtype="bfloat16")),
    )
    assert one.roofs == "200 GFLOP/s in products of matrices of 512 rows, in TF32, 20 GB/s in copies of 256 MiB"
    assert [(row.model, row.batch) for row in one.rows] == [("A 256×192", "1"), ("A 256×192", "8")]
    assert "A 256×192, batch 8" in inline(one.drawing) and other.conditions == "a CPU, bfloat16, threads 2"


def test_an_unstable_one_is_grey_and_one_without_a_value_is_left_out():
    reasons = ("passes drifted (by 7 %)",)
    (plot,) = plots(result("A", share(1e9, 1e9, 0.1, stability="unstable", stability_reasons=reasons)))
    assert plot.rows[0].unstable and "unstable: passes drifted" in inline(plot.drawing)
    assert "unstable" in {element.text for element in drawn(plot).iter()}
    assert plots(result("A", Measurement(REACHED, None, reason=Reason("no")))) == []


def test_the_page_has_the_plot_and_its_numbers():
    results = [result("A", share(1e9, 1e9, 0.1))]
    page = render_html(results, choose_layout(results), {}, "", lambda one: Path())
    assert '<summary id="roofline"><b>Roofline</b></summary>' in page and "The numbers of this plot" in page
