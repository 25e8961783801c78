"""A process that is really watched, with and without a thief of its processor."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.stability import judged
from hrbench.cost.telemetry.watch import Nobody, watching

WATCHED = """
import os, subprocess, sys, time
from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.stability import judged
from hrbench.cost.telemetry.watch import watching

cpu = min(os.sched_getaffinity(0))
thief = subprocess.Popen([sys.executable, "-c", "while True: pass"])
try:
    for process in (0, thief.pid):
        os.sched_setaffinity(process, {cpu})
    with watching() as watch:
        begin = watch.mark()
        samples = []
        while time.monotonic() < begin + 1.0:
            start = time.perf_counter()
            while time.perf_counter() < start + 0.001:
                pass
            samples.append(time.perf_counter() - start)
        end = watch.mark()
    seen = between(watch.record, begin, end)
    found = judged(seen, samples, True)
    print(seen["waited"], found.verdict, *found.reasons)
finally:
    thief.kill()
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system does not tell of waiting threads")
def test_beside_a_thief_on_its_processor_nothing_is_stable():
    said = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True).stdout
    waited, verdict, *reasons = said.split(maxsplit=2)
    assert float(waited) > 0.2 and verdict == "unstable"
    assert reasons[0].startswith("threads waited for a processor (")


def test_this_process_is_watched_between_two_marks():
    with watching() as watch:
        begin = watch.mark()
        busy = time.process_time() + 0.3
        while time.process_time() < busy:
            pass
        end = watch.mark()
    seen = between(watch.record, begin, end)
    assert begin < end and watch.record.missing == ""
    inside = [one for one in watch.record.readings if begin <= one["at"] <= end]
    assert (inside[0]["at"], inside[-1]["at"]) == (begin, end)
    assert len(inside) >= 2 and inside[-1]["ran"] - inside[0]["ran"] > 0.2
    assert 0 <= seen["waited"] < 1 and seen["sampler"] >= 0


def test_a_watcher_that_is_killed_is_told_and_disturbs_nothing():
    with watching() as watch:
        watch._process.kill()
        watch._process.wait()
        assert watch.mark() <= watch.mark()
    assert "ended before its time" in watch.record.missing
    found = judged(between(watch.record, 0, 1), [0.1] * 3, True, watch.record.missing)
    assert found.verdict == "unknown"


def test_no_process_is_left_behind():
    with watching() as watch:
        process = watch._process
    assert process.poll() == 0
    with pytest.raises(ZeroDivisionError), watching() as watch:
        process = watch._process
        raise ZeroDivisionError
    assert process.poll() == 0


def test_without_an_interpreter_to_start_nothing_is_known(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with watching() as watch:
        watch.mark()
    assert "does not tell" in watch.record.missing and Nobody().mark() > 0


def test_a_process_with_very_many_open_files_is_watched():
    """`select()` takes no file above 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1400 if hard == resource.RLIM_INFINITY else min(1400, hard)
    if wanted < 1400:
        pytest.skip("this system lets no process have so many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with watching() as watch:
            watch.mark()
        assert watch.record.missing == "" and len(watch.record.readings) >= 2
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
