"""Archives of arrays: what NumPy writes comes back; what is damaged asks for no more memory than it is large."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hrbench.core.npz import read_npy, read_npz

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "text": np.array(["one", "three"]),
    "none": np.zeros((0, 4)),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "number": np.float64(3),
}


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_comes_back(tmp_path: Path, write):
    write(tmp_path / "a.npz", **ARRAYS)
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def record(head: bytes, numbers: bytes = bytes(16)) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + numbers


def stated(shape: str, descr: str = "<f4") -> bytes:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (record(stated("(4,)")) + b"x", "bytes, which is no array of shape"),
        (record(stated("(1000000, 1000000)")), "which is no array of shape"),
        (record(stated("(-4,)")), "an array of shape"),
        (record(stated("(True, 4)")), "an array of shape|which is no array"),
        (record(stated("(2,)", "|O")), "holds objects of Python"),
        (record(b"{'descr': ('<f4', \n"), "Error"),
        (record(b"\x00" * 20), "Error"),
        (b"no array", "magic"),
        (b"", "Error"),
        (b"\x93NUMPY\x09\x00" + bytes(90), "in the form"),
    ],
)
def test_damage_is_one_error(tmp_path: Path, content: bytes, says: str):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ValueError, match=says):
        read_npz(tmp_path / "a.npz")


def test_a_damaged_archive_and_a_file_that_is_none(tmp_path: Path):
    stream = io.BytesIO()
    np.savez(stream, **ARRAYS)
    (tmp_path / "cut.npz").write_bytes(stream.getvalue()[:300])
    with pytest.raises(ValueError, match="BadZipFile"):
        read_npz(tmp_path / "cut.npz")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "absent.npz")


def test_every_byte_of_a_head_may_be_wrong():
    """NumPy's own parser raises errors of many kinds for such heads, tokenize's among them."""
    stream = io.BytesIO()
    np.save(stream, np.arange(12, dtype=np.uint8).reshape(3, 4))
    whole = stream.getvalue()
    assert read_npy(whole).tolist() == np.arange(12).reshape(3, 4).tolist()
    refused = 0
    for place in range(len(whole) - 12):
        for value in (0, 40, 0x7F, 0xFF):
            data = bytearray(whole)
            data[place] = value
            try:
                read_npy(bytes(data))
            except ValueError:
                refused += 1
    assert refused > 100
    with pytest.raises(ValueError, match="it is cut off"):
        read_npy(whole[:-1])
