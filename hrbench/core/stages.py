"""Stages of a pipeline, marked where they happen, and timed only while somebody measures.

    with stage("decode"):                  # in a data set's, a task's or a network's code
        pixels = cv2.imdecode(...)

    with measured(now, wait) as times:     # in a cost probe
        with stage("preprocess"):
            items = task.prepare(sample)
    times.seconds                          # {"preprocess": ..., "decode": ...}

Stages may be nested: time belongs to the innermost stage, so that no time is counted twice and the stages add up to
what lies within the outermost ones. A mark changes nothing that is computed; where nobody measures it takes less than a
microsecond. Only the thread that measures is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

STAGES = ("decode", "preprocess", "transfer", "forward", "suppression", "pasting", "postprocess")
"""The stages of a pipeline, in the order in which they are told.

decode: reads an image file and decodes it.
preprocess: from pixels of the image to normalised inputs of the network.
transfer: copies inputs to the device, and what the network found back to main memory.
forward: runs the network, with what its own code does before and after its layers.
suppression: drops duplicates among what was found (NMS).
pasting: puts masks of boxes on the image, as run lengths.
postprocess: everything else up to the prediction in the image's frame.
"""


class StageTimes:
    """Seconds by stage, and the stages that are under way.

    now: a clock, in seconds.
    wait: returns when the device has done all that it was asked for.
    """

    __slots__ = ("_now", "_open", "_since", "_wait", "seconds")

    def __init__(self, now: Callable[[], float], wait: Callable[[], object]) -> None:
        self.seconds: dict[str, float] = {}
        self._now, self._wait = now, wait
        self._open: list[str] = []
        self._since = 0.0

    def enter(self, name: str) -> None:
        """A stage begins."""
        self._account()
        self._open.append(name)
        self.seconds.setdefault(name, 0.0)

    def leave(self) -> None:
        """The innermost stage ends."""
        self._account()
        self._open.pop()

    def _account(self) -> None:
        """Gives the time since the last mark to the innermost stage."""
        self._wait()
        now = self._now()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


_NOTHING = nullcontext()
_measuring: ContextVar[StageTimes | None] = ContextVar("hrbench_stages", default=None)


class _Mark:
    """Tells a `StageTimes` when a stage begins and ends."""

    __slots__ = ("_name", "_times")

    def __init__(self, times: StageTimes, name: str) -> None:
        self._times, self._name = times, name

    def __enter__(self) -> None:
        self._times.enter(self._name)

    def __exit__(self, *error: object) -> None:
        self._times.leave()


def stage(name: str) -> AbstractContextManager[None]:
    """A stage of a pipeline: one of `STAGES`, or a user-defined name, which is told as part of "postprocess".

    >>> with stage("decode"):
    ...     pass
    """
    times = _measuring.get()
    return _NOTHING if times is None else _Mark(times, name)


@contextmanager
def measured(now: Callable[[], float], wait: Callable[[], object] = lambda: None) -> Iterator[StageTimes]:
    """Times the stages of this thread until the end of the block.

    now: a clock, in seconds.
    wait: returns when the device has done all that it was asked for; called where a stage begins and ends.

    >>> clock = iter([0.0, 3.0, 5.0, 6.0])
    >>> with measured(lambda: next(clock)) as times, stage("preprocess"), stage("decode"):
    ...     pass
    >>> times.seconds
    {'preprocess': 4.0, 'decode': 2.0}
    """
    times = StageTimes(now, wait)
    token = _measuring.set(times)
    try:
        yield times
    finally:
        _measuring.reset(token)
