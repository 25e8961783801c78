"""Whatever ends hrbench, nothing that it started is left; and a script that runs jobs needs no main guard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes_alive import left_of

HELPERS = Path(__file__).parents[3] / "helpers"

SCRIPT = f"""
import sys, os, signal
for number in (signal.SIGINT, signal.SIGHUP):  # a shell ignores them in what it runs in the background
    signal.signal(number, signal.SIG_DFL if number == signal.SIGHUP else signal.default_int_handler)
sys.path.insert(0, {str(HELPERS)!r})
from hrbench.contracts import Job
from hrbench.runner.executors.interrupts import interruptible
from hrbench.runner.executors.local import LocalExecutor

def tell(event):
    print(*event["pids"], flush=True)

with interruptible(), LocalExecutor(modules=("toy_jobs",), fresh=FRESH) as executor:
    BEFORE
    outcome = executor.submit(Job("toy_jobs:start_children", dict(hang=HANG)), tell)
    print("ended", outcome.failure, len(outcome.value))
"""


def script(fresh: bool = False, hang: bool = True, before: str = "pass") -> str:
    return SCRIPT.replace("FRESH", str(fresh)).replace("HANG", str(hang)).replace("BEFORE", before)


@pytest.mark.parametrize("how", ["file", "standard input", "-c"])
def test_a_script_needs_no_main_guard(how, tmp_path):
    text = script(hang=False)
    (tmp_path / "plain.py").write_text(text)
    arguments = {"file": ["plain.py"], "standard input": ["-"], "-c": ["-c", text]}[how]
    done = subprocess.run(
        [sys.executable, *arguments], input=text, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "ended  3" and done.stdout.count("\n") == 2


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("copy", [False, True])
def test_nothing_outlives_a_killed_hrbench(fresh, copy, tmp_path):
    """Neither the server nor the job nor what that has started; even if a copy of hrbench holds its files open."""
    before = "os.fork() or (os.setsid(), __import__('time').sleep(600))" if copy else "pass"
    if copy:  # after the server is there
        before = f"executor.warm(); {before}"
    process = subprocess.Popen([sys.executable, "-c", script(fresh, before=before)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 5
    copies = [child.pid for child in psutil.Process(process.pid).children() if child.pid not in pids]
    process.kill()
    process.wait()
    assert left_of(pids) == []
    for one in copies:
        os.kill(one, signal.SIGKILL)
    process.stdout.close()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGINT, "KeyboardInterrupt"),
        (signal.SIGTERM, "hrbench.errors.Interrupted: interrupted by SIGTERM"),
        (signal.SIGHUP, "hrbench.errors.Interrupted: interrupted by SIGHUP"),
    ],
)
def test_an_interrupt_ends_the_processes(number, error):
    process = subprocess.Popen(
        [sys.executable, "-c", script()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert said.strip().splitlines()[-1] == error
    assert process.returncode != 0
    assert left_of(pids, patience=0) == []
