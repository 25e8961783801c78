"""The report in a browser: from disk, with the network off, at the widths of a desk and of a telephone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from axe import serious
from seeds import VIEWS, some

from hrbench.report.write import write_reports
from hrbench.types import Conditions, DatasetRow, Drawing, Entry, Measurement, Quantity, Reason, Result, Variant

pytestmark = pytest.mark.browser

COCO = DatasetRow("coco-keypoints-val2017", "coco-keypoints", "pose", ("coco-keypoints",), title="COCO val2017")
PROTOCOL = {
    "name": "top-down", "version": 1, "boxes": "detector", "flip": True, "shift_heatmap": True, "quarter_offset": True,
    "image_threshold": 0.0, "visibility_threshold": 0.2, "oks_threshold": 0.9, "soft_nms": False,
}  # fmt: skip
NETWORKS = {  # title: parameters, GMACs, AP; None where the data are missing
    "SimpleBaseline-R50": (33_999_697, 5.426, 0.704),
    "SimpleBaseline-R101": (52_991_825, 9.063, None),
    "SimpleBaseline-R152": (68_635_473, 12.699, 0.722),
    "HRNet-W32": (28_536_113, 7.645, 0.744),
    "HRNet-W48": (63_595_745, 15.692, 0.751),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run with spaces & signs")
    results = [_result(folder, title, *facts) for title, facts in NETWORKS.items()]
    environment = {"processor": "a processor", "packages": {"torch": "2.15.0"}}
    suite = "suite: pose\n" + "# " + "a long line " * 40
    return write_reports(results, folder, title="Pose", table="pose", environments=[environment], suites=[suite])


def _result(folder: Path, title: str, parameters: int, gmacs: float, ap: float | None) -> Result:
    published = {"file": "pose", "section": "coco_keypoints", "model": title, "input": "256x192", "split": "val2017"}
    variant = Variant(title.lower(), "pose", "pose", (256, 192), title=title, published=published)
    entry = Entry(title, variant, COCO, PROTOCOL, COCO.metrics, {})
    place = folder / "entries" / title
    (place / "drawings").mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    cv2.imwrite(str(place / "drawings" / "worst-1.jpg"), picture)

    def operations(name: str, factor: float) -> Measurement:
        conditions = Conditions(convention=name)
        return Measurement(Quantity(name, name, "operations", "lower"), gmacs * 1e9 * factor, conditions=conditions)

    costs = [Measurement(Quantity("parameters", "Parameters", "count", "lower"), parameters)]
    costs += [operations(name, factor) for name, factor in (("macs", 1), ("flops", 2), ("hrnet-paper", 1))]
    samples = tuple(gmacs / 100 * (1 + 0.01 * index) for index in range(5))
    conditions = Conditions(batch=1, dtype="float32", device="a processor")
    latency = Quantity("latency", "Latency", "seconds", "lower")
    costs.append(Measurement(latency, samples[2], samples=samples, conditions=conditions))
    names = ("AP", "AP50", "AP75", "APM", "APL", "AR")
    scores = [
        Measurement(Quantity(name, name, "fraction", "higher"), ap, "coco-keypoints", (ap - 0.008, ap + 0.008), 6352)
        for name in names
        if ap is not None
    ]
    return Result(
        title,
        entry,
        "empty" if ap is None else "done",
        () if ap is not None else (Reason("COCO val2017 is not here", "get it from https://cocodataset.org"),),
        tuple(scores),
        tuple(costs),
        drawings=(Drawing("drawings/worst-1.jpg", 1, "worst", "image 1"),) if scores else (),
        folder=str(place),
    )


class Opened:
    """A page with what went wrong in it."""

    def __init__(self, browser: Any, report: Path, width: int, scheme: str = "light") -> None:
        viewport = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=viewport, offline=True, color_scheme=scheme, has_touch=width < 500)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", lambda request: self.faults.append(request.url))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri())


@pytest.fixture
def open_report(browser: Any, report: Path) -> Iterator[Any]:
    opened: list[Opened] = []

    def opener(width: int = 1280, scheme: str = "light") -> Any:
        opened.append(Opened(browser, report, width, scheme))
        return opened[-1].page

    yield opener
    for each in opened:
        each.context.close()
        assert each.faults == []
        assert [url for url in each.requests if not url.startswith(("file:", "data:"))] == []


def column(page: Any, number: int = 1) -> list[str]:
    """First words of the rows of a table, from top to bottom as seen."""
    return page.eval_on_selector_all(
        f"#table-{number} tr.row th", "cells => cells.map(cell => cell.firstChild.textContent.trim())"
    )


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
def test_the_page_never_scrolls_sideways(open_report, width, scheme):
    page = open_report(width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    # Wide tables do, each in a frame of its own; at the desk all of them fit.
    frames = page.eval_on_selector_all("figure.table .scroll", "all => all.map(f => f.scrollWidth - f.clientWidth)")
    assert all(frame == 0 for frame in frames) if width == 1280 else all(frame > 0 for frame in frames)


@pytest.mark.parametrize("scheme", some(["light", "dark"], later=["dark"]))
def test_axe_finds_nothing_serious(open_report, scheme):
    page = open_report(1280, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert serious(page) == []


def test_the_names_stay_in_sight_while_a_table_scrolls(open_report):
    page = open_report(400)
    page.eval_on_selector("#table-1 .scroll", "frame => frame.scrollLeft = 300")
    page.wait_for_selector("#table-1 .scroll.scrolled")
    left = page.eval_on_selector("#table-1 tr.row th", "cell => cell.getBoundingClientRect().left")
    frame = page.eval_on_selector("#table-1 .scroll", "frame => frame.getBoundingClientRect().left")
    assert left == pytest.approx(frame, abs=1)


def test_a_click_sorts_a_second_turns_and_a_third_restores(open_report):
    page = open_report()
    suite = column(page)
    heading = page.locator("#table-1 th.headline")
    heading.locator("button").click()
    best_first = ["HRNet-W48", "HRNet-W32", "SimpleBaseline-R152", "SimpleBaseline-R50", "SimpleBaseline-R101"]
    assert column(page) == best_first
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").click()
    # The row without a number stays last whichever way.
    assert column(page) == [*reversed(best_first[:-1]), best_first[-1]]
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()
    assert column(page) == suite
    assert heading.get_attribute("aria-sort") == "none"


def test_costs_sort_cheapest_first_text_alphabetically_and_by_keyboard(open_report):
    page = open_report()
    page.locator("#table-1 th", has_text="GMACs").locator("button").click()
    assert column(page)[:2] == ["SimpleBaseline-R50", "HRNet-W32"]
    page.locator("#table-1 th", has_text="Model").locator("button").focus()
    page.keyboard.press("Enter")
    names = column(page)
    assert names == sorted(names, key=lambda name: [name.split("-")[0], int("".join(filter(str.isdigit, name)))])
    assert column(page, 2) != names  # the other tables stay as they were


def test_numbers_tell_how_they_were_made_by_pointer_and_keyboard(open_report):
    page = open_report()
    tip = page.locator("#tip")
    assert tip.is_hidden()
    page.locator("#table-1 tr.row td.measured.headline").first.hover()
    for words in ("70.4000 points", "[69.60, 71.20]", "6,352", "top-down v1", "COCO val2017"):
        assert words in tip.inner_text()
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.locator("#table-1 td[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.tagName") == "TD"
    assert tip.is_visible()


def test_an_empty_cell_says_why_on_a_tap(open_report):
    page = open_report(400)
    page.locator("#table-1 td.headline.empty").tap()
    assert "get it from https://cocodataset.org" in page.locator("#tip").inner_text()
    box = page.locator("#tip").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 400


def test_each_cost_has_its_plot(open_report):
    page = open_report()
    drawings = page.locator("#figure-1 .drawing")
    assert drawings.count() == 3
    for index, label in enumerate(("GMACs", "Parameters (M)", "Latency at batch 1 (ms)")):
        page.locator("#figure-1 label", has_text=label).click()
        assert [drawings.nth(at).is_visible() for at in range(3)] == [at == index for at in range(3)]


def test_pictures_are_there_and_grow_on_a_click(open_report):
    page = open_report()
    picture = page.locator(".shot img").first
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 160
    small = picture.bounding_box()["width"]
    picture.click()
    assert picture.bounding_box()["width"] > 1.5 * small


def test_light_and_dark_have_readable_contrast(open_report):
    def contrast(page: Any) -> float:
        colours = page.evaluate(
            "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name].match(/\\d+/g).map(Number))"
        )
        light = sorted((_luminance(colour) for colour in colours), reverse=True)
        return (light[0] + 0.05) / (light[1] + 0.05)

    bright, dark = open_report(scheme="light"), open_report(scheme="dark")
    assert contrast(bright) > 10 and contrast(dark) > 10
    paper = "getComputedStyle(document.body).backgroundColor"
    assert bright.evaluate(paper) != dark.evaluate(paper)
    ink = "getComputedStyle(document.querySelector('#figure-1 svg text')).fill"
    assert bright.evaluate(ink) != dark.evaluate(ink)


def _luminance(colour: list[int]) -> float:
    """Relative luminance, WCAG 2."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_names_and_headings_are_there_for_those_who_listen(open_report):
    page = open_report()
    assert page.eval_on_selector_all("img, svg[role=img]", "all => all.filter(e => !e.alt && !e.ariaLabel).length") == 0
    assert page.eval_on_selector_all("table.data th", "all => all.filter(e => !e.scope).length") == 0
    unnamed = "all => all.filter(e => !(e.ariaLabel || e.textContent).trim()).length"
    assert page.eval_on_selector_all("button, a, summary:not(:has(img)), label", unnamed) == 0
    assert page.locator("html").get_attribute("lang") == "en"
