"""Packages that only `--verify` and tests run: imported when asked for, and missed with a sentence."""

from __future__ import annotations

import importlib
from types import ModuleType

from hrbench.errors import UsageError

CITYSCAPES, LVIS = "pip install cityscapesscripts==2.3.0", "pip install --no-deps lvis==0.5.3"
"""Commands that install them as hrbench was compared with them."""


def reference_module(name: str, what: str, install: str) -> ModuleType:
    """A module of such a package.

    name: dotted.
    what: is verified with it, for the message: "LVIS".
    install: the command that installs it.

    Raises UsageError if it cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"verifying {what} needs {name.partition('.')[0]}, which cannot be used ({error}): {install}"
        ) from None
