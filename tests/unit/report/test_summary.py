"""What the page says in words."""

from __future__ import annotations

import pytest
from report_factory import make, of, spend

from hrbench.report.layout import ColumnLayout, Layout, PublishedLayout, TableLayout
from hrbench.report.summary import missing, summarise
from hrbench.report.table import build_tables
from hrbench.types import Reason

ROWS = ({"model": "HRNet-W32", "AP": 74.4}, {"model": "HRNet-W48", "AP": 75.1})
PARTS = ("measured", "interval", "published", "difference")


def words(results):
    columns = (ColumnLayout("text", "model"), ColumnLayout("score", "AP", published="AP", parts=PARTS))
    layout = TableLayout("t", "COCO", columns, published=PublishedLayout(rows=ROWS))
    return " ".join(summarise(results, build_tables(results, Layout("l", (layout,)), {"t": ROWS}))).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            (0.741, 0.752),
            "2 entries: 2 measured. COCO (Table 1): HRNet-W48 is the best of 2, with AP 75.2, 95 % interval "
            "[74.2, 76.2]. All 2 published figures lie in their measured 95 % interval.",
        ),
        (
            (0.741, 0.6),
            "2 entries: 2 measured. COCO (Table 1): HRNet-W32 is the best of 2, with AP 74.1, 95 % interval "
            "[73.1, 75.1]. 1 of 2 published figures lies in its measured 95 % interval.",
        ),
        (
            (0.7,),
            "1 entry: 1 measured. COCO (Table 1): HRNet-W32 is the only one measured, with AP 70.0, 95 % interval "
            "[69.0, 71.0]. The published figure does not lie in the measured 95 % interval.",
        ),
    ],
)
def test_headlines(values, text):
    titles = ("HRNet-W32", "HRNet-W48")
    scored = [of("AP", value, (value - 0.01, value + 0.01)) for value in values]
    assert words([make(title, score) for title, score in zip(titles, scored, strict=False)]) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.74, 0.74), "all 2 have the same AP, 74.0, 95 % interval [73.0, 75.0]."),
        ((0.74, 0.74, 0.6), "2 of 3 share the highest AP, 74.0, 95 % interval [73.0, 75.0]."),
        (
            (0.74, 0.735, 0.6),
            "HRNet-W32 has the highest AP of 3, 74.0, 95 % interval [73.0, 75.0]; the interval of one more holds that "
            "too.",
        ),
    ],
)
def test_who_ties_is_not_called_the_best(values, text):
    results = [make(f"Net-{i}" if i else "HRNet-W32", of("AP", v, (v - 0.01, v + 0.01))) for i, v in enumerate(values)]
    said = words(results)
    assert text in said and "the best" not in said


def test_only_rows_of_one_protocol_are_compared():
    def one(title, value, boxes):
        return make(title, of("AP", value, (value, value)), name=title + boxes, protocol={"boxes": boxes})

    results = [one("HRNet-W32", 0.5, "detector"), one("HRNet-W48", 0.6, "detector"), one("HRNet-W32", 0.9, "truth")]
    assert "HRNet-W48 is the best of 2 under its protocol and on its data, with AP 60.0" in words(results)
    assert "HRNet-W32 · boxes detector is measured alone under its protocol and on its data" in words(
        [results[0], results[2]]
    )


def test_nothing_measured():
    results = [make("a", status="empty", reason="no data"), make("b", status="failed", reason="killed")]
    assert words(results) == (
        "2 entries: 0 measured, 1 without accuracy, because data or weights are missing, 1 failed. "
        "COCO (Table 1): no AP could be measured yet; the table says what is missing."
    )


def for_costs(title):
    reason = "no data set was asked for"
    return make(title, status="costs_only", reason=reason)


def test_entries_that_asked_for_costs_alone_lack_nothing():
    measured, without = make("a", of("AP", 0.7, (0.6, 0.8))), make("d", status="empty", reason="no")
    results = [measured, for_costs("b"), for_costs("c"), without]
    assert words(results).startswith(
        "4 entries: 1 measured, 2 measured for costs only, 1 without accuracy, because data or weights are missing. "
    )
    assert [(item.reason, item.entries) for item in missing(results)] == [("no", ("d",))]
    assert words([for_costs("a")]) == "1 entry: 1 measured for costs only."
    assert missing([for_costs("a")]) == []


def test_what_a_server_judges_is_said_to_wait_for_it():
    assert words([make("a", status="submitted")]).startswith(
        "1 entry: 1 predicted for a server that has the ground truth."
    )


def test_costs_that_failed_are_missing_of_their_entry():
    failed = Reason("costs were not measured: MemoryError: no room")
    results = [make("a", of("AP", 0.7), costs_reason=failed), make("b", of("AP", 0.6))]
    assert [(item.reason, item.entries) for item in missing(results)] == [(str(failed), ("a",))]
    both = make("c", status="failed", reason=str(failed), costs_reason=failed)
    assert [(item.reason, item.entries) for item in missing([both])] == [(f"failed: {failed}", ("c",))]


def test_limited_runs_and_miniatures_are_called_so():
    assert "limited runs only, comparable with nothing" in words([make("a", of("AP", 0.7), limited=5)])
    assert "All of them are miniatures" in words([make("a", of("AP", 0.7), miniature=True)])


def test_what_is_missing_is_listed_once_entries_before_costs():
    slow = spend("latency", None, "seconds", label="Latency", batch=8, dtype="float32", reason="too slow")
    results = [
        make("a", costs=(slow,)),
        make("b", costs=(slow,), status="empty", reason="no\n data"),
        make("c", status="empty", reason="no data"),
    ]
    assert [(item.reason, item.entries) for item in missing(results)] == [
        ("no data", ("b", "c")),
        ("too slow", ("a (Latency, float32, batch 8)", "b (Latency, float32, batch 8)")),
    ]
