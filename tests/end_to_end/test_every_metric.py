"""A suite with an entry of each metric on drawn fixtures, in their real layouts: a report, a comparison, a gate."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from functools import partialmethod
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import drawn_suites
import pytest
from helpers import drawn

from hrbench.cli.command_line import main
from hrbench.statistics import paired
from hrbench.statistics.paired import PairedStatistics
from hrbench.store.run_folder import RunFolder

pytestmark = pytest.mark.numeric

MINIATURES = {"cityscapes", "miou", "mpii-pckh", "topk"}
"""Metrics that the miniature suite has entries of, and no drawn fixture here."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return drawn_suites.before_and_worse(tmp_path_factory, draw_all, resamples=20, cost={"latency": False})


def draw_all(folder: Path, worse: bool) -> list[dict[str, Any]]:
    modules = [importlib.import_module(f"helpers.drawn.{one.name}") for one in pkgutil.iter_modules(drawn.__path__)]
    return [entry for module in modules for entry in module.draw(folder, worse)]


def test_every_metric_has_an_entry_and_each_number_a_value_with_an_interval_or_a_reason(runs) -> None:
    results = RunFolder(runs["before"]).results()
    assert {score.metric for result in results for score in result.scores} | MINIATURES >= {
        point.name for point in entry_points(group="hrbench.metrics")
    }
    for result in results:
        assert result.status == "done", (result.name, result.reason)
        for score in result.scores:
            where = result.name, score.metric, score.quantity.name
            assert (score.value is None) == (score.reason is not None), where
            if score.value is not None and score.interval is not None:
                assert math.isfinite(score.value) and score.interval[0] <= score.interval[1], where


def test_one_report_shows_all(runs) -> None:
    page = (runs["before"] / "report.html").read_text()
    for result in RunFolder(runs["before"]).results():
        assert result.name in page


def test_worse_predictions_are_told_by_one_comparison_and_blocked_by_one_gate(runs, monkeypatch, capsys) -> None:
    before, worse = str(runs["before"]), str(runs["worse"])
    with monkeypatch.context() as patched:  # a few replicates: here only which entries are told of is looked at
        patched.setattr(PairedStatistics, "block", partialmethod(PairedStatistics.block, replicates=50))
        assert main(["compare", before, worse]) == 0
    told = capsys.readouterr().out
    entries = [result.name for result in RunFolder(runs["before"]).results()]
    assert all(name in told for name in entries)
    # Of 37 required numbers each takes 14,000 replicates or more for its place in the family: here a block is enough.
    monkeypatch.setattr(paired, "MONTE_CARLO_ERRORS", 0)
    assert main(["gate", worse, "--against", before]) == 1
    values = json.loads((runs["worse"] / "gate.json").read_text())
    required = [row for row in values["comparison"]["rows"] if row["tier"] == "required"]
    assert {row["entry"] for row in required} == set(entries)
    assert {row["verdict"] for row in required} == {"regressed"}
    judged = {score.metric for result in RunFolder(runs["before"]).results() for score in result.scores}
    assert {row["metric"] for row in required if row["verdict"] == "regressed"} == judged
    capsys.readouterr()
    assert main(["gate", before, "--against", before]) == 0
