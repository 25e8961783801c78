"""How long the command line takes to say what it can do and what it has, beside a bare Python and the commit before."""

from __future__ import annotations

import subprocess
import sys
import time

from commit_before import HERE, before, least_cpu_of, run


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


def test_models_are_listed_in_half_of_the_time_of_the_commit_before(benchmark, tmp_path_factory):
    """Whole processes in CPU time: 0.36 and 0.15 s were measured."""
    tree, command = before(tmp_path_factory), ["-m", "hrbench", "models"]
    names = [{line.split()[0] for line in run(side, command).stdout.splitlines() if line} for side in (tree, HERE)]
    assert names[0] - names[1] <= {word for word in names[0] if word.isdigit()}  # all are listed, and more
    theirs, ours = least_cpu_of(7, [tree, HERE], command)
    benchmark.pedantic(run, (HERE, command), rounds=3)
    benchmark.extra_info.update(cpu_seconds=ours, before=theirs, ratio=theirs / ours)
    assert ours * 2 <= theirs


FIRST = """
import contextlib, io, sys, time
from hrbench.cli import command_line
def told(text):
    print(time.process_time(), file=sys.stderr)
    raise SystemExit(0)
command_line.TolerantEcho = lambda: told
command_line.main(sys.argv[1:])
"""


def test_a_run_says_what_it_does_sooner_than_the_commit_before(benchmark, tmp_path_factory, tmp_path):
    """CPU seconds of the command until it says that an entry has begun: 0.47 were measured."""
    trees = [before(tmp_path_factory), HERE]
    out = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--plain", "--only", "pose_resnet*"]
    command = ["-c", FIRST, "run", "miniature", *out]
    told: list[list[float]] = [[], []]
    for _ in range(5):
        for tree, its in zip(trees, told, strict=True):
            its.append(float(run(tree, command).stderr.split()[-1]))
    theirs, ours = (min(its) for its in told)
    benchmark.pedantic(run, (HERE, command), rounds=1)
    benchmark.extra_info.update(cpu_seconds=ours, before=theirs)
    assert ours <= theirs
