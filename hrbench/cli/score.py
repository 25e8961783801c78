"""`hrbench score`: judges predictions made anywhere."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hrbench.cli import listing, text
from hrbench.cli.profile import _assigned
from hrbench.cli.shared import Say
from hrbench.errors import UsageError
from hrbench.suite.registry import known
from hrbench.types import Measurement

# --- score, profile --------------------------------------------------------------------------------------------------


def score(arguments: Namespace, say: Say) -> int:
    from hrbench.runner.score import of_dataset
    from hrbench.runner.score import score as judge

    truth, options = arguments.gt, {}
    if arguments.dataset:
        rows = text.chosen(known().datasets, arguments.dataset, "data set")
        if len(rows) > 1:
            raise UsageError(f"--dataset {arguments.dataset!r} matches {', '.join(rows)}: name one")
        target, options = of_dataset(next(iter(rows.values())), Path(arguments.data))
        truth = truth or target
    if not truth:
        raise UsageError("say what to judge by: --gt PATH, or --dataset NAME (hrbench datasets lists them)")
    options |= _assigned(arguments.option, "--option", "per_class=true")
    judged = judge(
        arguments.metric,
        ground_truth=truth,
        predictions=arguments.pred,
        options={**options, **({"sigmas": arguments.sigmas} if arguments.sigmas else {})},
        verify=arguments.verify,
        resamples=arguments.resamples,
        seed=arguments.seed,
    )
    if arguments.json:
        scores = [_plain(score) for score in judged.scores]
        say(json.dumps({"scores": scores, "verify": judged.verdict or None}, indent=1))
    else:
        say(listing.scores(judged.scores) + (f"\n{judged.verdict}" if judged.verdict else ""))
    return 0


def _plain(score: Measurement) -> dict[str, Any]:
    """What `--json` says of a score; interval and value as fractions."""
    return {
        "metric": score.metric,
        "quantity": asdict(score.quantity),
        "value": score.value,
        "interval": score.interval,
        "n": score.n,
        "reason": str(score.reason or ""),
    }
