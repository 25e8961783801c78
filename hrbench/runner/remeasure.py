"""Measures the latencies of two results again, in turns and alone: each visit is a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from hrbench.core.units import amount
from hrbench.errors import HrbenchError
from hrbench.judge.evidence import Evidence
from hrbench.judge.rounds import is_open, with_rounds
from hrbench.runner import jobs
from hrbench.runner.costs import cost_cells
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.execution import Processes
from hrbench.runner.settings import Settings
from hrbench.statistics.interleaved import LEAST, LOOKS, ORDER, Round
from hrbench.types import Conditions, Entry, Event, Margin, Result

VISIT_SECONDS, FIRST_PASSES, PASSES = 1.0, 3, 12
"""Wall time of a visit, besides starting and building: at least so many seconds, so many times the first pass that was
stored (a process is cold), and so many passes."""

Visit = Callable[[Entry, Mapping[str, Any]], float]
"""Measures the one cell of an entry in a process of its own; gives the median of its passes in seconds."""


@dataclass(slots=True)
class Interleaved:
    """A `judge.rounds.Remeasure`.

    first, second: measure a side once.
    note: of what was measured so, such as another Python; "" for none.
    seconds: wall time that all rows together may take, None for no limit. A round is begun only if it, and what the
        least number of rounds still needs, would end within it, so that it is exceeded by one round at most.
    on_event: called with the progress of each row, in rounds.
    """

    first: Visit
    second: Visit
    seconds: float | None = None
    note: str = ""
    on_event: EventHandler = lambda event: None
    clock: Callable[[], float] = time.monotonic
    _started: float | None = field(default=None)

    def __call__(self, first: Result, second: Result, evidence: Evidence, margin: Margin) -> Evidence:
        """The evidence after as many rounds as it needs; unchanged, with the reason, if a visit fails."""
        if evidence.quantity.name != "latency" or evidence.first is None or evidence.second is None:
            return evidence
        under = _conditions(second, evidence)
        if under is None:
            return evidence
        seconds = _budget(under, evidence)
        visits = {
            "first": partial(self.first, *_timed(first.entry, under, seconds)),
            "second": partial(self.second, *_timed(second.entry, under, seconds)),
        }
        rounds: list[Round] = []
        time_of_round = len(ORDER) * seconds  # at least, until one has been measured
        self.on_event(Event("cost", second.name, f"latency {evidence.cell}".strip() + ", in turns"))
        try:
            for look in LOOKS:
                while len(rounds) < look and not self._is_late(len(rounds), time_of_round):
                    self._say(second.name, evidence, len(rounds), look)
                    began = self.clock()
                    rounds.append(Round(tuple(visits[side]() for side in ORDER)))
                    time_of_round = self.clock() - began
                if len(rounds) < LEAST:
                    return replace(evidence, reasons=(self._too_little(len(rounds), time_of_round),))
                found = with_rounds(evidence, rounds)
                found = replace(found, notes=(*found.notes, self.note)) if self.note else found
                if not is_open(found, margin) or len(rounds) < look:
                    break
        except HrbenchError as error:
            return replace(evidence, reasons=(f"was not measured again: {error}",))
        return found

    def _too_little(self, done: int, time_of_round: float) -> str:
        """Why a row was not measured again within the time, and how long it takes at least."""
        some = f" after {amount(done, 'round')}" if done else ""
        whole = LEAST * time_of_round
        least = f"{'at least' if done else 'more than'} {whole:,.0f} s"
        return f"was not measured again: --time {self.seconds:g} would be over{some}; this row takes {least}"

    def _say(self, entry: str, evidence: Evidence, done: int, total: int) -> None:
        if self._started is None:
            self._started = self.clock()
        self.on_event(Event("progress", entry, f"latency {evidence.cell}".strip(), "rounds", done, total))

    def _is_late(self, done: int, time_of_round: float) -> bool:
        """Whether another round, and those that a result still needs, would end after the time is over."""
        if self.seconds is None:
            return False
        passed = 0.0 if self._started is None else self.clock() - self._started
        return passed + max(1, LEAST - done) * time_of_round > self.seconds


def _conditions(result: Result, evidence: Evidence) -> Conditions | None:
    """The conditions of the latency that the evidence is of."""
    from hrbench.judge.costs import cell_of

    found = (one for one in result.costs if one.quantity.name == "latency" and cell_of(one) == evidence.cell)
    one = next(found, None)
    return None if one is None or one.conditions.batch is None else one.conditions


def _budget(under: Conditions, evidence: Evidence) -> float:
    slower = max(evidence.first or 0.0, evidence.second or 0.0)
    return max(VISIT_SECONDS, FIRST_PASSES * (under.first_pass or 0.0), PASSES * slower)


def _timed(entry: Entry, under: Conditions, seconds: float) -> tuple[Entry, Mapping[str, Any]]:
    """An entry that asks for this latency alone, with its one cell."""
    latency = {"batch": [under.batch], "dtype": [under.dtype or "float32"], "budget": seconds, **_fed(entry, under)}
    only = replace(entry, cost={**dict.fromkeys(entry.cost, False), "parameters": False, "operations": False,
                                "latency": latency})  # fmt: skip
    return only, cost_cells(only, ["latency"])[0]


def _fed(entry: Entry, under: Conditions) -> dict[str, Any]:
    """The settings that feed a network what it was fed; none if that is usual, which every release measures."""
    images = {"inputs": "images"} if under.data else {"inputs": "random"} if entry.variant.task == "detection" else {}
    return {**images, **({"cold": True} if under.caches == "cold" else {})}


def visits(processes: Processes, settings: Settings) -> Visit:
    """Visits in processes of their own, one after the other."""

    def visit(entry: Entry, cell: Mapping[str, Any]) -> float:
        request = jobs.request(entry, settings, cell=cell)
        returned, _ = processes.call("cost", request, lambda event: None, entry, None, quiet=True)
        (one,) = jobs.costs_of(returned)
        if one.value is None or not one.samples:
            raise HrbenchError(f"{entry.name}: {one.reason}")
        return float(median(one.samples))

    return visit


def folders_of(results: list[Result]) -> tuple[str, ...]:
    """The folders of the suites that entries were written in, where user-defined networks lie beside them."""
    places = (result.entry.where.rpartition(":")[0] for result in results)
    return tuple(dict.fromkeys(str(Path(place).resolve().parent) for place in places if place))
