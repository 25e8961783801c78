"""Whatever a network does to its process, it does to no other entry, and what became of it is told in a line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import misbehaving
import psutil
import pytest

import hrbench
from hrbench.cli.command_line import main
from hrbench.store.states import read_state

WELL = ("first", "middle", "last")


@pytest.fixture
def bench(bench, monkeypatch):
    (bench.folder / "misbehaving_nets.py").write_text(misbehaving.NETWORKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # one of the networks sets another number
    return bench


def whole(run: Path, name: str) -> dict:
    """All of an entry that must not depend on its neighbours: scores, intervals, counts, predictions and states."""
    result = next(one for one in hrbench.load(run) if one.name == name)
    folder = run / "entries" / name
    state = read_state(folder / "states.npz")
    return {
        "scores": [(score.quantity.name, score.value, score.interval) for score in result.scores],
        "counts": [(cost.quantity.name, cost.value) for cost in result.costs if cost.quantity.unit != "seconds"],
        "notes": result.notes,
        "status": result.status,
        "predictions": (folder / "predictions.json").read_bytes(),
        "drawings": [path.read_bytes() for path in sorted((folder / "drawings").iterdir())],
        "states": {key: value.tobytes() for key, value in state.arrays.items()},
    }


def told(run: Path) -> dict[str, tuple[str, ...]]:
    """What is said of each entry: its status, its reasons, its notes."""
    return {one.name: (one.status, *map(str, one.reasons), *one.notes) for one in hrbench.load(run)}


def servers() -> set[int]:
    """Processes below this one that run entries, or start those that do."""
    children = psutil.Process().children(recursive=True)
    return {child.pid for child in children if "executors" in " ".join(child.cmdline())}


def test_twelve_networks_that_misbehave_touch_no_other(bench, capfd):
    quiet = bench.suite(misbehaving.suite(WELL, faults=()), "quiet.yaml")
    assert main(bench.arguments(quiet, out="quiet", apart=True)) == 0
    suite = bench.suite(misbehaving.suite(WELL))
    here, path, environment, before = Path.cwd(), list(sys.path), dict(os.environ), servers()
    assert main(bench.arguments(suite, apart=True)) == 3
    captured = capfd.readouterr()
    printed = captured.out

    run = bench.folder / "run"
    for name in WELL:
        assert whole(run, name) == whole(bench.folder / "quiet", name)
    said = told(run)
    assert set(said) == {*WELL, *misbehaving.FAULTS}
    for name, fault in misbehaving.FAULTS.items():
        status, *lines = said[name]
        assert fault.fails in (None, status == "failed"), (name, said[name])
        about = [line for line in lines if fault.words in line]
        assert len(about) == 1 and "\n" not in about[0] and about[0] in printed, (name, said[name])
    assert (Path.cwd(), sys.path, dict(os.environ)) == (here, path, environment)
    assert servers() <= before

    # what a network prints is in its log alone, and so is where it crashed
    assert "zzzz" not in captured.out + captured.err and "Segmentation fault" not in captured.err
    entries = run / "entries"
    assert "in segfault" in (entries / "segfault" / "log.txt").read_text()
    log = entries / "much_output" / "log.txt"
    assert "bytes left out here]" in log.read_text() and log.stat().st_size < 3_000_000
    assert not any((entries / name / "log.txt").exists() for name in WELL)

    assert main(bench.arguments(suite, "--only", "[fms]*", apart=True)) == 3
    assert told(run) == said
    for name in WELL:
        assert whole(run, name) == whole(bench.folder / "quiet", name)


def test_latency_is_keyed_with_the_threads_in_force(bench):
    suite = bench.suite(misbehaving.suite(("first", "last"), faults=("one_thread",)))
    assert main(bench.arguments(suite, apart=True)) == 0
    found = {
        one.name: [cost.conditions.threads for cost in one.costs if cost.quantity.unit == "seconds"]
        for one in hrbench.load(bench.folder / "run")
    }
    assert found == {"first": [2], "one_thread": [1], "last": [2]}
    keys = {
        path.parent.name: json.loads(path.read_text())["result"]["cost_keys"]["latency"]
        for path in (bench.folder / "run" / "entries").glob("*/result.json")
    }
    assert len(set(keys.values())) == 3
    assert main(bench.arguments(suite, apart=True)) == 0  # what is stored counts, and is not measured again
    again = hrbench.load(bench.folder / "run")
    assert {one.name: one.cost_keys["latency"] for one in again} == keys
