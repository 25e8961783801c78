"""Events of a run as bars with rate and time left, or as plain lines for logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hrbench.core.shown_text import clean
from hrbench.core.units import with_unit
from hrbench.types import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 10.0
"""Seconds between two plain lines of one phase."""


class Lines:
    """One line for what starts and ends, and for long phases one every few seconds.

    echo: writes a line.
    clock: seconds, for tests.
    """

    def __init__(self, echo: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self.echo, self.clock = echo, clock
        self.phase, self.started, self.last, self.first = ("", ""), clock(), 0.0, 0

    def __call__(self, event: Event) -> None:
        if event.kind == "progress":
            self._advance(event)
        else:
            self.phase, self.started = ("", ""), self.clock()
            self.echo(line(event))

    def _advance(self, event: Event) -> None:
        now = self.clock()
        if self.phase != (event.entry, event.phase):
            # what happened before the first report belongs to the phase: it began when the last line was written
            self.started = self.started if self.phase == ("", "") and event.text != "bytes" else now
            self.phase, self.last, self.first = (event.entry, event.phase), now, _before(event)
        finished = event.total > 0 and event.done >= event.total and event.text != "seconds"
        if now - self.last < EVERY and not finished:
            return
        self.last = now
        if event.total or event.text == "bytes":
            self.echo(f"{event.entry}: {event.phase}: {tally(event, now - self.started, self.first)}")

    def close(self) -> None:
        """Nothing stays open."""


def line(event: Event) -> str:
    """What happened, in one line."""
    text = ": " + "; ".join(event.text.splitlines()) if event.text else ""
    if event.kind == "entry":
        return f"{event.entry}: accuracy"
    if event.kind == "cost":
        return f"{event.entry}: costs: {event.phase}"
    if event.kind == "failed":
        return f"{event.entry}: FAILED{text}"
    if event.kind == "result":
        return f"{event.entry}: {event.phase}{' left empty' if event.text else ' done'}{text}"
    return f"{event.entry}{text}"


def _before(event: Event) -> int:
    """How much was there when a phase began: a download goes on with what an earlier one left, as shards do."""
    return event.done if event.text == "bytes" else event.before


def tally(event: Event, seconds: float, first: int = 0) -> str:
    """How far, how fast and how much longer: "120/411 images, 3.2/s, 1:31 left", "3.10 MiB of 113 MiB, ...".

    first: how much of `event.done` had been there before these `seconds`.
    """
    done = count(event)
    if seconds <= 0 or event.done <= first or event.text == "seconds":
        return done
    pace = (event.done - first) / seconds
    if not event.total:
        return f"{done}, {rate(event, pace)}"
    left = (event.total - event.done) / pace
    return f"{done}, {rate(event, pace)}, {int(left) // 60}:{int(left) % 60:02d} left"


def count(event: Event) -> str:
    """How far: "120/411 images", "3.10 MiB of 113 MiB"."""
    if event.text == "bytes":
        whole = f" of {with_unit(event.total, 'bytes')}" if event.total else ""
        return with_unit(event.done, "bytes") + whole
    return f"{event.done}/{event.total} {event.text}".rstrip()


def rate(event: Event, pace: float) -> str:
    """How fast: `pace` is what of the event's unit is done in a second."""
    return f"{with_unit(pace, 'bytes')}/s" if event.text == "bytes" else f"{pace:.1f}/s"


class Bars:
    """A live bar for the phase under way; what ends is printed above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = Console(stderr=True, highlight=False)
        self.progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.progress.start()
        self.task: TaskID | None = None
        self.phase, self.started, self.first = ("", ""), 0.0, 0

    def __call__(self, event: Event) -> None:
        if event.kind == "progress":
            self._advance(event)
            return
        self._end()
        if event.kind in ("result", "failed", "note"):
            style = {"failed": "red", "note": "dim"}.get(event.kind)
            self.console.print(clean(line(event)), style=style, markup=False)

    def _advance(self, event: Event) -> None:
        if self.task is None or self.phase != (event.entry, event.phase):
            self._end()
            self.phase, self.started, self.first = (event.entry, event.phase), time.monotonic(), _before(event)
            name = f"{event.entry}: {event.phase}"
            total = event.total or None
            self.task = self.progress.add_task(name, total=total, completed=self.first, count="", rate="")
        spent, done = time.monotonic() - self.started, event.done - self.first
        pace = rate(event, done / spent) if spent and done > 0 and event.text != "seconds" else ""
        far = count(event) if event.total or event.text == "bytes" else ""
        self.progress.update(self.task, completed=event.done, total=event.total or None, count=far, rate=pace)

    def _end(self) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)
            self.task = None

    def close(self) -> None:
        """Takes the bar off the screen."""
        self._end()
        self.progress.stop()
