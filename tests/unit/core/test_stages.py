"""Marks of stages under a clock that the test sets: whose time is whose, and that nobody else is timed."""

from __future__ import annotations

import threading

import pytest
import torch

from hrbench.core.stages import measured, stage


class Steps:
    """A clock that only goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


def test_time_belongs_to_the_innermost_stage_and_nothing_is_counted_twice():
    clock = Steps()
    with measured(clock.now) as times:
        clock.pass_by(100)  # outside of every stage
        with stage("preprocess"):
            clock.pass_by(1)
            for _ in range(2):
                with stage("decode"):
                    clock.pass_by(2)
            clock.pass_by(4)
        clock.pass_by(100)
        with stage("forward"), stage("suppression"):
            clock.pass_by(8)
    assert times.seconds == {"preprocess": 5, "decode": 4, "forward": 0, "suppression": 8}


def test_a_stage_that_fails_is_left():
    clock = Steps()
    with measured(clock.now) as times, stage("preprocess"):
        with pytest.raises(ValueError), stage("decode"):
            clock.pass_by(1)
            raise ValueError
        clock.pass_by(2)
    assert times.seconds == {"preprocess": 2, "decode": 1}


def test_the_device_is_waited_for_where_a_stage_begins_and_ends():
    """On a GPU work is only asked for: its time belongs to the stage that asked."""
    clock, asked = Steps(), []

    def wait() -> None:
        clock.pass_by(sum(asked))
        asked.clear()

    with measured(clock.now, wait) as times:
        with stage("transfer"):
            asked.append(3.0)
        with stage("forward"):
            asked.append(5.0)
            with stage("suppression"):
                asked.append(7.0)
    assert times.seconds == {"transfer": 3, "forward": 5, "suppression": 7}


def test_other_threads_and_what_comes_after_are_not_timed():
    clock = Steps()

    def other() -> None:
        with stage("decode"):
            clock.pass_by(1)

    with measured(clock.now) as times, stage("forward"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    other()
    assert times.seconds == {"forward": 1}


def test_a_measurement_within_another_takes_over_and_gives_back():
    clock = Steps()
    with measured(clock.now) as outer:
        with measured(clock.now) as inner, stage("decode"):
            clock.pass_by(1)
        with stage("forward"):
            clock.pass_by(2)
    assert inner.seconds == {"decode": 1} and outer.seconds == {"forward": 2}


def test_a_mark_breaks_no_graph_of_a_compiled_network():
    def marked(x: torch.Tensor) -> torch.Tensor:
        with stage("suppression"):
            return x * 2

    compiled = torch.compile(marked, backend="eager", fullgraph=True)
    assert torch.equal(compiled(torch.ones(2)), torch.full((2,), 2.0))
