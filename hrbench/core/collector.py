"""Python's collector of cycles, paused while many objects that last are made.

It looks through all living objects again and again as their number grows, so that reading and rendering a thousand
results takes a third more time for each of them than a hundred do. What is made here is freed without it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pauses it until the context, or the function that this decorates, ends; nested ones change nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
