"""Tables fit their column and page, as pdfTeX sees them: every shipped layout, and awkward tables of all sizes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.report_factory import make, of, sample_table
from helpers.shipped_tables import measured, tables_of

from hrbench.report.grid import Table
from hrbench.report.latex import render_latex
from hrbench.report.latex_fit import ONE_COLUMN, fitted
from hrbench.report.layout import ColumnLayout, Layout, TableLayout, layout_names, read_layout
from hrbench.report.published import read_published
from hrbench.report.table import build_tables
from hrbench.suite.registry import known
from hrbench.types import Entry

SUITES = sorted(path.stem for path in (Path(__file__).parents[3] / "suites").glob("*.yaml"))
DOCUMENT = r"""\documentclass[10pt,twocolumn,a4paper]{article}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,array,xcolor,textcomp}
\usepackage[T1]{fontenc}
\extrafloats{200}
\begin{document}
%s
\end{document}
"""


def log_of(latex: str, folder: Path) -> str:
    """What pdfTeX says of a document with these tables; skips where there is none, fails where CI is set."""
    if shutil.which("pdflatex") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no pdflatex on the path")
    (folder / "tables.tex").write_text(DOCUMENT % re.sub(r"(?m)^(\\end\{table\*?\})$", r"\1\\clearpage", latex))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "tables.tex"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, check=False, env={**os.environ, "max_print_line": "1000"}
    )
    log = (folder / "tables.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    return log


def faults(log: str) -> list[str]:
    """Boxes that are too wide by more than a point, and floats that are taller than a page."""
    wide = [
        found[0]
        for found in re.finditer(r"Overfull \\hbox \((\d+\.\d+)pt too wide\)[^\n]*", log)
        if float(found[1]) > 1
    ]
    return wide + re.findall(r"LaTeX Warning: Float too large[^\n]*", log)


def test_every_shipped_layout_compiles_and_fits(tmp_path: Path) -> None:
    tables = [table for suite in SUITES for table in tables_of(suite, spent=True).values()]
    assert {*layout_names()} - {*SUITES} == {"landmarks"}, "a layout without a suite has no rows here"
    tables += landmark_tables()
    log = log_of(render_latex(tables), tmp_path)
    assert faults(log) == []


def landmark_tables() -> list[Table]:
    """Those of the networks for faces, which no shipped suite runs."""
    layout, rows = read_layout("landmarks"), known()
    results = []
    for variant in rows.variants.values():
        for dataset in (row for row in rows.datasets.values() if row.task == variant.task == "landmarks"):
            entry = Entry(f"{variant.name}-{dataset.name}", variant, dataset, {}, dataset.metrics, {})
            results.append(measured(entry, layout, spent=True))
    return build_tables(results, layout, read_published(layout))


def awkward(name: str, long: int, columns: int, rows: int, note: str = "") -> Table:
    """A table whose names have so many words, with so many numeric columns and rows."""
    words = ["HRNetV2-W48", "with-object-contextual", "representations", "trained", "on", "Mapillary", "and", "COCO"]
    quantities = [f"AP of class number {number}" for number in range(columns)]
    results = [
        make(
            " ".join([f"Net-{number}", *(words * 9)[:long]]),
            *(of(quantity, 0.123, (0.1, 0.146)) for quantity in quantities),
            name=f"{name}{number}", published=False, reason=note, status="failed" if note else "done",
        )
        for number in range(rows)
    ]  # fmt: skip
    layouts = [ColumnLayout("text", "model"), ColumnLayout("text", "entry")]
    layouts += [
        ColumnLayout("score", quantity, parts=("measured", "interval") if number % 3 == 0 else ("measured",))
        for number, quantity in enumerate(quantities)
    ]
    layout = TableLayout(name, f"Table {name}", tuple(layouts), caption="A caption. " * 12, group="none")
    return build_tables(results, Layout("l", (layout,)), {})[0]


def test_awkward_tables_compile_and_fit(tmp_path: Path) -> None:
    tables = [
        sample_table(),
        awkward("long", 30, 3, 4),
        awkward("wide", 2, 24, 5),
        awkward("tall", 1, 2, 110),
        awkward("all", 12, 14, 60),
        awkward("none", 0, 0, 3),
        awkward(
            "told", 3, 4, 12, note=f"/a/folder/{'of_many_parts/' * 12}file_{'0123456789abcdef' * 4}.pth: cannot be read"
        ),
        awkward("e" * 90, 0, 12, 2),
    ]
    assert faults(log_of(render_latex(tables), tmp_path)) == []


@pytest.mark.parametrize("columns", [0, 1, 5, 6, 20, 60])
def test_parts_have_each_column_and_row_once_and_the_names_in_each(columns: int) -> None:
    table = awkward("t", 2, columns, 70)
    parts = fitted(table)
    texts = [column.key for column in table.columns if column.part == "text"]
    seen: dict[tuple[str, str], str] = {}
    for part in parts:
        keys = [column.key for column in part.table.columns]
        assert keys[: len(texts)] == texts and len(part.headings) == len(keys)
        assert part.wide or len(keys) - len(texts) <= ONE_COLUMN
        for row in part.table.rows:
            for key, cell in zip(keys, row.cells, strict=True):
                assert key in texts or (row.name, key) not in seen
                seen[row.name, key] = cell.text
    assert seen == {
        (row.name, column.key): cell.text
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
    }
    assert [part.part for part in parts] == [*range(1, len(parts) + 1)] and {part.parts for part in parts} == {
        len(parts)
    }
