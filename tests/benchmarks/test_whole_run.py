"""The miniature suite as users run it: beside the same in one process, and scored again beside its first run.

Times are CPU times of the command and all processes it starts, without latencies, on sets that are drawn before.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest


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
