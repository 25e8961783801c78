"""When passes that count began and ended, and whether the network was compiled in between."""

from __future__ import annotations

from hrbench.contracts import CountsCompilations, Runtime
from hrbench.cost.telemetry.watch import Watch
from hrbench.types import Reason

COMPILED = Reason("the network was compiled again while it was measured", "does its code depend on values?")


class Marks:
    """Called at the beginning and at the end of passes that count.

    watched: watches the machine.
    runtime: of the network; one that compiles while it is called is asked how often it has.

    times: of the calls, as `watched` has them.
    """

    def __init__(self, watched: Watch, runtime: Runtime) -> None:
        self.watched, self.runtime = watched, runtime
        self.times: list[float] = []
        self._compiled: list[int] = []

    def __call__(self) -> None:
        """Marks this moment."""
        self.times.append(self.watched.mark())
        self._compiled.append(self.runtime.compilations() if isinstance(self.runtime, CountsCompilations) else 0)

    @property
    def fault(self) -> Reason | None:
        """Why what was measured between pairs of calls does not count; None if it does."""
        pairs = zip(self._compiled[::2], self._compiled[1::2], strict=False)
        return COMPILED if any(before != after for before, after in pairs) else None
