"""A cost probe that a user adds: a file beside the suite, or a file and an entry point, and nothing else."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.measured_costs import measured_costs

import hrbench
from hrbench.core import plugins
from hrbench.cost import quantities
from hrbench.errors import EntryError, UsageError
from hrbench.report.write import write_reports
from hrbench.runner.check import Checker
from hrbench.runner.cost_keys import cost_keys
from hrbench.runner.costs import without_network
from hrbench.runner.settings import Settings
from hrbench.runner.suite import run_suite
from hrbench.store.run_folder import RunFolder
from hrbench.types import Event, Result

PROBE = '''
from dataclasses import dataclass

from hrbench.types import Measurement, Quantity, Conditions

SIZE = Quantity("weights-size", "Weights", "bytes", "lower", "Bytes of all parameters.", convention="4 bytes each")


@dataclass(frozen=True, slots=True)
class SizeOptions:
    """How large a parameter is."""

    bytes_each: tuple[int, ...] = (4,)


class Size:
    name = "size"
    version = 1
    quantities = (SIZE,)
    depends = ()
    Options = SizeOptions

    def cells(self, options):
        return [Conditions(more={"bytes each": each}) for each in options.bytes_each]

    def measure(self, subject, cell, options):
        count = sum(value.numel() for value in subject.on_meta().parameters())
        return [Measurement(SIZE, count * cell.more["bytes each"], conditions=cell)]
'''
SETTINGS = Settings(device="cpu", in_process=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "size_probe.py").write_text(PROBE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("size_probe", None)


@pytest.fixture
def _installed(folder: Path):
    """The probe under an entry point, as an installed package has it, which other processes find too."""
    about = folder / "size_probe-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: size-probe\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[hrbench.costs]\nsize = size_probe:Size\n", encoding="utf-8")
    for known in (plugins._points, quantities.known_quantities):
        known.cache_clear()
    yield
    for known in (plugins._points, quantities.known_quantities):
        known.cache_clear()


def suite_of(folder: Path, cost: str) -> Any:
    (folder / "suite.yaml").write_text(
        f"suite: sizes\nentries: [{{model: pose_resnet_miniature_coco, cost: {cost}}}]\n", encoding="utf-8"
    )
    return hrbench.load_suite(folder / "suite.yaml")


def test_its_number_is_stored_and_in_every_format_of_the_report(folder: Path, _installed: None):
    suite = suite_of(folder, "{size: {bytes_each: 2}, latency: false}")
    assert suite.entries[0].cost["size"] == {"bytes_each": [2]}
    list(hrbench.run(suite, folder / "run", device="cpu"))
    (result,) = hrbench.load(folder / "run")
    found = {cost.quantity.name: cost for cost in result.costs}
    assert found["weights-size"].value == 2 * found["parameters"].value > 0
    assert found["weights-size"].quantity.convention == "4 bytes each"
    write_reports([result], folder / "report")
    shown = f"{found['weights-size'].value / 2**20:.3g}"
    texts = {path.suffix: path.read_text(encoding="utf-8") for path in (folder / "report").rglob("*") if path.is_file()}
    for suffix in (".md", ".csv", ".html", ".tex"):
        assert "MiB" in texts[suffix] and shown[:4] in texts[suffix], suffix
    assert "4 bytes each" in texts[".html"]
    frame = hrbench.frame([result])
    assert frame[frame["quantity"] == "weights-size"]["value"].item() == found["weights-size"].value


def test_one_beside_the_suite_needs_no_entry_point(folder: Path):
    suite = suite_of(folder, '{"size_probe:Size": {bytes_each: [1, 2]}, operations: false, latency: false}')
    costs = measured_costs(suite.entries[0], SETTINGS)
    sizes = [cost.value for cost in costs if cost.quantity.name == "weights-size"]
    assert len(sizes) == 2 and sizes[1] == 2 * sizes[0]


def test_adding_it_changes_no_other_key_and_its_settings_change_its_own(folder: Path, _installed: None):
    (plain,) = suite_of(folder, "{}").entries
    (more,) = suite_of(folder, "{size: true}").entries
    (other,) = suite_of(folder, "{size: {bytes_each: 2}}").entries
    before, after, changed = (cost_keys(entry, SETTINGS) for entry in (plain, more, other))
    assert {name: after[name] for name in before} == before and set(after) - set(before) == {"size"}
    assert changed == {**after, "size": changed["size"]} and changed["size"] != after["size"]


def test_what_is_wrong_with_its_settings_is_told_with_its_line(folder: Path, _installed: None):
    for cost, said in (
        ("{size: {bytes: 2}}", "unknown key 'bytes'; did you mean bytes_each?"),
        ("{size: {bytes_each: many}}", "cost.size.bytes_each must be a valid integer"),
        ("{siz: true}", "unknown key 'siz'; did you mean size?"),
        ("{size: 3}", "cost.size must be true, false or a mapping of its settings, not 3"),
        ('{"no_such:Probe": true}', "no module 'no_such' beside the suite or installed"),
    ):
        with pytest.raises(UsageError) as told:
            suite_of(folder, cost)
        assert said in str(told.value) and "suite.yaml:2" in str(told.value)


def test_a_probe_that_lacks_something_or_measures_something_else_is_an_error(folder: Path):
    (entry,) = suite_of(folder, '{"size_probe:Size": true, latency: false}').entries
    for text, said in (
        (PROBE.replace("def cells", "def cell"), r"size_probe:Size lacks cells \(is cell meant\?\)"),
        (PROBE.replace("depends = ()", 'depends = ("weather",)'), "depends names weather"),
        (
            PROBE.replace("[Measurement(SIZE,", '[Measurement(Quantity("x", "X", "bytes", "lower"),'),
            "measured x, which",
        ),
    ):
        sys.modules.pop("size_probe", None)
        (folder / "size_probe.py").write_text(text, encoding="utf-8")
        with pytest.raises(EntryError, match=said):
            measured_costs(entry, SETTINGS)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("[]", r"cost size returned \[\]; a list of Measurement is needed, one at least"),
        ("None", "cost size returned None; a list of Measurement is needed"),
        ("[count]", "a list of Measurement is needed"),
        (
            "[Measurement(SIZE, float('nan'))]",
            "cost size measured weights-size as nan; an int or a finite float",
        ),
        ("[Measurement(SIZE, 'many')]", "cost size measured weights-size as 'many'; an int or a finite float"),
        ("[Measurement(SIZE, None)]", "cost size measured weights-size as None without a reason"),
    ],
)
def test_what_is_no_measurement_leaves_its_cell_empty_with_the_reason(
    folder: Path, _installed: None, returned: str, said: str
):
    source = PROBE.replace('[Measurement(SIZE, count * cell.more["bytes each"], conditions=cell)]', returned)
    assert source != PROBE
    (folder / "size_probe.py").write_text(source, encoding="utf-8")
    failed, _ = run_of(folder, "{latency: false, operations: false, size: true}")
    assert failed.status == "costs_only"
    assert re.search(f"^size, bytes each 4 was not measured: .*{said}", str(failed.costs_reason))
    *counts, size = failed.costs
    assert all(count.value for count in counts) and size.value is None and size.reason == failed.costs_reason
    assert size.quantity.name == "weights-size" and size.conditions.more == {"bytes each": 4}


@pytest.mark.parametrize(
    ("word", "said"), [('"MiB", "lower"', "unit 'MiB'"), ('"bytes", "smaller"', "better 'smaller'")]
)
def test_a_quantity_of_unknown_words_is_refused(folder: Path, word: str, said: str):
    (folder / "size_probe.py").write_text(PROBE.replace('"bytes", "lower"', word), encoding="utf-8")
    (entry,) = suite_of(folder, '{"size_probe:Size": true}').entries
    with pytest.raises(EntryError, match=f"size_probe:Size: weights-size has {said}; there is "):
        cost_keys(entry, SETTINGS)


def test_settings_of_one_beside_the_suite_are_held_to_its_options(folder: Path):
    (entry,) = suite_of(folder, '{"size_probe:Size": {bytes: 1}}').entries
    with pytest.raises(UsageError, match="cost size_probe:Size does not take bytes; it takes bytes_each"):
        cost_keys(entry, SETTINGS)


def test_without_a_network_each_of_its_cells_says_so(folder: Path):
    (entry,) = suite_of(folder, '{"size_probe:Size": {bytes_each: [1, 2]}, latency: false}').entries
    entry = replace(entry, variant=replace(entry.variant, use=""))
    costs = without_network(entry)
    sizes = [cost for cost in costs if cost.quantity.name == "weights-size"]
    assert [cost.value for cost in sizes] == [None, None] and all(cost.reason for cost in costs)


def test_stored_results_hold_it_with_its_conditions(folder: Path, _installed: None):
    run_of(folder, "{size: {bytes_each: 2}, latency: false, operations: false}")
    (result,) = RunFolder(folder / "run").results()
    (one,) = [cost for cost in result.costs if cost.quantity.name == "weights-size"]
    assert one.conditions.more == {"bytes each": 2}


def test_the_example_of_contributing_works_as_it_stands(folder: Path):
    text = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = text.partition("```python\n# hrbench/cost/weights_size.py\n")[2].partition("```")[0]
    (folder / "weights_size.py").write_text(example, encoding="utf-8")
    (entry,) = suite_of(folder, '{"weights_size:WeightsSize": {dtype: [float32, float16]}, latency: false}').entries
    try:
        costs = measured_costs(entry, SETTINGS)
    finally:
        sys.modules.pop("weights_size", None)
    single, half = (cost.value for cost in costs if cost.quantity.name == "weights-size")
    (count,) = (cost.value for cost in costs if cost.quantity.name == "parameters")
    assert single == 4 * count and half == 2 * count


def run_of(folder: Path, cost: str) -> tuple[Result, list[str]]:
    """The result of a run that resumes, and the cells that were measured for it."""
    events: list[Event] = []
    suite = suite_of(folder, cost)
    (result,) = run_suite(suite, RunFolder(folder / "run"), SETTINGS, events.append)
    return result, [event.phase for event in events if event.kind == "cost"]


def test_a_probe_that_is_added_is_measured_alone_and_one_left_out_changes_nothing(folder: Path, _installed: None):
    first, cells = run_of(folder, "{latency: false}")
    assert cells == ["operations"] and set(first.cost_keys) == {"parameters", "operations"}
    more, cells = run_of(folder, "{latency: false, size: true}")
    assert [cell.partition(",")[0] for cell in cells] == ["size"]
    assert more.costs[:-1] == first.costs and more.costs[-1].quantity.name == "weights-size"
    assert more.cost_keys == {**first.cost_keys, "size": more.cost_keys["size"]}
    again, cells = run_of(folder, "{latency: false, size: true}")
    assert not cells and again.costs == more.costs
    less, cells = run_of(folder, "{latency: false}")
    assert not cells and less.costs == first.costs and less.cost_keys == first.cost_keys


def test_a_probe_that_fails_leaves_the_others_and_is_tried_again(folder: Path, _installed: None):
    (folder / "size_probe.py").write_text(PROBE.replace("count = ", "count = 1 / 0 + "), encoding="utf-8")
    failed, _ = run_of(folder, "{latency: false, size: true}")
    assert "ZeroDivisionError" in str(failed.costs_reason) and set(failed.cost_keys) == {"parameters", "operations"}
    assert failed.status == "costs_only" and {cost.quantity.name for cost in failed.costs} >= {"parameters", "macs"}
    assert failed.costs[-1].value is None and failed.costs[-1].reason == failed.costs_reason
    sys.modules.pop("size_probe", None)
    (folder / "size_probe.py").write_text(PROBE, encoding="utf-8")
    mended, cells = run_of(folder, "{latency: false, size: true}")
    assert len(cells) == 1 and cells[0].startswith("size") and mended.costs_reason is None
    assert mended.costs[:-1] == failed.costs[:-1] and mended.costs[-1].value


def test_check_says_how_many_cells_are_to_be_measured(folder: Path, _installed: None):
    run_of(folder, "{latency: false}")
    for cost, said in (("{latency: false}", "reuse"), ("{latency: false, size: {bytes_each: [1, 2]}}", "measure 2")):
        (entry,) = suite_of(folder, cost).entries
        assert Checker(SETTINGS, RunFolder(folder / "run")).check(entry).costs == said
