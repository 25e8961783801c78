"""Verdicts as a table of literals, Holm's correction, margins, and what a person is told."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evidence import AP, LATENCY, parameters, points

from hrbench.judge.by_image import evidence_by_image
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.verdict import default_margin, discoveries, judge, margin_of
from hrbench.statistics import paired
from hrbench.types import ByImage, Margin, Quantity

M = Margin(points=0.3)
TOP1 = Quantity("top1", "Top-1", "fraction", "higher")


@pytest.mark.parametrize(
    ("difference", "error", "verdict"),
    [
        (0.0, 0.05, "unchanged"),
        (0.1, 0.05, "unchanged"),
        (-0.1, 0.05, "unchanged"),
        (0.25, 0.05, "not worse"),  # u is above the margin, l is not
        (0.2, 0.2, "not worse"),  # l is within the margin, u is not
        (0.6, 0.1, "improved"),
        (0.6, 0.5, "cannot tell"),
        (-0.3, 0.05, "cannot tell"),  # at the margin itself
        (-0.6, 0.1, "regressed"),
        (-0.6, 0.5, "cannot tell"),
        (-0.2, 0.02, "unchanged"),
    ],
)
def test_a_row_alone(difference: float, error: float, verdict: str) -> None:
    (judged,) = judge([(points(difference, error), M)])
    assert judged.verdict == verdict


def test_the_four_states_without_a_difference_are_told_as_they_are() -> None:
    states: tuple[Any, ...] = ("missing", "new", "not comparable", "failed")
    for state in states:
        row = Evidence("net", "net", "coco-boxes", AP, state=state, reasons=("why",))
        (judged,) = judge([(row, M)])
        assert (judged.verdict, judged.reasons, judged.p) == (state, ("why",), None)


@pytest.mark.parametrize(
    ("after", "margin", "verdict"),
    [
        (100.0, Margin(points=0.0), "unchanged"),
        (101.0, Margin(points=0.0), "regressed"),
        (99.0, Margin(points=0.0), "improved"),
        (101.0, Margin(points=1.0), "unchanged"),
        (104.0, Margin(points=1.0, relative=0.05), "unchanged"),  # the larger margin counts
        (106.0, Margin(points=1.0, relative=0.05), "regressed"),
    ],
)
def test_counts_are_exact(after: float, margin: Margin, verdict: str) -> None:
    (judged,) = judge([(parameters(100.0, after), margin)])
    assert judged.verdict == verdict


def test_among_many_rows_holm_asks_for_more() -> None:
    worse = points(-0.5, 0.09)  # p of "at least -0.3" is 0.013
    assert judge([(worse, M)])[0].verdict == "regressed"
    family = [(worse, M)] + [(points(0.0, 0.05), M)] * 11
    first = judge(family)[0]
    assert first.verdict == "cannot tell" and first.level == pytest.approx(0.025 / 12)
    assert any("not among 12 rows (Holm asks for 0.0021)" in reason for reason in first.reasons)
    assert judge(family, corrected=False)[0].verdict == "regressed"
    assert judge([(points(-0.8, 0.09), M), *family[1:]])[0].verdict == "regressed"


def test_counts_are_in_no_family() -> None:
    """They are exact, so they take nothing of the level away."""
    worse = points(-0.5, 0.09)
    assert judge([(worse, M)] + [(parameters(1.0, 1.0), Margin(points=0.0))] * 50)[0].verdict == "regressed"


def test_what_would_settle_it_is_told() -> None:
    (judged,) = judge([(points(-0.4, 0.1), M)])
    needed = paired.needed(1000, 0.001, 0.001, 1.959964)
    assert needed == pytest.approx(12_995, rel=1e-3)
    assert judged.reasons == (
        "worse than before, perhaps by less than the margin",
        "about 13,000 images would settle it, 1,000 were judged",
    )
    (border,) = judge([(points(-0.3, 0.1), M)])
    assert border.reasons[-1] == "more than 100 times as many images would settle it"


def test_a_significant_drop_within_the_margin_is_told_and_passes() -> None:
    (judged,) = judge([(points(-0.2, 0.04), M)])
    assert judged.verdict == "unchanged" and "the drop is significant, and smaller than the margin" in judged.reasons


def test_too_few_images() -> None:
    (judged,) = judge([(points(-5.0, 0.1, units=12), M)])
    assert judged.verdict == "cannot tell" and judged.reasons[0].startswith("too few images: 12")


def test_more_replicates_are_used_only_near_a_level_and_never_without_end() -> None:
    asked = []

    def more(replicates: int) -> Evidence:
        asked.append(replicates)
        return replace(near, replicates=replicates, more=lambda: more(replicates + paired.BLOCK))

    near = points(-0.5, 0.1, more=lambda: more(4000), p=lambda bound: 0.024)
    far = points(-0.9, 0.1, more=lambda: pytest.fail("its p is far from every level"))
    assert judge([(far, M)], most=paired.MOST)[0].verdict == "regressed" and not asked
    (judged,) = judge([(near, M)], most=paired.MOST)
    assert asked == list(range(4000, paired.MOST + 1, paired.BLOCK))
    assert judged.verdict == "cannot tell" and judged.reasons[-1].startswith("Monte Carlo: p is 0.0240 after 50,000")
    asked.clear()
    judge([(near, M)])
    assert not asked  # one block unless told otherwise


def test_times_that_were_measured_apart_are_no_verdict() -> None:
    slower = Evidence("net", "net", "", LATENCY, first=0.1, second=0.112, difference=-math.log(1.12),
                      interval=(-0.14, -0.09), means="measured apart")  # fmt: skip
    (judged,) = judge([(slower, Margin(relative=0.03))])
    assert judged.verdict == "cannot tell" and judged.reasons == ("12.0 % slower as stored",)
    (trusted,) = judge([(replace(slower, p=lambda bound: 0.0125 if bound > -0.09 else 1.0), Margin(relative=0.03))])
    assert trusted.verdict == "regressed"


@pytest.mark.parametrize(
    ("evidence", "margin", "expected"),
    [
        (points(0, 1), Margin(points=0.3), 0.003),
        (points(0, 1), Margin(relative=0.01), 0.007),
        (points(0, 1), Margin(points=0.3, relative=0.01), 0.007),
        (points(0, 1), Margin(), 0.0),
        (Evidence("n", "n", "", LATENCY, first=0.1), Margin(relative=0.03), math.log(1.03)),
        (Evidence("n", "n", "", LATENCY, first=0.1), Margin(points=0.01, relative=0.03), math.log(1.1)),
        (parameters(200.0, 200.0), Margin(relative=0.05), 10.0),
    ],
)
def test_margins(evidence: Evidence, margin: Margin, expected: float) -> None:
    assert margin_of(evidence, margin) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "unit", "margin"),
    [
        ("AP", "fraction", Margin(points=0.3)),
        ("mIoU", "fraction", Margin(points=0.3)),
        ("pckh@0.5/mean", "fraction", Margin(points=0.3)),
        ("top1", "fraction", Margin(points=0.1)),
        ("latency", "seconds", Margin(relative=0.03)),
        ("memory", "bytes", Margin(relative=0.02)),
        ("parameters", "count", Margin(points=0.0)),
        ("macs", "operations", Margin(points=0.0)),
    ],
)
def test_default_margins(name: str, unit: Any, margin: Margin) -> None:
    assert default_margin(Evidence("n", "n", "", Quantity(name, name, unit, "lower"))) == margin


def test_of_many_classes_those_that_chance_explains_are_not_confirmed() -> None:
    rows = judge([(points(-0.5, 0.09), M)] + [(points(0.0, 0.05), M)] * 19, corrected=False)
    assert discoveries(rows) == [False] * 20
    several = judge([(points(-0.9, 0.09), M)] * 3 + [(points(0.0, 0.05), M)] * 17, corrected=False)
    assert discoveries(several) == [True] * 3 + [False] * 17
    assert discoveries([]) == []
    untested = [replace(row, p=None) for row in several[3:]]
    assert discoveries([*untested, *several[:3]]) == [False] * 17 + [True] * 3
    assert discoveries([*(replace(row, p=0.04) for row in several[:3]), *untested]) == [True] * 3 + [False] * 17
    assert discoveries(untested) == [False] * 17


def test_how_many_images_a_share_needs_is_what_its_own_test_needs() -> None:
    """Of no image gained or lost in n the score interval is z^2 / (n + z^2) wide on each side."""
    none = np.ones((600, 1), bool)
    (row,) = evidence_by_image(_share_of(none), _share_of(none), [points(0, 1, quantity=TOP1)], Options())
    assert isinstance(row, Evidence)
    (made,) = judge([(row, Margin(points=0.1))])
    assert made.verdict == "cannot tell"
    (told,) = re.findall(r"about ([\d,]+) images", made.reasons[-1])
    many = int(told.replace(",", ""))
    needed = 1.96**2 * (1 - 0.001) / 0.001
    assert needed <= many <= 1.3 * needed


def _share_of(right: np.ndarray) -> ByImage:
    return ByImage(
        np.arange(len(right)), ("top1",), 1, lambda weights: weights @ right.astype(float), dict, right=right
    )
