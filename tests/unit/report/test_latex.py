"""The LaTeX of a table, as a whole, and that no text can break out of its cell."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import make, sample_table

from hrbench.report.latex import escape, render_latex
from hrbench.report.layout import ColumnLayout, Layout, TableLayout
from hrbench.report.table import build_tables

EXPECTED = r"""% \usepackage{booktabs}, \usepackage[T1]{fontenc}, \usepackage{textcomp}
\begin{table*}[t]
\centering
\small
\setlength{\tabcolsep}{3pt}
\caption{\textbf{Title.} A caption.}
\label{tab:t}
\begin{tabular}{@{}lrrrrrr@{}}
\toprule
 &  &  &  &  &  & \multicolumn{1}{c}{Latency} \\
\cmidrule(lr){7-7}
 &  & \multicolumn{4}{c}{AP$\uparrow$} &  \\
\cmidrule(lr){3-6}
Model & Params (M)$\downarrow$ & meas. & 95 \% & publ. & $\Delta$ & batch 1$\downarrow$ \\
\midrule
\multicolumn{7}{@{}l}{\textit{HRNet}} \\
\quad HRNet-W32 & 28.5 & \textbf{74.1} & {[}73.4, 74.9{]} & 74.4 & $-$0.3 & 45.7 \\
\quad HRNet-W48 {\footnotesize (limited to 10 images: not comparable)} & 63.6 & 75.0 &  & 75.1 & \
$\neq$\textsuperscript{a} & --\textsuperscript{b} \\
\addlinespace
\multicolumn{7}{@{}l}{\textit{Other}} \\
\quad Other-a\_b\textbar{}2 {\footnotesize (failed)}\textsuperscript{c} & -- & -- &  &  &  & -- \\
\quad Other-3 & --\textsuperscript{d} & 70.0 &  &  &  & --\textsuperscript{b} \\
\bottomrule
\end{tabular}
\par\smallskip
\begin{minipage}{\linewidth}\footnotesize\raggedright
\textsuperscript{a}\,no difference: limited to 10 images: not comparable \\
\textsuperscript{b}\,took 11 s, budget \textless{} 10 s \\
\textsuperscript{c}\,failed: 50 \% of a\_b \& c \\
\textsuperscript{d}\,not measured: not among the costs of this entry \\
Protocol: top-down v1. \\
Bold: the best. \\
Published figures: a README.
\end{minipage}
\end{table*}
"""


def test_a_table():
    # In the raw literal above a backslash at the end of a line stands for a line that goes on.
    assert render_latex([sample_table()]) == EXPECTED.replace("75.1 & \\\n", "75.1 & ")


def test_notes_below_a_table_are_short_full_or_none():
    table = sample_table()
    full = render_latex([replace(table, notes="full")])
    assert "Protocol: top-down v1 (boxes detector, flip yes)." in full
    none = render_latex([replace(table, notes="none")])
    assert "minipage" not in none and "textsuperscript" not in none and "74.1" in none


PLAIN = re.compile(r"\\text[a-z]+\{\}|\\ldots\{\}|\\[{}$&%#_]|\{[\[\]*]\}|\$[^$]*\$")


@given(st.text())
def test_nothing_special_is_left_in_escaped_text(text):
    rest = PLAIN.sub("", escape(text))
    assert not set(rest) & set('\\{}$&%#_~^<>|[]*\n"')


@given(st.text())
def test_only_characters_that_pdflatex_knows_are_left(text):
    assert all(" " <= character <= "~" or "À" <= character <= "ž" for character in escape(text))


@pytest.mark.parametrize(("text", "latex"), [("2³⁰", "2$^{3}$$^{0}$"), ("ﬁne", "fine"), ("a\x00b\x1bc", "abc")])
def test_characters_outside_latin(text, latex):
    assert escape(text) == latex


@given(st.text(), st.text())
def test_every_line_of_the_body_has_its_columns(title, reason):
    columns = (ColumnLayout("text", "model"), ColumnLayout("text", "input"), ColumnLayout("score", "AP"))
    layout = TableLayout(title, title, columns, caption=reason, group="none")
    result = make(title, status="failed", reason=reason, published=False)
    latex = render_latex(build_tables([result], Layout("l", (layout,)), {}))
    body = latex[latex.index(r"\midrule") + 9 : latex.index(r"\bottomrule")]
    (line,) = body.strip("\n").split("\n")
    assert len(re.findall(r"(?<!\\)&", line)) == 2
    assert line.endswith(r" \\")
