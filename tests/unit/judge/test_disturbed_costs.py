"""Times that the machine disturbed, or that were only looked at, are judged by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence import LATENCY
from releases import drifting, write_release

from hrbench.cost.throughput.summary import THROUGHPUT
from hrbench.errors import UsageError
from hrbench.judge.compare import compare
from hrbench.judge.evidence import Options
from hrbench.judge.gate import decide
from hrbench.judge.history import history
from hrbench.judge.rows import Row
from hrbench.judge.sides import read_side
from hrbench.types import Conditions, Measurement, Policy, Quantity, Rule

NONE = Path("no such folder")
REQUIRED = Policy(rules=(Rule("*", "*", "watched"), Rule("latency", "*", "required", where="p.yaml:2")))


def release(folder: Path, seconds: float, **conditions) -> Path:
    under = Conditions(batch=1, dtype="float32", **conditions)
    cost = Measurement(LATENCY, seconds, interval=(0.999 * seconds, 1.001 * seconds), conditions=under)
    write_release(folder, next(iter(drifting(1, 0.0))), "2026-01-01", costs=(cost,))
    return folder


def row(first: Path, second: Path, policy: Policy = REQUIRED, trust: bool = True) -> tuple[Row, int]:
    sides = [read_side(str(one), NONE) for one in (first, second)]
    comparison = compare(sides[0], sides[1], policy, Options(trust_stored=trust))
    (found,) = [one for one in comparison.rows if one.key == "latency"]
    return found, decide(comparison, strict=True).exit_code


UNSTABLE = {"stability": "unstable", "stability_reasons": ("the GPU was throttled (12 % of the readings)",)}


def test_stable_times_of_mode_gate_are_judged(tmp_path):
    sides = [release(tmp_path / name, s, mode="gate", stability="stable") for name, s in (("a", 0.01), ("b", 0.02))]
    found, code = row(*sides)
    assert (found.verdict, code) == ("regressed", 1)


@pytest.mark.parametrize("side", [0, 1])
def test_an_unstable_time_is_never_compared(tmp_path, side):
    conditions = [{"mode": "gate", "stability": "stable"}] * 2
    conditions[side] = {"mode": "gate", **UNSTABLE}
    a, b = (release(tmp_path / name, 0.01 * (1 + n), **conditions[n]) for n, name in enumerate("ab"))
    found, code = row(a, b)
    assert (found.verdict, code) == ("cannot tell", 4) and found.evidence.difference is None
    who = ("the former", "this one")[side]
    assert found.judgement.reasons == (
        f"{who} is unstable: the GPU was throttled (12 % of the readings)",
        "--remeasure measures both in turns",
    )


def test_a_quick_time_is_told_and_not_gated(tmp_path):
    a, b = (release(tmp_path / name, s, mode="quick", stability="stable") for name, s in (("a", 0.01), ("b", 0.02)))
    found, code = row(a, b)
    assert (found.verdict, code) == ("cannot tell", 4) and found.evidence.difference is not None
    assert found.judgement.reasons[0].startswith("measured in mode quick, which is not gated: measure with")
    assert found.judgement.reasons[1] == "100.0 % slower as stored"


def test_three_passes_are_compared_with_nothing(tmp_path):
    a, b = (release(tmp_path / name, s, mode="smoke") for name, s in (("a", 0.01), ("b", 0.02)))
    found, _ = row(a, b)
    assert found.verdict == "cannot tell" and "mode smoke, which only shows that the network runs" in str(found)


def test_a_history_leaves_them_out_and_says_how_many(tmp_path):
    release(tmp_path / "a", 0.01, mode="gate", stability="stable")
    release(tmp_path / "b", 0.5, mode="gate", **UNSTABLE)
    found = history(tmp_path, NONE, "latency")
    (series,) = found.series
    assert [point.value for point in series.points] == [0.01] and found.unstable == 1
    with pytest.raises(UsageError, match=r"left out: 1 time, unstable or of mode smoke"):
        history(tmp_path / "b", NONE, "latency")


def test_bytes_that_were_counted_are_exact_and_a_peak_is_judged_by_its_value(tmp_path):
    weights = Quantity("memory-weights", "Weights", "bytes", "lower")
    peak = Quantity("memory-peak", "Peak memory", "bytes", "lower")

    def made(name: str, one: float, other: float) -> Path:
        costs = (
            Measurement(weights, one, conditions=Conditions(batch=1)),
            Measurement(peak, other, conditions=Conditions(batch=1, device="cpu")),
        )
        write_release(tmp_path / name, next(iter(drifting(1, 0.0))), "2026-01-01", costs=costs)
        return tmp_path / name

    first = made("a", 1e6, 1e8)
    asked = Policy(rules=(Rule("*", "*", "watched"), Rule("memory*", "*", "required")))

    def verdicts(second: Path, trust: bool) -> list[str]:
        sides = [read_side(str(one), NONE) for one in (first, second)]
        rows = compare(sides[0], sides[1], asked, Options(trust_stored=trust)).rows
        return [row.verdict for row in rows if row.key.startswith("memory")]

    assert verdicts(made("same", 1e6, 1.01e8), True) == ["unchanged", "unchanged"]
    assert verdicts(made("more", 1.1e6, 1.1e8), True) == ["regressed", "regressed"]
    assert verdicts(tmp_path / "more", False) == ["regressed", "cannot tell"]


@pytest.mark.parametrize(
    ("mode", "second", "verdict"),
    [
        ("gate", 90.0, "regressed"),
        ("gate", 110.0, "improved"),
        ("gate", 101.0, "unchanged"),
        ("quick", 50.0, "cannot tell"),
    ],
)
def test_more_images_per_second_are_better_and_quick_ones_are_not_gated(tmp_path, mode, second, verdict):
    def made(name: str, rate: float) -> Path:
        under = Conditions(dtype="float32", mode=mode, stability="stable", knee=int(rate))
        cost = Measurement(THROUGHPUT, rate, interval=(0.999 * rate, 1.001 * rate), conditions=under)
        write_release(tmp_path / name, next(iter(drifting(1, 0.0))), "2026-01-01", costs=(cost,))
        return tmp_path / name

    sides = [read_side(str(made(name, rate)), NONE) for name, rate in (("a", 100.0), ("b", second))]
    asked = Policy(rules=(Rule("*", "*", "watched"), Rule("throughput", "*", "required")))
    (found,) = [row for row in compare(*sides, asked, Options(trust_stored=True)).rows if row.key == "throughput"]
    assert found.verdict == verdict
    if mode == "quick":
        assert found.judgement.reasons == (
            "measured in mode quick, which is not gated: measure with `cost: {throughput: {mode: gate}}`",
            "100.0 % slower as stored",
        )
