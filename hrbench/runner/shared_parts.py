"""What several entries of a suite share, looked at once: a data set, what is missing of it, its digest, its images.

    parts = SharedParts()
    plans = [plan_entry(entry, settings, shared=parts) for entry in suite.entries]

A suite may have a thousand entries of one data set. What is found holds as long as nothing on the disk changes: a run
forgets it whenever a job has run, which may have taken hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hrbench.core.digests import canonical
from hrbench.types import DatasetRow

Found = TypeVar("Found")


class SharedParts:
    """Finds each thing once, by its key."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], Any] = {}

    def of(self, key: tuple[Any, ...], find: Callable[[], Found]) -> Found:
        """What was found under a key, or is found now. An exception is not kept."""
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def forget(self) -> None:
        """Everything is looked at again."""
        self._found.clear()


def row_key(row: DatasetRow) -> tuple[str, ...]:
    """Tells data sets apart: two rows with one key read the same files in the same way."""
    return (row.name, row.use, row.draw, canonical(row.args))


def protocol_key(protocol: Mapping[str, Any]) -> str:
    """Tells protocols apart."""
    return canonical(protocol)
