"""Jobs that run in this process, for debuggers: the same outcomes, as far as this process lives to tell them."""

from __future__ import annotations

import pytest

from hrbench.contracts import Executor, Job
from hrbench.runner.executors.in_process import InProcessExecutor


@pytest.fixture
def executor():
    with InProcessExecutor() as made:
        yield made


def test_values_events_and_errors(executor: Executor):
    events = []
    assert executor.submit(Job("toy_jobs:add", {"a": 1, "b": 2}), events.append).value == 3
    assert events == [{"a": 1}]
    failed = executor.submit(Job("toy_jobs:throw_ours"))
    assert (failed.failure, failed.error, failed.foreseen) == ("a.json: line 3 is wrong", "InputError", True)
    assert "Traceback" in failed.traceback and failed.value is None
    assert executor.submit(Job("toy_jobs:call_sys_exit", {"code": 2})).failure == "its code called sys.exit(2)"
    assert executor.submit(Job("toy_jobs:throw", {"what": "generator exit"})).error == "GeneratorExit"


def test_what_is_printed_is_seen_at_once(executor: Executor, capsys):
    executor.submit(Job("toy_jobs:print_lines", {"count": 1}))
    assert capsys.readouterr().out.startswith("first line\nline 0 ...")


def test_changes_are_told_here_too(executor: Executor, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert executor.submit(Job("toy_jobs:change_folder")).changes == ("working folder",)


def test_an_interrupt_is_the_persons(executor: Executor):
    with pytest.raises(KeyboardInterrupt):
        executor.submit(Job("toy_jobs:throw", {"what": "interrupt"}))
