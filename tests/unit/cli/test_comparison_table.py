"""The table of a comparison: as wide as it likes in a file, within a terminal's width in a terminal."""

from __future__ import annotations

from dataclasses import replace

from evidence import parameters, points

from hrbench.cli.compare import table
from hrbench.judge.rows import Row, row_values
from hrbench.judge.verdict import judge
from hrbench.report import difference
from hrbench.types import Margin

LONG = "pose_hrnet_w32_coco_256x192-boxes-ground_truth"
FOUND = [
    points(-5, 0.2, entry=LONG, former=LONG),
    points(-0.3, 0.4, entry=LONG, former=LONG, notes=("images resemble each other",)),
    points(0.9, 0.1, entry="net", former="former-net"),
    replace(parameters(28_500_000, 28_500_001), entry="net", former="former-net"),
]
ROWS = [Row(judge([(one, Margin(points=0.3))])[0], "required") for one in FOUND]


def test_in_a_file_a_row_is_a_line() -> None:
    lines = table(ROWS, 0).splitlines()
    assert [line[0] for line in lines[2:6]] == ["-", "?", "+", "-"]
    assert LONG in lines[2] and LONG not in lines[3] and "former-net → net" in lines[4]
    assert "about" not in lines[2] and "would settle it" in lines[3]
    assert "28,500,000" in lines[5] and "28,500,001" in lines[5] and "+1" in lines[5]
    assert lines[-1] == f"{LONG}, coco-boxes: images resemble each other"


def test_in_a_terminal_no_line_is_longer_than_it_is_wide() -> None:
    lines = table(ROWS, 90).splitlines()
    assert max(len(line) for line in lines[:-2]) <= 90
    assert [line for line in lines if line in (LONG, "former-net → net")] == [LONG, "former-net → net"]
    assert [line[:1] for line in lines[2:] if line[1:3] == "  " and line[:1] in "-?+"] == ["-", "?", "+", "-"]
    assert "     more than 100 times as many images would settle it" in lines


def test_a_margin_in_pixels_has_the_digits_that_a_person_reads() -> None:
    error = points(-0.1, 0.01)
    error = replace(error, quantity=replace(error.quantity, name="epe", label="EPE", unit="pixels", better="lower"))
    (judged,) = judge([(error, Margin(relative=0.0387616998))], corrected=False)
    row = Row(replace(judged, margin=0.038761699841903), "required")
    assert difference.margin_text(row) == "0.0388 px"
    assert row_values(row).label == "EPE" and row_values(row).margin == 0.038761699841903


def test_a_wide_terminal_is_as_a_file() -> None:
    assert table(ROWS, 400) == table(ROWS, 0)
