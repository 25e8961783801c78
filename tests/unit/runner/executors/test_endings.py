"""How a process ended, in words, and what the kernel's counters say of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.errors import EntryError
from hrbench.runner.executors.endings import ended, foreseen, kills_since, memory_kills, raised, signal_name, trace


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3 << 8, "its process ended with status 3 before there was a result, by os._exit(3) or the like"),
        (11, "its process was killed by SIGSEGV (segmentation fault)"),
        (11 | 128, "its process was killed by SIGSEGV (segmentation fault)"),  # with a core dump
        (9, "its process was killed by SIGKILL (by the out-of-memory killer, or by hand)"),
        (15, "its process was killed by SIGTERM"),
    ],
)
def test_endings(status, words):
    assert ended(status) == words


def test_a_timeout_goes_before_the_signal_that_it_sent():
    assert ended(9, timeout=2.5) == "was not finished after its timeout of 2.5 s and was ended"


def test_want_of_memory_is_said_only_with_evidence():
    found = kills_since({"group": 1, "system": 7}, {"group": 2, "system": 8})
    assert ended(9, out_of_memory=found) == (
        "its process was killed by SIGKILL, probably out of memory: the kernel's out-of-memory killer struck in its "
        "control group meanwhile"
    )
    assert "memory" not in ended(11, out_of_memory=found)
    assert kills_since({"system": 7}, {"system": 8}).endswith("struck on this machine meanwhile")
    assert kills_since({"group": 1, "system": 7}, {"group": 1, "system": 7}) == ""
    assert kills_since({}, {"group": 1}) == kills_since({"group": 1}, {}) == ""


def machine(folder: Path, cgroup: str, **files: str) -> dict[str, int]:
    proc, groups = folder / "proc", folder / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(cgroup)
    (proc / "vmstat").write_text("nr_free_pages 5\noom_kill 4\n")
    for name, text in files.items():
        path = groups / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return memory_kills(proc, groups)


def test_counters_of_both_kinds_of_control_groups(tmp_path):
    second = machine(
        tmp_path / "2", "0::/user/job\n", user__job__memoryDOTevents="oom 3\noom_kill 2\noom_group_kill 0\n"
    )
    assert second == {"group": 2, "system": 4}
    lines = "5:cpu:/\n4:blkio,memory:/job\n0::/\n"
    first = machine(tmp_path / "1", lines, memory__job__memoryDOToom_control="oom_kill_disable 0\noom_kill 6\n")
    assert first == {"group": 6, "system": 4}
    assert machine(tmp_path / "none", "strange") == {"system": 4}
    assert memory_kills(tmp_path / "nowhere", tmp_path) == {}


def test_signals_have_names():
    assert signal_name(6) == "SIGABRT (abort)" and signal_name(250) == "signal 250"


def test_errors_in_words():
    assert raised(EntryError("two\nlines")) == "two\nlines"
    assert raised(SystemExit()) == "its code called sys.exit()"
    assert raised(SystemExit(3)) == "its code called sys.exit(3)"
    assert raised(FileNotFoundError(2, "No such file", "a.png")) == "No such file: a.png"
    assert raised(ValueError()) == "ValueError"
    assert raised(GeneratorExit()) == "GeneratorExit"


def test_a_message_that_itself_fails():
    class Worse(BaseException):
        def __str__(self):
            raise GeneratorExit

    class Code:
        def __repr__(self):
            raise RuntimeError

    assert raised(SystemExit(Code())) == "its code called sys.exit(Code (its message cannot be read: RuntimeError))"
    assert raised(Worse()) == "Worse: Worse (its message cannot be read: GeneratorExit)"


def test_long_tracebacks_keep_their_end():
    text = trace(RuntimeError("x" * 100_000 + "end"))
    assert text.startswith("...\n") and text.endswith("end\n") and len(text) < 21_000


def test_foreseen():
    assert foreseen(EntryError("a")) and not foreseen(ValueError("a"))
    caused, ours = EntryError("a"), EntryError("a")
    caused.__cause__, ours.__cause__ = ValueError("b"), EntryError("c")
    assert not foreseen(caused) and foreseen(ours)
