"""The drawing of accuracy against cost, and its names beside points."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as xml
from collections.abc import Iterator, Sequence
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hrbench.report.axes import Area, Axis, chart
from hrbench.report.plot_labels import Point, label_points
from hrbench.report.plots import accuracy_against_cost
from hrbench.report.scene import COLUMN, WIDE, Format, Mark, Path, Scene, Words
from hrbench.report.scene_svg import inline
from hrbench.report.typeface import width

POINTS = (
    Point("A <1>", "A", "A", 7.6, 74.4, 73.6, 75.2, 74.4, 'A & "B"\nAP 74.4'),
    Point("B", "B", "B", 15.7, 75.1, None, None, None),
    Point("C", "B", "B", 30.0, None, published=76.0),
)


def draw(points: Sequence[Point] = POINTS, x: str = "GMACs", y: str = "AP (points)") -> str:
    return inline(accuracy_against_cost(points, "plot-1", x, y))


def both(svg: str) -> xml.Element:
    """The drawings of a wide and of a narrow page."""
    return xml.fromstring(f"<g>{svg}</g>")


def test_there_are_two_elements_that_scale_and_have_nothing_that_a_policy_forbids():
    svg = draw()
    wide, column = both(svg)
    assert (wide.get("class"), column.get("class")) == ("wide", "column")
    assert all("viewBox" in one.attrib and not {"width", "height"} & set(one.attrib) for one in (wide, column))
    assert not re.search(r"style=|<style|<script|\bid=|href=|url\(|#[0-9a-f]{6}", svg)
    assert "currentColor" in svg and "var(--series-1)" in svg and "var(--series-2)" in svg


def test_points_have_tooltips_and_text_is_text():
    svg = draw()
    titles = re.findall(r"<title>(.*?)</title>", svg, re.S)
    assert 'A &amp; "B"\nAP 74.4' in titles
    assert "C, published: 76" in titles
    assert "A &lt;1&gt;" in svg
    assert draw() == svg


@settings(max_examples=10)
@example("$x$ a$b \\frac _\x1f\n網")
@given(st.text())
def test_any_name_can_be_drawn(text):
    points = [Point(text, text, text, 1.0 + index, 50.0, tooltip=text) for index in range(2)]
    both(draw(points, text, text))


def test_one_point_and_equal_points_can_be_drawn():
    for points in (POINTS[:1], POINTS[:1] * 2):
        both(draw(points, "x", "y"))


def test_families_beyond_the_colours_have_another_shape_and_the_legend_stays_within():
    points = [Point(f"net {index}", f"family {index}", "", 1.0 + index, 50.0, 49.0, 51.0) for index in range(14)]
    for scene in (
        accuracy_against_cost(points, "p", "GMACs", "AP").wide,
        accuracy_against_cost(points, "p", "x", "y").column,
    ):
        keys = [mark for mark in scene.marks if isinstance(mark, Words) and mark.text.startswith("family")]
        assert len(keys) == 14
        assert all(key.at[0] >= 0 and key.at[0] + width(key.text, key.size) <= scene.width for key in keys)
        assert all(0 < key.at[1] < scene.height for key in keys)
    svg = draw(points)
    looks = re.findall(r'<g class="point"><title>net \d+</title>.*?fill="([^"]*)"', svg)
    assert len(looks) == 28
    assert len(set(re.findall(r'<(circle|path)[^>]*fill="var\(--series-1\)"', svg))) == 2


def test_a_long_label_is_in_lines_and_whole_in_the_tooltip():
    label = "HRNet miniature · pose_hrnet_miniature_coco-boxes-ground_truth of miniature 96×72"
    points = [Point(label, "HRNet", "HRNet", x, y, tooltip=label) for x, y in ((1.0, 70.0), (1.1, 75.0))]
    svg = draw(points)
    lines = re.findall(r'<text[^>]* font-size="6.5"[^>]*stroke[^>]*>([^<]*)<', svg)  # in a column
    assert lines.count("HRNet miniature") == 2 and sum("…" in line for line in lines) == 2  # of a word too long
    assert sum(line.endswith("of miniature 96×72") for line in lines) == 2
    assert svg.count(f"<title>{label}</title>") == 4


def test_costs_that_are_not_comparable_are_joined_by_no_line():
    def lines(names: str) -> int:
        points = [Point(str(n), "A", name, n + 1.0, 70.0 + n) for n, name in enumerate(names)]
        marks = accuracy_against_cost(points, "p", "ms", "AP").wide.marks
        return sum(isinstance(mark, Path) and mark.opacity == 0.4 for mark in marks)

    assert lines("aa") == 1 and lines("ab") == 0


def test_the_front_is_a_stair_of_those_that_are_compared():
    def stairs(points: Sequence[Point], better: str) -> list[Path]:
        marks = accuracy_against_cost(points, "p", "ms", "AP", better).wide.marks
        return [
            mark for mark in marks if isinstance(mark, Path) and mark.dash and mark.opacity == 0.5 and mark.width == 0.6
        ]

    points = [Point(str(n), "A", n, n + 1.0, 70.0 + n, front=True, peers=1) for n in range(3)]
    (stair,) = stairs(points, "lower")
    xs, ys = zip(*stair.lines[0], strict=True)
    assert xs[1] == xs[2] > xs[0] and ys[0] == ys[1] > ys[2]  # first dearer, then better
    (turned,) = stairs([Point(str(n), "A", n, n + 1.0, 72.0 - n, front=True, peers=1) for n in range(3)], "higher")
    assert turned.lines[0][0][0] > turned.lines[0][-1][0]
    assert stairs([Point(str(n), "A", n, n + 1.0, 70.0 + n, front=True, peers=n) for n in range(3)], "lower") == []


# --- labels


def scene_of(points: Sequence[Point], form: Format) -> tuple[Scene, Area]:
    """The labels alone, and where they lie."""
    seen: list[Area] = []

    def marks(area: Area) -> Iterator[Mark]:
        seen.append(area)
        yield from label_points(area, points)

    xs, ys = [one.x for one in points], [one.height or 0.0 for one in points]
    x, y = Axis("x", min(xs) - 1, max(xs) + 1), Axis("y", min(ys) - 1, max(ys) + 1)
    return chart(form, "", x, y, [], marks), seen[0]


def box_of(words: Words) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the letters."""
    wide = width(words.text, words.size)
    left = words.at[0] - {"start": 0, "middle": wide / 2, "end": wide}[words.anchor]
    return left, words.at[1] - 0.76 * words.size, left + wide, words.at[1] + 0.24 * words.size


def random_points(many: int, name: str) -> list[Point]:
    chance = random.Random(7)
    return [
        Point(name.format(n), "A", n, chance.uniform(1, 40), y := chance.uniform(60, 80), y - 0.4, y + 0.4, y + 0.2,
              front=n % 9 == 0)
        for n in range(many)
    ]  # fmt: skip


CASES = {
    "60 points": random_points(60, "HRNet-W48, run {}"),
    "60 long names": random_points(60, "Mask R-CNN SpineNet-143 with a head of its own, run {} 1280×1280"),
    "60 equal points": [Point(f"run {n}", "A", n, 5.0, 70.0, 69.0, 71.0) for n in range(60)],
    "a row": [Point(f"SimpleBaseline-R{n}", "A", n, 5.0 + n / 10, 70.0) for n in range(30)],
    "wide letters": random_points(20, "網絡網絡網絡 {}"),
    "1,000 points": random_points(1000, "net {}"),
}


@pytest.mark.parametrize("form", [WIDE, COLUMN], ids=lambda form: form.name)
@pytest.mark.parametrize("case", CASES)
def test_labels_overlap_neither_one_another_nor_a_point_nor_leave_the_frame(case: str, form: Format):
    points = CASES[case]
    scene, area = scene_of(points, form)
    words = [mark for mark in scene.marks if isinstance(mark, Words) and mark.halo]
    boxes = [box_of(one) for one in words]
    assert len(words) >= (0 if case == "1,000 points" else 5 if form is WIDE else 2)
    for (a, one), (b, other) in combinations(zip(boxes, words, strict=True), 2):
        apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
        assert apart, f"{one.text} on {other.text}"
    places = [area(point.x, y) for point in points for y in (point.y, point.published) if y is not None]
    for (left, top, right, bottom), one in zip(boxes, words, strict=True):
        covered = [at for at in places if left < at[0] < right and top < at[1] < bottom]
        assert not covered or one.text.startswith("all: "), one.text
        assert left >= 0 and right <= scene.width and top >= 0 and bottom <= scene.height


@pytest.mark.parametrize("many", [2, 5, 12])
def test_all_of_some_equal_points_have_their_labels(many: int):
    points = [Point(f"HRNet · runtime {n} 64×48", "HRNet", n, 5.0, 70.0) for n in range(many)]
    texts = [mark.text for mark in scene_of(points, WIDE)[0].marks if isinstance(mark, Words) and mark.halo]
    assert sorted(texts) == sorted(["all: HRNet 64×48", *(f"runtime {n}" for n in range(many))])
