"""The command `hrbench doctor`: what about this machine would disturb a measurement, and what to do."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict

from hrbench.cli.shared import Echo
from hrbench.cli.standard_streams import echo_error
from hrbench.cli.text import columns
from hrbench.cost.telemetry.examine import Effect, Remark, attempt, examine
from hrbench.judge.values import as_json
from hrbench.types import Event

MARKS: dict[Effect, str] = {"disturbs": "!", "may disturb": "?", "unknown": "?", "fine": ""}


def doctor(args: Namespace, echo: Echo) -> int:
    """0, or 1 with --strict if anything disturbs."""
    from hrbench.cli.progress import Bars, Lines

    display = Bars() if sys.stderr.isatty() else Lines(echo_error)
    try:
        trial = attempt(
            args.seconds,
            lambda done: display(
                Event("progress", "doctor", "a fixed work", "seconds", int(done), int(args.seconds) or 1)
            ),
        )
    finally:
        display.close()
    found = examine(trial)
    if args.format == "json":
        echo(as_json([asdict(one) for one in found]))
    else:
        echo(_table(found))
    return 1 if args.strict and any(one.effect == "disturbs" for one in found) else 0


def _table(found: list[Remark]) -> str:
    rows = [(MARKS[one.effect], one.what, one.found, one.effect, one.advice) for one in found]
    count = {effect: sum(one.effect == effect for one in found) for effect in MARKS}
    told = [f"{many} {what}" for what, many in count.items() if many and what != "fine"]
    last = "nothing was found that would disturb a measurement" if not told else ", ".join(told)
    return f"{columns([('', 'what', 'found', 'effect', 'what to do'), *rows])}\n\n{last}"
