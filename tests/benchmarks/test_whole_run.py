"""The miniature suite as users run it: beside the same in one process, and scored again beside its first run.

Times are CPU times of the command and all processes it starts, without latencies, on sets that are drawn before.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commit_before import HERE, before
from commit_before import run as run_of

from hrbench.store.run_folder import RunFolder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sets."""
    folder = tmp_path_factory.mktemp("data")
    spent(folder, folder / "first", "--limit", "1", "--in-process")
    return folder


def spent(data: Path, out: Path, *more: str) -> float:
    """CPU seconds of a run, with those of its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "hrbench", "run", "miniature", "--data", str(data), "--out", str(out)]
    subprocess.run([*command, "--plain", "--set", "cost.latency=false", *more], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_processes_of_their_own_cost_a_fifth_more_and_scoring_again_takes_a_fifth(benchmark, data, tmp_path) -> None:
    apart, together = [], []
    for turn in range(2):
        apart.append(spent(data, tmp_path / f"apart{turn}"))
        together.append(spent(data, tmp_path / f"together{turn}", "--in-process"))
    again = benchmark.pedantic(spent, (data, tmp_path / "apart0", "--set", "resamples=999"), rounds=1)
    benchmark.extra_info.update(
        processes_ratio=min(apart) / min(together), scored_again_share=again / min(apart), first_seconds=min(apart)
    )
    assert min(apart) <= 1.2 * min(together)
    assert again <= 0.2 * min(apart)


def numbers(folder: Path) -> dict[tuple[str, str, str], tuple[float | None, tuple[float, float] | None]]:
    """(entry, metric or convention, quantity) -> value and interval of every score and count."""
    return {
        (result.name, one.metric or one.conditions.convention, one.quantity.name): (one.value, one.interval)
        for result in RunFolder(folder).results()
        for one in (*result.scores, *result.costs)
        if one.quantity.name != "latency"
    }


def test_a_warm_run_takes_half_of_the_wall_time_of_the_commit_before(benchmark, data, tmp_path, tmp_path_factory):
    """The README's command, data drawn and nothing stored. In wall time, since most of it is time that is measured."""
    wall = {}
    for name, tree in (("before", before(tmp_path_factory)), ("now", HERE)):
        command = ["-m", "hrbench", "run", "suites/miniature.yaml", "--data", str(data), "--plain"]
        started = time.perf_counter()
        done = run_of(tree, [*command, "--out", str(tmp_path / name)])
        wall[name] = time.perf_counter() - started
        assert not re.search("FAILED|left empty", done.stdout)
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.extra_info.update(wall)
    now, former = numbers(tmp_path / "now"), numbers(tmp_path / "before")
    assert {key: now[key] for key in former} == former  # there are more numbers now
    assert wall["now"] <= wall["before"] / 2
