"""`--remeasure` of compare and gate: latencies of both sides are measured again, in turns."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hrbench.cli.standard_streams import echo_error
from hrbench.errors import UsageError
from hrbench.judge.rounds import Remeasure
from hrbench.judge.sides import Side


@contextmanager
def remeasuring(args: Namespace, sides: Sequence[Side]) -> Iterator[Remeasure | None]:
    """What measures latencies again, None unless it is asked for. Progress goes to standard error."""
    if not args.remeasure:
        if args.time is not None:
            raise UsageError("--time is an option of --remeasure: give both")
        yield None
        return
    from hrbench.cli.progress import Bars, Lines
    from hrbench.runner.device import device_of
    from hrbench.runner.execution import Processes
    from hrbench.runner.remeasure import Interleaved, folders_of, visits
    from hrbench.runner.settings import Settings

    settings = Settings(device=args.device)
    if args.device not in ("auto", "cpu"):
        device_of(settings)  # one that is not there is told before anything is measured
    results = [result for side in sides for result in side.results.values()]
    processes = Processes.open(settings, folders_of(results))
    display = Bars() if sys.stderr.isatty() else Lines(echo_error)
    try:
        yield Interleaved(visits(processes, settings), args.time, display)
    finally:
        display.close()
        processes.close()
