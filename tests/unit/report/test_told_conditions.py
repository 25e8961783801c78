"""What costs were measured under: told once below a table, and at each cell that differs."""

from __future__ import annotations

from dataclasses import replace

from report_factory import make, of, spend

from hrbench.report.layout import ColumnLayout, Layout, TableLayout
from hrbench.report.summary import leaders
from hrbench.report.table import build_tables
from hrbench.report.table_remarks import BOLD_COSTS
from hrbench.types import Measurement, Result, RuntimeSettings

UNDER = {"batch": 1, "dtype": "float32", "device": "a CPU", "threads": 2, "mode": "gate", "stability": "stable"}
LATENCY = ColumnLayout("cost", "latency", "Latency (ms)", bold=True)


def timed(seconds: float, **more) -> Measurement:
    return spend("latency", seconds, "seconds", label="Latency", **{**UNDER, "p99_bound": 1.0, **more})


def run(name: str, *costs: Measurement, runtime: RuntimeSettings | None = None, **more) -> Result:
    result = make(name, of("AP", 0.7), costs=costs, published=False, **more)
    return replace(result, entry=replace(result.entry, runtime=runtime)) if runtime else result


def table(results, *columns: ColumnLayout):
    layout = TableLayout("t", "T", (ColumnLayout("text", "model"), *columns))
    return build_tables(results, Layout("l", (layout,)), {})[0]


def noted(built, row: int, column: int = -1) -> list[str]:
    return [built.footnotes[note] for note in built.rows[row].cells[column].notes]


def test_a_column_says_what_its_cells_have_in_common_and_a_cell_what_differs_in_one_sentence():
    otherwise = timed(0.3, runtime="compile, threads 1", threads=1, caches="cold")
    built = table([run("A", timed(0.1)), run("B", timed(0.2)), run("C", otherwise)], LATENCY)
    assert "Latency: dtype float32, device a CPU, runtime eager, threads 2, mode gate, caches warm." in built.remarks
    assert noted(built, 0) == noted(built, 1) == []
    assert noted(built, 2) == ["measured otherwise than its column: runtime compile, threads 1, caches cold"]


def test_what_a_text_column_of_the_row_tells_is_not_told_again():
    one = run("B", timed(0.2, runtime="eager, threads 1", threads=1), runtime=RuntimeSettings(threads=1))
    built = table([run("A", timed(0.1)), one], ColumnLayout("text", "runtime"), LATENCY)
    assert built.footnotes == () and "Latency: dtype float32, device a CPU, threads 2, mode gate." in built.remarks
    half = run("C", timed(0.2, dtype="bfloat16"))  # an entry in float32 whose only latency is in bfloat16
    built = table([run("A", timed(0.1)), half], ColumnLayout("text", "dtype"), LATENCY)
    assert noted(built, 1) == ["measured otherwise than its column: dtype bfloat16"]


def test_columns_of_the_same_conditions_share_a_sentence_and_no_sentence_is_left_out():
    names = ("latency", "throughput", "energy", "other", "fifth", "sixth")
    costs = [spend(name, 1.0, "seconds", label=name, **{**UNDER, "threads": 2 + place // 2})
             for place, name in enumerate(names)]  # fmt: skip
    built = table([run("A", *costs)], *(ColumnLayout("cost", name) for name in names))
    under = "dtype float32, device a CPU, threads {}, mode gate."
    assert [one for one in built.remarks if "threads" in one] == [
        f"{one}, {other}: {under.format(2 + place)}"
        for place, (one, other) in enumerate(zip(names[::2], names[1::2], strict=True))
    ]


def test_columns_of_one_quantity_that_differ_are_named_by_their_conditions():
    costs = (timed(0.1), timed(0.5, batch=8, mode="quick"))
    columns = [ColumnLayout("cost", "latency", where={"batch": batch}) for batch in (1, 8)]
    remarks = table([run("A", *costs)], *columns).remarks
    assert "Latency (batch 1): dtype float32, device a CPU, threads 2, mode gate." in remarks
    assert "Latency (batch 8): dtype float32, device a CPU, threads 2, mode quick." in remarks


def test_a_detector_that_is_fed_a_random_input_says_so_beside_each_number():
    rate = spend("throughput", 9.0, "rate", label="Throughput", **UNDER)
    weights = spend("memory-weights", 9.0, "bytes", label="Weights", dtype="float32")
    on_images = timed(0.2, inputs="8 images of pets", weights="official")
    columns = (ColumnLayout("cost", "throughput"), ColumnLayout("cost", "memory-weights"), LATENCY)
    built = table([run("A", on_images, rate, weights, task="detection")], *columns)
    (note,) = noted(built, 0, 1)
    assert note.startswith("measured on a random input with random weights: on images a detector finds other boxes")
    assert noted(built, 0, 2) == noted(built, 0, 3) == []
    assert ("inputs", "a random input with random weights") in built.rows[0].cells[1].conditions
    own = run("B", rate, task="detection", runtime=RuntimeSettings("own"))
    assert noted(table([own], ColumnLayout("cost", "throughput")), 0)[0].startswith("measured on a random input: ")
    assert table([run("C", rate)], ColumnLayout("cost", "throughput")).footnotes == ()  # of layers alone


def test_two_detectors_of_which_one_is_fed_images_are_told_apart_once():
    rows = [run(name, timed(0.1, inputs="8 images of pets", weights="official"), task="detection") for name in "AB"]
    built = table([*rows, run("C", timed(0.2, inputs="standard normal"), task="detection")], LATENCY)
    assert len(noted(built, 2)) == 1 and noted(built, 0) == []
    assert any("inputs 8 images of pets, weights official" in one for one in built.remarks)


# --- what is compared


def bold(built) -> list[bool]:
    return [row.cells[-1].bold for row in built.rows]


def test_costs_of_other_dtypes_runtimes_threads_and_inputs_are_not_bold_against_each_other():
    for more in ({"dtype": "bfloat16"}, {"runtime": "compile"}, {"threads": 1}, {"inputs": "8 images of pets"},
                 {"caches": "cold"}):  # fmt: skip
        built = table([run("A", timed(0.3)), run("B", timed(0.2)), run("C", timed(0.1, **more))], LATENCY)
        assert bold(built) == [False, True, False] and BOLD_COSTS in built.remarks
    built = table([run("A", timed(0.3)), run("B", timed(0.2))], LATENCY)
    assert bold(built) == [False, True] and BOLD_COSTS not in built.remarks


def test_a_summary_names_the_runtime_and_dtype_that_columns_tell():
    score = ColumnLayout("score", "AP", parts=("measured", "interval"))
    first = make("A", of("AP", 0.7, (0.69, 0.71)), published=False)
    second = make("A", of("AP", 0.8, (0.79, 0.81)), name="A-compile", published=False)
    second = replace(second, entry=replace(second.entry, runtime=RuntimeSettings("compile")))
    built = table([first, second], ColumnLayout("text", "runtime"), score)
    (one,) = leaders([first, second], [built])
    assert (one.network, one.among) == ("A (compile)", "best of 2")


def test_no_front_joins_an_accuracy_and_a_cost_of_different_dtypes():
    half = [run(name, timed(seconds, dtype="bfloat16")) for name, seconds in (("A", 0.1), ("B", 0.2))]
    built = table(half, ColumnLayout("score", "AP"), LATENCY)
    assert not any(cell.front for row in built.rows for cell in row.cells)
    built = table([run("A", timed(0.1)), run("B", timed(0.2))], ColumnLayout("score", "AP"), LATENCY)
    assert [row.cells[-1].front for row in built.rows] == [True, False]
