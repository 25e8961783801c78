"""The font of figures: how wide a text is, and the file that a PDF embeds.

It is DejaVu Sans, one of the widest sans-serif fonts: labels that are apart in it are apart in a page's fonts, too.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NAME = "DejaVuSans"
ASCENT, DESCENT, CAP_HEIGHT = 0.928, 0.236, 0.729
"""Of the font, in em."""
_FILE = Path(__file__).parent / "fonts" / "DejaVuSans-subset.ttf"


@dataclass(frozen=True, slots=True)
class Typeface:
    """A TrueType font.

    data: the file.
    glyphs: code point -> number of its glyph.
    advances: width of each glyph, in em.
    box: of all glyphs: left, bottom, right, top, in em.
    """

    data: bytes
    glyphs: Mapping[int, int]
    advances: tuple[float, ...]
    box: tuple[float, float, float, float]


@cache
def typeface() -> Typeface:
    """The font, read once. Format: https://learn.microsoft.com/typography/opentype/spec/otff"""
    data = _FILE.read_bytes()
    tables = {}
    for at in range(12, 12 + 16 * struct.unpack_from(">H", data, 4)[0], 16):
        tag, _, start, _ = struct.unpack_from(">4sLLL", data, at)
        tables[tag.decode()] = start
    em = struct.unpack_from(">H", data, tables["head"] + 18)[0]
    box = struct.unpack_from(">4h", data, tables["head"] + 36)
    glyphs = struct.unpack_from(">H", data, tables["maxp"] + 4)[0]
    wide = struct.unpack_from(">H", data, tables["hhea"] + 34)[0]  # the others are as wide as the last of these
    widths = [struct.unpack_from(">H", data, tables["hmtx"] + 4 * min(each, wide - 1))[0] for each in range(glyphs)]
    left, bottom, right, top = (end / em for end in box)
    advances = tuple(each / em for each in widths)
    return Typeface(data, _glyphs(data, tables["cmap"]), advances, (left, bottom, right, top))


def _glyphs(data: bytes, table: int) -> dict[int, int]:
    """Code point -> glyph, of the format 4 that fonts of the Basic Multilingual Plane have."""
    count = struct.unpack_from(">H", data, table + 2)[0]
    starts = [table + struct.unpack_from(">L", data, table + 8 + 8 * index)[0] for index in range(count)]
    at = next(start for start in starts if struct.unpack_from(">H", data, start)[0] == 4)
    many = struct.unpack_from(">H", data, at + 6)[0] // 2
    ends, firsts, deltas, ranges = (
        struct.unpack_from(f">{many}H", data, at + 14 + 2 * many * part + (2 if part else 0)) for part in range(4)
    )
    found = {}
    for index in range(many):
        place = at + 16 + 2 * (3 * many + index)  # of this segment's offset, from which it is counted
        for code in range(firsts[index], min(ends[index], 0xFFFE) + 1):
            if ranges[index] == 0:
                glyph = (code + deltas[index]) % 65536
            else:
                glyph = struct.unpack_from(">H", data, place + ranges[index] + 2 * (code - firsts[index]))[0]
                glyph = (glyph + deltas[index]) % 65536 if glyph else 0
            if glyph:
                found[code] = glyph
    return found


def width(text: str, size: float) -> float:
    """How wide a line of text is, in the unit of `size`, the height of the font.

    >>> round(width("HRNet-W32", 10), 1), width("", 10)
    (58.2, 0.0)
    """
    return size * sum(map(_advance, text), 0.0)


@cache
def _advance(character: str) -> float:
    """In em; of a character that the font has not, as much as fonts that have it usually give it."""
    face = typeface()
    glyph = face.glyphs.get(ord(character))
    if glyph is not None:
        return face.advances[glyph]
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.75
