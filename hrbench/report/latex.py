"""Tables as LaTeX with booktabs, ready to be put into a paper."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from hrbench.core.shown_text import shown
from hrbench.report.grid import Column, Table, TableRow, headed, marker, spanning
from hrbench.report.latex_fit import COLSEP, COLUMN, PAGE, Fitted, fitted, is_parted, section_lines
from hrbench.report.latex_widths import text_width
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
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
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
    """All tables with captions, labels and footnotes, each in as many parts as it takes to fit (`latex_fit.py`)."""
    parts = [part for table in tables for part in fitted(_noted(table))]
    packages = [r"\usepackage{booktabs}", r"\usepackage[T1]{fontenc}", r"\usepackage{textcomp}"]
    if any(width for part in parts for width in part.names):
        packages.append(r"\usepackage{array}")
    if any(cell.unstable for part in parts for row in part.table.rows for cell in row.cells):
        packages.append(r"\usepackage{xcolor}")
    return f"% {', '.join(packages)}\n" + "\n".join(map(_part, parts))


def _noted(table: Table) -> Table:
    """A table with the notes that its layout asks for, and no marks of those that are left out."""
    if table.notes != "none":
        return replace(table, remarks=table.short_remarks) if table.notes == "short" else table
    rows = [
        replace(row, notes=(), cells=tuple(replace(cell, notes=(), front=False) for cell in row.cells))
        for row in table.rows
    ]
    return replace(table, rows=tuple(rows), footnotes=(), remarks=())


def escape(text: str) -> str:
    r"""Text that LaTeX sets as it is, in one line; characters that pdfLaTeX does not know are spelt in ASCII.

    >>> escape("50 % of a_b & c"), escape("−0.1"), escape("naïve 网")
    ('50 \\% of a\\_b \\& c', '$-$0.1', 'naïve U+7F51')
    """
    return "".join(map(_character, " ".join(shown(text).split())))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~" or "À" <= character <= "ž":
        return character
    if unicodedata.category(character).startswith("C"):
        return ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(c, c) for c in plain) or f"U+{ord(character):04X}"


WIDEST = 1.3
"""How wide text is in bold of a caption, as a share of that of `\\small`."""


def breakable(text: str, width: float) -> str:
    """Escaped text whose words can be broken where they are wider than so many points: after a sign, or anywhere."""
    found = []
    for word in text.split():
        if WIDEST * text_width(word) < width:
            found.append(escape(word))
        else:
            some = re.findall(r"[^/._=,:;-]{1,8}[/._=,:;-]*|[/._=,:;-]+", word)
            found.append(r"\allowbreak{}".join(map(escape, some)))
    return " ".join(found)


def _part(part: Fitted) -> str:
    table, line = part.table, PAGE if part.wide else COLUMN
    title = table.title + (f" (part {part.part} of {part.parts})" if part.parts > 1 else "")
    caption = f"\\textbf{{{breakable(title, line)}.}}"
    if table.caption and part.part == 1:  # the further parts need not say it again
        caption += f" {breakable(table.caption, line)}"
    label = re.sub("[^A-Za-z0-9-]+", "-", table.name) + (f"-{part.part}" if part.part > 1 else "")
    float_ = "table*" if part.wide else "table"
    lines = [
        rf"\begin{{{float_}}}[t]",
        r"\centering",
        rf"\{part.size}",
        rf"\setlength{{\tabcolsep}}{{{COLSEP:g}pt}}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{@{{}}{_columns(part)}@{{}}}}",
        r"\toprule",
        *_headings(table.columns, part.headings),
        r"\midrule",
    ]
    for index, (section, group, row) in enumerate(headed(table.rows)):
        if section:
            lines += [r"\midrule"] if index else []
            lines += [_across(part, rf"\textit{{{escape(text)}}}") for text in section_lines(part, section)]
        if group:
            lines += [r"\addlinespace"] if index and not section else []
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{@{{}}l}}{{\textit{{{escape(group)}}}}} \\")
        lines.append(_line([_cell(row, cell, number) for number, cell in enumerate(row.cells)]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [rf"\textsuperscript{{{marker(one)}}}\,{breakable(table.footnotes[one], line)}" for one in part.notes]
    if part.part == part.parts and table.remarks:
        notes += [r"\textit{Of all parts:}"] if part.parts > 1 else []
        notes += [breakable(text, line) for text in table.remarks]
    if notes:
        lines += [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [" \\\\\n".join(notes), r"\end{minipage}"]
    return "\n".join([*lines, rf"\end{{{float_}}}", ""])


def _across(part: Fitted, text: str) -> str:
    """A line of a heading over all columns, which makes none of them wider."""
    return rf"\multicolumn{{{len(part.table.columns)}}}{{@{{}}l@{{}}}}{{\makebox[0pt][l]{{{text}}}}} \\"


def _columns(part: Fitted) -> str:
    """The columns of a tabular: texts to the left, broken where they have a width, and numbers to the right."""
    names, found = iter(part.names), ""
    for column in part.table.columns:
        width = next(names) if column.part == "text" else None
        if width:
            found += rf">{{\raggedright\arraybackslash}}p{{{math.floor(width)}pt}}"
        else:
            found += "l" if column.part == "text" else "r"
    return found


def _headings(columns: Sequence[Column], last: Sequence[Sequence[str]]) -> list[str]:
    """One to three lines: groups, quantities, their parts; a rule below each heading that spans several columns.

    last: the lines of each column's own heading.
    """
    lines: list[str] = []
    if any(column.group for column in columns):
        lines += _spanning([(column.group, column.group) for column in columns])
    if any(is_parted(column, columns) for column in columns):
        parted = [(one.quantity, spanning(one, columns, "") if is_parted(one, columns) else "") for one in columns]
        lines += _spanning(parted)
    return [*lines, _line([_stacked(column, text) for column, text in zip(columns, last, strict=True)])]


def _stacked(column: Column, lines: Sequence[str]) -> str:
    """A heading in one line or several."""
    if len(lines) < 2:
        return escape(" ".join(lines))
    side, stacked = "l" if column.part == "text" else "r", r" \\ ".join(map(escape, lines))
    return rf"\shortstack[{side}]{{{stacked}}}"


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
    elif cell.second:
        text = rf"\underline{{{text}}}"
    if cell.unstable and not cell.bold:
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
