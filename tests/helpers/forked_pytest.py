"""A pytest of its own for each of many calls: forks of one process that has imported what they need, and run nothing.

with ForkedPytest() as pytest_of:
    code, text = pytest_of(["-q", "test_a.py"], folder, environment)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FORKING = """
import importlib, json, os, sys
import pytest
for name in sys.argv[1:]:
    importlib.import_module(name)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            said = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for descriptor, at in ((nothing, 0), (said, 1), (said, 2)):
                os.dup2(descriptor, at)
            os.chdir(asked["folder"])
            os.environ.clear()
            os.environ.update(asked["environment"])
            code = int(pytest.main(asked["arguments"]))
            sys.stdout.flush()
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class ForkedPytest:
    """The process that is forked.

    modules: imported once, before the first call. They start no thread and keep nothing of the folder they are in.
    """

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKING, *modules],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def __call__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        """Exit code and output of `pytest arguments` in a folder; a negative code is the signal that ended it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        said = folder / "said.txt"
        asked = {"arguments": [*arguments], "folder": str(folder), "environment": {**environment}, "said": str(said)}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        return code, said.read_text()

    def close(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0
