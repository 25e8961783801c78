"""The CSV of a table, as a whole."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import make, of, sample_table, spend

from hrbench.report.csv import render_csv
from hrbench.report.full_tables import full_tables
from hrbench.report.layout import ColumnLayout, Layout, TableLayout
from hrbench.report.table import build_tables
from hrbench.types import Measurement, Quantity

EXPECTED = """\
table,row,kind,status,use,tags,reasons,model,parameters [M],AP [points],AP.low [points],AP.high [points],\
AP.published [points],AP.difference [points],latency batch=1 [ms]
t,HRNet-W32,measured,done,pose_hrnet,,,HRNet-W32,28.536113,74.12,73.36,74.89,74.4,-0.28,45.67
t,HRNet-W48,measured,done,pose_hrnet,limited to 10 images: not comparable,"no difference: limited to \
10 images: not comparable; took 11 s, budget < 10 s",HRNet-W48,63.595745,75,,,75.1,,
t,Other-a_b|2,measured,failed,pose_hrnet,failed,failed: 50 % of a_b & c,Other-a_b|2,,,,,,,
t,Other-3,measured,done,pose_hrnet,,"not measured: not among the costs of this entry; \
took 11 s, budget < 10 s",Other-3,,70,,,,,
"""


def test_a_table():
    assert render_csv([sample_table()]) == EXPECTED


def test_quantities_of_one_name_have_columns_of_their_own():
    metrics = ("coco-boxes", "coco-masks")
    columns = tuple(ColumnLayout("score", "AP", metric=m, parts=("measured", "interval")) for m in metrics)
    quantity = Quantity("AP", "AP", "fraction", "higher")
    scores = tuple(
        Measurement(quantity, value, m, (value - 0.01, value)) for m, value in zip(metrics, (0.5, 0.25), strict=True)
    )
    tables = build_tables([replace(make("a"), scores=scores)], Layout("l", (TableLayout("t", "T", columns),)), {})
    (line,) = csv.DictReader(io.StringIO(render_csv(tables)))
    found = {name: value for name, value in line.items() if "AP" in name}
    assert found == {
        "coco-boxes/AP [points]": "50", "coco-boxes/AP.low [points]": "49", "coco-boxes/AP.high [points]": "50",
        "coco-masks/AP [points]": "25", "coco-masks/AP.low [points]": "24", "coco-masks/AP.high [points]": "25",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\t=1", "two\nlines"])
def test_no_heading_begins_a_formula(name):
    score = Measurement(Quantity(name, name, "fraction", "higher"), 0.5, "m")
    layout = TableLayout("t", "T", (ColumnLayout("score", name),))
    tables = build_tables([replace(make("a"), scores=(score,))], Layout("l", (layout,)), {})
    head, line = csv.reader(io.StringIO(render_csv(tables)))
    assert head[-1][0] not in "=+-@\t\n" and line[-1] == "50"


@given(st.text(), st.text())
def test_any_text_comes_back_as_one_row(title, reason):
    result = make(title, status="failed", reason=reason, published=False)
    layout = TableLayout("t", "T", (ColumnLayout("text", "model"), ColumnLayout("score", "AP")))
    lines = list(csv.DictReader(io.StringIO(render_csv(build_tables([result], Layout("l", (layout,)), {})))))
    assert len(lines) == 1
    # A text that a spreadsheet would take for a formula is led by an apostrophe; "-1" is none.
    model = lines[0]["model"]
    assert model[:1] not in set("=@\t\r") and "\n" not in model


def test_the_columns_of_the_file_are_those_of_what_was_measured():
    timed = spend("latency", 0.01, "seconds", label="Latency", batch=1, dtype="float32")
    one = make("HRNet-W32", of("AP", 0.75, (0.74, 0.76)), of("AR", 0.8), costs=(timed,))
    (line,) = csv.DictReader(io.StringIO(render_csv(full_tables([one]))))
    found = {name: value for name, value in line.items() if "[" in name}
    assert found == {
        "AP [points]": "75", "AP.low [points]": "74", "AP.high [points]": "76", "AP.published [points]": "74.4",
        "AP.difference [points]": "0.6", "AR [points]": "80", "AR.published [points]": "79.8",
        "AR.difference [points]": "0.2", "latency batch=1 dtype=float32 [ms]": "10",
    }  # fmt: skip
    assert line["table"] == "pose-coco-keypoints-val2017" and line["protocol"].startswith("top-down v1")
    assert full_tables([]) == []
