"""The MATLAB reader: what SciPy writes, what MATLAB writes smaller, and no damage that does more than a ValueError."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.sparse import csc_matrix

from hrbench.formats.mat import read_mat

CELL = np.empty((1, 3), object)
CELL[0] = ["rank", "grün", np.array([[1.5, 2.5]])]
VARIABLES = {
    "doubles": np.arange(24, dtype=np.float64).reshape(2, 3, 4),
    "singles": np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2),
    "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "longs": np.array([[-(2**62), 5]]),
    "flags": np.array([[True, False, True]]),
    "text": "head",
    "cell": CELL,
    "nothing": np.zeros((0, 3)),
    "fields": {"x": 1.0, "y": "far"},
}


def saved(variables: dict, compressed: bool = False) -> bytes:
    stream = io.BytesIO()
    savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes_is_read(compressed: bool) -> None:
    found = read_mat(saved(VARIABLES, compressed), tuple(VARIABLES))
    assert set(found) == set(VARIABLES)
    for name in ("doubles", "singles", "bytes", "longs", "flags", "nothing"):
        np.testing.assert_array_equal(found[name], VARIABLES[name])
        assert name == "flags" or found[name].dtype == VARIABLES[name].dtype
    assert found["text"] == "head"
    assert found["cell"][:2] == ["rank", "grün"]
    np.testing.assert_array_equal(found["cell"][2], [[1.5, 2.5]])


def test_only_what_is_asked_for_is_read() -> None:
    # complex numbers and sparse matrices are refused, unless nobody asks for them
    data = saved({"a": np.eye(2), "b": np.array([[1j]]), "c": csc_matrix(np.eye(3))})
    assert list(read_mat(data, ("a", "z"))) == ["a"]
    for name in ("b", "c"):
        with pytest.raises(ValueError, match=f"{name} is neither numbers, text, cells nor structures"):
            read_mat(data, (name,))


@pytest.mark.parametrize("compressed", [False, True])
def test_structures_are_mappings(compressed: bool) -> None:
    """As ImageNet's meta.mat: an array of structures with numbers, text and lists of numbers."""
    kind = [("ILSVRC2012_ID", object), ("WNID", object), ("children", object)]
    rows = np.empty((2, 1), dtype=kind)
    rows[0, 0] = (1, "n02119789", np.zeros((1, 0)))
    rows[1, 0] = (2, "n02100735", np.array([[3.0, 4.0]]))
    one, two = read_mat(saved({"synsets": rows, "one": {"x": 5}}, compressed), ("synsets",))["synsets"]
    assert list(one) == ["ILSVRC2012_ID", "WNID", "children"]
    assert (one["ILSVRC2012_ID"].item(), one["WNID"], two["WNID"]) == (1, "n02119789", "n02100735")
    assert two["children"].tolist() == [[3.0, 4.0]] and one["children"].size == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_doubles_stored_as_bytes_in_either_byte_order(order: str) -> None:
    """What MATLAB does with whole numbers: class double (6), stored as uint8 (2), in a small element."""
    flags = struct.pack(f"{order}IIII", 6, 8, 6, 0)
    dims = struct.pack(f"{order}IIii", 5, 8, 1, 3)
    name = struct.pack(f"{order}I", (1 << 16) | 1) + b"v\0\0\0"
    values = struct.pack(f"{order}I", (3 << 16) | 2) + bytes([7, 8, 9, 0])
    body = flags + dims + name + values
    header = b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    found = read_mat(header + struct.pack(f"{order}II", 14, len(body)) + body, ("v",))["v"]
    assert found.tolist() == [[7, 8, 9]] and found.dtype == np.float64


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a MATLAB file of level 5"),
        (b"\x89HDF\r\n" + bytes(500), "save it with"),
        (saved(VARIABLES)[:200], "longer than the file"),
        (saved(VARIABLES)[:131], "ends within an element"),
        (saved(VARIABLES, True)[:140] + bytes(1000), "compressed variable is damaged|longer than the file"),
        (saved({})[:128] + struct.pack("<II", 9, 8) + bytes(8), "expected, but there is an element of type 9"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_mat(data, tuple(VARIABLES))


@settings(max_examples=400)
@given(data=st.data())
def test_damage_is_a_value_error_at_most(data) -> None:
    sound = saved(VARIABLES, data.draw(st.booleans()))
    place = data.draw(st.integers(0, len(sound) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8))
    rest = data.draw(st.sampled_from([sound[place + len(damage) :], b"", sound[place:]]))
    try:
        found = read_mat(sound[:place] + damage + rest, tuple(VARIABLES))
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(value, np.ndarray | str | list) for value in found.values())
