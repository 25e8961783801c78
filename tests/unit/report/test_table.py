"""What a table shows of results: links to the literature, bold, footnotes, and why a cell is empty."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_factory import PROTOCOL, make, of, spend

from hrbench.report.layout import ColumnLayout, Layout, PublishedLayout, TableLayout
from hrbench.report.table import build_tables
from hrbench.report.words import protocol_text
from hrbench.types import DatasetRecord, DatasetRow, Provenance, Reason

ROW = {"model": "HRNet-W32", "input": "256x192", "AP": 74.4, "split": "val2017", "source": "a README"}
AP = ColumnLayout("score", "AP", published="AP", parts=("measured", "interval", "published", "difference"))
SOURCE = PublishedLayout(rows=(ROW,), requires={"boxes": "detector", "flip": True})


def build(results, *columns, published=SOURCE, **more):
    columns = (ColumnLayout("text", "model"), ColumnLayout("text", "input"), *(columns or (AP,)))
    layout = TableLayout("t", "Title", columns, published=published, **({"group": "none"} | more))
    (table,) = build_tables(results, Layout("l", (layout,)), {"t": published.rows if published else ()})
    return table


def texts(table):
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_published_beside_measured_and_their_difference():
    table = build([make("HRNet-W32", of("AP", 0.7412, (0.7336, 0.7489), n=6352))])
    assert texts(table) == [["HRNet-W32", "256×192", "74.1", "[73.4, 74.9]", "74.4", "−0.3"]]
    assert [column.full_label for column in table.columns] == [
        "Model", "Input", "AP", "AP 95 % interval", "AP published", "AP difference",
    ]  # fmt: skip
    measured = table.rows[0].cells[2]
    assert ("n", "6,352") in measured.detail
    assert ("data set", "COCO val2017") in measured.conditions
    assert table.remarks == (
        f"Protocol: {protocol_text(PROTOCOL)}.",
        "Published figures: a README.",
    )


def test_a_difference_is_notable_where_the_interval_does_not_hold_the_published_figure():
    near, far = of("AP", 0.7412, (0.7335, 0.7489)), of("AP", 0.72, (0.71, 0.73))
    assert not build([make("HRNet-W32", near)]).rows[0].cells[5].notable
    assert build([make("HRNet-W32", far)]).rows[0].cells[5].notable


def test_no_difference_to_a_figure_of_another_protocol():
    table = build([make("HRNet-W32", of("AP", 0.765), protocol={"boxes": "ground_truth"})])
    assert texts(table)[0][4:] == ["74.4", "≠"]
    assert table.footnotes == (
        "no difference: the published figure has another protocol (boxes ground_truth here, detector there)",
    )


def test_no_difference_where_the_result_says_it_is_not_comparable():
    reason = "the boxes of mine.json reach 50.0 box AP on people: the scores are not comparable with them"
    result = make("HRNet-W32", of("AP", 0.7), provenance=Provenance(not_comparable=reason), notes=(reason,))
    table = build([result], AP, ColumnLayout("score", "AP", label="again", published="AP", parts=("difference",)))
    row = table.rows[0]
    assert (row.cells[5].text, row.cells[5].reason, row.cells[6].text) == ("≠", reason, "≠")
    assert table.footnotes == (reason,)  # once, although note and reason say it
    assert row.notes == row.cells[5].notes == (0,) and row.cells[6].notes == ()


def test_a_footnote_for_each_reason_against_a_difference():
    source = replace(SOURCE, requires_images=5000)
    few = Provenance(dataset=DatasetRecord("data", "d", 4000), not_comparable="other boxes")
    table = build([make("HRNet-W32", of("AP", 0.7), protocol={"flip": False}, provenance=few)], published=source)
    assert table.footnotes == (
        "no difference: other boxes",
        "no difference: the data set has 4,000 images here, 5,000 behind the published figure",
        "no difference: the published figure has another protocol (flip no here, yes there)",
    )
    assert table.rows[0].cells[5].notes == (0, 1, 2)


def on_data(title, value, digest, **more):
    return make(
        title, of("AP", value), name=title, provenance=Provenance(dataset=DatasetRecord("data", digest, 5000)), **more
    )


def test_rows_measured_on_other_data_of_the_same_name_are_not_compared_and_say_so():
    digests = {"a": "1" * 64, "b": "1" * 64, "c": "2" * 64}
    values = {"a": 0.6, "b": 0.7, "c": 0.9}
    table = build([on_data(name, value, digests[name]) for name, value in values.items()])
    assert bold(table, 2) == ["b"]
    assert table.footnotes == tuple(
        f"COCO val2017 as of digest {digest * 12}: other rows were measured on other data of that name, and only rows "
        "of the same data are compared"
        for digest in "12"
    )
    assert [row.notes for row in table.rows] == [(0,), (0,), (1,)]


def test_files_that_only_another_protocol_reads_are_no_other_data():
    boxes = on_data("b", 0.7, "2" * 64, protocol={"boxes": "ground_truth"})
    assert build([on_data("a", 0.6, "1" * 64), boxes]).footnotes == ()


def test_other_networks_and_inputs_have_no_published_figure():
    results = [make("HRNet-W32", of("AP", 0.7), input=(384, 288)), make("HRNet-W48", of("AP", 0.7))]
    assert [row[4:] for row in texts(build(results))] == [["", ""], ["", ""]]


def bold(table, column):
    return [row.name for row in table.rows if row.cells[column].bold]


def test_the_best_of_comparable_rows_is_bold_ties_as_written_included():
    values = {"a": 0.7441, "b": 0.7436, "c": 0.7401}
    table = build([make(name, of("AP", value), name=name) for name, value in values.items()])
    assert bold(table, 2) == ["a", "b"]


def test_a_row_alone_is_not_the_best():
    assert bold(build([make("a", of("AP", 0.7))]), 2) == []
    other = make("b", of("AP", 0.6), protocol={"boxes": "ground_truth"})
    assert bold(build([make("a", of("AP", 0.7)), other]), 2) == []


def test_bold_is_per_protocol():
    ours = [make(name, of("AP", value), name=name) for name, value in {"a": 0.6, "b": 0.7}.items()]
    theirs = [
        make(name, of("AP", value), name=name, protocol={"boxes": "ground_truth"})
        for name, value in {"c": 0.8, "d": 0.9}.items()
    ]
    table = build([*ours, *theirs])
    assert bold(table, 2) == ["b", "d"]
    common = protocol_text({key: value for key, value in PROTOCOL.items() if key != "boxes"})
    assert table.settings == (f"Protocol: {common}, with boxes detector or boxes ground truth.",)
    assert "Protocol: top-down v1, with what the headings say." in table.short_remarks
    assert "Bold: the best below its heading." in table.short_remarks
    assert [(row.name, row.section) for row in table.rows] == [
        ("a", "boxes detector"), ("b", "boxes detector"), ("c", "boxes ground truth"), ("d", "boxes ground truth"),
    ]  # fmt: skip


def test_a_row_stands_below_the_heading_of_its_data_and_protocol():
    rows = [
        make(name, of("AP", 0.6), name=name, protocol=protocol, provenance=Provenance(dataset=DatasetRecord("d", d, 1)))
        for name, protocol, d in (("a", {}, "1" * 64), ("b", {"flip": False}, "1" * 64), ("c", {}, "2" * 64))
    ]
    empty = make("e", status="empty", reason="no weights", name="e")
    table = build([*rows, empty])
    assert {row.name: row.section for row in table.rows} == {
        "a": "flip yes, data 111111111111", "b": "flip no", "c": "flip yes, data 222222222222",
        "e": "flip yes, data 111111111111",
    }  # fmt: skip
    assert [row.section for row in build([rows[0], empty]).rows] == ["", ""]


def ranked(results, paired=None):
    """Names of the rows in bold, and of those underlined."""
    layout = TableLayout("t", "Title", (ColumnLayout("text", "model"), AP), group="none")
    (table,) = build_tables(results, Layout("l", (layout,)), {}, paired)
    return bold(table, 1), [row.name for row in table.rows if row.cells[1].second], table.short_remarks


def test_the_second_is_underlined_from_three_rows_on():
    rows = [make(name, of("AP", value), name=name) for name, value in zip("abcd", (0.6, 0.7, 0.6, 0.5), strict=True)]
    assert ranked(rows)[:2] == (["b"], ["a", "c"])
    assert ranked(rows[:2])[:2] == (["b"], [])


def test_rows_that_do_not_differ_from_the_best_are_bold_too():
    def scored(name, value):
        return make(name, of("AP", value, (value - 0.01, value + 0.01)), name=name)

    rows = [scored(name, value) for name, value in zip("abcd", (0.70, 0.698, 0.696, 0.5), strict=True)]
    asked = []

    def paired(first, second, metric, number):
        asked.append((first.name, second.name, metric, number))
        return {"b": (-0.004, 0.001), "c": (-0.006, -0.001)}[second.name]

    best, second, remarks = ranked(rows, paired)
    assert (best, second) == (["a", "b"], ["c"])
    # d is so far from a that their intervals are apart by more than a quarter of their width: nothing is resampled
    assert asked == [("a", "b", "coco-keypoints", "AP"), ("a", "c", "coco-keypoints", "AP")]
    assert any("in AP also each row whose paired difference" in text for text in remarks)
    assert ranked(rows, lambda *_: None)[0] == ["a"]  # no states, no claim


def test_lower_costs_are_better_and_bold_only_where_the_layout_says_so():
    results = [make(name, costs=(spend("macs", value),), name=name) for name, value in {"a": 3e9, "b": 2e9}.items()]
    assert bold(build(results, ColumnLayout("cost", "macs", bold=True)), 2) == ["b"]
    assert bold(build(results, ColumnLayout("cost", "macs")), 2) == []


def test_latencies_of_two_devices_are_not_compared():
    def timed(name, value, device):
        return make(name, costs=(spend("latency", value, "seconds", batch=1, device=device),), name=name)

    results = [timed("a", 0.02, "cpu"), timed("b", 0.03, "cpu"), timed("c", 0.001, "gpu")]
    assert bold(build(results, ColumnLayout("cost", "latency", bold=True)), 2) == ["a"]


def test_a_limited_row_is_marked_never_bold_and_has_no_difference():
    limited = make("HRNet-W32", of("AP", 0.99), name="x", limited=10)
    table = build([limited, make("b", of("AP", 0.7)), make("c", of("AP", 0.6))])
    assert table.rows[0].tags == ("limited to 10 images: not comparable",)
    assert texts(table)[0][5] == "≠"
    assert bold(table, 2) == ["b"]
    assert "Rows limited to 10 images are not comparable with anything." in table.caption


def test_miniatures_are_labelled_and_never_beside_a_published_figure():
    mini = DatasetRow("miniature-coco", "coco-keypoints", "pose", ("coco-keypoints",), miniature=True)
    for result in (
        make("HRNet-W32", of("AP", 0.6), dataset=mini),
        make("HRNet-W32", of("AP", 0.6), miniature=True),
    ):
        table = build([result])
        assert table.rows[0].tags == ("miniature",)
        assert texts(table)[0][4:] == ["", ""]
        assert "Miniatures" in table.caption


def test_an_empty_cell_says_why_once_to_a_row():
    missing = "COCO val2017 is not here: get it from https://cocodataset.org"
    columns = (AP, ColumnLayout("score", "AR"))
    table = build([make("HRNet-W32", status="empty", reason=missing)], *columns)
    measured, recall = table.rows[0].cells[2], table.rows[0].cells[6]
    assert (measured.text, measured.reason, measured.notes) == ("–", missing, (0,))
    assert (recall.text, recall.reason, recall.notes) == ("–", missing, ())
    assert table.footnotes == (missing,)
    assert texts(table)[0][4] == "74.4"  # the literature's figure is there all the same


def test_a_failed_entry_is_a_row_with_its_error():
    table = build([make("HRNet-W32", status="failed", reason="worker 3 was killed")])
    assert table.rows[0].tags == ("failed",)
    assert table.footnotes == ("failed: worker 3 was killed",)
    assert table.rows[0].cells[2].reason == "failed: worker 3 was killed"


def test_costs_that_failed_are_one_footnote_of_their_row_and_of_its_empty_cells():
    failed = Reason("costs were not measured: MemoryError: no room")
    column = ColumnLayout("cost", "macs")
    without, other = (
        make("a", of("AP", 0.7), costs_reason=failed),
        make("b", of("AP", 0.6), costs=(spend("macs", 1e9),)),
    )
    table = build([without, other], AP, column)
    row = table.rows[0]
    assert table.footnotes == (str(failed),) and row.notes == (0,) and row.tags == ()
    assert (row.cells[-1].text, row.cells[-1].reason, row.cells[-1].notes) == ("–", str(failed), ())
    assert build([without], AP).footnotes == (str(failed),)  # without a column of costs too


def test_the_interval_of_a_latency_stands_where_a_layout_asks_for_it():
    timed = spend("latency", 0.1, "seconds", batch=1, interval=(0.09, 0.12))
    column = ColumnLayout("cost", "latency", parts=("measured", "interval"))
    table = build([make("a", costs=(timed,))], column)
    assert [cell.text for cell in table.rows[0].cells[-2:]] == ["100", "[90.0, 120]"]
    assert ("95 % interval", "[90.0, 120]") in table.rows[0].cells[-2].detail


def test_a_cost_that_could_not_be_measured_says_why():
    slow = spend("latency", None, "seconds", batch=8, reason="the first pass took 13 s, over the budget of 10 s")
    fast = spend("latency", 0.1, "seconds", batch=1)
    columns = [ColumnLayout("cost", "latency", where={"batch": batch}) for batch in (1, 8)]
    table = build([make("a", costs=(fast, slow)), make("b", costs=(fast,))], *columns)
    assert [row[2:] for row in texts(table)] == [["100", "–"], ["100", "–"]]
    assert table.footnotes == (
        "the first pass took 13 s, over the budget of 10 s",
        "not measured: not among the costs of this entry",
    )


def test_costs_that_nobody_measured_have_no_column():
    table = build([make("a", of("AP", 0.7))], ColumnLayout("cost", "latency"), ColumnLayout("score", "AP"))
    assert [column.key for column in table.columns] == ["model", "input", "AP"]


def test_notes_on_a_result_are_footnotes_of_its_row():
    table = build([make("a", of("AP", 0.7), notes=("the box file is not the official one",))])
    assert table.rows[0].notes == (0,)
    assert table.footnotes == ("the box file is not the official one",)


def test_a_note_is_shown_once_to_a_row_and_shared_by_rows():
    results = [make("a", of("AP", 0.7), notes=("one", "two", " one\n", "")), make("b", of("AP", 0.6), notes=("two",))]
    table = build(results)
    assert table.footnotes == ("one", "two")
    assert [row.notes for row in table.rows] == [(0, 1), (1,)]


def test_notes_of_an_entry_without_a_data_set_stand_in_its_table_of_costs():
    macs = ColumnLayout("cost", "macs")
    alone = make("a", costs=(spend("macs", 1e9),), dataset=None, notes=("set aside",))
    elsewhere = make("b", of("AP", 0.7), costs=(spend("macs", 1e9),), notes=("on boxes",))
    assert build([alone, elsewhere], macs).footnotes == ("set aside",)


def test_published_operations_are_read_in_the_papers_unit():
    column = ColumnLayout("cost", "hrnet-paper", published="gflops", parts=("measured", "published", "difference"))
    source = PublishedLayout(rows=({**ROW, "gflops": 7.1},))
    table = build([make("HRNet-W32", costs=(spend("hrnet-paper", 7_645_003_776),))], column, published=source)
    assert texts(table)[0][2:] == ["7.120", "7.1", "0.0"]


def test_notes_on_published_figures():
    note = {"text": "counted four times", "where": {"model": "HRNet*"}, "columns": ["AP"]}
    table = build([make("HRNet-W32", of("AP", 0.7))], published=PublishedLayout(rows=(ROW,), notes=(note,)))
    assert table.rows[0].cells[4].notes == (0,)
    assert table.footnotes == ("counted four times",)


def test_published_rows_without_a_measured_one_can_be_shown():
    source = PublishedLayout(rows=(ROW, {**ROW, "model": "HRNet-W48", "AP": 75.1}), show="all")
    table = build([make("HRNet-W32", of("AP", 0.74))], published=source)
    assert texts(table)[1] == ["HRNet-W48", "256×192", "", "", "75.1", ""]
    assert (table.rows[1].kind, table.rows[1].tags) == ("published", ("published",))
    assert table.footnotes == ("published only, not measured here: a README",)


def test_rows_are_grouped_by_family_in_the_order_of_the_suite():
    titles = ("SimpleBaseline-R50", "HRNet-W32", "SimpleBaseline-R101")
    table = build([make(title, of("AP", 0.7)) for title in titles], group="family")
    assert [row.result for row in table.rows] == [0, 2, 1]
    assert [(row.group, row.name) for row in table.rows] == [
        ("SimpleBaseline", "SimpleBaseline-R50"),
        ("SimpleBaseline", "SimpleBaseline-R101"),
        ("HRNet", "HRNet-W32"),
    ]
    assert [row.group for row in build([make("HRNet-W32")], group="family").rows] == [""]


@pytest.mark.parametrize(
    ("second", "labels"),
    [
        ({"protocol": {"boxes": "ground_truth"}}, ["HRNet-W32", "HRNet-W32"]),
        ({"name": "again"}, ["HRNet-W32 · HRNet-W32", "HRNet-W32 · again"]),
        ({"folder": "runs/b/entries/x"}, ["HRNet-W32 · a", "HRNet-W32 · b"]),
    ],
)
def test_rows_that_would_read_alike_say_what_tells_them_apart(second, labels):
    results = [make("HRNet-W32", of("AP", 0.7), **({"folder": "runs/a/entries/x"} | more)) for more in ({}, second)]
    assert [row[0] for row in texts(build(results))] == labels


def test_text_that_varies_has_a_column_only_then():
    column = ColumnLayout("text", "dataset", varies=True)
    other = DatasetRow("ours", "coco-keypoints", "pose", ("coco-keypoints",), title="Ours")
    same = [make("a", of("AP", 0.7)), make("b", of("AP", 0.7))]
    assert "dataset" not in [c.key for c in build(same, column).columns]
    assert texts(build([same[0], make("b", of("AP", 0.7), dataset=other)], column))[1][2] == "Ours"


def test_a_latency_whose_passes_differ_is_marked():
    def timed(settled, *samples):
        cost = spend("latency", samples[0], "seconds", batch=1, warm_up_settled=settled)
        return make(f"{settled}{samples}", costs=(replace(cost, samples=samples),))

    rows = [timed(False, 1.0, 1.0, 1.3), timed(False, 1.0, 1.0, 1.2), timed(True, 1.0, 9.0)]
    table = build(rows, ColumnLayout("cost", "latency"))
    assert table.footnotes == ("passes of this latency differ by more than a quarter: was the machine busy?",)
    assert [bool(row.cells[-1].notes) for row in table.rows] == [True, False, False]


def test_headings_of_groups_say_more_than_the_rows():
    def groups(*titles):
        table = build([make(title, of("AP", 0.5), published=False) for title in titles], group="family")
        return [(row.group, row.cells[0].text) for row in table.rows]

    assert groups("own", "SegNet", "HRNet-W18") == [("", "own"), ("", "SegNet"), ("", "HRNet-W18")]
    assert groups("Mask R-CNN, W18", "own", "Mask R-CNN, W32", "FCOS, W18") == [
        ("", "own"), ("Mask R-CNN", "Mask R-CNN, W18"), ("Mask R-CNN", "Mask R-CNN, W32"), ("FCOS", "FCOS, W18"),
    ]  # fmt: skip


def test_rows_that_asked_for_costs_only_do_not_read_like_a_fault():
    reason = "no data set was asked for"
    result = make("own", status="costs_only", reason=reason, published=False)
    (row,) = build([result]).rows
    assert row.status == "costs only" and row.use == "pose_hrnet"
    assert {cell.reason for cell in row.cells if cell.text == "–"} == {"costs only: no data set was asked for"}
