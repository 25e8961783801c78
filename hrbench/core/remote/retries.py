"""Which faults of a store can pass, and how often they are tried again.

A call is tried `ATTEMPTS` times; the wait before the next try doubles from `FIRST_WAIT_SECONDS` up to
`MAX_WAIT_SECONDS`, and half of it is random so that many processes do not return at once. The client of S3
(botocore, s3fs) is told not to repeat anything itself, so this bound is the bound, except that aiohttp sends a request
once more if the connection closes before any answer (findings/s3fs_creates_a_file_and_says_it_exists.sh). The clients
of Google's and Azure's stores repeat some requests below each of these tries, and cannot be told not to.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

ATTEMPTS = 5
"""How often a call is tried in all."""
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 8.0

PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes after which the same request may succeed."""
PASSING_CODES = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "InternalError",
        "ServiceUnavailable",
        "ServerBusy",
        "Throttling",
        "ConditionalRequestConflict",
    }
)
"""Codes in a store's answers that mean the same."""
_PASSING_CLASSES = {
    "botocore": {"HTTPClientError", "IncompleteReadError", "ResponseStreamingError", "ResponseParserError"},
    "aiohttp": {"ClientConnectionError", "ClientPayloadError", "ServerTimeoutError"},
    "urllib3": {"IncompleteRead", "ProtocolError", "TimeoutError"},
    "fsspec": {"FSTimeoutError"},
    "gcsfs": {"ChecksumError"},
    "google": {"TransportError"},
    "requests": {"ConnectionError", "Timeout", "ChunkedEncodingError"},
    "azure": {"ServiceRequestError", "ServiceResponseError", "IncompleteReadError"},
}
"""Package -> errors of it (and of their subclasses) that mean a broken connection, a timeout or lost bytes."""


class ShortRead(Exception):
    """Fewer or more bytes arrived than the store has."""


class TriedOften(Exception):
    """The last of several faults that could have passed. attempts: how often it was tried; seconds: for how long."""

    def __init__(self, attempts: int, seconds: float) -> None:
        super().__init__(attempts, seconds)  # what it is made of again in another process
        self.attempts, self.seconds = attempts, seconds

    def __str__(self) -> str:
        return f"tried {self.attempts} times in {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How calls are repeated.

    attempts: tries in all, at least 1.
    first_wait: seconds before the second try.
    max_wait: seconds, the longest wait.
    sleep, clock, spread: for tests; `spread` returns a number in [0, 1).
    """

    attempts: int = ATTEMPTS
    first_wait: float = FIRST_WAIT_SECONDS
    max_wait: float = MAX_WAIT_SECONDS
    sleep: Callable[[float], object] = field(default=time.sleep)
    clock: Callable[[], float] = field(default=time.monotonic)
    spread: Callable[[], float] = field(default=random.random)

    def call(self, call: Callable[[int], T]) -> T:
        """What `call` returns; it gets the number of the try, from 1. An error that cannot pass goes through at once.

        Raises TriedOften from the last error if the last try failed, too.
        """
        began = self.clock()
        for attempt in range(1, self.attempts + 1):
            try:
                return call(attempt)
            except Exception as error:
                if not can_pass(error):
                    raise
                if attempt == self.attempts:
                    raise TriedOften(attempt, self.clock() - began) from error
            self.sleep(self.wait(attempt))
        raise AssertionError("attempts is at least 1")

    def wait(self, attempt: int) -> float:
        """Seconds after try number `attempt`."""
        longest = min(self.first_wait * 2 ** (attempt - 1), self.max_wait)
        return longest * (0.5 + 0.5 * self.spread())


def can_pass(error: BaseException) -> bool:
    """Whether a fault may be gone at the next try: a status such as 503, a broken connection, a timeout, lost bytes.

    The outermost error that tells it decides: what a client makes of a broken body may be caused by an odd status.
    """
    for each in _causes(error):
        status, code = status_of(each)
        if code in PASSING_CODES or status in PASSING_STATUS or _is_passing(each):
            return True
        if status:
            return False
    return False


def status_of(error: BaseException) -> tuple[int, str]:
    """HTTP status and code of the store's answer that an error holds; (0, "") if it holds none."""
    answer: Any = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(answer.get("Error", {}).get("Code", ""))
        return (int(status or 0) or (int(code) if code.isdigit() else 0)), code
    for name in ("status_code", "status", "code"):  # azure, aiohttp, gcsfs
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value, str(getattr(error, "error_code", "") or "")
    return 0, ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it, at most ten."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, (ShortRead, ConnectionError, TimeoutError)) or any(
        kind.__name__ in _PASSING_CLASSES.get(kind.__module__.partition(".")[0], ()) for kind in type(error).__mro__
    )
