"""Figures as files: SVG for papers, and PDF whose parts are where it says."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as xml
import zlib

from fontTools.ttLib import TTFont

from hrbench.report import scene_pdf, scene_svg
from hrbench.report.figure_set import file_stem
from hrbench.report.scene import Disc, Path, Scene, Told, Words
from hrbench.report.typeface import typeface, width

SCENE = Scene(
    100.0,
    50.0,
    "Title <1> 網",
    (
        Path((((0.0, 0.0), (10.0, 20.0)),), "series-1", 0.5, opacity=0.5, dash="3 2"),
        Told((Disc((30.0, 10.0), 3.0, "series-2", "paper"),), "a & b\nc"),
        Words((50.0, 20.0), "HRNet 256×192 網", 8.0, "end", halo=True),
        Words((10.0, 40.0), "AP (points)", 8.0, "middle", upright=True),
    ),
)


def objects(data: bytes) -> dict[int, bytes]:
    """Number -> content, each looked up where the table of the document says."""
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)[1])
    assert data[start : start + 5] == b"xref\n"
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", data[start:])]
    found = {}
    for number, place in enumerate(places, 1):
        head = b"%d 0 obj\n" % number
        assert data[place : place + len(head)] == head
        found[number] = data[place + len(head) : data.index(b"\nendobj\n", place)]
    assert int(re.search(rb"/Size (\d+)", data)[1]) == len(places) + 1
    return found


def stream(part: bytes) -> bytes:
    length = int(re.search(rb"/Length (\d+)", part)[1])
    start = part.index(b"stream\n") + len(b"stream\n")
    assert part[start + length :] == b"\nendstream"
    return zlib.decompress(part[start : start + length])


def test_a_pdf_has_its_objects_its_font_and_its_text():
    data = scene_pdf.file(SCENE)
    assert data.startswith(b"%PDF-1.5\n") and scene_pdf.file(SCENE) == data
    found = objects(data)
    assert b"/MediaBox [0 0 100 50]" in found[3]
    assert "Title <1> 網".encode("utf-16-be").hex().encode() in found[10]
    font = TTFont(io.BytesIO(stream(found[8])))
    assert stream(found[8]) == typeface().data and b"/Length1 %d" % len(typeface().data) in found[8]
    meanings = dict(re.findall(rb"<(\w{4})> <(\w{4})>\n", stream(found[9]) + b"\n"))
    shown = re.findall(rb"<(\w+)> Tj", stream(found[4]))
    texts = [
        "".join(chr(int(meanings.get(one[at : at + 4], b"fffd"), 16)) for at in range(0, len(one), 4)) for one in shown
    ]
    assert texts == ["HRNet 256×192 \ufffd"] * 2 + ["AP (points)"]  # once as a halo; the font has no such letter
    names = font.getGlyphOrder()
    cmap = font.getBestCmap()
    assert [names[int(shown[-1][at : at + 4], 16)] for at in (0, 4)] == [cmap[ord("A")], cmap[ord("P")]]
    for glyph, own in re.findall(rb"(\d+) \[(\d+)\]", found[6]):
        assert round(font["hmtx"][names[int(glyph)]][0] / 2.048) == int(own)


def test_what_a_page_draws_is_as_far_down_in_a_pdf():
    lines = stream(objects(scene_pdf.file(SCENE))[4]).decode().split("\n")
    assert lines[0] == "1 0 0 -1 0 50 cm 1 j"
    text = next(line for line in lines if "0 Tr" in line)
    assert f"1 0 0 -1 {50 - width('HRNet 256×192 網', 8):.3f}".rstrip("0") in text  # it ends where it is anchored
    assert any(line.startswith("BT") and "0 -1 -1 0 10 " in line for line in lines)
    assert lines.count("q") == lines.count("Q") == 4


def test_an_svg_for_papers_is_on_white_with_its_size_and_its_text():
    data = scene_svg.file(SCENE)
    root = xml.fromstring(data)
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("100pt", "50pt", "0 0 100 50")
    texts = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert texts == ["HRNet 256×192 網", "AP (points)"]
    assert [one.text for one in root.iter() if one.tag.endswith("}title")] == ["Title <1> 網", "a & b\nc"]
    assert b"var(" not in data and b"currentColor" not in data and b"style" not in data and b"#ffffff" in data


def test_widths_are_those_of_the_font():
    font = TTFont(io.BytesIO(typeface().data))
    cmap, advances = font.getBestCmap(), font["hmtx"]
    text = "HRNet-W32 256×192, ±0.5 Δ ≤ “x”"
    assert abs(width(text, 10) - 10 * sum(advances[cmap[ord(c)]][0] for c in text) / 2048) < 1e-9
    assert {*typeface().glyphs} == {*cmap} - {0xFFFF}
    assert width("網", 10) >= 10 and width("e\u0301", 10) == width("e", 10)


def test_names_of_files_suit_every_disk():
    assert file_stem("../a b/ü") == "a-b" and file_stem("網") == "figure"
