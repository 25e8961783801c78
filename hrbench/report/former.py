"""What a result is held against: the former result of its entry, in its run folder or in one that was named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from hrbench.core import units
from hrbench.judge.comparability import basis_differences, changes
from hrbench.judge.evidence import Evidence
from hrbench.judge.sides import Side
from hrbench.judge.verdict import Verdict, by_interval
from hrbench.report.table_cells import find_measurement
from hrbench.report.ties import PairedInterval
from hrbench.store.run_folder import RunFolder
from hrbench.types import Measurement, Result


@dataclass(frozen=True, slots=True)
class Replaced:
    """The former result of an entry.

    since: when it was measured, an ISO time; "" if that is not known.
    differs: what was changed since, in words: network, weights, versions, and how it was measured.
    score: the first accuracy of the present result; None if there is none.
    value: that of the former result; None if it has none.
    comparable: whether both were measured on the same data, under the same protocol.
    interval: 95 %, of the present minus the former value, paired over images; None if it is not known.
    images: that it was paired over.
    source: the run or baseline that the former result is of, as it was named; "" for one that was replaced.
    """

    since: str
    differs: tuple[str, ...]
    score: Measurement | None
    value: float | None
    comparable: bool
    interval: tuple[float, float] | None = None
    images: int = 0
    source: str = ""

    @property
    def change(self) -> float | None:
        """The present minus the former value, None if they cannot be compared."""
        if self.score is None or self.score.value is None or self.value is None or not self.comparable:
            return None
        return self.score.value - self.value

    def text(self) -> str:
        """The change in short, such as +0.2; ≠ where the two cannot be compared, "" where one of them is missing."""
        if self.score is None or self.value is None:
            return ""
        return "≠" if self.change is None else units.signed(self.change, self.score.quantity.unit)

    def interval_text(self) -> str:
        """The interval of the change, "" if it is not known."""
        if self.interval is None or self.score is None:
            return ""
        return f"[{', '.join(units.signed(end, self.score.quantity.unit) for end in self.interval)}]"

    def verdict(self) -> Verdict | Literal[""]:
        """What a judge says of the change by itself; "cannot tell" too if nobody knows its interval, "" without one."""
        if self.score is None or self.value is None:
            return ""
        if self.change is None:
            return "not comparable"
        if self.interval is None:
            return "cannot tell"
        lower, (low, high) = self.score.quantity.better == "lower", self.interval
        name, quantity = self.score.metric, self.score.quantity
        return by_interval(
            Evidence(
                "",
                "",
                name,
                quantity,
                first=self.value,
                second=self.score.value,
                difference=-self.change if lower else self.change,
                interval=(-high, -low) if lower else (low, high),
                units=self.images,
            )
        )

    def sentence(self) -> str:
        """Since when, from what to what, what a judge says, and what differs."""
        told = [f"{f'against {self.source}, ' if self.source else 'replaces '}{self._former()}"]
        if self.score is not None and self.score.value is not None and self.value is not None:
            unit, label = self.score.quantity.unit, self.score.quantity.label or self.score.quantity.name
            told.append(f"{label} {units.show(self.value, unit)} before, {units.show(self.score.value, unit)} now")
        if self.interval is not None and self.score is not None:
            ends = [units.signed(end, self.score.quantity.unit) for end in self.interval]
            told.append(f"95 % interval of the paired difference {ends[0]} to {ends[1]}: {self.verdict()}")
        told.append(f"changed: {', '.join(self.differs)}" if self.differs else "nothing that is recorded was changed")
        return "; ".join(told)

    def _former(self) -> str:
        if self.since:
            return f"the result of {units.date(self.since, clock=True)}"
        return "its result" if self.source else "a result"


def name_of(side: Side | None) -> str:
    """What a page calls a run or baseline that was named: no absolute path; "" for none."""
    if side is None:
        return ""
    return Path(side.name).name if Path(side.name).is_absolute() else side.name


def former_results(results: Sequence[Result], against: Side | None = None) -> list[Result | None]:
    """Of each stored result the former one of its entry that has an accuracy; None if there is none.

    against: where it is looked for; None for what each result replaced in its folder.
    """
    if against is None:
        return [_former(result) for result in results]
    found = [against.results.get(result.name) for result in results]
    return [one if one is not None and one.scores else None for one in found]


def _former(result: Result) -> Result | None:
    folder = Path(result.folder)
    if not result.folder or folder.parent.name != "entries":
        return None
    return RunFolder(folder.parents[1]).former(folder.name)


def replaced(result: Result, former: Result, paired: PairedInterval | None = None, source: str = "") -> Replaced:
    """What became of a former result.

    paired: computes the interval of the difference.
    source: the run or baseline that the former result is of; "" for one that was replaced.
    """
    score = next((one for one in result.scores if one.value is not None), None)
    old = find_measurement(former.scores, score.quantity.name, metric=score.metric) if score is not None else None
    basis = basis_differences(former, result, old, score) if score is not None and old is not None else []
    interval = None
    if score is not None and old is not None and not basis and paired is not None:
        interval = paired(former, result, score.metric, score.quantity.name)
    return Replaced(
        measured_at(former),
        (*basis, *changes(former, result)),
        score,
        None if old is None else old.value,
        score is not None and old is not None and not basis,
        None if interval is None else (interval[0], interval[1]),
        0 if interval is None else interval[2],
        source,
    )


def measured_at(result: Result) -> str:
    """When a result was measured, an ISO time: as recorded, else when its file was last written; "" without one."""
    if result.provenance.date:
        return result.provenance.date
    try:
        changed = (Path(result.folder) / "result.json").stat().st_mtime
    except OSError:
        return ""
    return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds") if result.folder else ""
