"""The drawing of accuracy against cost."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hrbench.core.shown_text import shown
from hrbench.report.plot_labels import Point, label_points
from hrbench.report.plots import accuracy_against_cost

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
    words = " ".join("".join(c if c.isprintable() else " " for c in shown(text)).split())
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


# --- labels


@pytest.mark.parametrize("many", [2, 5, 12])
def test_labels_of_points_at_one_place_do_not_overlap(many):
    figure = Figure(figsize=(7.4, 4.1), dpi=72)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.085, 0.125, 0.905, 0.8))
    axes.set_xlim(0, 10)
    axes.set_ylim(60, 80)
    label_points(axes, [Point(f"HRNet · runtime {n} 64×48", "HRNet", n, 5.0, 70.0) for n in range(many)])
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    labels = [text.get_text() for text in axes.texts]
    assert sorted(labels) == sorted(["all: HRNet 64×48", *(f"runtime {n}" for n in range(many))])
    heights = [(box.y0 + box.y1) / 2 for box in boxes]
    for one in range(len(boxes)):
        for other in range(one):
            beside = boxes[one].x1 <= boxes[other].x0 or boxes[other].x1 <= boxes[one].x0
            assert beside or abs(heights[one] - heights[other]) >= 8


def test_costs_that_are_not_comparable_are_joined_by_no_line():
    def paths(lines):
        points = [Point(str(n), "A", line, n + 1.0, 70.0 + n) for n, line in enumerate(lines)]
        return len(re.findall(r"stroke-opacity=\"0.45\"", accuracy_against_cost(points, "p", "ms", "AP")))

    assert paths(("a", "a")) == 1 and paths(("a", "b")) == 0
