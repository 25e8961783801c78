"""Another Python, with an environment of its own, in which jobs may run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
    try:
        answer = subprocess.run(
            [found, "-P", "-c", _ASK],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{executable} is no Python that runs: {error}") from None
    said = (answer.stderr.strip().splitlines() or [""])[-1]
    if answer.returncode:
        why = needs if "ModuleNotFoundError" in said else "name the python of another environment"
        raise UsageError(f"{executable} ended with status {answer.returncode} ({said}); {why}")
    try:
        version, path = json.loads(answer.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise UsageError(f"{executable} is no Python: name the python of another environment") from None
    if version != __version__:
        raise UsageError(f"{executable} has hrbench {version}; {needs}")
    return Interpreter(found, tuple(path))
