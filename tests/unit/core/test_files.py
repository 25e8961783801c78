"""Files and folders are written whole or not at all, and what killed processes leave can be told and removed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from hrbench.core import files as module
from hrbench.core.files import (
    open_private_file,
    reading,
    remove_unfinished_files,
    unfinished_files,
    whole_folder,
    write_whole,
)
from hrbench.errors import InputError, MissingError, UsageError

GONE = 2**22 + 17
"""A process id beyond what Linux gives (kernel.pid_max is at most 2**22)."""


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- files -----------------------------------------------------------------------------------------------------------


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    path.parent.mkdir()
    path.write_bytes(b"old")

    def write(stream) -> None:
        stream.write(b"new")
        assert path.read_bytes() == b"old"

    write_whole(path, write)
    assert path.read_bytes() == b"new" and tree(tmp_path) == ["deep", "deep/a.json"]


def test_folders_above_are_made_and_the_file_is_as_readable_as_any(tmp_path: Path) -> None:
    write_whole(tmp_path / "a/b/c.txt", lambda stream: stream.write(b"x"))
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "a/b/c.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("size", [0, 1, module.BUFFER_BYTES - 1, module.BUFFER_BYTES, 3 * module.BUFFER_BYTES + 1])
def test_every_byte_arrives(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    write_whole(tmp_path / "whole", lambda stream: stream.write(content))
    assert (tmp_path / "whole").read_bytes() == content

    def in_pieces(stream) -> None:
        for start in range(0, size, 7001):
            stream.write(content[start : start + 7001])

    write_whole(tmp_path / "pieces", in_pieces)
    assert (tmp_path / "pieces").read_bytes() == content


def test_a_zip_is_the_same_as_one_written_to_a_path(tmp_path: Path) -> None:
    """The stream can seek: a zip that is written to one that cannot has other bytes."""

    def pack(place) -> None:
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a"), b"content")

    pack(tmp_path / "plain.zip")
    write_whole(tmp_path / "whole.zip", pack)
    assert (tmp_path / "whole.zip").read_bytes() == (tmp_path / "plain.zip").read_bytes()


@pytest.mark.parametrize("error", [ValueError("x"), OSError("an image of the data set"), KeyboardInterrupt()])
def test_errors_of_the_writer_pass_and_leave_the_old_file(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def write(stream) -> None:
        stream.write(b"half")
        raise error

    with pytest.raises(type(error)) as caught:
        write_whole(path, write)
    assert caught.value is error
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"file/a\.json: cannot be written \((Not a directory|File exists)\); make room"
    ):
        write_whole(tmp_path / "file" / "a.json", lambda stream: None)
    (tmp_path / "b.json").mkdir()
    (tmp_path / "b.json" / "c").touch()
    with pytest.raises(UsageError, match=r"b\.json: cannot be written \(.*\); choose another$"):
        write_whole(tmp_path / "b.json", lambda stream: None, remedy="choose another")
    assert tree(tmp_path) == ["b.json", "b.json/c", "file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("size", [1, 2 * module.BUFFER_BYTES])
def test_a_full_disk_is_named(size: int, tmp_path: Path, monkeypatch) -> None:
    def full(part: Path) -> int:
        part.touch()
        descriptor = os.open("/dev/full", os.O_WRONLY)
        monkeypatch.setattr(module.os.path, "samestat", lambda one, other: True)
        return descriptor

    monkeypatch.setattr(module, "_new_file", full)
    with pytest.raises(UsageError, match=r"a\.json: cannot be written \(No space left on device\)"):
        write_whole(tmp_path / "a.json", lambda stream: stream.write(b"x" * size))
    assert tree(tmp_path) == []


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.json").symlink_to("precious")
    write_whole(tmp_path / "a.json", lambda stream: stream.write(b"new"))
    assert not (tmp_path / "a.json").is_symlink() and (tmp_path / "precious").read_text() == "precious"


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127 + "b")
    write_whole(path, lambda stream: stream.write(b"x"))
    assert path.read_bytes() == b"x"


def test_a_file_of_our_own_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".lock").symlink_to("victim")
    with pytest.raises(UsageError, match=r"\.lock is a link, and is not followed: delete it"):
        open_private_file(tmp_path / ".lock", os.O_WRONLY | os.O_TRUNC)
    assert (tmp_path / "victim").read_text() == "precious"
    os.close(open_private_file(tmp_path / "new", os.O_WRONLY))
    assert (tmp_path / "new").is_file()


# --- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["nothing", "file", "empty", "full"])
@pytest.mark.parametrize("replace", [True, False])
def test_a_folder_takes_its_place(before: str, replace: bool, tmp_path: Path) -> None:
    path = tmp_path / "set"
    if before == "file":
        path.touch()
    elif before != "nothing":
        path.mkdir()
    if before == "full":
        (path / "old").touch()
    if before == "file" and not replace:
        with (
            pytest.raises(UsageError, match=r"set: cannot be written \(Not a directory\)"),
            whole_folder(path, replace=False),
        ):
            pass
        assert tree(tmp_path) == ["set"] and path.is_file()
        return
    with whole_folder(path, replace=replace) as part:
        (part / "new").touch()
        assert not (path / "new").exists()
    assert tree(tmp_path) == ["set", "set/old" if before == "full" and not replace else "set/new"]


def test_errors_within_a_folder_pass_and_leave_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    with pytest.raises(OSError, match="an image"), whole_folder(tmp_path / "set") as part:
        (part / "new").touch()
        raise OSError("an image of the data set")
    assert tree(tmp_path) == ["set", "set/old"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(UsageError, match=r"file/set: cannot be written \((Not a directory|File exists)\)")
    with refused, whole_folder(tmp_path / "file" / "set"):
        pass


@pytest.mark.parametrize("replace", [True, False])
def test_several_that_fill_one_folder_at_once_all_succeed(replace: bool, tmp_path: Path) -> None:
    together, failed = threading.Barrier(8), []

    def fill(number: int) -> None:
        try:
            with whole_folder(tmp_path / "set", replace=replace) as part:
                for name in "abc":
                    (part / name).write_text(str(number))
                together.wait(600)
        except BaseException as error:  # an exception in a thread fails no test
            failed.append(error)

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert failed == []
    assert tree(tmp_path) == ["set", "set/a", "set/b", "set/c"]
    assert len({path.read_text() for path in (tmp_path / "set").iterdir()}) == 1


# --- unfinished files -------------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from hrbench.core.files import whole_folder, write_whole

def wait(stream):
    stream.write(b"x" * 100_000)
    with whole_folder(Path(sys.argv[1]) / "folder") as part:
        (part / "deep").mkdir()
        print("ready", flush=True)
        sys.stdin.read()

write_whole(Path(sys.argv[1]) / "result.json", wait)
"""


def test_what_a_killed_process_leaves_is_swept_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        assert len(tree(tmp_path)) == 3 and unfinished_files(tmp_path) == remove_unfinished_files(tmp_path) == []
        child.send_signal(signal.SIGKILL)
    left = unfinished_files(tmp_path)
    assert [path.name.split(".")[1] for path in left] == ["folder", "result"]
    assert all(f".{child.pid}." in path.name for path in left)
    assert unfinished_files(tmp_path, "result.json") == [left[1]]
    assert remove_unfinished_files(tmp_path, "result.json") == [left[1]]
    with whole_folder(tmp_path / "folder"):  # removes what an earlier one of its name left
        pass
    assert tree(tmp_path) == ["folder"]


def test_what_version_0_1_0_left_goes_by_the_process(tmp_path: Path) -> None:
    names = [".result.json", ".lock", "result.json.7", ".a.b", f".result.json.{os.getppid()}"]
    for name in (f".result.json.{GONE}", *names):
        (tmp_path / name).touch()
    assert [path.name for path in remove_unfinished_files(tmp_path)] == [f".result.json.{GONE}"]
    assert tree(tmp_path) == sorted(names)


def test_a_link_with_the_name_of_a_leaving_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / f".a.{GONE}.0123abcd.part").symlink_to("precious")
    assert remove_unfinished_files(tmp_path) == [] and len(tree(tmp_path)) == 2
    assert unfinished_files(tmp_path / "absent") == []


@pytest.mark.parametrize("kind", ["_new_file", "_new_folder"])
def test_a_part_that_was_swept_before_it_was_locked_is_made_anew(kind: str, tmp_path: Path, monkeypatch) -> None:
    made, opened, real = [], os.open, getattr(module, kind)

    def making(part: Path) -> int | None:
        made.append(part)
        return real(part)

    def sweeping(part: Path, *given: int) -> int:
        if kind == "_new_folder" and len(made) == 1:
            part.rmdir()
        descriptor = opened(part, *given)
        if kind == "_new_file" and len(made) == 1:
            part.unlink()
        return descriptor

    monkeypatch.setattr(module, kind, making)
    monkeypatch.setattr(module.os, "open", sweeping)
    if kind == "_new_file":
        write_whole(tmp_path / "a", lambda stream: stream.write(b"x"))
    else:
        with whole_folder(tmp_path / "a"):
            pass
    assert len(made) == 2 and tree(tmp_path) == ["a"]


def test_without_locks_the_process_decides(tmp_path: Path, monkeypatch) -> None:
    """Some network file systems have none; then a part of a living process stays."""

    def refused(descriptor: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    write_whole(tmp_path / "a", lambda stream: stream.write(b"x"))
    (tmp_path / f".a.{GONE}.0123abcd.part").touch()
    (tmp_path / f".a.{os.getpid()}.0123abcd.part").touch()
    assert [path.name for path in remove_unfinished_files(tmp_path)] == [f".a.{GONE}.0123abcd.part"]
    assert (tmp_path / "a").read_bytes() == b"x"


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").touch(mode=0o000)
    with pytest.raises(InputError, match="Permission denied"), reading(tmp_path / "a", "x"):
        pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="it should be a letter"), reading(tmp_path / "a", "a letter"):
        pass
