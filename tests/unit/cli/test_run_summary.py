"""What a terminal says at the end of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_factory import make, of, spend

from hrbench.cli.summary import summary_text
from hrbench.report.summary import FirstScreen, Leader, counts


@pytest.mark.parametrize(("width", "most"), [(80, 80), (200, 100), (20, 72)])
def test_lines_are_no_wider_than_the_terminal(width: int, most: int):
    slow = spend("latency", 0.01, "seconds", batch=1, dtype="float32", stability="unstable")
    names = ("a-network-with-a-rather-long-name-256x192-flip-true-three-scales", "another")
    results = [make(name, of("AP", 0.7, (0.69, 0.71)), name=name, costs=(slow,)) for name in names]
    leader = Leader(
        "Pose, COCO val2017", 1, names[0], "best of 2", "boxes detector", "AP ↑", "points", "70.0", "[69.0, 71.0]"
    )
    text = summary_text(results, screen(leader), ["note: " + "a long word " * 20], Path("report.html"), width)
    assert max(map(len, text.splitlines())) <= most
    assert "* the machine was disturbed" in text and "best: of the entries under one protocol" in text
    calm = summary_text([make("a", of("AP", 0.7))], screen(Leader("COCO", 1, "a")), [], Path("report.html"))
    assert "*" not in calm and "best:" not in calm


def test_the_best_are_held_against_what_was_named() -> None:
    plain = Leader("Pose, MPII", 1, "a", score="PCKh@0.5 mean ↑", unit="points", value="90.0")
    changed = replace(plain, change="+0.2", change_interval="[−0.1, +0.5]", verdict="cannot tell")
    results = [make("a", of("AP", 0.9))]
    found = summary_text(results, replace(screen(changed), against="v1.2"), [], Path("runs/x/report.html"))
    assert "against v1.2: Pose, MPII: PCKh@0.5 mean +0.2 [−0.1, +0.5]: cannot tell" in found
    assert "score (points)" in found and "PCKh@0.5 mean ↑ 90.0" in found
    told = "against the last run: - (hrbench report runs/x --against RUN|BASELINE)"
    assert told in summary_text(results, screen(plain), [], Path("runs/x/report.html"))


def test_scores_of_several_units_have_their_own() -> None:
    points, pixels = of("AP", 0.9), of("epe", 3.25)
    pixels = replace(pixels, quantity=replace(pixels.quantity, label="EPE", unit="pixels", better="lower"))
    text = summary_text([make("a", points), make("b", pixels)], screen(), [], Path("report.html"))
    assert "value" in text and "AP (points)" in text and "EPE (px)" in text
    both = FirstScreen(
        (Leader("a", 1, score="AP ↑", unit="points"), Leader("b", 1, score="EPE ↓", unit="px")), "", (), ()
    )
    assert [both.scored(one) for one in both.leaders] == ["AP (points) ↑", "EPE (px) ↓"]


def test_a_score_is_called_alike_in_all_entries() -> None:
    both = [
        replace(of("AP", value, (0.6, 0.8)), metric=metric) for value, metric in ((0.7, "a-boxes"), (0.6, "a-masks"))
    ]
    text = summary_text([make("a", *both), make("b", both[0])], screen(), [], Path("report.html"))
    assert text.count("Box AP") == 2


def screen(*leaders: Leader) -> FirstScreen:
    return FirstScreen(leaders, counts([]), (), ())
