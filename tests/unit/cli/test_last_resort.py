"""An error that nobody expected: a line, a file with the traceback, an exit code of its own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hrbench.cli import command_line
from hrbench.cli.last_resort import UNEXPECTED, VARIABLE
from hrbench.errors import InputError


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path


def ended(monkeypatch: pytest.MonkeyPatch, error: Exception) -> int:
    """The exit code of a command that raises."""

    def fails(args: object, echo: object) -> int:
        raise error

    monkeypatch.setattr("hrbench.cli.commands.metrics", fails)
    return command_line.main(["metrics"])


@pytest.mark.parametrize(
    "error", [RuntimeError("two\nlines"), MemoryError(), RecursionError("deep"), UnreadableError()]
)
def test_one_line_and_a_file(monkeypatch, capsys, place: Path, error: Exception):
    assert ended(monkeypatch, error) == UNEXPECTED == 70
    told = capsys.readouterr().err
    assert told.startswith(f"hrbench: unexpected {type(error).__name__}") and told.count("\n") == 1
    assert "please report it" in told and f"{VARIABLE}=1" in told and "Traceback" not in told
    (file,) = place.iterdir()
    assert re.search(r"with (\S+),", told)[1] == str(file)
    text = file.read_text()
    assert text.startswith("hrbench ") and "\nhrbench metrics\n" in text and "Python" in text
    assert type(error).__name__ in text and file.stat().st_mode & 0o077 == 0
    if not isinstance(error, UnreadableError):
        assert "in fails" in text


@pytest.mark.parametrize("set_", ["1", "yes"])
def test_the_traceback_at_once(monkeypatch, capsys, place: Path, set_: str):
    monkeypatch.setenv(VARIABLE, set_)
    assert ended(monkeypatch, RuntimeError("why")) == UNEXPECTED
    told = capsys.readouterr().err
    assert told.startswith("hrbench: unexpected RuntimeError: why; ") and "in fails" in told
    assert not list(place.iterdir())


@pytest.mark.parametrize("set_", ["", "0"])
def test_a_variable_that_says_no(monkeypatch, capsys, place: Path, set_: str):
    monkeypatch.setenv(VARIABLE, set_)
    assert ended(monkeypatch, RuntimeError("why")) == UNEXPECTED
    assert "Traceback" not in capsys.readouterr().err and list(place.iterdir())


def test_without_room_for_a_file_the_traceback_is_printed(monkeypatch, capsys, place: Path):
    monkeypatch.setattr(tempfile, "tempdir", str(place / "absent"))
    assert ended(monkeypatch, RuntimeError("why")) == UNEXPECTED
    assert "in fails" in capsys.readouterr().err


def test_an_expected_error_is_told_as_before(monkeypatch, capsys, place: Path):
    assert ended(monkeypatch, InputError("a.json: wrong")) == 2
    assert capsys.readouterr().err == "hrbench: a.json: wrong\n" and not list(place.iterdir())


def test_the_end_that_a_parser_asks_for_is_its_own(capsys, place: Path):
    with pytest.raises(SystemExit) as ended_:
        command_line.main(["metrics", "--nonsense"])
    assert ended_.value.code == 2 and not list(place.iterdir())
