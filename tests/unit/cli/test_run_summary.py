"""What a terminal says at the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_factory import make, of, spend

from hrbench.cli.summary import summary_text
from hrbench.report.summary import Leader


@pytest.mark.parametrize(("width", "most"), [(80, 80), (200, 100), (20, 72)])
def test_lines_are_no_wider_than_the_terminal(width: int, most: int):
    slow = spend("latency", 0.01, "seconds", batch=1, dtype="float32", stability="unstable")
    names = ("a-network-with-a-rather-long-name-256x192-flip-true-three-scales", "another")
    results = [make(name, of("AP", 0.7, (0.69, 0.71)), name=name, costs=(slow,)) for name in names]
    leader = Leader(
        "Pose, COCO val2017", 1, names[0], "best of 2", "boxes detector", "AP \u2191", "70.0", "[69.0, 71.0]"
    )
    text = summary_text(results, [leader], ["note: " + "a long word " * 20], Path("report.html"), width)
    assert max(map(len, text.splitlines())) <= most
    assert "* the machine was disturbed" in text and "best: of the entries under one protocol" in text
    calm = summary_text([make("a", of("AP", 0.7))], [Leader("Pose, COCO val2017", 1, "a")], [], Path("report.html"))
    assert "*" not in calm and "best:" not in calm
