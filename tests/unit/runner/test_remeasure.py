"""Latencies measured again: which visits are asked for, when it stops, and what a failure leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from evidence import LATENCY, points

from hrbench.errors import EntryError
from hrbench.judge.costs import cell_of
from hrbench.judge.evidence import Evidence
from hrbench.runner.remeasure import VISIT_SECONDS, Interleaved, folders_of
from hrbench.statistics.interleaved import LEAST, interval
from hrbench.types import Conditions, Entry, Margin, Measurement, Result, Variant

M = Margin(relative=0.03)


def result(name: str, batch: int = 1, first_pass: float = 0.1) -> Result:
    entry = Entry(
        name, Variant(name, "pose_hrnet", "pose", (64, 48)), None, {}, (), {"latency": {}, "parameters": True}
    )
    conditions = Conditions(batch=batch, dtype="float32", first_pass=first_pass)
    return Result(name, entry, "costs_only", costs=(Measurement(LATENCY, 0.05, conditions=conditions),))


def row(batch: int = 1) -> Evidence:
    one = result("net", batch).costs[0]
    return Evidence("net", "net", "", LATENCY, cell_of(one), first=0.05, second=0.05, means="measured apart")


class Machine:
    """Visits that take what each side takes, and what was asked of them."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.asked = seconds, []

    def __call__(self, entry, cell) -> float:
        self.asked.append((entry.name, entry.cost["latency"], entry.cost["parameters"], cell["probes"]))
        return self.seconds[entry.name]


def test_visits_are_in_turns_and_of_the_latency_alone() -> None:
    machine, events = Machine(a=0.05, b=0.06), []
    found = Interleaved(machine, machine, on_event=events.append)(result("a", 8), result("b", 8), row(8), M)
    assert [name for name, *_ in machine.asked] == ["a", "b", "a", "b", "a"] * 10
    latency = {"batch": [8], "dtype": ["float32"], "budget": VISIT_SECONDS}
    assert all(asked[1:] == (latency, False, ["latency"]) for asked in machine.asked)
    assert found.means == "interleaved" and found.units == 10 and found.first == 0.05
    assert events[0].kind == "cost" and [event.done for event in events[1:]] == list(range(10))


def test_a_slow_first_pass_gets_a_longer_visit() -> None:
    machine = Machine(a=0.05, b=0.05)
    Interleaved(machine, machine)(result("a"), result("b", first_pass=2.0), row(), M)
    assert machine.asked[0][1]["budget"] == 6.0


def test_each_side_has_its_own_visits() -> None:
    """As where one is measured by the Python of another environment."""
    here, there = Machine(b=0.05), Machine(a=0.05)
    found = Interleaved(there, here, note="a was measured by x/python")(result("a"), result("b"), row(), M)
    assert found.notes == ("a was measured by x/python",)
    assert {name for name, *_ in there.asked} == {"a"} and {name for name, *_ in here.asked} == {"b"}


def test_an_open_row_goes_on_until_its_time_is_over() -> None:
    class Noisy(Machine):
        def __call__(self, entry, cell) -> float:
            super().__call__(entry, cell)
            return 0.05 * (1 + 0.2 * (len(self.asked) % 3))

    noisy = Noisy(a=0, b=0)
    assert Interleaved(noisy, noisy)(result("a"), result("b"), row(), M).units == 40


class Clock:
    """A machine whose visits take two seconds, by a clock of their own."""

    def __init__(self) -> None:
        self.now, self.visits = 0.0, 0

    def __call__(self, entry, cell) -> float:
        self.now, self.visits = self.now + 2.0, self.visits + 1
        return 0.05 * (1 + 0.2 * (self.visits % 3))


@pytest.mark.parametrize(
    ("seconds", "rounds"),
    [(None, 40), (400, 40), (399, 39), (150, 15), (70, 7)],  # a round takes 10 s, and 40 are the most
)
def test_all_ends_within_the_time(seconds: float | None, rounds: int) -> None:
    clock = Clock()
    found = Interleaved(clock, clock, seconds=seconds, clock=lambda: clock.now)(result("a"), result("b"), row(), M)
    assert found.units == rounds and (seconds is None or clock.now <= seconds)


def test_a_row_that_takes_longer_says_how_long() -> None:
    clock = Clock()
    limited = Interleaved(clock, clock, seconds=69, clock=lambda: clock.now)
    found = limited(result("a"), result("b"), row(), M)
    assert clock.now == 10.0 and found.means == "measured apart"  # a round tells how long they take
    assert found.reasons == (
        "was not measured again: --time 69 would be over after 1 round; this row takes at least 70 s",
    )
    limited = Interleaved(clock, clock, seconds=20, clock=lambda: clock.now)
    (why,) = limited(result("a"), result("b"), row(), M).reasons
    assert why.endswith("--time 20 would be over; this row takes more than 35 s") and clock.now == 10.0


def test_the_least_rounds_have_an_interval() -> None:
    assert interval([0.01 * number for number in range(LEAST)]) and not interval([0.1] * (LEAST - 1))


def test_a_visit_that_fails_leaves_the_stored_numbers_with_the_reason() -> None:
    def broken(entry, cell) -> float:
        raise EntryError("its process was killed")

    found = Interleaved(broken, broken)(result("a"), result("b"), row(), M)
    assert found == replace(row(), reasons=("was not measured again: its process was killed",))


@pytest.mark.parametrize("other", [points(0, 1), replace(row(), second=None), replace(row(), cell="batch 4")])
def test_what_is_no_latency_of_both_is_left_alone(other: Evidence) -> None:
    def no_visit(*_) -> float:
        pytest.fail("no visit")

    assert Interleaved(no_visit, no_visit)(result("a"), result("b"), other, M) is other


def test_networks_beside_their_suite_are_found() -> None:
    here = replace(result("a"), entry=replace(result("a").entry, where="suites/x.yaml:3"))
    assert folders_of([here, here, result("b")]) == (str(Path("suites").resolve()),)
