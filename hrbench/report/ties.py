"""Which rows of a table are not known to differ from the best: by the paired difference of its main score."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hrbench.core.files import write_whole
from hrbench.errors import HrbenchError
from hrbench.judge.paired_rows import Interval, PairedRows
from hrbench.report.layout import ColumnLayout
from hrbench.report.table_cells import ColumnValue, find_measurement
from hrbench.types import Result

FILE = ".paired.json"

PairedInterval = Callable[[Result, Result, str, str], Interval | None]
"""(first, second, metric, name of the number) -> 95 % interval of second minus first, None if it is not known."""

_APART = 1.25
"""Two intervals that are still apart if each is so many times as wide are of numbers that differ.

The difference is not above 0 in a resample only if one side is beyond any point between the two intervals. So the share
of such resamples is at most the sum of both tails, which beyond 1.25 times 1.96 standard errors is 1.4 %, less than the
2.5 % that the interval of the difference leaves out. Such pairs need no resampling.
"""


@dataclass(slots=True)
class Ties:
    """For `part_cells.ranks`: whether the interval of the difference between two rows holds 0.

    results: of each row.
    found: of each row, the score.
    column: of the score.
    paired: computes an interval.
    known: how many pairs it was computed for, or are apart.
    unknown: how many have no states to compute it from.
    """

    results: Sequence[Result]
    found: Sequence[ColumnValue | None]
    column: ColumnLayout
    paired: PairedInterval
    known: int = 0
    unknown: int = 0

    def as_good(self, best: int, other: int) -> bool:
        """best, other: places of the best row, and of another that it may be compared with."""
        one, two = self.found[best], self.found[other]
        score = find_measurement(self.results[best].scores, self.column.name, metric=self.column.metric)
        if one is None or two is None or score is None:
            return False
        if _apart(one, two):
            self.known += 1
            return False
        ends = self.paired(self.results[best], self.results[other], score.metric, self.column.name)
        self.known += ends is not None
        self.unknown += ends is None
        return ends is not None and ends[0] <= 0 <= ends[1]


def _apart(one: ColumnValue, other: ColumnValue) -> bool:
    if one.value is None or other.value is None or one.interval is None or other.interval is None:
        return False
    lower, upper = (one, other) if one.value < other.value else (other, one)
    assert lower.interval is not None and upper.interval is not None and lower.value is not None
    assert upper.value is not None
    return lower.value + _APART * (lower.interval[1] - lower.value) < (
        upper.value - _APART * (upper.value - upper.interval[0])
    )


def remembered(folder: Path) -> PairedRows:
    """What a former report in this folder computed; nothing if there is none, or its file is damaged."""
    try:
        return PairedRows(msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, Interval | None]))
    except (OSError, msgspec.MsgspecError):
        return PairedRows()


def remember(folder: Path, paired: PairedRows) -> None:
    """Keeps what this report asked for; a folder that cannot be written has it computed again."""
    if paired.used == paired.known:
        return
    text = json.dumps(paired.used)
    try:
        write_whole(folder / FILE, lambda stream: stream.write(text.encode()))
    except HrbenchError:
        return
