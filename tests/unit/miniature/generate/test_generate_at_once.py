"""Two processes that find a miniature missing at once both go on, and there is one whole set afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from seeds import some
from small_sets import IMAGE_NUMBERS

from hrbench.core.digests import digest, sha256

DRAW = """
import importlib, sys
from pathlib import Path
module, _, function = sys.argv[1].partition(":")
module = importlib.import_module(module)
setattr(module, sys.argv[2], 8)
print("ready", flush=True)
sys.stdin.readline()
getattr(module, function)(Path(sys.argv[3]))
"""


SLOW = [draw for draw in IMAGE_NUMBERS if "street" in draw or "mpii" in draw]


def contents(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest([(path.relative_to(folder).as_posix(), sha256(path)) for path in files])


@pytest.mark.parametrize(
    "draw", some(IMAGE_NUMBERS, later=[one for one in IMAGE_NUMBERS if "street" in one or "mpii" in one])
)
def test_two_that_draw_one_set_at_once(draw: str, tmp_path: Path) -> None:
    def start(folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DRAW, draw, IMAGE_NUMBERS[draw], str(tmp_path / folder)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    children = [start("set"), start("set"), start("alone")]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:  # all have imported what they need and begin together
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    errors = [child.communicate(timeout=300)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "set"]
    assert contents(tmp_path / "set") == contents(tmp_path / "alone")
