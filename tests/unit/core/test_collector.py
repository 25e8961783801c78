"""The collector of cycles is paused, and goes on as it was."""

from __future__ import annotations

import gc

import pytest

from hrbench.core.collector import paused_collector


@paused_collector()
def inner() -> bool:
    return gc.isenabled()


@paused_collector()
def outer() -> tuple[bool, bool]:
    return inner(), gc.isenabled()


def test_it_is_paused_until_the_outermost_function_ends():
    assert gc.isenabled() and outer() == (False, False) and gc.isenabled()


def test_an_error_lets_it_go_on():
    with pytest.raises(ZeroDivisionError), paused_collector():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_one_that_was_off_stays_off():
    gc.disable()
    try:
        assert not inner() and not gc.isenabled()
    finally:
        gc.enable()
