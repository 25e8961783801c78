"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hrbench.core.files import reading, replacing
from hrbench.errors import InputError, MissingError, UsageError


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with replacing(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("x"), OSError("an image of the data set"), KeyboardInterrupt()])
def test_errors_of_the_block_pass_and_leave_the_old_file(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught, replacing(path) as stream:
        stream.write(b"half")
        raise error
    assert caught.value is error
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"no/a.json: cannot be written \(No such file"),
        replacing(tmp_path / "no/a.json"),
    ):
        pass
    (tmp_path / "b.json").mkdir()
    (tmp_path / "b.json" / "c").touch()
    with pytest.raises(UsageError, match=r"b.json: cannot be written"), replacing(tmp_path / "b.json"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "open", lambda self, mode: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
    with pytest.raises(UsageError, match="No space left on device"), replacing(tmp_path / "a.json") as stream:
        stream.write(b"x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").touch(mode=0o000)
    with pytest.raises(InputError, match="Permission denied"), reading(tmp_path / "a", "x"):
        pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="it should be a letter"), reading(tmp_path / "a", "a letter"):
        pass
