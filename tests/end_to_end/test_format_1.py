"""A run folder of hrbench 0.1.0 is reported, taken over and resumed without running any network.

Drawn data are few images of each set; what they are called and their digests are those that 0.1.0 stored.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import hrbench
from hrbench.cli.command_line import main
from hrbench.core import environment
from hrbench.core.plugins import resolve
from hrbench.cost.latency.probe import Latency
from hrbench.cost.operations.probe import Operations
from hrbench.cost.parameters import Parameters
from hrbench.errors import InputError
from hrbench.miniature.generate import object_dataset, pose_datasets, shape_dataset, street_dataset
from hrbench.runner import cost_keys as costs
from hrbench.runner.migration import migrate_result
from hrbench.runner.prepare import Assembled, assemble
from hrbench.runner.settings import Settings
from hrbench.store.run_folder import RunFolder
from hrbench.types import Result

FORMAT_1 = Path(__file__).parents[1] / "data" / "format1"
NAMES = sorted(path.name for path in (FORMAT_1 / "entries").iterdir())


def raw(name: str) -> dict[str, Any]:
    return json.loads((FORMAT_1 / "entries" / name / "result.json").read_text())["result"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some images of each miniature, where a suite looks for them."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pose_datasets, "COCO_IMAGES", 8)
        patch.setattr(street_dataset, "IMAGES", 8)
        patch.setattr(object_dataset, "IMAGES", 8)
        patch.setattr(shape_dataset, "TEST_IMAGES", 20)
        for name, draw in (
            ("coco-keypoints", pose_datasets.generate_coco), ("cityscapes", street_dataset.generate),
            ("coco-instances", object_dataset.generate), ("imagenet", shape_dataset.generate_imagenet),
        ):  # fmt: skip
            draw(folder / "miniature" / "v1" / name)
    return folder


@pytest.fixture
def bench(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the run folder beside its suite, on the machine that wrote it, where no network can be made."""
    shutil.copytree(FORMAT_1, tmp_path / "run")
    shutil.copy(FORMAT_1 / "suite.yaml", tmp_path / "suite.yaml")
    for name in NAMES:
        row = raw(name)["entry"]["dataset"]
        kind = type(resolve("hrbench.datasets", row["use"])(data, **row["args"]))
        digest = raw(name)["provenance"]["dataset"]["sha256"]
        monkeypatch.setattr(kind, "digest", lambda *_, digest=digest: digest)
        monkeypatch.setattr(kind, "missing", lambda *_: [])
    machine = raw(NAMES[0])["provenance"]["environment"]
    measured_with = {"device": machine["processor"], "driver": "", "torch": machine["packages"]["torch"],
                     "threads": machine["torch"]["threads"]}  # fmt: skip
    monkeypatch.setattr(costs, "_machine", lambda settings, in_force, expected: measured_with)
    monkeypatch.setattr(environment, "threads", lambda: measured_with["threads"])
    monkeypatch.setattr(Latency, "version", costs.FORMAT_1["latency"])  # what is newer is measured again

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("a network was made")

    monkeypatch.setattr(torch.nn.Module, "__init__", refuse)
    yield tmp_path


def run(bench: Path, data: Path, *more: str) -> int:
    places = ["--data", str(data), "--out", str(bench / "run"), "--device", "cpu", "--limit", "8"]
    return main(["run", str(bench / "suite.yaml"), *places, "--plain", *more])


def numbers(result: Result) -> list[tuple[Any, ...]]:
    """All that a result says in numbers, samples of latencies included."""
    return [
        (one.metric, one.quantity.name, one.value, one.interval, one.n, one.samples)
        for one in (*result.scores, *result.costs)
    ]


def parts_of(bench: Path, data: Path, name: str) -> Assembled:
    suite = hrbench.load_suite(bench / "suite.yaml", limit=8)
    entry = next(entry for entry in suite.entries if entry.name == name)
    return assemble(entry, Settings(data=data, device="cpu"))


def stored(bench: Path, name: str) -> Result:
    found = RunFolder(bench / "run").read(name)
    assert found is not None
    return found


def test_it_is_reported(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(bench / "run")]) == 0
    table = (bench / "run" / "report.md").read_text()
    for name in NAMES:
        first = raw(name)["scores"][0]
        assert f"{100 * first['value']:.1f}" in table
    assert "13.2" in table  # milliseconds of the pose network
    assert capsys.readouterr().err == ""


@pytest.fixture
def probes_of_format_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no probe had been changed since."""
    for probe, version in ((Parameters, 1), (Operations, 2), (Latency, 2)):
        monkeypatch.setattr(probe, "version", version)


@pytest.mark.usefixtures("probes_of_format_1")
def test_a_run_takes_it_over_and_runs_no_network(bench: Path, data: Path) -> None:
    before = {result.name: numbers(result) for result in hrbench.load(bench / "run")}
    folders = {name: (bench / "run" / "entries" / name).stat().st_ino for name in NAMES}
    for _ in range(2):
        assert run(bench, data) == 0
        results = {result.name: result for result in hrbench.load(bench / "run")}
        assert {name: numbers(result) for name, result in results.items()} == before
        for name, result in results.items():
            assert result.status == "done" and not result.reasons and result.costs_reason is None
            assert list(result.notes) == raw(name)["notes"] and dict(result.seconds) == raw(name)["seconds"]
            assert json.loads((Path(result.folder) / "result.json").read_text())["format"] == 2
            assert Path(result.folder).stat().st_ino == folders[name]
    assert not (bench / "run" / "superseded").exists()


def test_operations_are_counted_again_alone_and_are_the_same(bench: Path, data: Path) -> None:
    before = {result.name: numbers(result) for result in hrbench.load(bench / "run")}
    assert run(bench, data) == 0
    for result in hrbench.load(bench / "run"):
        every = numbers(result)
        assert set(before[result.name]) <= set(every)  # scores, and latencies with their samples
        more = [name for _, name, *_ in every if name not in [each[1] for each in before[result.name]]]
        assert more == ["mmengine", "activations"]


@pytest.mark.usefixtures("probes_of_format_1")
def test_a_probe_of_a_newer_version_is_measured_again_alone(
    bench: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, settings = hrbench.load_suite(bench / "suite.yaml", limit=8), Settings(data=data, device="cpu")
    valid = [{*costs.valid_costs(entry, settings, stored(bench, entry.name))} for entry in suite.entries]
    assert valid == [{"parameters", "operations", "latency"}] * len(NAMES)
    monkeypatch.setattr(Latency, "version", 3)
    valid = [{*costs.valid_costs(entry, settings, stored(bench, entry.name))} for entry in suite.entries]
    assert valid == [{"parameters", "operations"}] * len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_and_scores_move_under_the_keys_at_hand(bench: Path, data: Path, name: str) -> None:
    old = stored(bench, name)
    moved, wrong = migrate_result(old, parts_of(bench, data, name), "p", "s")
    assert wrong is None and moved == replace(old, prediction_key="p", score_key="s")


def test_what_is_of_another_entry_is_not_taken_over(bench: Path, data: Path) -> None:
    name = "pose_hrnet_miniature_coco"
    parts = parts_of(bench, data, name)
    parts.entry = replace(parts.entry, seed=1)
    assert migrate_result(stored(bench, name), parts, "p", "s") == (None, None)


def test_predictions_alone_move_if_a_metric_has_another_version(bench: Path, data: Path) -> None:
    name = "cls_resnet_miniature_imagenet"
    parts = parts_of(bench, data, name)
    parts.metrics[0].version += 1
    moved, wrong = migrate_result(stored(bench, name), parts, "p", "s")
    assert wrong is None and moved is not None and (moved.prediction_key, moved.score_key) == ("p", None)


def test_a_score_that_was_changed_by_hand_is_not_taken_over(bench: Path, data: Path) -> None:
    name = "pose_hrnet_miniature_coco"
    path = bench / "run" / "entries" / name / "result.json"
    path.write_text(path.read_text().replace("0.8402640264026403", "12.5"))
    moved, wrong = migrate_result(stored(bench, name), parts_of(bench, data, name), "p", "s")
    assert moved is None and wrong is not None
    assert str(wrong) == (
        "coco-keypoints AP is stored as 12.5, its states give 0.8402640264026403; the entry is run again"
    )


def test_a_newer_format_is_told_in_a_line_that_says_what_to_do(bench: Path) -> None:
    path = bench / "run" / "entries" / NAMES[0] / "result.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 3'))
    with pytest.raises(InputError) as caught:
        stored(bench, NAMES[0])
    assert str(caught.value) == f"{path} has format 3, this hrbench reads 2: use a newer hrbench"
