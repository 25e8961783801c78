"""How report.html and comparison.html grow with the number of entries: linearly, and slowly."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from test_judging_time import stored_run

from hrbench.cli.command_line import main
from hrbench.judge.compare import compare
from hrbench.judge.sides import read_side
from hrbench.report.comparison_page import render_comparison
from hrbench.store.results import from_json, to_json
from hrbench.types import Result

MANY = (1, 100, 1000)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Number of entries -> a run of so many networks, each with accuracies and costs of its own."""
    folder = tmp_path_factory.mktemp("growth")
    one = stored_run(folder / "one")
    entry = one / "entries" / "net"
    stored = from_json((entry / "result.json").read_bytes(), entry / "result.json")
    return {many: _run(folder / f"r{many}", one, stored, many) for many in MANY}


def _run(folder: Path, one: Path, stored: Result, many: int) -> Path:
    names = [f"net{number:04d}" for number in range(many)]
    for number, name in enumerate(names):
        place = folder / "entries" / name
        shutil.copytree(Path(stored.folder), place)
        scores = tuple(replace(s, value=s.value and s.value * (1 - 1e-4 * number)) for s in stored.scores)
        costs = tuple(replace(c, value=c.value and c.value * (1 + 1e-3 * number)) for c in stored.costs)
        variant = replace(stored.entry.variant, title=f"Network {number}")
        entry = replace(stored.entry, name=name, variant=variant)
        made = replace(stored, name=name, entry=entry, scores=scores, costs=costs)
        (place / "result.json").write_bytes(to_json(made))
    record = json.loads((one / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "entries": names}))
    return folder


def least_seconds(function) -> float:
    spent = []
    for _ in range(2):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent)


def test_a_report_of_a_thousand_entries_ends(benchmark, runs: dict[int, Path], capsys) -> None:
    """Above a page of one entry: 1,000 take at most 12 times the CPU time of 100."""
    assert main(["report", str(runs[100])]) == 0  # what is imported and set up once is in none
    spent = {many: least_seconds(lambda many=many: main(["report", str(runs[many])])) for many in MANY}
    capsys.readouterr()
    benchmark.pedantic(main, (["report", str(runs[100])],), rounds=1)
    benchmark.extra_info.update({str(many): seconds for many, seconds in spent.items()})
    assert spent[1000] - spent[1] <= 12 * (spent[100] - spent[1]), spent


def test_a_comparison_of_a_thousand_entries_ends(benchmark, runs: dict[int, Path]) -> None:
    def page(many: int) -> None:
        side = read_side(str(runs[many]), Path())
        render_comparison(compare(side, side), (side, side))

    page(100)
    spent = {many: least_seconds(lambda many=many: page(many)) for many in MANY}
    benchmark.pedantic(page, (100,), rounds=1)
    benchmark.extra_info.update({str(many): seconds for many, seconds in spent.items()})
    assert spent[1000] - spent[1] <= 12 * (spent[100] - spent[1]), spent
