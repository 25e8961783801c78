"""Every result gets a table, laid out or derived from what it holds."""

from __future__ import annotations

from report_factory import make, of, spend

from hrbench.report.choose import choose_layout, complete, unshown
from hrbench.report.layout import Layout
from hrbench.report.published import read_published
from hrbench.report.table import build_tables
from hrbench.types import DatasetRow

CITY = DatasetRow("cityscapes-val", "cityscapes", "segmentation", ("cityscapes",), title="Cityscapes val")


def tables(results, table=""):
    layout = choose_layout(results, table)
    return {table.name: table for table in build_tables(results, layout, read_published(layout))}


def test_a_task_has_its_layout():
    assert list(tables([make("HRNet-W32", of("AP", 0.7))])) == ["pose-coco-val", "pose-cost"]


def test_miniatures_have_theirs():
    mini = DatasetRow("miniature-coco-keypoints", "coco-keypoints", "pose", ("coco-keypoints",), miniature=True)
    assert list(tables([make("HRNet", of("AP", 0.6), dataset=mini, miniature=True)])) == ["miniature-coco-keypoints"]


def test_any_other_task_has_a_table_of_its_own_quantities():
    result = make(
        "HRNet-W48",
        of("miou", 0.8112, (0.79, 0.83), metric="cityscapes"),
        of("iiou", 0.61, metric="cityscapes"),
        costs=(
            spend("parameters", 65e6, "count"),
            spend("latency", 0.1, "seconds", label="Latency", batch=1, dtype="float32"),
            spend("latency", 0.5, "seconds", label="Latency", batch=8, dtype="float32"),
        ),
        dataset=CITY,
        task="depth",
    )
    (table,) = tables([result]).values()
    assert (table.name, table.title) == ("depth-cityscapes-val", "Depth: Cityscapes val")
    assert [column.full_label for column in table.columns] == [
        "Model", "Input", "Params (M)", "Latency (ms): batch 1", "Latency (ms): batch 8",
        "miou", "miou 95 % interval", "iiou",
    ]  # fmt: skip
    assert [cell.text for cell in table.rows[0].cells[2:]] == [
        "65.0", "100", "500", "81.1", "[79.0, 83.0]", "61.0",
    ]  # fmt: skip


def test_a_named_layout_has_its_tables_alone_and_says_what_it_leaves_out(tmp_path):
    results = [make("HRNet-W32", of("AP", 0.7)), make("Odd [x]*", of("AP", 0.7), dataset=CITY)]
    assert list(tables(results, "pose-coco-val")) == ["pose-coco-val"]
    told = unshown(results, choose_layout(results, "pose-coco-val"))
    assert told == ["left out: 1 entry that no table of pose-coco-val shows (Odd [x]*): `rest: true` in it shows them"]
    own = tmp_path / "own.yaml"
    table = "tables: [{name: mine, rows: {dataset: coco*}, columns: [{text: model}, {score: AP}]}]\n"
    own.write_text(table)
    assert list(tables(results, str(own))) == ["mine"]
    own.write_text(f"rest: true\n{table}")
    assert list(tables(results, str(own))) == ["mine", "pose-cityscapes-val"]
    assert unshown(results, choose_layout(results, str(own))) == []
    assert list(tables(results, "pose"))[-1] == "pose-cityscapes-val"


def test_many_scores_stand_in_tables_of_their_own_and_classes_in_rows():
    def net(title, *values):
        kinds = ("mIoU", "a", "b", "c", "d", "IoU/road", "IoU/sky")
        scores = [
            of(kind, value, (value - 0.01, value + 0.01) if kind == "mIoU" else None, metric="miou")
            for kind, value in zip(kinds, values, strict=True)
        ]
        return make(title, *scores, dataset=CITY, task="depth", published=False)

    found = tables([net("A", 0.5, 0.1, 0.2, 0.3, 0.4, 0.6, 0.2), net("B", 0.6, 0.1, 0.2, 0.3, 0.4, 0.5, 0.3)])
    assert {name: [column.full_label for column in table.columns] for name, table in found.items()} == {
        "depth-cityscapes-val": ["Model", "Input", "mIoU", "mIoU 95 % interval"],
        "depth-cityscapes-val-scores": ["Model", "Input", "mIoU", "mIoU 95 % interval", "a", "b", "c", "d"],
        "depth-cityscapes-val-IoU-by-class": ["Class", "A", "B"],
    }
    assert [table.folded for table in found.values()] == [False, True, True]
    classes = found["depth-cityscapes-val-IoU-by-class"].rows
    assert [[cell.text for cell in row.cells] for row in classes] == [["road", "60.0", "50.0"], ["sky", "20.0", "30.0"]]
    assert [[cell.bold for cell in row.cells] for row in classes] == [[False, True, False], [False, False, True]]


def test_a_second_metric_that_no_table_shows_gets_one():
    result = make("HRNet-W32", of("AP", 0.7), of("speed", 0.2, metric="other"))
    (shown, _, derived) = (tables([result])).values()
    assert "speed" not in [column.key for column in shown.columns]
    assert "speed" in [column.key for column in derived.columns]


def test_an_entry_that_has_costs_alone():
    found = tables([make("HRNet-W32", costs=(spend("macs", 7e9),), dataset=None)])
    assert list(found) == ["pose-cost"]
    layout = complete(Layout("none", ()), [make("HRNet-W32", costs=(spend("macs", 7e9),), dataset=None)])
    assert [table.name for table in layout.tables] == ["pose-costs"]


def test_nothing_measured_still_says_why():
    found = tables([make("HRNet", status="empty", reason="no data here", dataset=CITY, task="segmentation")])
    (table,) = found.values()
    assert table.rows[0].cells[-1].reason == "no data here"


def test_costs_of_a_task_without_a_layout_say_their_units_and_conditions():
    def detector(name: str, *more):
        costs = (spend("parameters", 41e6, "count"), *more)
        return make(name, costs=costs, dataset=None, task="detection")

    counted = {"batch": 1, "proposals": 1000, "masks": 100}
    views = [spend(view, 2e11, "operations", convention=view, **counted) for view in ("macs", "hrnet-paper")]
    none = [
        spend(view, None, "operations", reason="no rule", convention=view, batch=1) for view in ("macs", "hrnet-paper")
    ]
    (table,) = tables([detector("One", *views), detector("Two", *none)]).values()
    labels = [column.full_label for column in table.columns]
    assert labels == ["Model", "Input", "Params (M)", "Operations: GMACs", "Operations: HRNet papers"]
    assert "Operations of detectors with 1000 proposals, 100 masks, for each image." in table.remarks
    assert [cell.text for cell in table.rows[1].cells[3:]] == ["–", "–"]


def linked(name, file, section, *costs, size=(224, 224), **fields):
    return make(name, costs=costs, dataset=None, task="classification", input=size,
                published={"file": file, "section": section, "model": name, **fields})  # fmt: skip


def test_published_costs_stand_in_the_column_of_their_own_convention():
    views = [spend("parameters", 77_469_864, "count")]
    views += [spend(view, 16e9, "operations", convention=view, batch=1) for view in ("macs", "flops", "hrnet-paper")]
    (table,) = tables(
        [
            linked("HRNet-W48-C", "classification", "imagenet", *views),
            linked("SpineNet-96", "spinenet", "inaturalist2017_224", *views, training="vanilla"),
            linked("Nobody's", "classification", "imagenet", *views),
        ]
    ).values()
    labels = [column.full_label for column in table.columns]
    stated = {
        row.name: {
            label: cell.text for label, cell in zip(labels, row.cells, strict=True) if label.endswith("published")
        }
        for row in table.rows
    }
    names = ["Params (M) published", "Operations: GMACs published", "Operations: HRNet papers published"]
    assert list(stated["Nobody's"].items()) == [(name, "") for name in names]
    assert list(stated["HRNet-W48-C"].values()) == ["77.5", "", "16.1"]
    assert list(stated["SpineNet-96"].values())[1] != "" and stated["SpineNet-96"][names[2]] == ""
    assert any(text.startswith("Published figures: HRNet/HRNet-Image-Classification") for text in table.remarks)


def test_published_operations_are_of_one_input_size():
    views = (
        spend("parameters", 77_469_864, "count"),
        spend("hrnet-paper", 21e9, "operations", convention="hrnet-paper"),
    )
    (table,) = tables([linked("HRNet-W48-C", "classification", "imagenet", *views, size=(256, 256))]).values()
    assert [column.key for column in table.columns if column.part == "published"] == ["parameters.published"]


def test_results_of_one_data_set_stand_in_one_table_whatever_they_are_judged_by():
    both, boxes = (
        make(title, *(of("AP", 0.7, metric=metric) for metric in metrics), dataset=CITY, task="depth")
        for title, *metrics in (("With masks", "coco-boxes", "coco-masks"), ("Boxes only", "coco-boxes"))
    )
    (table,) = tables([both, boxes]).values()
    assert len(table.rows) == 2


def test_costs_that_no_layout_shows_have_a_table_of_their_own():
    """Memory, which the shipped tables do not know, and a latency at a batch that they do not show."""
    result = make(
        "HRNet-W32",
        of("AP", 0.7),
        costs=(
            spend("parameters", 28e6, "count"),
            spend("latency", 0.1, "seconds", batch=1, dtype="float32"),
            spend("latency", None, "seconds", batch=512, dtype="float32", reason="out of memory"),
            spend("memory-peak", 2.0**28, "bytes", batch=1, dtype="float32"),
        ),
    )
    found = tables([result])
    assert list(found) == ["pose-coco-val", "pose-cost", "pose-coco-keypoints-val2017-further-costs"]
    further = found["pose-coco-keypoints-val2017-further-costs"]
    assert further.title == "Pose: costs, COCO val2017"
    shown = {column.key: cell for column, cell in zip(further.columns, further.rows[0].cells, strict=True)}
    assert {key: cell.text for key, cell in shown.items()} == {
        "model": "HRNet-W32",
        "input": "256×192",
        "AP": "70.0",
        "latency batch=1 dtype=float32": "100",
        "latency batch=512 dtype=float32": "–",
        "memory-peak batch=1 dtype=float32": "256",
    }
    assert shown["latency batch=512 dtype=float32"].reason == "out of memory"
    assert list(tables([make("HRNet-W32", of("AP", 0.7), costs=result.costs[:2])])) == ["pose-coco-val", "pose-cost"]


def test_a_derived_table_says_the_unit_of_its_scores():
    own = DatasetRow("own-keypoints", "coco-keypoints", "pose", ("coco-keypoints",), title="Own")
    found = tables([make("HRNet", of("AP", 0.6), dataset=own)])
    assert found["pose-own-keypoints"].caption == "Scores in points."
