"""The commands that list something: each takes parsed arguments and `echo`, and returns the exit code.

Nothing here prints: `echo` writes a text to standard output.

A command imports what it needs when it is called, so that listing networks does not load NumPy or torch.
"""

from __future__ import annotations

import json
from argparse import Namespace

from hrbench.cli import listing, metric_listing
from hrbench.cli.shared import Echo, open_event_display
from hrbench.core.remote.mirror import local_folder
from hrbench.errors import UsageError


def models(args: Namespace, echo: Echo) -> int:
    echo(listing.models(args.name, args.task, local_folder(args.weights)))
    return 0


def datasets(args: Namespace, echo: Echo) -> int:
    if args.check:
        from hrbench.cli.data import check_data

        return check_data(args, echo, lambda: open_event_display(args, echo))
    if args.every:
        raise UsageError("--all is an option of --check: give both")
    echo(listing.datasets(args.name, local_folder(args.data)))
    return 0


def metrics(args: Namespace, echo: Echo) -> int:
    echo(metric_listing.metric(args.name) if args.name else metric_listing.metrics())
    return 0


def schema(args: Namespace, echo: Echo) -> int:
    from hrbench.judge.values import gate_schema
    from hrbench.report.numbers import json_schema
    from hrbench.suite.policy_schema import policy_schema
    from hrbench.suite.registry import known
    from hrbench.suite.schema import suite_schema

    made = {
        "suite": lambda: suite_schema(known()),
        "policy": policy_schema,
        "gate": gate_schema,
        "report": json_schema,
    }[args.kind]
    echo(json.dumps(made(), indent=2))
    return 0
