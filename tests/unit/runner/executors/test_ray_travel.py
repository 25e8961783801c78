"""What goes to the nodes of a cluster, and what paths mean there."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.errors import UsageError
from hrbench.runner.executors import ray_travel
from hrbench.runner.executors.ray_travel import FILE_BYTES, arrived, pack


def write(path: Path, size: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_code_and_small_files_travel(tmp_path: Path):
    beside = tmp_path / "suite"
    for name in ("suite.yaml", "nets.py", "pkg/__init__.py", "pkg/classes.txt", "small.npz"):
        write(beside / name)
    for name in (".git/config", "pkg/__pycache__/a.pyc", "runs/a/result.json", "data/a.jpg", "weights/a.pth", ".env"):
        write(beside / name)
    write(beside / "elsewhere" / "images" / "a.jpg")
    write(beside / "out" / "run.json")
    write(beside / "venv" / "pyvenv.cfg")
    write(beside / "large.pth", FILE_BYTES + 1)
    write(beside / "large.py", FILE_BYTES + 1)
    packed = pack(beside, tmp_path / "copy", [beside / "elsewhere"])
    assert names(packed) == ["large.py", "nets.py", "pkg/__init__.py", "pkg/classes.txt", "small.npz", "suite.yaml"]


def test_too_much_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_travel, "ALL_FILES", 2)
    for name in "abc":
        write(tmp_path / "suite" / f"{name}.py")
    with pytest.raises(UsageError, match="give the suite a folder of its own"):
        pack(tmp_path / "suite", tmp_path / "copy")


def test_a_path_that_is_not_there_is_that_of_the_copy(tmp_path: Path):
    write(tmp_path / "copy" / "nets" / "a.npz")
    write(tmp_path / "copy" / "b.npz")
    beside = "/no/such/folder/suite"
    request = {"weights": f"{beside}/nets/a.npz", "rest": [f"{beside}/none.npz", 3, None, f"{beside}2/b.npz", beside]}
    copy = str(tmp_path / "copy")
    assert arrived(request, beside, copy) == {
        "weights": f"{copy}/nets/a.npz",
        "rest": [f"{beside}/none.npz", 3, None, f"{beside}2/b.npz", copy],
    }


def test_a_path_that_is_there_stays(tmp_path: Path):
    for folder in ("suite", "copy"):
        write(tmp_path / folder / "a.npz")
    path = str(tmp_path / "suite" / "a.npz")
    assert arrived(path, str(tmp_path / "suite"), str(tmp_path / "copy")) == path
    assert arrived("/a", "", "") == "/a"
