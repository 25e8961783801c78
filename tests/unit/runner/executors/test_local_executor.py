"""Jobs in processes of their own: however one ends, it is told in a line, and the next is well."""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest
from processes_alive import left_of

from hrbench.contracts import Executor, Job
from hrbench.errors import EntryError
from hrbench.runner.executors.local import LocalExecutor
from hrbench.runner.executors.witness import notes


@pytest.fixture(scope="module", params=["fork", "fresh"])
def executor(request):
    with LocalExecutor(modules=("toy_jobs",), fresh=request.param == "fresh") as made:
        yield made


@pytest.fixture(scope="module")
def forking():
    with LocalExecutor(modules=("toy_jobs",)) as made:
        yield made


def job(name: str, log: Path | None = None, timeout: float | None = None, **arguments) -> Job:
    return Job(f"toy_jobs:{name}", arguments, log=str(log or ""), timeout=timeout)


@pytest.fixture(scope="module")
def impatient():
    with LocalExecutor(modules=("short_grace", "toy_jobs")) as made:
        yield made


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_value_and_events(executor: Executor):
    events = []
    outcome = executor.submit(job("add", a=1, b=2), events.append)
    assert (outcome.value, outcome.failure, events) == (3, "", [{"a": 1}])
    assert outcome.changes == () and outcome.output == "" and outcome.seconds > 0


@pytest.mark.parametrize("value", [None, [0.1 + 0.2, 2**60 + 1, -0.0], math.inf, "\udcff\n", {"ä": [True, {}]}])
def test_plain_values_come_back_exactly(forking: Executor, value):
    outcome = forking.submit(job("give", value=value))
    assert (outcome.value, str(outcome.value), outcome.failure) == (value, str(value), "")


def test_nan_comes_back(forking: Executor):
    assert math.isnan(forking.submit(job("give", value=math.nan)).value)


def test_a_large_value_is_whole(executor: Executor):
    text = "0123456789" * 3_000_000
    assert executor.submit(job("give", value=text)).value == text


def test_each_job_has_a_process_of_its_own(executor: Executor):
    found = [executor.submit(job("where_am_i")).value for _ in range(2)]
    assert found[0]["pid"] != found[1]["pid"] and os.getpid() not in {one["pid"] for one in found}
    assert found[0]["session"] == found[0]["pid"]
    assert found[0]["handlers"]["SIGINT"] == repr(signal.default_int_handler)
    assert "SIG_DFL" in found[0]["handlers"]["SIGTERM"] and "SIG_DFL" in found[0]["handlers"]["SIGCHLD"]
    assert sum(2 < number < 1000 for number in found[0]["files"]) == 1  # the listing's own: the server's are closed


def test_the_job_finds_the_folder_path_and_environment_of_now(executor: Executor, tmp_path, monkeypatch):
    executor.submit(job("give", value=0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "beside")
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path / "a path"])
    monkeypatch.setenv("TOY_OF_NOW", "ü\udcff")
    monkeypatch.delenv("HOME", raising=False)
    found = executor.submit(job("where_am_i")).value
    assert found["folder"] == str(tmp_path) and found["path"] == list(map(str, sys.path))
    assert found["environment"] == dict(os.environ)


def test_a_job_may_ask_for_another_folder_path_and_environment(executor: Executor, tmp_path):
    (tmp_path / "toy_beside.py").write_text("import os, sys\ndef f(emit): return [os.getcwd(), dict(os.environ)]\n")
    asked = Job("toy_beside:f", path=(str(tmp_path), *sys.path), folder=str(tmp_path), environment={"A": "b"})
    assert executor.submit(asked).value == [str(tmp_path), {"A": "b"}]
    outcome = executor.submit(Job("toy_beside:f", folder=str(tmp_path / "nowhere")))
    assert outcome.failure == f"No such file or directory: {tmp_path / 'nowhere'}"


def test_events_of_threads_are_whole(forking: Executor):
    events = []
    outcome = forking.submit(job("emit_from_threads", threads=4, events=200), events.append)
    assert outcome.value == len(events) == 800
    assert {(event["thread"], event["event"]) for event in events} == {(i, k) for i in range(4) for k in range(200)}


# --- ways to end ------------------------------------------------------------------------------------------------------


def well(executor: Executor) -> bool:
    return executor.submit(job("add", a=20, b=22)).value == 42


@pytest.mark.parametrize(
    ("name", "arguments", "failure"),
    [
        ("leave", {"status": 3}, r"its process ended with status 3 before .* by os\._exit\(3\) or the like"),
        ("leave", {"status": 0}, r"its process ended with status 0 before .* by os\._exit\(0\) or the like"),
        ("send_itself", {"number": 11}, r"its process was killed by SIGSEGV \(segmentation fault\)"),
        ("send_itself", {"number": 15}, r"its process was killed by SIGTERM"),
        (
            "send_itself",
            {"number": 9},
            r"its process was killed by SIGKILL \(by .*, or by hand\)",
        ),
        ("abort", {}, r"its process was killed by SIGABRT \(abort\)"),
    ],
)
def test_a_process_that_ends(executor: Executor, name, arguments, failure):
    outcome = executor.submit(job(name, **arguments))
    assert re.fullmatch(failure, outcome.failure) and outcome.value is None and outcome.error == ""
    assert well(executor)


@pytest.mark.parametrize(
    ("name", "arguments", "failure"),
    [
        ("call_sys_exit", {"code": None}, "its code called sys.exit()"),
        ("call_sys_exit", {"code": 0}, "its code called sys.exit(0)"),
        ("call_sys_exit", {"code": "no GPU here"}, "its code called sys.exit('no GPU here')"),
        ("throw", {"what": "strange"}, "Strange: with words"),
        ("throw", {"what": "generator exit"}, "GeneratorExit"),
        ("throw", {"what": "interrupt"}, "KeyboardInterrupt"),
        ("throw", {"what": "memory"}, "MemoryError"),
        ("throw", {"what": "unreadable"}, "Unreadable: its message cannot be read (ValueError)"),
        ("throw", {"what": "recursion"}, "RecursionError: maximum recursion depth exceeded"),
        ("throw", {"what": "lines"}, "RuntimeError: first line"),
        ("throw", {"what": "stop"}, "StopIteration: 3"),
        ("throw", {"what": "group"}, "ExceptionGroup: several (2 sub-exceptions)"),
        ("not_plain", {}, "TypeError: Object of type object is not JSON serializable"),
        ("nowhere", {}, "AttributeError: module 'toy_jobs' has no attribute 'nowhere'"),
    ],
)
def test_exceptions_of_any_class(forking: Executor, name, arguments, failure):
    outcome = forking.submit(job(name, **arguments))
    assert outcome.failure == failure and outcome.value is None and not outcome.foreseen
    assert outcome.error == failure.partition(":")[0] or outcome.error == "SystemExit"
    assert "Traceback" in outcome.traceback and outcome.error in outcome.traceback
    assert well(forking)


def test_a_long_message_is_cut(forking: Executor):
    outcome = forking.submit(job("throw", what="long"))
    assert outcome.failure.startswith("RuntimeError: xxx") and len(outcome.failure) == 2000
    assert len(outcome.traceback) < 30_000


@pytest.mark.parametrize("cause", [False, True])
def test_our_errors_are_told_apart(forking: Executor, cause):
    outcome = forking.submit(job("throw_ours", cause=cause))
    assert (outcome.failure, outcome.error) == ("a.json: line 3 is wrong", "InputError")
    assert outcome.foreseen is not cause


def test_a_job_past_its_timeout_is_ended(executor: Executor):
    seen = []
    outcome = executor.submit(job("hang", timeout=0.5), seen.append)
    assert outcome.failure == "was not finished after its timeout of 0.5 s and was ended"
    assert "in hang" in outcome.output  # where it hung
    assert left_of([seen[0]["pid"]]) == []
    assert well(executor)


def test_a_job_that_does_not_end_when_asked_is_ended_too(impatient: Executor):
    seen = []
    outcome = impatient.submit(job("hang", deaf=True, timeout=0.5), seen.append)
    assert outcome.failure == "was not finished after its timeout of 0.5 s and was ended"
    assert left_of([seen[0]["pid"]]) == []
    assert "its timeout of 0.5 s" in impatient.submit(job("stop_itself", timeout=0.5)).failure
    assert well(impatient)


def test_a_job_within_its_timeout_is_not_ended(executor: Executor):
    assert executor.submit(job("add", a=1, b=1, timeout=300)).value == 2


def test_a_crash_tells_where_in_the_log(forking: Executor, tmp_path):
    forking.submit(job("send_itself", number=11, log=tmp_path / "log.txt"))
    assert "Segmentation fault" in (tmp_path / "log.txt").read_text()
    assert "in send_itself" in (tmp_path / "log.txt").read_text()


def test_threads_and_code_at_exit_hold_nothing_up(executor: Executor):
    assert executor.submit(job("leave_things_running")).value == "done"
    assert well(executor)


def test_a_copy_of_the_process_answers_nothing(executor: Executor):
    events = []
    value = executor.submit(job("return_twice"), events.append).value
    assert value["mine"] == value["first"]
    assert events == [{"before": value["first"]}, {"after": value["first"]}]
    assert well(executor)


# --- what is left -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hang", [False, True])
def test_no_descendant_is_left(executor: Executor, hang):
    events = []
    outcome = executor.submit(job("start_children", hang=hang, timeout=60 if not hang else 1), events.append)
    assert bool(outcome.failure) is hang
    *pids, server = events[0]["pids"]
    assert left_of(pids) == []
    assert left_of([server], patience=0) == [server]


def test_files_that_are_closed(executor: Executor):
    outcome = executor.submit(job("close_number_one"))
    assert outcome.value == "still here" and outcome.changes == ("standard output (closed)",)
    events = []
    outcome = executor.submit(job("close_files", most=4096), events.append)
    assert (outcome.value, outcome.failure, events) == ("still here", "", [{"after": True}])
    outcome = executor.submit(job("close_files", most=0))
    assert "its code closed file descriptors that are not its own" in outcome.failure
    assert well(executor)


def test_changes_of_the_process_are_told_and_touch_no_other(executor: Executor):
    before = executor.submit(job("where_am_i")).value
    assert executor.submit(job("change_folder")).changes == ("working folder",)
    assert executor.submit(job("close_stdout")).changes == ("standard output (closed)",)
    changes = executor.submit(job("change_much")).changes
    expected = {"sys.path", "handler of SIGALRM", "environment variable TOY_VARIABLE"}
    assert expected <= set(changes) and any(one.startswith("umask (") for one in changes)
    after = executor.submit(job("where_am_i")).value
    for what in ("folder", "path", "environment", "handlers"):
        assert before[what] == after[what]


# --- output -----------------------------------------------------------------------------------------------------------


def test_output_is_kept_in_the_log_and_its_end_at_hand(executor: Executor, tmp_path, capfd):
    log = tmp_path / "log.txt"
    outcome = executor.submit(job("print_lines", count=30, log=log))
    lines = log.read_text().splitlines()
    assert lines[0] == "first line" and lines[-2:] == ["to standard error", "last line"] and len(lines) == 33
    assert outcome.output.splitlines() == lines[-20:]
    executor.submit(job("print_lines", count=0, die=True, log=log))
    assert log.read_text().splitlines()[-3:] == ["first line", "to standard error", "last line"]
    assert len(log.read_text().splitlines()) == 36
    assert capfd.readouterr() == ("", "")


def test_no_output_makes_no_log(forking: Executor, tmp_path):
    forking.submit(job("add", a=1, b=1, log=tmp_path / "log.txt"))
    assert list(tmp_path.iterdir()) == []


def test_a_hundred_megabytes_of_output_are_bounded(executor: Executor, tmp_path):
    log = tmp_path / "log.txt"
    outcome = executor.submit(job("write_megabytes", count=100, log=log))
    assert outcome.failure == "" and outcome.output_bytes == 100_000_022
    assert log.stat().st_size < 600_000
    text = log.read_text()
    assert text.startswith("first line") and text.endswith("last line\n") and "bytes left out here]" in text
    assert outcome.output.endswith("last line") and len(outcome.output) < 1000
    assert notes(outcome) == ("the network printed 100,000,022 bytes: the log keeps their beginning and their end",)


# --- the server -------------------------------------------------------------------------------------------------------


def test_the_server_has_one_thread_when_it_forks():
    with LocalExecutor(modules=("numpy", "scipy.linalg", "cv2", "toy_jobs")) as executor:
        found = executor.submit(job("where_am_i"))
        assert found.value["threads of the parent"] == found.value["threads"] == 1
        assert not found.fresh and {"cv2", "scipy.linalg"} <= set(found.value["modules"])


def test_a_server_with_threads_is_not_forked():
    with LocalExecutor(modules=("threaded_on_import", "toy_jobs")) as executor:
        outcomes = [executor.submit(job("add", a=1, b=number)) for number in range(2)]
        assert [outcome.value for outcome in outcomes] == [1, 2]
        assert all(outcome.fresh for outcome in outcomes)


def test_modules_are_imported_once_and_those_that_cannot_be_are_left_to_the_job():
    with LocalExecutor(modules=("toy_jobs", "no_such_module_anywhere")) as executor:
        asked = Job("toy_jobs:where_am_i", modules=("colorsys",))
        assert "colorsys" not in executor.submit(job("where_am_i")).value["modules"]
        assert "colorsys" in executor.submit(asked).value["modules"]
        assert "colorsys" in executor.submit(job("where_am_i")).value["modules"]
        failed = executor.submit(Job("no_such_module_anywhere:f"))
        assert failed.failure == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"


def test_jobs_on_cuda_get_a_fresh_interpreter_that_was_started_ahead():
    with LocalExecutor(modules=("toy_jobs",)) as executor:
        executor.warm("cuda")
        loud = Job("toy_jobs:where_am_i", device="cuda:0")
        first = executor.submit(loud)
        assert first.fresh and len(first.value["siblings"]) == 1  # the next one, which imports meanwhile
        quiet = executor.submit(Job("toy_jobs:where_am_i", device="cuda:0", quiet=True))
        assert [quiet.value["pid"]] == first.value["siblings"]
        assert quiet.value["siblings"] == []  # nothing is started beside a job that measures times
        third = executor.submit(loud)
        assert third.value["pid"] not in (first.value["pid"], quiet.value["pid"])
        assert not executor.submit(job("where_am_i")).fresh


def test_a_spare_that_was_killed_is_replaced():
    with LocalExecutor(modules=("toy_jobs",), fresh=True) as executor:
        spare = executor.submit(job("where_am_i")).value["siblings"][0]
        os.kill(spare, signal.SIGKILL)
        assert well(executor)


def test_a_server_killed_between_jobs_is_replaced(executor: Executor):
    server = executor.submit(job("where_am_i")).value["parent"]
    os.kill(server, signal.SIGKILL)
    assert left_of([server]) == []
    found = executor.submit(job("where_am_i"))
    assert found.failure == "" and found.value["parent"] != server


def test_a_server_killed_during_a_job_fails_that_job_alone(executor: Executor):
    seen = []

    def kill(event):
        seen.append(event)
        os.kill(event["server"], signal.SIGKILL)

    outcome = executor.submit(job("hang"), kill)
    assert outcome.failure == "the process that watches over its process was killed by SIGKILL"
    assert left_of([seen[0]["pid"]]) == []
    assert executor.submit(job("kill_the_parent")).failure == outcome.failure
    assert well(executor)


def test_an_error_of_the_listener_ends_the_job(executor: Executor):
    seen = []

    def listen(event):
        seen.append(event)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.submit(job("hang"), listen)
    assert left_of([seen[0]["pid"], seen[0]["server"]]) == []
    assert well(executor)


def test_closing_ends_what_runs_and_is_final():
    executor = LocalExecutor(modules=("toy_jobs",))
    running, caught = threading.Event(), []
    seen: list[dict] = []

    def listen(event):
        seen.append(event)
        running.set()

    def submit():
        try:
            executor.submit(job("hang"), listen)
        except EntryError as error:
            caught.append(str(error))

    thread = threading.Thread(target=submit)
    thread.start()
    assert running.wait(120)
    executor.close()
    thread.join(120)
    assert caught == ["the executor was closed while a job was running"]
    assert left_of([seen[0]["pid"], seen[0]["server"]]) == []
    executor.close()
    with pytest.raises(EntryError, match="the executor is closed"):
        executor.submit(job("add", a=1, b=1))


def test_nothing_is_started_before_the_first_job():
    with LocalExecutor() as executor:
        assert executor._server is None
        assert executor.submit(Job("__main__:f")).failure.startswith("__main__:f names something in the running script")
        assert executor._server is None


def test_what_cannot_be_found_again_is_told():
    with LocalExecutor(modules=("toy_jobs",)) as executor:
        outcome = executor.submit(job("give", value=[{"use": "__main__:net"}]))
        assert outcome.failure == (
            "__main__:net names something in the running script or notebook, which another process cannot import: put "
            'net into a module beside it, such as nets.py, and write "nets:net", or run with --in-process'
        )
        outcome = executor.submit(job("give", value={"net": test_a_value_and_events}))
        assert outcome.failure.startswith("what toy_jobs:give is to be called with cannot be handed to another process")


def test_a_python_that_cannot_start_is_told(monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no library found >&2\nexit 5\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with LocalExecutor(modules=("toy_jobs",)) as executor:
        outcome = executor.submit(job("add", a=1, b=1))
    words = "the process that starts the processes of entries ended with status 5: no library found"
    assert outcome.failure == words
