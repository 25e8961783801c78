from __future__ import annotations

import pytest
from faulty_store import Answered

from hrbench.core.remote.retries import (
    ATTEMPTS,
    FIRST_WAIT_SECONDS,
    MAX_WAIT_SECONDS,
    RetryPolicy,
    ShortRead,
    TriedOften,
    can_pass,
)


def with_cause(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def of_module(module: str, *names: str) -> BaseException:
    """An error of the last of these classes, each below the one before, all defined in a module of that name."""
    kind: type = Exception
    for name in names:
        kind = type(name, (kind,), {"__module__": module})
    return kind("x")


@pytest.mark.parametrize(
    "fault",
    [
        Answered(500),
        Answered(503, "SlowDown"),
        Answered(200, "SlowDown"),
        Answered(409, "ConditionalRequestConflict"),
        ConnectionResetError(),
        ConnectionRefusedError(),
        TimeoutError(),
        ShortRead("1 of 2"),
        with_cause(of_module("aiohttp.client_exceptions", "ClientPayloadError"), Answered(400)),
        with_cause(OSError(16, "busy"), Answered(503)),
        with_cause(PermissionError("odd"), Answered(500)),
        of_module("botocore.exceptions", "HTTPClientError", "ReadTimeoutError"),
        of_module("aiohttp.client_exceptions", "ClientConnectionError", "ServerDisconnectedError"),
        of_module("azure.core.exceptions", "ServiceRequestError"),
    ],
)
def test_faults_that_can_pass(fault: BaseException):
    assert can_pass(fault)


@pytest.mark.parametrize(
    "fault",
    [
        Answered(403, "AccessDenied"),
        Answered(404),
        FileNotFoundError(),
        PermissionError(),
        OSError(28, "No space left on device"),
        ValueError(),
        with_cause(OSError(5, "?"), Answered(403)),
        of_module("elsewhere", "HTTPClientError"),
        of_module("botocore.exceptions", "NoCredentialsError"),
    ],
)
def test_faults_that_cannot(fault: BaseException):
    assert not can_pass(fault)


def test_the_bound_and_the_waits():
    waits: list[float] = []
    tries: list[int] = []
    policy = RetryPolicy(sleep=waits.append, clock=lambda: sum(waits), spread=lambda: 1.0)

    def call(attempt: int) -> None:
        tries.append(attempt)
        raise ConnectionResetError

    with pytest.raises(TriedOften, match=f"tried {ATTEMPTS} times in 8 s") as caught:
        policy.call(call)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert tries == list(range(1, ATTEMPTS + 1))
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_waits_double_up_to_the_longest_and_at_most_half_of_each_is_saved():
    longest, shortest = RetryPolicy(spread=lambda: 1.0), RetryPolicy(spread=lambda: 0.0)
    assert longest.wait(1) == FIRST_WAIT_SECONDS
    assert longest.wait(20) == MAX_WAIT_SECONDS
    assert shortest.wait(20) == MAX_WAIT_SECONDS / 2


def test_what_cannot_pass_is_not_tried_again():
    tries: list[int] = []

    def call(attempt: int) -> None:
        tries.append(attempt)
        raise Answered(403)

    with pytest.raises(Answered):
        RetryPolicy(sleep=pytest.fail).call(call)
    assert tries == [1]
