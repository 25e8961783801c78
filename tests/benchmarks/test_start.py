"""How long the command line takes to say what it can do, beside a bare Python."""

from __future__ import annotations

import subprocess
import sys
import time


def fastest(command: list[str], rounds: int = 10) -> float:
    """Wall seconds of the fastest of some runs of a whole process."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def test_help_within_five_times_a_bare_python(benchmark):
    help = [sys.executable, "-m", "hrbench", "--help"]
    bare, ours = fastest([sys.executable, "-c", "pass"]), fastest(help)
    benchmark.extra_info["ratio"] = ours / bare
    benchmark.pedantic(lambda: subprocess.run(help, check=True, capture_output=True), rounds=3)
    assert ours <= 5 * bare
