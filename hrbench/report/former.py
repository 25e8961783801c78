"""What a result took the place of: the former result of the same entry in its run folder, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hrbench.core import units
from hrbench.judge.comparability import basis_differences, changes
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
    """

    since: str
    differs: tuple[str, ...]
    score: Measurement | None
    value: float | None
    comparable: bool
    interval: tuple[float, float] | None = None

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

    def sentence(self) -> str:
        """Since when, from what to what, and what differs."""
        told = [f"replaces the result of {units.date(self.since, clock=True)}" if self.since else "replaces a result"]
        if self.score is not None and self.score.value is not None and self.value is not None:
            unit, label = self.score.quantity.unit, self.score.quantity.label or self.score.quantity.name
            told.append(f"{label} {units.show(self.value, unit)} before, {units.show(self.score.value, unit)} now")
        if self.interval is not None and self.score is not None:
            ends = [units.signed(end, self.score.quantity.unit) for end in self.interval]
            told.append(f"95 % interval of the paired difference {ends[0]} to {ends[1]}")
        told.append(f"changed: {', '.join(self.differs)}" if self.differs else "nothing that is recorded was changed")
        return "; ".join(told)


def former_results(results: Sequence[Result]) -> list[Result | None]:
    """Of each stored result the former one of its entry that has an accuracy; None if there is none."""
    return [_former(result) for result in results]


def _former(result: Result) -> Result | None:
    folder = Path(result.folder)
    if not result.folder or folder.parent.name != "entries":
        return None
    return RunFolder(folder.parents[1]).former(folder.name)


def replaced(result: Result, former: Result, paired: PairedInterval | None = None) -> Replaced:
    """What became of a former result."""
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
        interval,
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
