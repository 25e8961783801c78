"""What can be handed to another process: names that are found again there, and plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hrbench.contracts import Job
from hrbench.runner.executors.messages import packed

_MAIN = "__main__:"


def refused(job: Job) -> str:
    """Why a job cannot run in a process of its own, in a line; "" if it can."""
    for text in _texts([job.target, job.arguments]):
        if text.startswith(_MAIN):
            name = text.removeprefix(_MAIN)
            return (
                f"{text} names something in the running script or notebook, which another process cannot import: put "
                f'{name} into a module beside it, such as nets.py, and write "nets:{name}", or run with --in-process'
            )
    try:
        packed(dict(job.arguments))
    except (TypeError, ValueError) as error:
        return f"what {job.target} is to be called with cannot be handed to another process: {error}"
    return ""


def _texts(value: Any) -> Iterator[str]:
    """All strings of nested plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in (*value.keys(), *value.values()):
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
