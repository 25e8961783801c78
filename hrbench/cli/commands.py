"""What each command does: parsed arguments and a way to say things -> exit code. Prints nothing itself.

A command imports what it needs when it is called, so that listing networks waits for no numbers and no torch.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from hrbench.cli import listing
from hrbench.cli.shared import Say, _listener
from hrbench.errors import UsageError
from hrbench.suite.registry import known

# --- what there is ---------------------------------------------------------------------------------------------------


def models(arguments: Namespace, say: Say) -> int:
    say(listing.models(arguments.name, arguments.task, Path(arguments.weights)))
    return 0


def datasets(arguments: Namespace, say: Say) -> int:
    if arguments.check:
        from hrbench.cli.data import check as check_data

        return check_data(arguments, say, lambda: _listener(arguments, say))
    if arguments.every:
        raise UsageError("--all says how many images --check decodes: give both")
    say(listing.datasets(arguments.name, Path(arguments.data)))
    return 0


def metrics(arguments: Namespace, say: Say) -> int:
    say(listing.metrics())
    return 0


def schema(arguments: Namespace, say: Say) -> int:
    from hrbench.suite.schema import schema as suite_schema

    say(json.dumps(suite_schema(known()), indent=2))
    return 0
