"""Work in threads that nobody waits for at the end, so that Ctrl-C ends the server even while a page is rendered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises, called in a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(told: Callable[[], None]) -> None:
        if not future.done():  # else nobody waits any more
            told()

    def run() -> None:
        try:
            told = partial(future.set_result, work())
        except BaseException as error:
            told = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, told)

    Thread(target=run, name="page", daemon=True).start()
    return await future
