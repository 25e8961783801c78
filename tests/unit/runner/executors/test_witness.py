"""What a job changes of its process is seen, and nothing that it did not change."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from hrbench.contracts import Executor, Job
from hrbench.runner.executors.local import LocalExecutor
from hrbench.runner.executors.witness import changes, notes, state


@pytest.fixture(scope="module")
def executor():
    with LocalExecutor(modules=("torch", "numpy", "toy_jobs")) as made:
        yield made


def test_nothing_is_seen_where_nothing_changed():
    assert changes(state(), state()) == ()


def test_folder_path_handler_and_variables_are_seen(tmp_path, monkeypatch):
    before, handler = state(), signal.getsignal(signal.SIGUSR2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("WITNESS_NEW", "1")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "torch sets it by itself")
    monkeypatch.delenv("PATH")
    signal.signal(signal.SIGUSR2, lambda *_: None)
    mask = os.umask(0o027)
    try:
        found = changes(before, state())
    finally:
        os.umask(mask)
        signal.signal(signal.SIGUSR2, handler)
    named = {"working folder", "sys.path", "handler of SIGUSR2"}
    assert named | {"environment variable WITNESS_NEW", "environment variable PATH"} <= set(found)
    assert f"umask ({mask:03o} -> 027)" in found and len(found) == 6


def test_what_could_not_be_asked_before_has_not_changed(monkeypatch):
    after = state()
    before = {name: value for name, value in after.items() if name != "umask"}
    assert changes(before, after) == ()


def test_a_search_path_that_is_none_is_no_reason_to_fail(monkeypatch):
    before = state()
    monkeypatch.setattr(sys, "path", [*sys.path, None])
    assert changes(before, state()) == ("sys.path",)


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("dtype", "torch's default dtype (float32 -> float64)"),
        ("device", "torch's default device (cpu -> meta)"),
        ("benchmark", "torch.backends.cudnn.benchmark (False -> True)"),
    ],
)
def test_settings_of_torch_are_seen_and_touch_no_other_job(executor: Executor, what, seen):
    clean = executor.submit(Job("toy_jobs:change_torch", {"what": ""}))
    outcome = executor.submit(Job("toy_jobs:change_torch", {"what": what}))
    assert outcome.changes == (seen,) and outcome.failure == ""
    assert notes(outcome) == (f"the network changed its process: {seen}",)
    again = executor.submit(Job("toy_jobs:change_torch", {"what": ""}))
    assert again.value == clean.value and again.changes == clean.changes == () and notes(again) == ()


def test_threads_in_force_are_told():
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    with pytest.MonkeyPatch.context() as patch, LocalExecutor(modules=("torch", "toy_jobs")) as executor:
        patch.setenv("OMP_NUM_THREADS", "2")  # libraries read it when they are loaded, by the server
        outcome = executor.submit(Job("toy_jobs:change_torch", {"what": "threads"}, environment=environment))
        assert outcome.threads == outcome.value[0] == 1
        assert outcome.changes == ("torch's thread count (2 -> 1)",)
        after = executor.submit(Job("toy_jobs:change_torch", {"what": ""}, environment=environment))
        assert after.threads == after.value[0] == 2


def test_numbers_are_those_of_this_process(executor: Executor):
    """A fork and a fresh interpreter compute, with the same threads, the same bits as this process does."""
    from toy_jobs import product

    here = product(print)
    outcome = executor.submit(Job("toy_jobs:product"))
    assert outcome.value == here and not outcome.fresh and outcome.changes == ()
    fresh = executor.submit(Job("toy_jobs:product", device="cuda"))
    assert fresh.value == here and fresh.fresh
