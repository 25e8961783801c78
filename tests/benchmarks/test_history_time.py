"""What a long history costs: 500 runs of 40 entries, read for the first time and with the index beside them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from releases import DATA

from hrbench.judge.history import history, index_in
from hrbench.judge.sides import read_side
from hrbench.store.results import to_json

RUNS, ENTRIES = 500, 40


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five entries of tests/data/baseline_1, eight times each, with values of their own in every run."""
    folder, rng = tmp_path_factory.mktemp("history"), np.random.default_rng(0)
    results = list(read_side("baseline_1", DATA).results.values())
    for run in range(RUNS):
        place = folder / f"r{run:03d}"
        for number in range(ENTRIES):
            one = results[number % len(results)]
            first = one.scores[0]
            moved = replace(first, value=(first.value or 0.0) + rng.normal(0, 0.003))
            path = place / "entries" / f"{one.name}-{number // len(results)}" / "result.json"
            path.parent.mkdir(parents=True)
            path.write_bytes(to_json(replace(one, name=path.parent.name, scores=(moved, *one.scores[1:]))))
        day = f"2026-{run // 28 % 12 + 1:02d}-{run % 28 + 1:02d}"
        (place / "environment.json").write_text(json.dumps({"date": f"{day}T00:00:00+00:00"}))
    return folder


def test_a_long_history_grows_with_its_runs_and_is_known_by_its_index(benchmark, runs: Path) -> None:
    """CPU time, the least of three. 500 runs, 20,000 files (360 MB), take at most 12 times that of 50 when they are
    read, hashed and parsed for the first time (9 were measured); with the index 0.3 of that (0.15)."""
    none, few = runs / "no baselines", runs.with_name("few")
    few.mkdir()
    for number in range(RUNS // 10):
        (few / f"r{number:03d}").symlink_to(runs / f"r{number:03d}")
    spent: dict[str, list[float]] = {"few": [], "cold": [], "with the index": []}
    for _ in range(3):
        index = index_in(runs, none)
        assert index.path is not None
        for name, times in spent.items():
            folder, many = (few, RUNS // 10) if name == "few" else (runs, RUNS)
            at = index_in(folder, none) if name == "few" else index
            if name != "with the index":
                assert at.path is not None
                at.path.unlink(missing_ok=True)
            start = time.process_time()
            found = history(folder, none, index=at)
            times.append(time.process_time() - start)
            assert len(found.releases) == many and sum(len(one.points) for one in found.series) >= many * ENTRIES, name
    benchmark.pedantic(history, (runs, none), {"index": index_in(runs, none)}, rounds=3)
    least = {name: min(times) for name, times in spent.items()}
    benchmark.extra_info.update(least)
    assert least["cold"] <= 12 * least["few"] and least["with the index"] <= 0.3 * least["cold"], least
