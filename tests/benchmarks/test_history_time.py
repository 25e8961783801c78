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


def test_a_long_history_is_read_in_seconds_and_known_in_none(benchmark, runs: Path) -> None:
    """CPU seconds, the least of three: with the index 0.3; cold 4, of 20,000 files (360 MB) read, hashed and parsed."""
    none = runs / "no baselines"
    spent: dict[str, list[float]] = {"cold": [], "with the index": []}
    for _ in range(3):
        index = index_in(runs, none)
        assert index.path is not None
        index.path.unlink(missing_ok=True)
        for name, times in spent.items():
            start = time.process_time()
            found = history(runs, none, index=index)
            times.append(time.process_time() - start)
            assert len(found.releases) == RUNS and sum(len(one.points) for one in found.series) >= RUNS * ENTRIES, name
    benchmark.pedantic(history, (runs, none), {"index": index_in(runs, none)}, rounds=3)
    least = {name: min(times) for name, times in spent.items()}
    benchmark.extra_info.update(least)
    assert least["cold"] < 4 and least["with the index"] < 0.3, least
