"""Raw samples of latencies in the form of pytest-benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from hrbench.judge.costs import cell_of
from hrbench.types import Result


def add_latencies(session: Any, item: pytest.Item, result: Result) -> None:
    """Hands the raw samples of a result's latencies to pytest-benchmark, if it takes part.

    It shows them in its table, and stores them as its options say (--benchmark-autosave), so that
    `pytest-benchmark compare` reads them.

    session: pytest-benchmark's own.
    """
    if session.disabled or session.skip:
        return
    from pytest_benchmark.stats import Metadata  # there, since it has a session

    for one in result.costs:
        if one.quantity.name == "latency" and one.samples:
            cell = cell_of(one)
            about = SimpleNamespace(
                name=f"{item.name}[{cell}]",
                fullname=f"{item.nodeid}[{cell}]",
                group=None,
                param=cell,
                params={"batch": one.conditions.batch, "dtype": one.conditions.dtype},
                extra_info=_conditions(one.conditions.stated()),
                cprofile_stats=None,
                has_error=False,
            )
            made = Metadata(about, iterations=1, options={"timer": "perf_counter", "rounds": len(one.samples)})
            for seconds in one.samples:
                made.update(seconds)
            session.benchmarks.append(made)


def _conditions(stated: dict[str, Any]) -> dict[str, Any]:
    """What JSON can hold of the conditions."""
    return {name: value for name, value in stated.items() if isinstance(value, (str, int, float, bool, Sequence))}
