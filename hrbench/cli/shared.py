"""What several commands share: settings, the suite, the listener."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.suite.registry import known
from hrbench.types import Suite

if TYPE_CHECKING:
    from hrbench.cli.progress import Bars, Lines
    from hrbench.runner.settings import Settings

Say = Callable[[str], object]


def _settings(arguments: Namespace) -> Settings:
    from hrbench.runner.settings import Settings

    given = ("device", "workers", "verify", "offline", "rescore", "in_process")
    named = {name: getattr(arguments, name) for name in given if hasattr(arguments, name)}
    return Settings(data=Path(arguments.data), weights=Path(arguments.weights), **named)


def _suite(arguments: Namespace) -> Suite:
    from hrbench.suite.load import load_suite

    return load_suite(
        arguments.suite, known(), overrides=arguments.overrides, only=arguments.only, limit=arguments.limit
    )


def _listener(arguments: Namespace, say: Say) -> Bars | Lines:
    """Bars where a person looks on, lines where a log is written."""
    from hrbench.cli.progress import Bars, Lines

    return Bars() if sys.stderr.isatty() and not arguments.plain else Lines(say)
