"""Every reader gets everything, nothing piles up, and whoever fails ends all."""

from __future__ import annotations

import threading

import pytest

from hrbench.core.streams import QUEUE_LENGTH, fan_out


def test_every_reader_gets_every_element_in_order():
    got: list[list[int]] = [[], [], []]
    fan_out(range(100), [lambda source, mine=mine: mine.extend(source) for mine in got])
    assert got == [list(range(100))] * 3


def test_the_source_waits_for_the_slowest_reader():
    gate, made, ahead = threading.Event(), [], []

    def source():
        for number in range(50):
            made.append(number)
            yield number

    def slow(elements):
        next(elements)
        gate.wait(600)  # ends a hang
        list(elements)

    def look(elements):
        for count, _ in enumerate(elements, 1):
            if count == QUEUE_LENGTH:
                threading.Timer(0.3, release).start()

    def release():
        ahead.append(len(made))  # as far as the source has come while the slow reader stands still
        gate.set()

    fan_out(source(), [slow, look])
    assert QUEUE_LENGTH <= ahead[0] <= QUEUE_LENGTH + 3 and made == list(range(50))


def test_a_failing_reader_ends_the_source_and_the_others():
    seen = []

    def fails(elements):
        next(elements)
        raise ValueError("disk full")

    def source():
        for number in range(10**6):
            seen.append(number)
            yield number

    stopped = []

    def other(elements):
        try:
            list(elements)
        except BaseException as error:
            stopped.append(type(error).__name__)
            raise

    with pytest.raises(ValueError, match="disk full"):
        fan_out(source(), [fails, other])
    assert len(seen) < 10**5 and stopped == ["SourceFailed"]
    assert threading.active_count() == 1 or all(thread.name != "write" for thread in threading.enumerate())


def test_a_failing_source_reaches_the_caller_and_the_readers_can_clean_up():
    cleaned = []

    def reader(elements):
        try:
            list(elements)
        finally:
            cleaned.append(True)

    def source():
        yield 1
        raise KeyError("no image")

    with pytest.raises(KeyError, match="no image"):
        fan_out(source(), [reader, reader])
    assert cleaned == [True, True]


def test_a_reader_that_wants_no_more_does_not_end_the_others():
    got = []
    fan_out(range(50), [lambda elements: next(elements), got.extend])
    assert got == list(range(50))
