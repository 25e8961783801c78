"""SIGTERM and SIGHUP like Ctrl-C: an exception, so that children are ended and what is whole is stored."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from hrbench.errors import Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise Interrupted in the main thread; afterwards all is as before.

    A signal that is ignored (`nohup`), or that the caller handles, is left alone; in another thread nothing is changed.
    """
    replaced = []
    if threading.current_thread() is threading.main_thread():
        replaced = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for one in replaced:
        signal.signal(one, _interrupt)
    try:
        yield
    finally:
        for one in replaced:
            signal.signal(one, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)
