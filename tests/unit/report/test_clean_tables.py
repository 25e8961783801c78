"""Names from outside in the tables of all formats: cleaned, without folders, and no formula of a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from report_factory import sample_table

from hrbench.report.csv import render_csv
from hrbench.report.latex import render_latex
from hrbench.report.markdown import render_markdown

BAD = "=cmd|'/c calc'!A1\u202e\x1b[2J /mnt/secret/net.pth"


@pytest.mark.parametrize("render", [render_csv, render_latex, render_markdown])
def test_no_format_passes_hidden_characters_or_folders_on(render):
    table = sample_table()
    row = replace(
        table.rows[0],
        name=BAD,
        use=BAD,
        tags=(BAD,),
        cells=(replace(table.rows[0].cells[0], text=BAD), *table.rows[0].cells[1:]),
    )
    columns = tuple(replace(one, key=BAD, heading=BAD) if one.part == "text" else one for one in table.columns)
    text = render([replace(table, title=BAD, caption=BAD, columns=columns, rows=(row,), footnotes=(BAD,))])
    assert not set("\u202e\x1b") & set(text) and "secret" not in text and "net.pth" in text


def test_no_cell_and_no_heading_is_a_formula():
    table = sample_table()
    columns = tuple(replace(one, key=f"{sign}A1") for one, sign in zip(table.columns, "=+-@\uff1d" * 9, strict=False))
    row = replace(table.rows[0], name="@SUM(A1)", use="+1+1")
    lines = list(csv.reader(io.StringIO(render_csv([replace(table, columns=columns, rows=(row,))]))))
    starts = [cell[0] for line in lines for cell in line if cell]
    assert not {"=", "+", "@", "\uff1d"} & set(starts)
    assert all(
        cell.startswith("'") or float(cell) < 0 for line in lines for cell in line if cell.lstrip("'").startswith("-")
    )
