"""Python's collector of cycles, paused while many objects that last are made.

It looks through all living objects again and again as their number grows, so that reading and rendering a thousand
results takes a third more time for each of them than a hundred do. What is made here is freed without it.
"""

from __future__ import annotations

import gc
from contextlib import ContextDecorator


class PausedCollector(ContextDecorator):
    """Pauses it until the context, or the function that this decorates, ends; nested ones change nothing."""

    def __enter__(self) -> PausedCollector:
        self._was: list[bool] = getattr(self, "_was", [])
        self._was.append(gc.isenabled())
        gc.disable()
        return self

    def __exit__(self, *error: object) -> None:
        if self._was.pop():
            gc.enable()
