"""SIGTERM and SIGHUP become an exception, where nobody else handles them, and only for a while."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from hrbench.errors import Interrupted
from hrbench.runner.executors.interrupts import interruptible


@pytest.fixture(params=[signal.SIGTERM, signal.SIGHUP])
def number(request):
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_is_raised_with_its_exit_code(number):
    with pytest.raises(Interrupted, match=f"interrupted by {number.name}") as caught, interruptible():
        os.kill(os.getpid(), number)
        threading.Event().wait(60)
    assert caught.value.exit_code == {signal.SIGTERM: 143, signal.SIGHUP: 129}[number]
    assert signal.getsignal(number) is signal.SIG_DFL


def test_no_handler_for_exceptions_takes_it(number):
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(60)
        except Exception:
            pytest.fail("it was taken for an error")


def test_handlers_of_others_stay(number):
    for handler in (signal.SIG_IGN, lambda *_: None):
        signal.signal(number, handler)
        with interruptible():
            assert signal.getsignal(number) is handler
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is handler


def test_within_another(number):
    with interruptible():
        inner = signal.getsignal(number)
        with interruptible():
            assert signal.getsignal(number) is inner
        assert signal.getsignal(number) is inner


def test_another_thread_changes_nothing(number):
    seen = []

    def run():
        with interruptible():
            seen.append(signal.getsignal(number))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
