"""What several commands share: settings, the suite, the display of events."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.core.remote.addresses import local_path, redact
from hrbench.core.remote.mirror import local_folder
from hrbench.errors import UsageError
from hrbench.types import Suite

if TYPE_CHECKING:
    from hrbench.cli.progress import Bars, Lines
    from hrbench.runner.settings import Settings

Echo = Callable[[str], object]
"""Writes a text to standard output."""


def settings_of(args: Namespace) -> Settings:
    from hrbench.runner.settings import Settings

    names = ("device", "workers", "verify", "offline", "rescore", "in_process", "redo_unstable")
    values = {name: getattr(args, name) for name in names if hasattr(args, name)}
    return Settings(data=local_folder(args.data), weights=local_folder(args.weights), **values)


def folder_to_write(option: str, value: str) -> Path:
    """A folder of this disk. Raises UsageError for one in an object store, where nothing is downloaded to."""
    folder = local_path(value)
    if folder is None:
        raise UsageError(f"{option} {redact(value)}: files are downloaded to a folder of this disk; name one")
    return folder


def load_suite_of(args: Namespace) -> Suite:
    from hrbench.suite.load import load_suite
    from hrbench.suite.registry import known

    names = known(fetch=not getattr(args, "offline", True))
    return load_suite(args.suite, names, overrides=args.overrides, only=args.only, limit=args.limit)


def write_text(path: Path, text: str) -> None:
    """Writes a file whole, and makes its folder if there is none."""
    from hrbench.core.files import write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda stream: stream.write(text.encode()))


def open_event_display(args: Namespace, echo: Echo) -> Bars | Lines:
    """Progress bars on a terminal, plain lines otherwise or with --plain. The caller closes it."""
    from hrbench.cli.progress import Bars, Lines

    return Bars() if sys.stderr.isatty() and not args.plain else Lines(echo)
