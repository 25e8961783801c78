"""How wide text is when LaTeX sets it, as far as must be known to fit tables to columns and pages. No LaTeX runs.

Widths are those of Computer Modern at 9 pt (`\\small` of a 10 pt article, T1 encoding) as pdfTeX measures them; the
fonts of most journals and conferences are narrower. Bold letters are up to 1.152 times as wide.
"""

from __future__ import annotations

import unicodedata

_ASCII = (
    308,
    257,
    462,
    771,
    462,
    771,
    719,
    257,
    360,
    360,
    462,
    719,
    257,
    308,
    257,
    462,
    462,
    462,
    462,
    462,
    462,
    462,
    462,
    462,
    462,
    462,
    257,
    257,
    719,
    719,
    719,
    437,
    719,
    693,
    655,
    668,
    706,
    629,
    604,
    726,
    693,
    334,
    475,
    719,
    578,
    848,
    693,
    719,
    629,
    719,
    681,
    514,
    668,
    693,
    693,
    950,
    693,
    693,
    565,
    257,
    462,
    257,
    565,
    719,
    257,
    462,
    514,
    411,
    514,
    411,
    283,
    462,
    514,
    257,
    283,
    488,
    257,
    771,
    514,
    462,
    514,
    488,
    362,
    365,
    360,
    514,
    488,
    668,
    488,
    488,
    411,
    462,
    257,
    462,
    565,
)
"""Width of each character from " " to "~", in hundredths of a point."""

_SIGNS = {
    **dict.fromkeys("−×±≠≤", 720),
    "Δ": 771,
    "·": 257,
    "◆": 434,
    "µ": 540,
    "↑": 463,
    "↓": 463,
    "–": 463,
    "—": 925,
    "…": 771,
    **dict.fromkeys("⁰¹²³⁴⁵⁶⁷⁸⁹", 370),
}

BOLD, SUPERSCRIPT, FOOTNOTE_SIZE = 1.152, 0.86, 0.9
"""How wide bold text, a superscript, and text of `\\footnotesize` are, as a share of plain text of `\\small`."""

QUAD = 10.0
"""Points of `\\quad`, which sets the rows of a group in."""


def text_width(text: str, bold: bool = False) -> float:
    """Points that text takes in one line at `\\small`; text that LaTeX would leave out has no width.

    >>> text_width("74.1"), round(text_width("74.1", bold=True), 2), text_width("−0.3")
    (16.43, 18.93, 19.01)
    """
    return sum(map(_character_width, " ".join(text.split()))) / 100 * (BOLD if bold else 1.0)


def longest_word(text: str) -> float:
    """Points of the longest part of a text that is never broken: lines are broken at spaces only."""
    return max(map(text_width, text.split()), default=0.0)


def _character_width(character: str) -> int:
    if " " <= character <= "~":
        return _ASCII[ord(character) - 32]
    if character in _SIGNS:
        return _SIGNS[character]
    if unicodedata.category(character).startswith("C"):
        return 0
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return sum(map(_character_width, plain or f"U+{ord(character):04X}"))
