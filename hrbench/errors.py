"""What hrbench raises for a person to act on, and any error in words."""

from __future__ import annotations


def in_words(error: Exception) -> str:
    """What went wrong, in a line or two: our own words, or those of other code with the kind of error."""
    if isinstance(error, HrbenchError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


# --- errors ----------------------------------------------------------------------------------------------------


class HrbenchError(Exception):
    """Something a person must act on. The message says what was given, what exists and what to do.

    `cli.py` prints it without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class UsageError(HrbenchError):
    """A name, option or suite that cannot be understood."""


class InputError(HrbenchError):
    """A file whose content is wrong: it names the file and the first offender in it."""


class MissingError(HrbenchError):
    """Data or weights that are not on this disk: it names the path and where to get it."""


class EntryError(HrbenchError):
    """An entry failed while running."""

    exit_code = 3
