"""Another Python, with an environment of its own, in which jobs may run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hrbench.errors import UsageError
from hrbench.version import __version__

_ASK = "import hrbench, json, sys; print(); print(json.dumps([hrbench.__version__, sys.path]))"
_OURS = ("PYTHONPATH", "PYTHONHOME")
"""Variables that would have another Python find what this one does."""

ANSWER_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python. executable: its path; path: its `sys.path`."""

    executable: str
    path: tuple[str, ...]


def this_interpreter() -> Interpreter:
    """The Python that runs this."""
    return Interpreter(sys.executable, tuple(str(one) for one in sys.path))


def other_interpreter(executable: str) -> Interpreter:
    """The Python of another environment.

    Raises UsageError if it is none, or if it lacks this version of hrbench: jobs are told in words of this version.
    """
    found = shutil.which(executable)
    if found is None:
        raise UsageError(f"there is no program {executable}: name the python of another environment")
    found = str(Path(found).absolute())  # not resolved: the link in bin/ is what makes the environment
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    needs = f"it needs hrbench {__version__}: {executable} -m pip install hrbench=={__version__}"
    status, out, said = _answer(executable, [found, "-P", "-c", _ASK], environment)
    if status:
        why = needs if "ModuleNotFoundError" in said else "name the python of another environment"
        raise UsageError(f"{executable} ended with status {status} ({said}); {why}")
    try:
        version, path = msgspec.json.decode((out.splitlines() or [""])[-1], type=tuple[str, list[str]])
    except msgspec.MsgspecError:
        raise UsageError(f"{executable} is no Python: name the python of another environment") from None
    if version != __version__:
        raise UsageError(f"{executable} has hrbench {version}; {needs}")
    return Interpreter(found, tuple(path))


def _answer(executable: str, command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Status of a program, what it printed, and the last line of what it said besides.

    Raises UsageError if it does not run, or does not end; it is then killed with all that it started.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(f"{executable} is no Python that runs: {error.strerror}") from None
    try:
        out, said = (stream.decode(errors="replace").strip() for stream in process.communicate(timeout=ANSWER_SECONDS))
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        if isinstance(error, subprocess.TimeoutExpired):
            told = f"{executable} did not answer within {ANSWER_SECONDS} s: name the python of another environment"
            raise UsageError(told) from None
        raise
    return process.returncode, out, (said.splitlines() or [""])[-1]
