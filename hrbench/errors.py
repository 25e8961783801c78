"""Errors that a person must act on, and the text of any error."""

from __future__ import annotations

import signal
from typing import Any


def in_words(error: Exception) -> str:
    """The message of an error in a line or two; for errors of other code with the class of the error."""
    if isinstance(error, HrbenchError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    try:
        first = (str(error).strip().splitlines() or [""])[0]
    except Exception as second:  # an exception of other code may have a message that cannot be read
        first = f"its message cannot be read ({type(second).__name__})"
    return f"{type(error).__name__}: {first}"


def _rebuilt(kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    """An unpickled error. By default Python would call the class with its message alone, whatever it takes."""
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


# --- errors ----------------------------------------------------------------------------------------------------


class HrbenchError(Exception):
    """Something a person must act on. The message says what was given, what exists and what to do.

    `cli.py` prints it without a traceback and exits with `exit_code`. It arrives as it was in another process.
    """

    exit_code = 2

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, vars(self))


class UsageError(HrbenchError):
    """A name, option or suite that cannot be understood."""


class InputError(HrbenchError):
    """A file whose content is wrong: the message names the file and the first fault in it.

    option: what may allow the file, and stands in the message: "match: file_name" or, where no value can be advised, a
        name ("sigmas"); "" if no option does.
    """

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class MissingError(HrbenchError):
    """Data or weights that are not on this disk: the message names the path and where to get them."""


class EntryError(HrbenchError):
    """An entry failed while running."""

    exit_code = 3


class StorageError(EntryError):
    """An object store that refuses, or does not answer after several tries: the message names the address.

    It shows no secret, and how often the call was tried.
    """


class UnavailableError(EntryError):
    """Something that this machine or this network cannot do. It is no failure: its message stands where a number would.

    The message says what is missing and, where anything can be done about it, what.
    """


class Interrupted(BaseException):
    """A signal asked this run to end, like Ctrl-C. Not an `Exception`, so that nothing handles it as an error."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"interrupted by {signal.Signals(number).name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Interrupted, (self.number,)

    @property
    def exit_code(self) -> int:
        """The exit code that shells expect after a signal: 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number
