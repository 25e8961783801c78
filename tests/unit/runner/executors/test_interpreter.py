"""Jobs in another environment: they find what its Python finds, and nothing of this one's."""

from __future__ import annotations

import sys
import time
import venv
from pathlib import Path

import pytest

from hrbench.contracts import Job
from hrbench.errors import UsageError
from hrbench.runner.executors import interpreter
from hrbench.runner.executors.interpreter import other_interpreter, this_interpreter
from hrbench.runner.executors.local import LocalExecutor
from hrbench.version import __version__

OWN = """
import sys

def where(emit, **arguments):
    return [sys.prefix, arguments]
"""


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with hrbench and a module of its own; its folder."""
    folder = tmp_path_factory.mktemp("other") / "an environment"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "beside.pth").write_text("\n".join(path for path in this_interpreter().path if path))
    (packages / "own_module.py").write_text(OWN)
    return folder


@pytest.mark.parametrize("fresh", [False, True])
def test_a_job_runs_in_the_other_environment(
    environment: Path, fresh: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_module.py").write_text("raise RuntimeError('that of this environment')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    other = other_interpreter(str(environment / "bin" / "python"))
    with LocalExecutor(modules=(), fresh=fresh, interpreter=other) as executor:
        outcome = executor.submit(Job("own_module:where", {"a": 1.5}))
        assert (outcome.failure, outcome.value) == ("", [str(environment), {"a": 1.5}])
        assert outcome.fresh is fresh and sys.prefix != str(environment)


def test_a_relative_path_and_a_name_are_found(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(environment)
    assert other_interpreter("bin/python").executable == str(environment / "bin" / "python")
    monkeypatch.setenv("PATH", str(environment / "bin"))
    assert other_interpreter("python").executable == str(environment / "bin" / "python")


def test_one_without_this_hrbench_is_refused(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    bare = str(tmp_path / "bare" / "bin" / "python")
    advice = f"it needs hrbench {__version__}: {bare} -m pip install hrbench=={__version__}"
    with pytest.raises(UsageError, match="No module named 'hrbench'") as caught:
        other_interpreter(bare)
    assert str(caught.value).endswith(advice)
    old = program(tmp_path / "old", "echo '[\"0.0.1\", []]'")
    with pytest.raises(UsageError, match=r"old has hrbench 0\.0\.1; it needs hrbench"):
        other_interpreter(old)


def test_what_is_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no program .*nowhere"):
        other_interpreter(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"ended with status 7 \(no such option\); name the python of another"):
        other_interpreter(program(tmp_path / "ends", "echo 'no such option' >&2; exit 7"))
    with pytest.raises(UsageError, match="is no Python: name the python of another environment"):
        other_interpreter(program(tmp_path / "says", "echo hello"))
    with pytest.raises(UsageError, match="is no Python: name the python of another environment"):
        other_interpreter(program(tmp_path / "silent", "exit 0"))


@pytest.mark.parametrize(
    "said", ["\\377\\376", "5", "null", '["{version}", 7]', '["{version}", [1, null]]', '{{"a": 1}}']
)
def test_junk_is_no_python(tmp_path: Path, said: str) -> None:
    text = said.format(version=__version__)
    with pytest.raises(UsageError, match="is no Python: name the python of another environment"):
        other_interpreter(program(tmp_path / "junk", f"printf '{text}\\n'"))


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "ANSWER_SECONDS", 1)
    hangs = program(tmp_path / "hangs", f"sleep 1000 &\necho $! > {tmp_path}/child\nwait")
    with pytest.raises(UsageError, match=r"hangs did not answer within 1 s: name the python of another environment"):
        other_interpreter(hangs)
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    until = time.monotonic() + 20
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":  # nobody may be there to reap it
        assert time.monotonic() < until
        time.sleep(0.02)
