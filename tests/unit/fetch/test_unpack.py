"""Archives of all kinds come whole or not at all, and nothing of them leaves its folder."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.errors import EntryError, InputError, UsageError
from hrbench.fetch import unpack as module
from hrbench.fetch.unpack import ENDINGS, is_archive, unpack

FILES = {"set/images/a.jpg": b"image" * 1000, "set/list.txt": b"a\n", "other/b.txt": b"b"}
MODES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def pack(path: Path, files: dict[str, bytes], change=lambda info: None) -> Path:
    """An archive by its ending; `change` may alter a member's heading."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                change(info)
                archive.writestr(info, content)
    else:
        ending = next(ending for ending in MODES if path.name.endswith(ending))
        with tarfile.open(path, MODES[ending]) as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                change(info)
                archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def goal(tmp_path: Path) -> Path:
    return tmp_path / "goal"


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_kinds_come_whole(tmp_path: Path, goal: Path, ending: str):
    steps: list[tuple[int, int]] = []
    archive = pack(tmp_path / f"set{ending}", FILES)
    assert unpack(archive, goal, progress=lambda done, total: steps.append((done, total))) == 3
    assert tree(goal) == FILES and archive.is_file() and is_archive(archive.name)
    assert steps[-1][0] == sum(map(len, FILES.values()))
    assert bool(steps[-1][1]) == (ending in (".zip", ".tar"))  # compressed streams say only at their end
    assert all(not total or done <= total for done, total in steps)


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_only_what_lies_below_a_folder_of_the_archive(tmp_path: Path, goal: Path, ending: str):
    archive = pack(tmp_path / f"set{ending}", FILES)
    assert unpack(archive, goal, inner="set") == 2
    assert tree(goal) == {"images/a.jpg": FILES["set/images/a.jpg"], "list.txt": b"a\n"}
    with pytest.raises(InputError, match="holds no file below elsewhere"):
        unpack(archive, goal, inner="elsewhere")
    assert len(tree(goal)) == 2


def test_what_is_there_is_filled_and_files_of_the_same_name_are_replaced(tmp_path: Path, goal: Path):
    (goal / "set" / "images").mkdir(parents=True)
    (goal / "set" / "images" / "a.jpg").write_bytes(b"old")
    (goal / "set" / "images" / "mine.jpg").write_bytes(b"mine")
    unpack(pack(tmp_path / "set.zip", FILES), goal)
    assert tree(goal) == {**FILES, "set/images/mine.jpg": b"mine"}
    (goal / "set" / "list.txt").unlink()
    (goal / "set" / "list.txt").mkdir()
    with pytest.raises(EntryError, match=r"list\.txt is in the way: a folder of that name is there"):
        unpack(tmp_path / "set.zip", goal)
    assert not list(goal.glob(".unpacking*"))


UNSAFE = ["/etc/passwd", "../up.txt", "set/../../up.txt", "C:/x", "c:evil", "a\\..\\..\\b", ".."]


def test_a_member_without_a_name_is_refused(tmp_path: Path, goal: Path):
    archive = pack(tmp_path / "set.zip", {"fine.txt": b"", "x": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"x", b"\0"))
    with pytest.raises(InputError, match=r"its member .* is no path"):
        unpack(archive, goal)
    assert list(goal.iterdir()) == []


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.xz"])
def test_no_path_leaves_the_folder(tmp_path: Path, goal: Path, ending: str, name: str):
    archive = pack(tmp_path / f"set{ending}", {"fine.txt": b"", name: b"evil"})
    with pytest.raises(InputError) as error:
        unpack(archive, goal)
    text = str(error.value)
    assert repr(name) in text and str(archive) in text and "\n" not in text and "nothing was kept" in text
    assert list(goal.iterdir()) == [] and sorted(path.name for path in tmp_path.iterdir()) == ["goal", archive.name]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, goal: Path, kind: bytes, words: str):
    def change(info: tarfile.TarInfo) -> None:
        if info.name == "set/link":
            info.type, info.linkname, info.size = kind, "../../outside", 0

    archive = pack(tmp_path / "set.tar.gz", {"set/a": b"a", "set/link": b"", "set/link/b": b"b"}, change)
    with pytest.raises(InputError, match=f"its member 'set/link' is {words}"):
        unpack(archive, goal)
    assert list(goal.iterdir()) == []


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path: Path, goal: Path):
    def change(info: zipfile.ZipInfo) -> None:
        if info.filename == "link":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16

    archive = pack(tmp_path / "set.zip", {"a": b"a", "link": b"/etc/passwd"}, change)
    with pytest.raises(InputError, match="its member 'link' is a symbolic link"):
        unpack(archive, goal)
    assert list(goal.iterdir()) == []


def test_rights_in_an_archive_are_not_taken_over(tmp_path: Path, goal: Path):
    def change(info: tarfile.TarInfo) -> None:
        info.mode = 0o6777

    unpack(pack(tmp_path / "set.tar", {"a": b"a"}, change), goal)
    assert not (goal / "a").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)


@pytest.mark.parametrize("ending", ENDINGS)
def test_half_an_archive_leaves_nothing(tmp_path: Path, goal: Path, ending: str):
    archive = pack(tmp_path / f"set{ending}", {"a.bin": os.urandom(200_000), "b.bin": os.urandom(200_000)})
    archive.write_bytes(archive.read_bytes()[:250_000])
    with pytest.raises(InputError, match=r"is damaged \(.+\): get it again") as error:
        unpack(archive, goal)
    assert str(archive) in str(error.value) and list(goal.iterdir()) == []


def test_what_is_no_archive(tmp_path: Path, goal: Path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match="is damaged"):
        unpack(archive, goal)
    with zipfile.ZipFile(archive, "w"):
        pass
    with pytest.raises(InputError, match="holds no file"):
        unpack(archive, goal)


@settings(max_examples=80)
@given(kind=st.sampled_from([".zip", ".tar", ".tar.gz"]), data=st.data())
def test_damage_anywhere_never_writes_outside_and_is_one_line(tmp_path_factory, kind: str, data: st.DataObject):
    base = tmp_path_factory.mktemp("fuzz")
    archive, goal = pack(base / f"set{kind}", FILES), base / "goal"
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    try:
        unpack(archive, goal)
    except (InputError, EntryError) as error:
        assert "\n" not in str(error) and list(goal.iterdir()) == []
    assert {path.name for path in base.iterdir()} <= {"goal", archive.name}
    shutil.rmtree(base)


def test_without_room_nothing_is_left(tmp_path: Path, goal: Path, monkeypatch: pytest.MonkeyPatch):
    archive = pack(tmp_path / "set.zip", FILES)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(EntryError, match=r"needs 4\.9 KiB to be unpacked, and 100 bytes are free|are free there"):
        unpack(archive, goal)
    assert list(goal.iterdir()) == []


def test_an_interruption_leaves_nothing_and_what_a_killed_process_left_is_cleared(tmp_path: Path, goal: Path):
    archive = pack(tmp_path / "set.zip", FILES)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(archive, goal, progress=interrupt)
    assert list(goal.iterdir()) == []
    (goal / ".unpacking-set.zip" / "set").mkdir(parents=True)
    (goal / ".unpacking-set.zip" / "half.bin").write_bytes(b"half")
    unpack(archive, goal)
    assert tree(goal) == FILES


def test_two_processes_do_not_unpack_one_archive(tmp_path: Path, goal: Path):
    archive = pack(tmp_path / "set.zip", FILES)
    with archive.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="is being unpacked by another process"):
            unpack(archive, goal)
    unpack(archive, goal)
