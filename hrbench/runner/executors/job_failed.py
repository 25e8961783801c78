"""A job that came to nothing, as an error of its entry."""

from __future__ import annotations

from hrbench.errors import EntryError


class JobFailed(EntryError):
    """A job failed: it raised, or its process ended. The message is one line.

    trace: the traceback, "" for an error that hrbench raised itself.
    unavailable: whether it is no failure: this machine or the network cannot do what was asked for.
    """

    def __init__(self, message: str, trace: str = "", unavailable: bool = False) -> None:
        super().__init__(message)
        self.trace, self.unavailable = trace, unavailable
