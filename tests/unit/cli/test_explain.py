"""hrbench explain: an analysis as text within a width, and as JSON."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.cli.analysis_text import text_of
from hrbench.cli.explain import _analysis
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisTable

SAID = "What it means, in a sentence that is longer than a narrow terminal.", "A paper"


def example(rows: int = 3, classes: int = 3) -> Analysis:
    values = np.stack([np.arange(rows) * 1000.0, np.linspace(0.9, 0.1, rows), np.full(rows, 2.5)], 1)
    values[1, 1] = np.nan
    names = tuple(f"row {n}" if n else "a row of a name that is far too long\nand has two lines" for n in range(rows))
    table = AnalysisTable(
        "t", "Table", *SAID, names, ("n", "share", "px"), ("count", "fraction", "px"), values, {(1, 1): "none"}, 1
    )
    x = np.linspace(0, 1, 101)
    curves = AnalysisCurves("c", "Curves", *SAID, "recall", "precision", ("one", "two"), x, np.stack([1 - x, x]))
    kinds = tuple(f"k{n}" for n in range(classes))
    counts = np.eye(classes, dtype=np.int64) * 10
    counts[0, 1] = 5
    matrix = AnalysisMatrix("m", "Matrix", *SAID, "truth", "found", kinds, kinds, counts)
    return Analysis("coco-boxes", 2, {"t": 0.5}, (table, curves, matrix))


@pytest.mark.parametrize("width", [20, 40, 60, 100, 200])
@pytest.mark.parametrize("every", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, every: bool):
    text = text_of(example(40, 30), width, every)
    assert max(map(len, text.splitlines())) <= max(width, 56)  # a label with one column of the narrowest


def test_all_of_a_short_analysis_is_told():
    text = text_of(example(), 100)
    lines = text.splitlines()
    assert lines[0] == "Table" and lines[1].split() == ["n", "share", "px", "(px)"]
    assert "  a row of a name that is far…      0   90.0 ████████████████      2.5" in lines
    assert "  row 1                         1,000      –                       2.5" in lines and "  –: none" in lines
    assert "  What it means, in a sentence that is longer than a narrow terminal. [A paper]" in lines
    assert "  11 of 101 points; the others by --all or --json" in lines
    assert "  truth \\ found  k0  k1  k2" in lines and "  k0             10   5   0" in lines
    first = text_of(example(), 100, first=True)
    assert "Curves" not in first and "What it means" not in first


def test_of_long_parts_a_choice_is_told_and_all_by_request():
    short, whole = text_of(example(40, 30), 100), text_of(example(40, 30), 100, every=True)
    assert "the lowest share; 28 rows more by --all or --json" in short
    assert ["k0", "k1", "5", "33.3", "%"] in map(
        str.split, short.splitlines()
    ) and "all 30 × 30 by --all or --json" in short
    assert short.count("  row ") == 12 and whole.count("  row ") == 39 and "more by" not in whole


def test_json_has_every_number_and_null_where_there_is_none():
    table, curves, matrix = _analysis(example())["sections"]
    assert table["values"][1] == [1000.0, None, 2.5]
    assert table["reasons"] == [{"row": 1, "column": 1, "reason": "none"}]
    assert len(curves["x"]) == 101 and len(curves["y"]) == 2 and matrix["counts"][0] == [10, 5, 0]
