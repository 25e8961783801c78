"""Bad arguments never reach C."""

from __future__ import annotations

import numpy as np
import pytest
from both_ways import both_ways

from hrbench.core.native.calls import In, NativeCall, Out

SCALED = NativeCall("hrb_scaled", In(np.int64), int, Out(np.int64))
compiled = pytest.mark.parametrize("way", ["compiled"], indirect=True)


def values(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


@compiled
def test_a_call(way):
    out = values(0, 0, 0)
    assert SCALED(values(1, 2, 3), -2, out) == 6
    assert out.tolist() == [-2, -4, -6]
    assert SCALED(values(), 1, values()) == 0


@both_ways
def test_arguments_that_do_not_fit_the_signature(way):
    out = values(0, 0)
    for wrong in ([1, 2], np.zeros(2), np.zeros(2, np.int32), np.zeros(2, ">i8"), np.zeros(2, np.uint64)):
        with pytest.raises(TypeError, match="argument 0"):
            SCALED(wrong, 1, out)
    for wrong in (np.zeros(4, np.int64)[::2], np.zeros((2, 2), np.int64).T, np.zeros(17, np.uint8)[1:].view(np.int64)):
        with pytest.raises(ValueError, match="argument 0 must be aligned"):
            SCALED(wrong, 1, out)
    constant = values(0, 0)
    constant.flags.writeable = False
    with pytest.raises(ValueError, match="argument 2 must be aligned"):
        SCALED(values(1, 2), 1, constant)
    with pytest.raises(ValueError, match="64 bits"):
        SCALED(values(1, 2), 2**63, out)
    with pytest.raises(TypeError, match="takes 3 arguments, not 2"):
        SCALED(out, out)


@compiled
def test_what_c_refuses_is_an_error(way):
    with pytest.raises(IndexError, match="hrb_scaled"):
        SCALED(values(1, 2, 3), 1, values(0, 0))


def test_without_the_helper_a_call_is_an_error(monkeypatch):
    monkeypatch.setenv("HRBENCH_COMPILED", "0")
    with pytest.raises(RuntimeError, match="without the compiled helper"):
        SCALED(values(1), 1, values(0))
