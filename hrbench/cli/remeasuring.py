"""`--remeasure` of compare and gate: latencies of both sides are measured again, in turns."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from hrbench.cli.standard_streams import echo_error
from hrbench.errors import UsageError
from hrbench.judge.evidence import OnReplicates
from hrbench.judge.rounds import Remeasure
from hrbench.judge.sides import Side
from hrbench.types import Event

EventHandler = Callable[[Event], None]

if TYPE_CHECKING:
    from hrbench.cli.progress import Bars, Lines
    from hrbench.runner.executors.interpreter import Interpreter
    from hrbench.runner.remeasure import Visit


@contextmanager
def judging() -> Iterator[EventHandler]:
    """Tells on standard error how far judging is: bars on a terminal, else plain lines. It begins with the first."""
    opened: list[Bars | Lines] = []

    def on_event(event: Event) -> None:
        if not opened:
            from hrbench.cli.progress import Bars, Lines

            opened.append(Bars() if sys.stderr.isatty() else Lines(echo_error))
        opened[0](event)

    try:
        yield on_event
    finally:
        for display in opened:
            display.close()


def on_replicates(on_event: EventHandler) -> OnReplicates:
    """Tells how far resampling is."""
    return lambda what, done, total: on_event(Event("progress", what, "resampling", "replicates", done, total))


@contextmanager
def remeasuring(args: Namespace, sides: Sequence[Side], on_event: EventHandler) -> Iterator[Remeasure | None]:
    """What measures latencies again, None unless it is asked for.

    on_event: called with the progress.
    """
    if not args.remeasure:
        given = {"--time": args.time, "--python": args.python}
        if alone := [name for name, value in given.items() if value is not None]:
            raise UsageError(f"{alone[0]} is an option of --remeasure: give both")
        yield None
        return
    from hrbench.runner.device import device_of
    from hrbench.runner.execution import Processes
    from hrbench.runner.executors.interpreter import other_interpreter
    from hrbench.runner.remeasure import Interleaved, folders_of, visits
    from hrbench.runner.settings import Settings

    settings = Settings(device=args.device)
    if args.device not in ("auto", "cpu"):
        device_of(settings)  # one that is not there is told before anything is measured
    with ExitStack() as stack:

        def opened(some: Sequence[Side], interpreter: Interpreter | None = None) -> Visit:
            folders = folders_of([result for side in some for result in side.results.values()])
            processes = Processes.open(settings, folders, interpreter)
            stack.callback(processes.close)
            return visits(processes, settings)

        note = ""
        if args.python is None:
            first = second = opened(sides)
        else:  # two code bases: neither finds what lies beside the suite of the other
            other = other_interpreter(args.python)
            first, second = opened(sides[:1], other), opened(sides[1:])
            note = f"{sides[0].name} was measured by {other.executable}"
        yield Interleaved(first, second, args.time, note, on_event)
