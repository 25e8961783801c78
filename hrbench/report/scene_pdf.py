"""A scene as a PDF of one page, with its font embedded and its text as text.

Source of the format: ISO 32000-1:2008, sections 7.5 (structure), 8 (graphics), 9.7 (composite fonts) and 9.10.3
(ToUnicode). It states no date, so that the same scene gives the same bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from functools import cache

from hrbench.report.scene import HALO, Disc, Mark, Path, Scene, Told, Words, plain
from hrbench.report.scene_svg import ON_PAPER
from hrbench.report.typeface import ASCENT, CAP_HEIGHT, DESCENT, NAME, typeface, width

_ROUND = 0.5523  # of the radius: how far the control points of a quarter of a circle lie from its ends


def file(scene: Scene) -> bytes:
    """The bytes of the document."""
    levels = sorted({mark.opacity for mark in _flat(scene.marks) if mark.opacity < 1})
    states = {level: f"G{number}" for number, level in enumerate(levels)}
    used = sorted({c for mark in _flat(scene.marks) if isinstance(mark, Words) for c in plain(mark.text)})
    drawn = "\n".join(
        [f"1 0 0 -1 0 {_n(scene.height)} cm 1 j", *(one for mark in _flat(scene.marks) for one in _steps(mark, states))]
    )
    graphics = " ".join(f"/{name} << /ca {_n(level)} /CA {_n(level)} >>" for level, name in states.items())
    resources = f"<< /Font << /F 5 0 R >> /ExtGState << {graphics} >> >>"
    return _document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_n(scene.width)} {_n(scene.height)}] "
            f"/Resources {resources} /Contents 4 0 R >>".encode(),
            _stream(drawn.encode()),
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{_name()} /Encoding /Identity-H "
            "/DescendantFonts [6 0 R] /ToUnicode 9 0 R >>".encode(),
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{_name()} /CIDToGIDMap /Identity /FontDescriptor 7 0 R "
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            f"/DW 600 /W [{_widths(used)}] >>".encode(),
            _descriptor(),
            _font_file(),
            _stream(_to_unicode(used)),
            f"<< /Title {_text(scene.title)} /Producer (hrbench) >>".encode(),
        ]
    )


def _flat(marks: Sequence[Mark]) -> Iterator[Path | Disc | Words]:
    for mark in marks:
        if isinstance(mark, Told):
            yield from _flat(mark.marks)
        else:
            yield mark


def _steps(mark: Path | Disc | Words, states: dict[float, str]) -> Iterator[str]:
    """Operators of one mark; what they set ends with it."""
    yield "q"
    if mark.opacity < 1:
        yield f"/{states[mark.opacity]} gs"
    if isinstance(mark, Words):
        yield from _words(mark)
    else:
        if mark.fill:
            yield f"{_colour(mark.fill)} rg"
        if mark.stroke:
            yield f"{_colour(mark.stroke)} RG {_n(mark.width)} w"
        if isinstance(mark, Path) and mark.dash:
            yield f"[{mark.dash}] 0 d"
        yield from _circle(mark) if isinstance(mark, Disc) else _lines(mark)
        yield {(True, True): "B", (True, False): "f", (False, True): "S"}.get((bool(mark.fill), bool(mark.stroke)), "n")
    yield "Q"


def _lines(path: Path) -> Iterator[str]:
    for line in path.lines:
        for index, (x, y) in enumerate(line):
            yield f"{_n(x)} {_n(y)} {'l' if index else 'm'}"
        if path.closed:
            yield "h"


def _circle(disc: Disc) -> Iterator[str]:
    (x, y), r, c = disc.at, disc.radius, disc.radius * _ROUND
    yield f"{_n(x + r)} {_n(y)} m"
    for a, b, to in (
        ((x + r, y + c), (x + c, y + r), (x, y + r)),
        ((x - c, y + r), (x - r, y + c), (x - r, y)),
        ((x - r, y - c), (x - c, y - r), (x, y - r)),
        ((x + c, y - r), (x + r, y - c), (x + r, y)),
    ):
        yield " ".join(_n(part) for point in (a, b, to) for part in point) + " c"
    yield "h"


def _words(words: Words) -> Iterator[str]:
    text = plain(words.text)
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor] * width(text, words.size)
    x, y = words.at
    turn = f"0 -1 -1 0 {_n(x)} {_n(y + before)}" if words.upright else f"1 0 0 -1 {_n(x - before)} {_n(y)}"
    shown = "".join(f"{typeface().glyphs.get(ord(character), 0):04x}" for character in text)
    if words.halo:
        yield f"BT /F {_n(words.size)} Tf {turn} Tm 1 Tr {_colour('paper')} RG {_n(HALO)} w <{shown}> Tj ET"
    yield f"BT /F {_n(words.size)} Tf {turn} Tm 0 Tr {_colour(words.colour)} rg <{shown}> Tj ET"


def _colour(name: str) -> str:
    code = ON_PAPER[name]
    return " ".join(f"{int(code[at : at + 2], 16) / 255:.3f}" for at in (1, 3, 5))


# --- the font --------------------------------------------------------------------------------------------------------


@cache
def _name() -> str:
    """A part of a font has six letters before its name."""
    letters = (chr(ord("A") + int(digit, 16)) for digit in hashlib.sha256(typeface().data).hexdigest()[:6])
    return f"{''.join(letters)}+{NAME}"


@cache
def _font_file() -> bytes:
    data = typeface().data
    return _stream(data, f" /Length1 {len(data)}")


def _descriptor() -> bytes:
    box = " ".join(str(round(1000 * end)) for end in typeface().box)
    return (
        f"<< /Type /FontDescriptor /FontName /{_name()} /Flags 32 /FontBBox [{box}] /ItalicAngle 0 "
        f"/Ascent {round(1000 * ASCENT)} /Descent {round(-1000 * DESCENT)} /CapHeight {round(1000 * CAP_HEIGHT)} "
        "/StemV 80 /FontFile2 8 0 R >>"
    ).encode()


def _widths(used: Sequence[str]) -> str:
    glyphs = sorted({typeface().glyphs.get(ord(character), 0) for character in used})
    return " ".join(f"{glyph} [{1000 * typeface().advances[glyph]:.0f}]" for glyph in glyphs)


def _to_unicode(used: Sequence[str]) -> bytes:
    """What each glyph means, so that text can be searched and copied; one that the font has not means nothing."""
    glyphs = typeface().glyphs
    known = [f"<{glyphs[ord(c)]:04x}> <{ord(c):04x}>" for c in used if ord(c) in glyphs]
    blocks = [known[at : at + 100] for at in range(0, len(known), 100)]  # so many may stand together
    ranges = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{ranges}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    ).encode()


# --- the document ----------------------------------------------------------------------------------------------------


def _document(objects: Sequence[bytes]) -> bytes:
    """Numbered objects, the table of where they begin, and the trailer."""
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    start, identity = len(out), hashlib.sha256(out).hexdigest()[:32]
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R /ID [<%b> <%b>] >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, len(objects), identity.encode(), identity.encode(), start,
    )  # fmt: skip
    return bytes(out)


def _stream(data: bytes, more: str = "") -> bytes:
    packed = zlib.compress(data, 9)
    return b"<< /Filter /FlateDecode /Length %d%b >>\nstream\n%b\nendstream" % (len(packed), more.encode(), packed)


def _text(text: str) -> str:
    return f"<{(chr(0xFEFF) + plain(text)).encode('utf-16-be', 'replace').hex()}>"


def _n(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
