"""Costs of other runtimes are compared only if that is meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hrbench.cost.latency.summary import LATENCY
from hrbench.judge.comparability import basis_of_cost, comparison_key, cost_differences
from hrbench.types import Conditions, Entry, Measurement, Result, Variant

EAGER = Conditions(batch=1, dtype="float32", device="a CPU", threads=2, channels_last=False)
ENTRY = Entry("e", Variant("v", "net", "pose", (4, 4)), None, {}, (), {})


def latency(conditions: Conditions) -> Measurement:
    return Measurement(LATENCY, 1.0, conditions=conditions)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"runtime": "compile"}, "runtime - / compile"),
        ({"runtime": "eager, channels_last", "channels_last": True}, "channels last false / true"),
        ({"tf32": "convolutions"}, "tf32 - / convolutions"),
    ],
)
def test_another_runtime_is_not_compared_unless_it_is_meant(changed: dict[str, object], said: str):
    other = replace(EAGER, **changed)
    assert said in cost_differences(latency(EAGER), latency(other))
    assert cost_differences(latency(EAGER), latency(other), ["runtime"]) == []
    assert basis_of_cost(EAGER) != basis_of_cost(other)
    result = Result("r", ENTRY, "costs_only")
    assert comparison_key(result, latency(EAGER)) != comparison_key(result, latency(other))


def test_threads_of_a_runtime_are_meant_by_either():
    other = replace(EAGER, runtime="eager, threads 1", threads=1)
    for across in (["runtime"], ["threads"], ["runtime", "threads"]):
        assert cost_differences(latency(EAGER), latency(other), across) == []
    assert cost_differences(latency(EAGER), latency(other)) == ["threads 2 / 1", "runtime - / eager, threads 1"]
    further = replace(other, runtime="compile, threads 1")
    assert cost_differences(latency(EAGER), latency(further), ["threads"]) == ["runtime - / compile, threads 1"]
    set_elsewhere = replace(EAGER, runtime="compile", threads=1)
    assert cost_differences(latency(EAGER), latency(set_elsewhere), ["runtime"]) == ["threads 2 / 1"]
