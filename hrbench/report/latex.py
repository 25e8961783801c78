"""Tables as LaTeX with booktabs, ready to be put into a paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby

from hrbench.report.grid import Column, Table, TableRow, marker, part_heading
from hrbench.report.pareto import MARK
from hrbench.report.table_cells import Cell

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # right after a line break, a bracket or a star would be read as its argument
    "]": "{]}",
    "*": "{*}",
    "−": "$-$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "≠": r"$\neq$",
    "≤": r"$\leq$",
    "·": r"$\cdot$",
    "◆": r"$^{\diamond}$",
    "µ": r"$\mu$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
    **{digit: f"$^{{{power}}}$" for power, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}


def render_latex(tables: Sequence[Table]) -> str:
    """All tables, each a `table*` with caption, label and footnotes."""
    head = "% \\usepackage{booktabs}, \\usepackage[T1]{fontenc}, \\usepackage{textcomp}"
    grey = any(cell.unstable for table in tables for row in table.rows for cell in row.cells)
    head += ", \\usepackage{xcolor}\n" if grey else "\n"
    return head + "\n".join(_table(table) for table in tables)


def escape(text: str) -> str:
    r"""Text that LaTeX sets as it is, in one line; characters that pdfLaTeX does not know are spelt in ASCII.

    >>> escape("50 % of a_b & c"), escape("−0.1"), escape("naïve 网")
    ('50 \\% of a\\_b \\& c', '$-$0.1', 'naïve U+7F51')
    """
    return "".join(map(_character, " ".join(text.split())))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~" or "À" <= character <= "ž":
        return character
    if unicodedata.category(character).startswith("C"):
        return ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(c, c) for c in plain) or f"U+{ord(character):04X}"


def _table(table: Table) -> str:
    caption = f"\\textbf{{{escape(table.title)}.}}" + (f" {escape(table.caption)}" if table.caption else "")
    lines = [
        r"\begin{table*}[t]",
        r"\centering",
        r"\small",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{re.sub('[^A-Za-z0-9-]+', '-', table.name)}}}",
        rf"\begin{{tabular}}{{@{{}}{''.join('l' if column.part == 'text' else 'r' for column in table.columns)}@{{}}}}",
        r"\toprule",
        *_headings(table.columns),
        r"\midrule",
    ]
    group = ""
    for index, row in enumerate(table.rows):
        if row.group != group:
            group = row.group
            lines += [r"\addlinespace"] if index else []
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{@{{}}l}}{{\textit{{{escape(group)}}}}} \\")
        lines.append(_line([_cell(row, cell, number) for number, cell in enumerate(row.cells)]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [rf"\textsuperscript{{{marker(number)}}}\,{escape(text)}" for number, text in enumerate(table.footnotes)]
    notes += [escape(text) for text in table.remarks]
    if notes:
        lines += [r"\par\smallskip", r"\begin{minipage}{\textwidth}\footnotesize\raggedright"]
        lines += [" \\\\\n".join(notes), r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table*}", ""])


def _headings(columns: Sequence[Column]) -> list[str]:
    """One to three lines: groups, quantities, their parts; a rule below each heading that spans several columns."""
    lines: list[str] = []
    if any(column.group for column in columns):
        lines += _spanning([(column.group, column.group) for column in columns])
    parted = {column.quantity for column in columns if column.part not in ("text", "measured")}
    if not parted:
        return [*lines, _line([escape(column.heading) for column in columns])]
    lines += _spanning([(column.quantity, column.heading if column.quantity in parted else "") for column in columns])
    last = [part_heading(column, columns) if column.quantity in parted else column.heading for column in columns]
    return [*lines, _line([escape(text) for text in last])]


def _spanning(cells: Sequence[tuple[object, str]]) -> list[str]:
    """A line of headings in which equal neighbours are one, and the rules below those that have a text."""
    texts, rules, start = [], [], 1
    for _, run in groupby(cells):
        members = list(run)
        text, width = members[0][1], len(members)
        if text:
            texts.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(text)}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        else:
            texts += [""] * width
        start += width
    return [_line(texts), " ".join(rules)]


def _cell(row: TableRow, cell: Cell, index: int) -> str:
    text = escape(cell.text)
    if cell.bold:
        text = rf"\textbf{{{text}}}"
    elif cell.unstable:
        text = rf"\textcolor{{gray}}{{{text}}}"
    if index == 0:
        if row.group:
            text = r"\quad " + text
        if row.tags:
            text += rf" {{\footnotesize ({escape('; '.join(row.tags))})}}"
    notes = (row.notes if index == 0 else ()) + cell.notes
    text += escape(MARK) if cell.front else ""
    return text + (rf"\textsuperscript{{{','.join(map(marker, notes))}}}" if notes else "")


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
