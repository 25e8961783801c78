"""The first screen: the best of each task and data set, how much was measured, what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_factory import make, of, spend

from hrbench.report.former import Replaced, replaced
from hrbench.report.layout import ColumnLayout, Layout, PublishedLayout, TableLayout
from hrbench.report.summary import Leader, counts, leaders, missing
from hrbench.report.table import build_tables
from hrbench.types import DatasetRecord, Note, Provenance, Reason, WeightsRecord

ROWS = ({"model": "HRNet-W32", "AP": 74.4}, {"model": "HRNet-W48", "AP": 75.1})
PARTS = ("measured", "interval", "published", "difference")


def best(results, before=(), paired=None) -> list[Leader]:
    columns = (ColumnLayout("text", "model"), ColumnLayout("score", "AP", published="AP", parts=PARTS))
    layout = TableLayout("t", "COCO", columns, published=PublishedLayout(rows=ROWS))
    return leaders(results, build_tables(results, Layout("l", (layout,)), {"t": ROWS}, paired), before)


def net(title, value, **more):
    return make(title, of("AP", value, (value - 0.01, value + 0.01)), **more)


def test_the_best_with_its_score_costs_and_published_figure():
    costs = (
        spend("latency", 0.02, "seconds", batch=8, dtype="float32"),
        spend("latency", 0.01, "seconds", batch=1, dtype="float32"),
        spend("macs", 7.1e9),
    )
    one, other = net("HRNet-W32", 0.741), net("HRNet-W48", 0.764, costs=costs)
    (found,) = best([one, other])
    assert (found.subject, found.table, found.network) == ("Pose, COCO val2017", 1, "HRNet-W48")
    assert (found.among, found.score, found.value, found.interval) == ("best of 2", "AP ↑", "76.4", "[75.4, 77.4]")
    assert (found.latency.text, found.latency.told, found.macs.text) == ("10.0", "float32, batch 1", "7.100")
    assert (found.published, found.difference, found.notable) == ("75.1", "+1.3", True)


@pytest.mark.parametrize(
    ("values", "among"),
    [((0.74,), "only one measured"), ((0.74, 0.74), "best of 2, 1 as good"), ((0.74, 0.735, 0.6), "best of 3")],
)
def test_of_how_many_it_is_the_best(values, among):
    (found,) = best([net(f"Net-{i}" if i else "HRNet-W32", value) for i, value in enumerate(values)])
    assert (found.network, found.among) == ("HRNet-W32", among)


def test_those_that_do_not_differ_are_as_good():
    rows = [net(f"Net-{i}", value) for i, value in enumerate((0.74, 0.735, 0.6))]
    assert best(rows, paired=lambda *_: (-0.01, 0.001, 99))[0].among == "best of 3, 1 as good"


def test_only_rows_of_one_protocol_are_compared():
    def one(title, value, boxes):
        return net(title, value, name=title + boxes, protocol={"boxes": boxes})

    results = [one("HRNet-W32", 0.5, "detector"), one("HRNet-W48", 0.6, "detector"), one("HRNet-W32", 0.9, "truth")]
    assert best(results)[0].among == "best of 2, boxes detector"
    assert best([results[0], results[2]])[0].among == "alone under boxes detector"


def test_each_data_set_has_a_row_and_what_was_not_measured_says_why():
    results = [make("a", status="empty", reason="no data"), make("b", status="failed", reason="killed")]
    (found,) = best(results)
    assert (found.network, found.reason) == ("", "2 entries without a score: no data")
    assert counts(results) == "0 measured, 1 empty, 1 failed"


def test_of_costs_alone_the_fastest_stands_there():
    def timed(title, seconds):
        cost = spend("latency", seconds, "seconds", batch=1)
        return make(title, costs=(cost,), dataset=None, status="costs_only")

    rows = [timed("A", 0.02), timed("B", 0.01)]
    layout = TableLayout("t", "Costs", (ColumnLayout("text", "model"), ColumnLayout("cost", "latency")))
    (found,) = leaders(rows, build_tables(rows, Layout("l", (layout,)), {}))
    assert (found.subject, found.network, found.among) == ("Pose, costs only", "B", "fastest of 2")
    assert (found.latency.text, found.value) == ("10.0", "")


def weighed(value, digest, **more):
    weights = WeightsRecord("file", digest * 64)
    known = Provenance(weights=weights, dataset=DatasetRecord("d", "e", 9), date="2026-11-20T09:30:00+00:00")
    return net("HRNet-W32", value, provenance=known, **more)


def test_against_the_last_run():
    former, now = weighed(0.739, "a"), weighed(0.741, "b")
    before = replaced(now, former, lambda first, second, metric, number: (-0.001, 0.005, 99))
    assert before.text() == "+0.2" and before.sentence() == (
        "replaces the result of 20 November 2026, 09:30 UTC; AP 73.9 before, 74.1 now; "
        "95 % interval of the paired difference −0.1 to +0.5: not worse; changed: weights: aaaaaaaaaaaa / bbbbbbbbbbbb"
    )
    (found,) = best([now], [before])
    assert (found.change, found.change_told) == ("+0.2", before.sentence())
    assert (found.change_interval, found.verdict) == ("[−0.1, +0.5]", "not worse")
    other = replaced(now, former, lambda *_: (-0.005, 0.005, 99), "v1.2")
    assert other.sentence().startswith("against v1.2, the result of 20 November 2026, 09:30 UTC; AP 73.9 before")


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (None, "cannot tell"),
        ((0.004, 0.02, 99), "improved"),
        ((-0.001, 0.002, 99), "unchanged"),
        ((-0.02, -0.004, 99), "regressed"),
        ((-0.004, 0.005, 99), "cannot tell"),
        ((0.004, 0.02, 29), "cannot tell"),
        ((0.0, 0.0, 1), "unchanged"),
    ],
)
def test_a_change_has_the_verdict_of_a_judge(interval, verdict):
    assert replaced(weighed(0.741, "b"), weighed(0.741, "a"), lambda *_: interval).verdict() == verdict
    lower = [
        replace(one, scores=tuple(replace(s, quantity=replace(s.quantity, better="lower")) for s in one.scores))
        for one in (weighed(0.741, "b"), weighed(0.741, "a"))
    ]
    opposite = {"improved": "regressed", "regressed": "improved"}
    turned = interval and (*interval,)
    assert replaced(*lower, lambda *_: turned).verdict() == opposite.get(verdict, verdict)


def test_a_last_run_under_another_protocol_is_not_subtracted():
    former, now = weighed(0.739, "a", protocol={"flip": False}), weighed(0.741, "a")
    before = replaced(now, former, lambda *_: pytest.fail("they cannot be paired"))
    assert before.text() == "≠" and "changed: protocol: flip false / true" in before.sentence()
    assert Replaced("", (), None, None, False).sentence() == "replaces a result; nothing that is recorded was changed"


def test_how_much_there_is():
    told = Note("cut", "detections are cut", 3)
    results = [
        replace(net("a", 0.7), seconds={"predict": 100.0, "score": 85.0}, notes=(told, "a sentence")),
        replace(net("b", 0.7, limited=5), notes=(told,)),
        make("c", status="submitted"),
        make("d", status="costs_only", reason="no data set was asked for"),
    ]
    assert counts(results) == (
        "2 measured, 1 predicted for a server, 1 for costs only, 0 empty, 0 failed, 1 limited to some images, "
        "3 min, 1 note"
    )
    assert best(results[1:2])[0].among == "limited to 5 images"


def for_costs(title):
    return make(title, status="costs_only", reason="no data set was asked for")


def test_entries_that_asked_for_costs_alone_lack_nothing():
    results = [net("a", 0.7), for_costs("b"), for_costs("c"), make("d", status="empty", reason="no")]
    assert [(item.reason, item.entries) for item in missing(results)] == [("no", ("d",))]
    assert missing([for_costs("a")]) == []


def test_a_class_that_does_not_occur_is_not_missing():
    none = of("IoU/wall", None, reason=Reason("wall occurs nowhere"))
    assert missing([make("a", of("AP", 0.7), none)]) == []


def test_costs_that_failed_are_missing_of_their_entry():
    failed = Reason("costs were not measured: MemoryError: no room")
    results = [make("a", of("AP", 0.7), costs_reason=failed), make("b", of("AP", 0.6))]
    assert [(item.reason, item.entries) for item in missing(results)] == [(str(failed), ("a",))]
    both = make("c", status="failed", reason=str(failed), costs_reason=failed)
    assert [(item.reason, item.entries) for item in missing([both])] == [(f"failed: {failed}", ("c",))]


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
