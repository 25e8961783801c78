"""Latencies measured in turns, with the noise that a real machine made: a clock that replays it.

`tests/data/visits.json` holds the medians of visits, in seconds, one after the other: each a process of its own that
timed the same network on one thread of a virtual machine with two cores. "shared": nothing else ran there, but other
machines on the same host, so that visits differ by a tenth; "burnt": beside two processes that kept both cores busy.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from evidence import LATENCY

from hrbench.judge.evidence import Evidence
from hrbench.judge.rounds import is_open, with_rounds
from hrbench.judge.verdict import judge
from hrbench.statistics.interleaved import LOOKS, ORDER, Round
from hrbench.types import Margin

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "visits.json").read_text())
M = Margin(relative=0.03)
ROW = Evidence("net", "net", "", LATENCY, "batch 1", first=0.05, second=0.05)
TIMES = 400


def verdicts(visits: list[float], ratio: float) -> list[str]:
    """Of comparisons that begin anywhere in the recording, of a network with one that takes `ratio` times as long."""
    found = []
    for seed in range(TIMES):
        at = int(np.random.default_rng(seed).integers(len(visits)))
        rounds: list[Round] = []
        for look in LOOKS:
            while len(rounds) < look:
                five = [visits[(at + number) % len(visits)] for number in range(len(ORDER))]
                took = [one * (ratio if side == "second" else 1.0) for one, side in zip(five, ORDER, strict=True)]
                rounds.append(Round(tuple(took)))
                at += len(ORDER)
            seen = with_rounds(ROW, rounds)
            if not is_open(seen, M):
                break
        found.append(judge([(seen, M)])[0].verdict)
    return found


@pytest.mark.parametrize("recording", RECORDED)
def test_equal_networks_never_regress(recording: str) -> None:
    assert "regressed" not in verdicts(RECORDED[recording], 1.0)


@pytest.mark.parametrize("recording", RECORDED)
def test_ten_percent_more_never_passes(recording: str) -> None:
    """A machine that differs from itself by more than the margin is told so, and decides nothing."""
    assert {*verdicts(RECORDED[recording], 1.1)} <= {"regressed", "cannot tell"}


def test_ten_percent_more_is_found_where_a_machine_is_quiet_enough() -> None:
    """The same noise at a fifth of its size."""
    middle = median(RECORDED["shared"])
    quieter = [middle * (one / middle) ** 0.2 for one in RECORDED["shared"]]
    assert verdicts(quieter, 1.1).count("regressed") >= 0.95 * TIMES
    assert "regressed" not in verdicts(quieter, 1.0)
