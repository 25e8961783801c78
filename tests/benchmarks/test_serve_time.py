"""What a page of `hrbench serve` takes over 200 runs: under a second, the first after the start included."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asked import ask
from releases import DATA

from hrbench.judge.sides import read_side
from hrbench.serve.access import Access, guarded
from hrbench.serve.site import app, site
from hrbench.store.results import to_json

RUNS, ENTRIES = 200, 20
LONGEST = 1.0
"""Seconds of CPU time that a page may take."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five entries of tests/data/baseline_1, four times each, with values of their own in every run."""
    made, rng = tmp_path_factory.mktemp("site"), np.random.default_rng(0)
    results = list(read_side("baseline_1", DATA).results.values())
    for run in range(RUNS):
        place, names = made / "runs" / f"r{run:03d}", []
        for number in range(ENTRIES):
            one = results[number % len(results)]
            first = one.scores[0]
            moved = replace(first, value=(first.value or 0.0) + rng.normal(0, 0.003))
            names.append(f"{one.name}-{number // len(results)}")
            path = place / "entries" / names[-1] / "result.json"
            path.parent.mkdir(parents=True)
            path.write_bytes(to_json(replace(one, name=names[-1], scores=(moved, *one.scores[1:]))))
        (place / "run.json").write_text(json.dumps({"suite": "kept", "entries": names}))
        day = f"2026-{run // 28 % 12 + 1:02d}-{run % 28 + 1:02d}"
        (place / "environment.json").write_text(json.dumps({"date": f"{day}T00:00:00+00:00"}))
    return made


PAGES = {
    "index": "/",
    "index, found": "/?q=joints&sort=score",
    "run": "/runs/r100/",
    "entry": "/runs/r100/entries/joints-0/",
    "report": "/runs/r100/report.html",
    "comparison": "/compare?before=runs/r100&after=runs/r101",
    "history": "/history",
}


def test_no_page_of_two_hundred_runs_takes_a_second(benchmark, folder: Path, tmp_path: Path) -> None:
    """4,000 results. CPU time of each page when it is asked for first, and the least of three when it is known."""
    shown = guarded(app(site(folder / "runs", folder / "none", tmp_path, print)), Access())

    def asked(address: str) -> float:
        start = time.process_time()
        assert ask(shown, address).status == 200
        return time.process_time() - start

    first = {name: asked(address) for name, address in PAGES.items()}
    known = {name: min(asked(address) for _ in range(3)) for name, address in PAGES.items()}
    benchmark.pedantic(asked, ("/",), rounds=3)
    benchmark.extra_info.update({"first": first, "known": known})
    print(first, known)
    assert max(known.values()) < LONGEST, known
    assert max(first.values()) < LONGEST, first
