"""The page's section on errors: what is chosen of an analysis, how it is drawn, and that nothing of it is trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from report_factory import make, of

from hrbench.report.analysis_view import chosen
from hrbench.report.choose import choose_layout
from hrbench.report.explained import curves_svg, explanations
from hrbench.report.html import render_html
from hrbench.store.analyses import write_analyses
from hrbench.store.integrity import digests_of
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisTable, Result

SAID = "What it means.", "A paper, 2020"
EVIL = "<b>&\"' class"


def analysis(rows: int = 3, classes: int = 4, unit: str = "fraction", main: str = "IoU") -> Analysis:
    names = tuple(f"{EVIL} {n}" for n in range(rows))
    values = np.stack([np.arange(rows, dtype=float), np.linspace(0.9, 0.1, rows)], 1)
    values[0, 0] = np.nan
    units = ("count", "fraction") if unit == "fraction" else ("count", "count")
    table = AnalysisTable("t", f"Table {EVIL}", *SAID, names, ("n", main), units, values, {(0, 0): EVIL}, 1)
    x = np.linspace(0, 1, 101)
    y = np.stack([1 - x, np.where(x < 0.5, np.nan, x)])
    curves = AnalysisCurves("c", "Curves", *SAID, f"x {EVIL}", "y", ("one", EVIL), x, y, True)
    counts = np.eye(classes, classes + 1, dtype=np.int64) * 50
    counts[1, 0], counts[2, -1] = 7, 9
    kinds = tuple(f"k{n}" for n in range(classes))
    matrix = AnalysisMatrix("m", "Matrix", *SAID, "truth", "found", kinds, (*kinds, "background"), counts)
    return Analysis("coco-boxes", 1, {}, (table, curves, matrix))


def stored(folder: Path, name: str, *analyses: Analysis) -> Result:
    place = folder / name
    place.mkdir()
    write_analyses(analyses, place / "analysis.npz")
    return make(name, of("AP", 0.5), name=name, folder=str(place), files=digests_of(place))


def section(results: list[Result]) -> str:
    page = render_html(results, choose_layout(results), {}, "", lambda result: Path(result.folder))
    start = page.index('<section class="explained"')
    return page[start : page.index("</section>", start)]


def test_a_page_shows_numbers_drawings_and_definitions_once(tmp_path: Path):
    results = [stored(tmp_path, name, analysis()) for name in ("first", "second")]
    html = section([*results, make("third", of("AP", 0.4))])
    assert html.count("<details") == 3  # two entries and the definitions
    assert html.count("What it means.") == 3 and html.count("A paper, 2020") == 3
    assert html.count("<svg") == 2 and " style=" not in html and "<script" not in html and "onerror" not in html
    assert "<b>" not in html and "lowest IoU: &lt;b&gt;" in html
    assert 'class="h9">50' in html and html.count('class="b20"') == 2
    ElementTree.fromstring(f"{html}</section>".replace("&nbsp;", " "))


def test_a_page_without_analyses_has_no_section():
    results = [make("a", of("AP", 0.5))]
    assert 'id="why"' not in render_html(results, choose_layout(results), {}, "", lambda result: Path(result.folder))


def test_a_damaged_file_is_a_sentence(tmp_path: Path):
    results = [stored(tmp_path, name, analysis()) for name in ("good", "bad", "gone")]
    (tmp_path / "bad/analysis.npz").write_bytes(b"other")
    (tmp_path / "gone/analysis.npz").unlink()
    found = explanations(results, ["good", "bad", "gone"])
    assert [bool(one.problem) for one in found.entries] == [False, True, True]
    assert all("--rescore" in one.problem for one in found.entries[1:])


def test_of_long_tables_and_large_matrices_a_choice_is_shown(tmp_path: Path):
    (entry,) = explanations([stored(tmp_path, "a", analysis(80, 80))], ["a"]).entries
    table, curves, matrix = entry.parts
    assert len(table.rows) == 8 and table.more == "the lowest IoU; 72 rows more"
    assert table.rows[0][1][1].text == "10.0"
    assert [(label, [cell.text for cell in cells]) for label, cells in matrix.rows] == [
        ("k2 → background", ["9", "15.3 %"]),
        ("k1 → k0", ["7", "12.3 %"]),
    ]
    assert curves.legend == ((1, "one"), (2, EVIL))
    html = section([stored(tmp_path, "b", analysis(80, 80))])
    assert len(html) < 7000  # of one entry with the definitions


@pytest.mark.parametrize(
    ("unit", "main", "first"),
    [("fraction", "IoU", 79), ("fraction", "share of the errors", 0), ("fraction", "dAP", 0), ("count", "images", 0)],
)
def test_the_lowest_numbers_are_chosen_and_the_largest_counts_and_harms(unit: str, main: str, first: int):
    table = analysis(80, unit=unit, main=main).sections[0]
    assert isinstance(table, AnalysisTable)
    assert chosen(table, 20, 5).rows[0] == first and chosen(table, 80, 5).rows == list(range(80))


def test_a_large_matrix_is_left_out_where_a_table_tells_its_pairs(tmp_path: Path):
    whole = analysis(classes=20)
    table = replace(whole.sections[0], key="confusions", title="Largest confusions")
    both = replace(whole, sections=(table, *whole.sections[1:]))
    assert "Matrix" in section([stored(tmp_path, "a", whole)]) and "Matrix" not in section(
        [stored(tmp_path, "b", both)]
    )
    assert "Matrix" in section([stored(tmp_path, "c", replace(both, sections=(table, *analysis().sections[1:])))])


def test_lines_have_gaps_where_they_have_no_value():
    curves = AnalysisCurves("c", "C", *SAID, "x", "y", ("a",), np.arange(5.0), np.array([[0, 1, np.nan, 30, 40.0]]))
    svg = ElementTree.fromstring(curves_svg(curves))
    (line,) = [one for one in svg if one.get("class") == "line s1"]
    assert line.get("d", "").count("M") == 2 and line.get("d", "").count("L") == 2
    assert {one.text for one in svg if one.get("class") == "y"} == {"0", "10", "20", "30", "40"}
    flat = AnalysisCurves("c", "C", *SAID, "x", "y", ("a",), np.array([3.0]), np.full((1, 1), np.nan))
    assert 'class="line s1" d=""' in curves_svg(flat)
