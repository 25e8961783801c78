"""What is remembered counts only as long as the files behind it are the same, and is never needed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hrbench.store.index import FILE, VERSION, Index


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = []
    for name in ("a", "b"):
        path = tmp_path / name / "entries" / "net" / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(name)
        found.append(tmp_path / name)
    return found


class Reader:
    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, folder: Path) -> tuple[bytes, bool]:
        self.read.append(folder.name)
        return (folder / "entries" / "net" / "result.json").read_bytes(), True


def test_what_has_not_changed_is_read_once(folders, tmp_path: Path) -> None:
    reader, index, told = Reader(), Index(tmp_path / FILE), []
    first = index.summaries(folders, reader, lambda done, of: told.append((done, of)))
    assert first == {folders[0]: b"a", folders[1]: b"b"}
    assert told == [(0, 2), (1, 2)]
    assert index.summaries(folders, reader) == first
    assert reader.read == ["a", "b"]
    (folders[0] / "entries" / "net" / "result.json").write_text("other")
    assert index.summaries(folders, reader)[folders[0]] == b"other"
    (folders[1] / "entries" / "more").mkdir()
    (folders[1] / "entries" / "more" / "result.json").write_text("x")
    index.summaries(folders, reader)
    assert reader.read == ["a", "b", "a", "b"]


def test_a_file_of_the_same_size_and_another_time_is_read_again(folders, tmp_path: Path) -> None:
    reader, index = Reader(), Index(tmp_path / FILE)
    index.summaries(folders, reader)
    path = folders[0] / "entries" / "net" / "result.json"
    before = path.stat()
    path.write_text("z")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert index.summaries(folders, reader)[folders[0]] == b"z"


@pytest.mark.parametrize("damage", [b"", b"no database at all, but long enough to be looked at" * 50])
def test_a_damaged_index_is_made_anew(folders, tmp_path: Path, damage: bytes) -> None:
    reader, index = Reader(), Index(tmp_path / FILE)
    (tmp_path / FILE).write_bytes(damage)
    assert index.summaries(folders, reader)[folders[1]] == b"b"
    index.remember("key", b"value")
    assert index.derived("key") == b"value"
    index.summaries(folders, reader)
    assert reader.read == ["a", "b"]


def test_a_database_of_another_program_is_left_alone(folders, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.executescript("create table folders (a, b); pragma user_version = 1;")
    before, reader, index = (tmp_path / FILE).read_bytes(), Reader(), Index(tmp_path / FILE)
    assert index.summaries(folders, reader) == {folders[0]: b"a", folders[1]: b"b"}
    assert index.derived("key") is None
    assert (tmp_path / FILE).read_bytes() == before


def test_what_may_pass_is_not_remembered(folders, tmp_path: Path) -> None:
    reader, index = Reader(), Index(tmp_path / FILE)
    index.summaries(folders, lambda folder: (reader(folder)[0], folder.name == "a"))
    index.summaries(folders, reader)
    assert reader.read == ["a", "b", "b"]


def test_a_damaged_page_loses_nothing_but_time(folders, tmp_path: Path) -> None:
    index = Index(tmp_path / FILE)
    index.summaries(folders, Reader())
    data = bytearray((tmp_path / FILE).read_bytes())
    data[4096 - 300 :] = b"\xff" * len(data[4096 - 300 :])
    (tmp_path / FILE).write_bytes(data)
    assert index.summaries(folders, Reader()) == {folders[0]: b"a", folders[1]: b"b"}


def test_without_a_place_for_it_everything_is_read(folders, tmp_path: Path) -> None:
    for index in (Index(None), Index(tmp_path / "no folder" / FILE)):
        reader = Reader()
        assert index.summaries(folders, reader) == index.summaries(folders, reader)
        assert reader.read == ["a", "b"] * 2
        index.remember("key", b"value")
        assert index.derived("key") is None


def test_another_version_forgets(folders, tmp_path: Path, monkeypatch) -> None:
    reader, index = Reader(), Index(tmp_path / FILE)
    index.summaries(folders, reader)
    monkeypatch.setattr("hrbench.store.index.VERSION", VERSION + 1)
    index.summaries(folders, reader)
    assert reader.read == ["a", "b"] * 2
    index.summaries(folders, reader)
    assert reader.read == ["a", "b"] * 2
