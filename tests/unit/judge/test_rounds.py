"""Latencies measured in turns become verdicts: with noise that a machine makes, drifting and long-tailed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from evidence import LATENCY

from hrbench.judge.evidence import Evidence
from hrbench.judge.rounds import is_open, with_rounds
from hrbench.judge.verdict import judge
from hrbench.statistics.interleaved import LOOKS, Round
from hrbench.types import Margin

M = Margin(relative=0.03)
ROW = Evidence("net", "net", "", LATENCY, "batch 1", first=0.05, second=0.05)


def history(seed: int, ratio: float, noise: float) -> Callable[[], Round]:
    """Rounds of a machine that drifts, and now and then is interrupted."""
    rng = np.random.default_rng(seed)
    level = 0.0

    def one() -> Round:
        nonlocal level
        visits = []
        for number in range(5):
            level += rng.normal(0, noise / 3)
            disturbed = rng.exponential(10 * noise) if rng.random() < 0.05 else 0.0
            visits.append(
                0.05 * (ratio if number in (1, 3) else 1.0) * math.exp(level + rng.normal(0, noise) + disturbed)
            )
        return Round(tuple(visits))

    return one


def verdict(one: Callable[[], Round]) -> str:
    """After as many looks as it takes."""
    rounds: list[Round] = []
    for look in LOOKS:
        rounds += [one() for _ in range(look - len(rounds))]
        found = with_rounds(ROW, rounds)
        if not is_open(found, M):
            break
    return judge([(found, M)])[0].verdict


@pytest.mark.parametrize("noise", [0.003, 0.01, 0.1])
def test_equal_networks_are_never_worse(noise: float) -> None:
    verdicts = [verdict(history(seed, 1.0, noise)) for seed in range(400)]
    assert "regressed" not in verdicts
    if noise == 0.003:
        assert verdicts.count("unchanged") >= 390


@pytest.mark.parametrize("noise", [0.003, 0.008])
def test_a_network_that_is_ten_percent_slower_is_found(noise: float) -> None:
    verdicts = [verdict(history(seed, 1.1, noise)) for seed in range(400)]
    assert verdicts.count("regressed") >= 380


def test_a_machine_that_differs_from_itself_gives_no_verdict() -> None:
    one = history(3, 1.3, 0.1)
    (judged,) = judge([(with_rounds(ROW, [one() for _ in range(40)]), M)])
    assert judged.verdict == "cannot tell"
    assert judged.reasons[0].startswith("the machine is not quiet enough: the same network differs from itself by −")
    assert judged.reasons[0].endswith(" in 40 rounds")


def test_the_evidence_says_what_was_seen() -> None:
    found = with_rounds(ROW, [Round((0.050, 0.056, 0.050, 0.056, 0.050))] * 10)
    assert (found.first, found.second, found.units, found.means) == (0.050, 0.056, 10, "interleaved")
    assert found.difference == pytest.approx(-math.log(1.12)) and found.quiet == (0.0, 0.0)
    assert found.interval == pytest.approx((-math.log(1.12), -math.log(1.12)))
    (judged,) = judge([(found, M)])
    assert judged.verdict == "regressed" and judged.p == pytest.approx(3 / 1024)
    (faster,) = judge([(with_rounds(ROW, [Round((0.050, 0.045, 0.050, 0.045, 0.050))] * 10), M)])
    assert faster.verdict == "improved"
