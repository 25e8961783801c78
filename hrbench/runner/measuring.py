"""Measures the costs of one entry, cell by cell. What a probe has measured is stored before the next one begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hrbench.contracts import Outcome
from hrbench.errors import EntryError, in_words
from hrbench.runner import jobs
from hrbench.runner.cost_keys import Digests, cost_keys, digests_for, threads_of, threads_set, valid_costs
from hrbench.runner.costs import (
    cell_name,
    cost_cells,
    is_fed,
    merged,
    only_counts,
    unmeasured,
    without_network,
)
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.execution import JobFailed
from hrbench.runner.executors import witness
from hrbench.runner.probes import measured_by
from hrbench.runner.settings import Settings
from hrbench.types import Entry, Event, Measurement, Reason, Result

Known = dict[str, tuple[Measurement, ...]]
"""Key of a probe's numbers -> the numbers."""


@dataclass(slots=True)
class _Found:
    """What was measured so far.

    costs: of all cells that have ended.
    failed: probes of which a cell failed, or could not be run here.
    left: cells of each probe that have not ended.
    problem: why a cell could not be measured.
    notes: on the processes, in sentences.
    """

    left: Counter[str]
    costs: list[Measurement] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    problem: Reason | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> list[str]:
        """Probes of which every cell was measured."""
        return [name for name, cells in self.left.items() if not cells and name not in self.failed]


@dataclass(frozen=True, slots=True)
class Measuring:
    """How costs are measured in a run.

    call: measures one cell in a separate process; raises EntryError.
    on_event: called with every event.
    store: stores a result, and returns it.
    """

    settings: Settings
    call: Callable[[Entry, Mapping[str, Any]], tuple[dict[str, Any], Outcome]]
    on_event: EventHandler
    store: Callable[[Result], Result]

    def with_costs(self, result: Result, known: Known) -> Result:
        """The result with the numbers of all probes that its entry asks for; only what is not known is measured.

        known: what is found here is added.
        """
        entry = result.entry
        digests = digests_for(entry, self.settings, result)
        expected = cost_keys(entry, self.settings, digests=digests)
        kept = valid_costs(entry, self.settings, result, digests, expected)
        values = {name: measured_by(name, result.costs) for name in kept}
        for name, key in expected.items():
            if name not in kept and key in known:
                values[name], kept[name] = known[key], key
        unknown = [name for name in expected if name not in kept]

        def assembled(found: _Found, names: Sequence[str]) -> Result:
            """The result with what was known, and what was measured of these probes."""
            every = values | {name: measured_by(name, found.costs) for name in names}
            in_force = cost_keys(entry, self.settings, threads_of(found.costs), digests) if found.whole else {}
            keys = kept | {name: in_force[name] for name in found.whole}
            notes = tuple(dict.fromkeys((*result.notes, *found.notes)))
            costs = tuple(cost for name in expected for cost in every.get(name, ()))
            return replace(result, costs=costs, cost_key=None, cost_keys=keys, costs_reason=found.problem, notes=notes)

        found = self._measured(entry, unknown, digests, lambda so_far: self.store(assembled(so_far, so_far.whole)))
        whole = assembled(found, unknown)
        known |= {key: measured_by(name, whole.costs) for name, key in whole.cost_keys.items()}
        return self._noted_threads(whole)

    def _noted_threads(self, result: Result) -> Result:
        """The result with a note if its network was timed with another number of threads than was set."""
        found, expected = threads_of(result.costs), threads_set(result.entry, self.settings)
        said = f"the network sets {found} threads of {expected}: its latency was measured with them"
        if found in (None, expected) or said in result.notes:
            return result
        self.on_event(Event("note", result.name, text=said))
        return replace(result, notes=(*result.notes, said))

    def _measured(
        self, entry: Entry, names: Sequence[str], digests: Digests, keep: Callable[[_Found], object]
    ) -> _Found:
        """What these probes measure, cell by cell. keep: called when a probe has ended and others have not."""
        if not names or not entry.variant.use:  # nothing to build, so no process is needed
            return _Found(Counter(dict.fromkeys(names, 0)), [*without_network(entry, names)] if names else [])
        cells = cost_cells(entry, names)
        found = _Found(Counter(name for cell in cells for name in cell["probes"]))
        for number, cell in enumerate(cells):
            self.on_event(Event("cost", entry.name, cell_name(cell), done=number, total=len(cells)))
            try:
                found.costs += self._cell(entry, cell, digests, found)
            except EntryError as error:
                found.failed |= {*cell["probes"]}
                if only_counts(cell):  # a network that cannot be built will not be timed either
                    found.problem = Reason(f"costs were not measured: {in_words(error)}")
                    found.failed |= {*names}
                    break
                reason = Reason(str(error))
                if not (isinstance(error, JobFailed) and error.unavailable):  # which has no key, and is tried again
                    reason = Reason(f"{cell_name(cell)} was not measured: {in_words(error)}")
                    found.problem = found.problem or reason
                found.costs += unmeasured(entry, cell, reason)
            found.left.subtract(cell["probes"])
            if number + 1 < len(cells) and not any(found.left[name] for name in cell["probes"]):
                keep(found)
        return found

    def _cell(self, entry: Entry, cell: Mapping[str, Any], digests: Digests, found: _Found) -> tuple[Measurement, ...]:
        """One cell, in as many processes as its probe asks for."""
        known = digests() if is_fed(entry, cell) else None
        parts: list[tuple[Measurement, ...]] = []
        for process in range(cell["processes"]):
            returned, outcome = self.call(entry, {**cell, "process": process, "digests": known})
            parts.append(jobs.costs_of(returned))
            found.notes += witness.notes(outcome)
        return merged(entry, cell, parts)
