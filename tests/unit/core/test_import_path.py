"""`sys.path` for the time of a block, and nowhere else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import hrbench
from hrbench.core.import_path import importable


@pytest.fixture(autouse=True)
def _unchanged():
    before = list(sys.path)
    yield
    assert sys.path == before


def test_folders_are_looked_through_last_or_first(tmp_path: Path):
    before = list(sys.path)
    with importable(tmp_path):
        assert sys.path == [*before, str(tmp_path)]
        with importable(tmp_path / "a", tmp_path / "b", place="first"):
            assert sys.path == [str(tmp_path / "a"), str(tmp_path / "b"), *before, str(tmp_path)]
        assert sys.path == [*before, str(tmp_path)]


def test_a_folder_that_is_there_already_stays(tmp_path: Path):
    with importable(tmp_path):
        inside = list(sys.path)
        with importable(tmp_path, place="first"):
            assert sys.path == inside
        assert sys.path == inside


def test_a_whole_path_stands_in_for_the_other(tmp_path: Path):
    with importable("", str(tmp_path), "", place="only"):
        assert sys.path == ["", str(tmp_path), ""]


def test_an_error_and_code_that_changes_the_path_itself_leave_it_in_order(tmp_path: Path):
    with pytest.raises(RuntimeError), importable(tmp_path):
        sys.path.remove(str(tmp_path))
        raise RuntimeError
    with importable(tmp_path):
        sys.path.append("/of/a/script")
    assert sys.path.pop() == "/of/a/script"  # what was imported may still need it
    with importable(tmp_path, place="only"):
        sys.path.clear()


def test_nothing_else_changes_the_path_or_the_environment_of_the_hub():
    root = Path(hrbench.__file__).parent
    changes = re.compile(
        r"sys\.path(\[.*\] =|\.(append|insert|remove|extend|pop|clear)\()|environ\[.HF_|setdefault\(.HF_"
    )
    found = [path.relative_to(root).as_posix() for path in root.rglob("*.py") if changes.search(path.read_text())]
    # a new Python is told the path of this one before it can import anything of ours
    assert sorted(found) == ["core/import_path.py", "runner/executors/processes.py"]
