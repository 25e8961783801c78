"""Output that is closed, full, or without a reader: no traceback, a fitting exit code, and a run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Commands in place of hrbench's own: they print more than a pipe holds, and write a file at their end.
COMMANDS = """
import sys, types
from pathlib import Path
from hrbench.cli import command_line

def talk(arguments, say):
    for number in range(3000):
        say(f"line {number} " + "." * 60)
    Path("report").write_text("whole")
    return 3

stand_in = types.ModuleType("hrbench.cli.stand_in")
stand_in.run = stand_in.metrics = talk
sys.modules["hrbench.cli.stand_in"] = stand_in
command_line.MODULES = {"run": "stand_in", "metrics": "stand_in"}
raise SystemExit(command_line.main())
"""
RUN, LIST = ["run", "pose"], ["metrics"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


def ran(folder: Path, command: list[str], redirected: str = "", **streams: Any) -> subprocess.CompletedProcess[str]:
    """A command by a shell that redirects its output, or with streams as `subprocess.run` takes them."""
    given = [sys.executable, "-c", COMMANDS, *command]
    if redirected:
        given = ["bash", "-c", f'"$@" {redirected}', "bash", *given]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(given, cwd=folder, text=True, env=ENVIRONMENT, timeout=300, check=False, **pipes)


@pytest.fixture
def closed_pipe():
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_a_run_goes_on_when_nobody_reads_its_lines_any_more(tmp_path: Path, closed_pipe: int):
    done = ran(tmp_path, RUN, stdout=closed_pipe)
    assert done.returncode == 3 and (tmp_path / "report").read_text() == "whole"
    assert done.stderr.count("\n") == 1 and "nobody reads the output any more; the run goes on" in done.stderr


def test_any_other_command_ends_like_a_program_that_sigpipe_ended(tmp_path: Path, closed_pipe: int):
    done = ran(tmp_path, LIST, stdout=closed_pipe)
    assert done.returncode == 141 and done.stderr == "" and not (tmp_path / "report").exists()


@pytest.mark.parametrize("command", [RUN, LIST])
def test_a_reader_that_leaves_after_a_line(tmp_path: Path, command: list[str]):
    done = ran(tmp_path, command, '| head -1; exit "${PIPESTATUS[0]}"')
    assert done.returncode == (3 if command == RUN else 141) and done.stdout.startswith("line 0 ")
    assert "Traceback" not in done.stderr and (tmp_path / "report").exists() == (command == RUN)


@pytest.mark.parametrize("command", [RUN, LIST])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_before_the_start_are_the_null_device(tmp_path: Path, command: list[str], closed: str):
    done = ran(tmp_path, command, closed)
    assert done.returncode == 3 and done.stderr == "" and (tmp_path / "report").read_text() == "whole"
    assert done.stdout.count("\n") == (3000 if closed == "2>&-" else 0)


@pytest.mark.parametrize("command", [RUN, LIST])
def test_a_full_disk_is_told_of_in_a_line(tmp_path: Path, command: list[str]):
    done = ran(tmp_path, command, ">/dev/full")
    assert "standard output cannot be written: No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == (3 if command == RUN else 2) and (tmp_path / "report").exists() == (command == RUN)


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", ">/dev/full 2>/dev/full", "2>&1 | true"])
def test_an_error_that_cannot_be_told_keeps_its_code(tmp_path: Path, redirected: str):
    kept = f'{redirected}; exit "${{PIPESTATUS[0]}}"'
    assert ran(tmp_path, ["metrics", "--strange"], kept).returncode == 2
    assert ran(tmp_path, ["nosuch"], kept).returncode == 2


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_help_that_cannot_be_printed(tmp_path: Path, asked: str, closed_pipe: int):
    full = ran(tmp_path, [asked], ">/dev/full")
    assert full.returncode == 2 and "No space left on device" in full.stderr and "Traceback" not in full.stderr
    left = ran(tmp_path, [asked], stdout=closed_pipe)
    assert left.returncode == 141 and left.stderr == ""
