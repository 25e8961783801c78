"""Tables as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hrbench.core.shown_text import shown
from hrbench.report.grid import Column, Table, TableRow, headed, marker, titled
from hrbench.report.pareto import MARK
from hrbench.report.table_cells import Cell


def render_markdown(tables: Sequence[Table]) -> str:
    """All tables, each with its title, caption and footnotes; numbers are aligned right."""
    return "\n".join(_table(table) for table in tables)


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, in one line.

    >>> escape("a|b *c* <d>\n_e_")
    'a\\|b \\*c\\* &lt;d&gt; \\_e\\_'
    """
    text = " ".join(shown(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|\[\]~$])", r"\\\1", text)


def _table(table: Table) -> str:
    lines = [f"## {escape(table.title)}", ""]
    if table.caption:
        lines += [escape(table.caption), ""]
    lines.append(_line([_heading(column) for column in table.columns]))
    lines.append(_line([":--" if column.part == "text" else "--:" for column in table.columns]))
    for section, group, row in headed(table.rows):
        headings = ([f"**{escape(section)}**"] if section else []) + ([f"*{escape(group)}*"] if group else [])
        lines += [_line([heading] + [""] * (len(table.columns) - 1)) for heading in headings]
        lines.append(_line([_cell(row, cell, index) for index, cell in enumerate(row.cells)]))
    notes = [f"<sup>{marker(number)}</sup> {escape(text)}" for number, text in enumerate(table.footnotes)]
    # A backslash ends a line without ending the paragraph.
    paragraph = "\\\n".join(notes + [escape(text) for text in table.short_remarks])
    settings = " ".join(escape(text) for text in table.settings)
    fold = [f"<details><summary>All settings</summary>\n\n{settings}\n\n</details>", ""] if settings else []
    return "\n".join([*lines, "", *([paragraph, ""] if paragraph else []), *fold])


def _heading(column: Column) -> str:
    arrow = titled(column).removeprefix(column.heading) if column.part == "measured" else ""
    return escape(column.full_label + arrow)


def _cell(row: TableRow, cell: Cell, index: int) -> str:
    text = escape(cell.text)
    if cell.bold:
        text = f"**{text}**"
    elif cell.second:
        text = f"<ins>{text}</ins>"
    if cell.unstable:
        text = f"*{text}*"  # there is no grey
    if index == 0 and row.tags:
        text += f" ({escape('; '.join(row.tags))})"
    notes = (row.notes if index == 0 else ()) + cell.notes
    text += f" {MARK}" if cell.front else ""
    return text + (f"<sup>{','.join(map(marker, notes))}</sup>" if notes else "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
