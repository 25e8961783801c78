"""What the report of run folders is made of: their results, and what the folders say of the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.core.units import amount, listed
from hrbench.errors import MissingError
from hrbench.store.run_folder import RunFolder
from hrbench.types import Result

NAMED = 4
"""Entries that are named in a sentence, at most."""


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """Stored results, and what else `write` is told of them.

    stated: title, environments, suites, options, commit and left_out, by these names.
    """

    results: tuple[Result, ...]
    stated: dict[str, Any]


def read_runs(runs: Sequence[RunFolder], every: bool, tell: Callable[[str], object]) -> StoredRuns:
    """Reads run folders for one report.

    every: whether also entries that are stored there and not of the last run.
    tell: called with a sentence on each result that is left out.

    Raises MissingError if nothing is stored there, InputError if a run.json or environment.json is damaged.
    """
    results = [
        result for run in runs for result in run.results(lambda damage: tell(f"left out: {damage}"), every=every)
    ]
    if not results:
        raise MissingError(f"nothing is stored in {', '.join(str(run.path) for run in runs)}: run a suite first")
    beside = {} if every else {run.path: names for run in runs if (names := run.unlisted())}
    left_out = [f"left out: {_not_of_the_run(names)}: hrbench report {path} --all" for path, names in beside.items()]
    for sentence in left_out:
        tell(sentence)
    heads = [run.read_run() for run in runs]
    return StoredRuns(
        tuple(results),
        {
            "title": " and ".join(dict.fromkeys(head.title or head.suite for head in heads)),
            "environments": [run.read_environment() for run in runs],
            "suites": [run.read_text("suite.yaml") for run in runs],
            "options": heads[0].options if len(heads) == 1 else (),
            "commit": heads[0].commit if len(heads) == 1 else "",
            "left_out": left_out,
        },
    )


def _not_of_the_run(names: Sequence[str]) -> str:
    """Entries that a folder has beside those of its last run, in words."""
    return f"{amount(len(names), 'stored entry', 'stored entries')} not of the last run ({listed(names, NAMED)})"
