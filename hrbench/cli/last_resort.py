"""What happens to an error that nobody expected: one line, and its traceback in a file for the report of it."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from collections.abc import Sequence

from hrbench.cli.standard_streams import echo_error
from hrbench.core.remote import scrubbed
from hrbench.errors import in_words
from hrbench.version import __version__

UNEXPECTED = 70
"""The exit code: EX_SOFTWARE of sysexits.h, which says that the program itself is at fault."""

VARIABLE = "HRBENCH_TRACEBACK"
"""An environment variable; set to anything but 0 it has the traceback printed instead of written to a file."""


def tell_unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """Prints one line on standard error and returns the exit code; the traceback goes to a file, or follows the line.

    arguments: of the command, which are written with the traceback.
    """
    text = _report(error, arguments)
    what = f"hrbench: unexpected {' '.join(in_words(error).split())[:300]}".rstrip(": ")
    ask = "this is a fault of hrbench, please report it"
    place = "" if os.environ.get(VARIABLE, "0") not in ("", "0") else _written(text)
    if place:
        echo_error(f"{what}; {ask} with {place}, where its traceback is ({VARIABLE}=1 prints it at once)")
    else:
        echo_error(f"{what}; {ask} with what follows\n{text}")
    return UNEXPECTED


def _report(error: Exception, arguments: Sequence[str]) -> str:
    """Versions, the command and the traceback: all that a report of the fault needs."""
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception as second:  # an error of other code may have no text
        trace = f"{type(error).__name__}, whose traceback cannot be written ({type(second).__name__})\n"
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return scrubbed(f"hrbench {__version__}, {system}\nhrbench {' '.join(arguments)}\n\n{trace}")


def _written(text: str) -> str:
    """The new file in the folder of temporary files that holds the text; "" if none can be written."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="hrbench-", suffix=".traceback.txt")
        with open(descriptor, "w", encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            stream.write(text)
    except OSError:
        return ""
    return name
