"""`hrbench score`: scores a file of predictions."""

from __future__ import annotations

import json
import re
import shlex
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hrbench.cli import listing
from hrbench.cli.profile import assignments
from hrbench.cli.shared import Echo
from hrbench.cli.text import select_rows
from hrbench.core.remote.mirror import local_folder
from hrbench.errors import InputError, UsageError
from hrbench.suite.registry import known
from hrbench.types import Measurement


def score(args: Namespace, echo: Echo) -> int:
    from hrbench.runner.score import score_file, target_of_dataset

    truth, options = args.gt, {}
    if args.dataset:
        rows = select_rows(known().datasets, args.dataset, "data set")
        if len(rows) > 1:
            raise UsageError(f"--dataset {args.dataset!r} matches {', '.join(rows)}: name one")
        row = next(iter(rows.values()))
        target, options = target_of_dataset(row, local_folder(args.data), needed=not truth, metric=args.metric)
        truth = truth or target
    if not truth:
        raise UsageError("name the ground truth: --gt PATH, or --dataset NAME (hrbench datasets lists them)")
    options |= {
        key: as_list(key, value) for key, value in assignments(args.option, "--option", "per_class=true").items()
    }
    try:
        judged = score_file(
            args.metric,
            ground_truth=truth,
            predictions=args.pred,
            options={**options, **({"sigmas": args.sigmas} if args.sigmas else {})},
            verify=args.verify,
            resamples=args.resamples,
            seed=args.seed,
        )
    except InputError as error:
        raise InputError(f"{error} ({typed([error.option])})", error.option) if error.option else error from None
    if args.json:
        scores = [_plain(score) for score in judged.scores]
        notes = [asdict(note) for note in judged.notes]
        echo(json.dumps({"scores": scores, "notes": notes, "verify": judged.verdict or None}, indent=1))
    else:
        said = [f"note: {note}" for note in judged.notes]
        advised = [note.option for note in judged.notes if note.option]
        said += [typed(advised)] if advised else []
        said += filter(None, [judged.verdict])
        echo("\n".join([listing.scores(judged.scores), *said]))
    return 0


def as_list(key: str, value: Any) -> Any:
    """A value of an option; a text with commas as the list of what stands between them.

    >>> as_list("sigmas", "0.03,0.05"), as_list("names", "cat, dog"), as_list("size", "box"), as_list("limit", 0.5)
    ([0.03, 0.05], ['cat', 'dog'], 'box', 0.5)

    Raises UsageError if what follows a comma is another option.
    """
    if not isinstance(value, str) or "," not in value:
        return value
    if re.search(r",\s*[a-z_]+=", value):
        apart = re.sub(r",\s*(?=[a-z_]+=)", " ", f"{key}={value}")
        raise UsageError(f"--option {key}={value}: a comma does not separate options; type --option {apart}")
    return list(assignments([f"list=[{value}]"], "--option", "list=[0.03,0.05]")["list"])


def typed(options: Sequence[str]) -> str:
    """How options are typed that files, notes and suites have as KEY: VALUE.

    >>> typed(["renumber: true", "sigmas"]), typed(["values: {0: 0, 255: 1}"])
    ('here --option renumber=true, --sigmas S,S,...', "here --option 'values={0: 0, 255: 1}'")
    """
    found: dict[str, None] = {}
    for option in options:
        key, _, value = option.partition(": ")
        flag = "--sigmas S,S,..." if key == "sigmas" and not value else ""
        found[flag or "--option " + shlex.quote(f"{key}={value or 'VALUE'}")] = None
    return f"here {', '.join(found)}"


def _plain(score: Measurement) -> dict[str, Any]:
    """The JSON of one score; value and interval as fractions."""
    return {
        "metric": score.metric,
        "quantity": asdict(score.quantity),
        "value": score.value,
        "interval": score.interval,
        "n": score.n,
        "reason": str(score.reason or ""),
    }
