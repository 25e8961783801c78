"""The drawing of accuracy against cost."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hrbench.report.plots import Point, accuracy_against_cost

POINTS = (
    Point("A <1>", "A", "A", 7.6, 74.4, 73.6, 75.2, 74.4, 'A & "B"\nAP 74.4'),
    Point("B", "B", "B", 15.7, 75.1, None, None, None),
    Point("C", "B", "B", 30.0, None, published=76.0),
)


def draw(name="plot-1"):
    return accuracy_against_cost(POINTS, name, "GMACs", "AP (points)")


def test_it_is_one_well_formed_element_without_size_date_or_placeholders():
    svg = draw()
    root = xml.fromstring(svg)
    assert root.tag.endswith("svg") and "viewBox" in root.attrib
    assert "width" not in root.attrib and "height" not in root.attrib
    assert not re.search(r"#01020|#0a0b0|<metadata|dc:date", svg)
    assert "currentColor" in svg and "var(--series-1)" in svg and "var(--series-2)" in svg


def test_points_have_tooltips_and_text_is_text():
    svg = draw()
    titles = re.findall(r"<title>(.*?)</title>", svg, re.S)
    assert "A &amp; &quot;B&quot;\nAP 74.4" in titles
    assert "C, published: 76" in titles
    assert "A &lt;1&gt;" in svg


def test_the_same_points_give_the_same_bytes_and_names_keep_identifiers_apart():
    assert draw() == draw()
    first, second = (set(re.findall(r'\bid="([^"]+)"', draw(name))) for name in ("plot-1", "plot-2"))
    assert first and not first & second
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', draw()))
    assert used <= first


@settings(max_examples=10)
@example("$x$ a$b \\frac _\x1f\n網")
@given(st.text())
def test_any_name_can_be_drawn(text):
    points = [Point(text, text, text, 1.0 + index, 50.0, tooltip=text) for index in range(2)]
    root = xml.fromstring(accuracy_against_cost(points, "p", text, text))
    drawn = {element.text for element in root.iter() if element.tag.endswith("}text")}
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert not words or words in {(found or "").strip() for found in drawn}


def test_one_point_and_equal_points_can_be_drawn():
    for points in (POINTS[:1], POINTS[:1] * 2):
        xml.fromstring(accuracy_against_cost(points, "p", "x", "y"))


def test_a_legend_of_many_families_stays_within_the_drawing():
    points = [Point(f"net {index}", f"family {index}", "", 1.0 + index, 50.0, 49.0, 51.0) for index in range(14)]
    svg = accuracy_against_cost(points, "plot-1", "GMACs", "AP")
    _, _, _, height = map(float, re.search(r'viewBox="([^"]*)"', svg)[1].split())
    tops = [float(y) for y in re.findall(r'<text[^>]*y="([\d.-]+)"[^>]*>family \d+</text>', svg)]
    assert len(tops) == 14 and min(tops) > 8 and max(tops) < height


def test_a_long_label_is_cut_in_its_middle_and_whole_in_the_tooltip():
    label = "HRNet miniature · pose_hrnet_miniature_coco-boxes-ground_truth of miniature 96×72"
    points = [Point(label, "HRNet", "HRNet", x, y, tooltip=label) for x, y in ((1.0, 70.0), (1.1, 75.0))]
    svg = accuracy_against_cost(points, "plot", "GMACs", "AP (points)")
    texts = [text for text in re.findall(r">([^<>]*96×72)<", svg) if "…" in text]
    assert len(texts) == 2 and set(map(len, texts)) == {44} and texts[0].startswith("HRNet miniatu")
    assert svg.count(f"<title>{label}</title>") == 2
