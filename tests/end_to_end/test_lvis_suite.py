"""LVIS from files to a verdict: a suite over its drawn set is run, verified, compared, sliced and gated."""

from __future__ import annotations

from pathlib import Path

import drawn_suites
import pytest
from drawn.lvis import IMAGES, draw

import hrbench
from hrbench.cli.command_line import main
from hrbench.core.import_path import importable
from hrbench.runner.check_network import check_network
from hrbench.runner.prepare import assemble
from hrbench.runner.settings import Settings


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return drawn_suites.before_and_worse(tmp_path_factory, draw, "--verify", resamples=20)


def test_the_reference_gives_the_same_numbers(runs: dict[str, Path]) -> None:
    for out in runs.values():
        results = hrbench.load(out)
        assert [result.status for result in results] == ["done", "done"]
        for result in results:
            notes = [str(note) for note in result.notes]
            assert any("lvis gives the same 13 numbers, bit for bit" in note for note in notes)
            assert any("are of classes that were not looked for in their image" in note for note in notes)


def test_worse_predictions_regress_in_every_group_of_classes(runs: dict[str, Path]) -> None:
    parts = {"odd": frozenset(range(1, IMAGES, 2)), "even": frozenset(range(2, IMAGES + 1, 2))}
    asked = {"classes": True, "slices": {name: frozenset(map(str, images)) for name, images in parts.items()}}
    frame = hrbench.compare(runs["before"], runs["worse"], **asked).frame()
    masks = frame[frame.entry == "lvis-masks"].set_index("quantity")
    whole = masks[masks.slice == ""]
    assert all(whole.verdict[name] == "regressed" for name in ("AP", "APr", "APc", "APf", "AR300"))
    assert whole.index.str.startswith("AP/thing_").sum() == 12
    assert set(masks.slice) == {"", *parts} and (masks.change.dropna() < 0).mean() > 0.9


def test_errors_are_told_by_the_federated_rules(runs: dict[str, Path], capsys) -> None:
    assert main(["explain", f"{runs['before']}:lvis-masks"]) == 0
    told = capsys.readouterr().out
    assert all(part in told for part in ("AP by frequency of classes", "not looked for", "Most confused classes"))
    assert "Detections by what is known of their class" in (runs["before"] / "report.html").read_text()


DETECTOR = """
import torch
from torch import nn

class Net(nn.Module):
    most_detections, most_option = 200, "kept"

    def __init__(self, kept=200):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(8.0))

    def forward(self, images):
        box = torch.tensor([[1.0, 1.0, 2.0, 2.0]]) * self.scale
        return [{"boxes": box, "scores": torch.tensor([0.5]), "labels": torch.tensor([1])} for _ in images]
"""


def test_fewer_detections_than_are_judged_are_told_by_check_run_and_report(tmp_path: Path, capsys) -> None:
    draw(tmp_path)
    (tmp_path / "few.py").write_text(DETECTOR)
    model = {"use": "few:Net", "task": "detection", "input": [32, 32], "colour": "rgb"}
    told = {
        "mmdet": "protocol mmdet keeps at most 100 detections of an image",
        "plain": "the network finds at most 200 detections of an image",
    }
    small = {"mmdet": {"short": 32, "long": 64}, "plain": {}}
    entry = {"model": model, "dataset": "lvis-v1-val", "metrics": ["lvis-boxes"], "weights": "own"}
    entries = [{**entry, "name": name, "protocol": {"name": name, **small[name]}} for name in told]
    suite = drawn_suites.written(tmp_path, entries, resamples=2, cost={"latency": False})
    checked = []
    with importable(tmp_path):  # what `hrbench check` says of each entry, without a process
        for entry in hrbench.load_suite(suite).entries:
            settings = Settings(data=tmp_path / "data")
            checked += [*assemble(entry, settings).notes, *check_network(entry, settings)]
    assert drawn_suites.run(suite, "out", "--limit", "3") == 0
    run, page = capsys.readouterr().out, (tmp_path / "out/report.html").read_text()
    for result in hrbench.load(tmp_path / "out"):
        sentence = told[result.name]
        assert sentence in str([*map(str, checked)]) and sentence in run and sentence in page
        assert sum(sentence in str(note) for note in result.notes) == 1


def test_the_gate_blocks_what_is_worse_and_passes_what_is_not(runs: dict[str, Path]) -> None:
    decision = hrbench.gate(runs["worse"], against=runs["before"])
    assert decision.exit_code == 1 and {row.entry for row in decision.blocking} == {"lvis-boxes", "lvis-masks"}
    assert hrbench.gate(runs["before"], against=runs["before"], strict=True).exit_code == 0
