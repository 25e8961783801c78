"""Digests of files and of plain values."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hrbench.core.digests import canonical, digest, md5, sha256
from hrbench.errors import InputError, MissingError


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_of_a_file(size: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "w").write_bytes(content)
    assert sha256(tmp_path / "w") == hashlib.sha256(content).hexdigest()
    assert md5(tmp_path / "w") == hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("of", [sha256, md5])
def test_what_cannot_be_read_is_named(of, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"absent\.pth: there is no such file"):
        of(tmp_path / "absent.pth")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder'?: cannot be read: Is a directory"):
        of(tmp_path / "folder")


def test_of_a_value_it_does_not_depend_on_order_or_tuples() -> None:
    assert canonical({"b": (1, 2), "a": None}) == '{"a":null,"b":[1,2]}'
    assert digest({"b": (1, 2), "a": None}) == digest({"a": None, "b": [1, 2]})
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    with pytest.raises(ValueError, match="JSON"):
        digest(float("nan"))
