"""The report in a browser: from disk, with the network off, at the widths of a desk and of a telephone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from axe import serious
from seeds import VIEWS, some

from hrbench.report.write import write_reports
from hrbench.store.side_by_side import NetworkPicture, SharedImage, SideBySide, write_side_by_side
from hrbench.types import Conditions, DatasetRow, Drawing, Entry, Measurement, Quantity, Reason, Result, Variant

pytestmark = pytest.mark.browser
PICTURE_ROWS, PICTURE_BYTES = 40, 8_000

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
    _draw_side_by_side(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hrbench.report.write.EMBEDDED", 3 * PICTURE_BYTES)  # the others are files beside the page
        return write_reports(results, folder, title="Pose", table="pose", environments=[environment], suites=[suite])


def _draw(path: Path, seed: int) -> None:
    picture = np.full((120, 160, 3), 40 * (seed % 5), np.uint8)
    picture[:PICTURE_ROWS] = np.random.default_rng(seed).integers(0, 255, (PICTURE_ROWS, 160, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def _draw_side_by_side(folder: Path) -> None:
    """Three images for two networks, on which these are 0.1, 0.5 and 0.9 good, or a little better."""
    names = ("HRNet-W32", "HRNet-W48")
    images = []
    for number, (kind, quality) in enumerate((("worst", 0.1), ("disagreed", 0.5), ("typical", 0.9))):
        for what in ("truth", "0", "1"):
            _draw(folder / "pictures" / f"{number}-{what}.jpg", number)
        shown = tuple(NetworkPicture(n, quality + 0.05 * at, f"{number}-{at}.jpg") for at, n in enumerate(names))
        images.append(SharedImage(number, kind, ("cat", "dog")[number % 2 :], f"{number}-truth.jpg", shown))
    keys = {name: f"key of {name}" for name in names}
    group = SideBySide(COCO.name, "coco-keypoints", "AP within the image", keys, tuple(images))
    write_side_by_side(folder / "pictures", "key", [group])


def _result(folder: Path, title: str, parameters: int, gmacs: float, ap: float | None) -> Result:
    published = {"file": "pose", "section": "coco_keypoints", "model": title, "input": "256x192", "split": "val2017"}
    variant = Variant(title.lower(), "pose", "pose", (256, 192), title=title, published=published)
    entry = Entry(title, variant, COCO, PROTOCOL, COCO.metrics, {})
    place = folder / "entries" / title
    _draw(place / "drawings" / "worst-1.jpg", len(title))

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
        score_key=f"key of {title}",
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
        self.failures: dict[str, str | None] = {}
        self.page.on("requestfailed", lambda request: self.failures.update({request.url: request.failure}))
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
        assert each.faults == [] and each.failures == {}
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
    assert drawings.count() == 4
    for index, label in enumerate(("GMACs", "Parameters (M)", "Latency at batch 1 (ms)", "Intervals")):
        page.locator("#figure-1 label", has_text=label).click()
        assert [drawings.nth(at).is_visible() for at in range(4)] == [at == index for at in range(4)]


def test_pictures_are_loaded_when_opened_and_turned_by_keys_and_swipes(open_report):
    page = open_report(400)
    fold = page.locator("details.pictures").first
    assert "the same images for 2 networks" in fold.inner_text()
    assert page.locator("details.pictures img").count() == 0
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    # In the page and beside it: all are shown.
    loaded = "all => all.length === 9 && all.every(image => image.complete && image.naturalWidth === 160)"
    page.wait_for_function(f"({loaded})([...document.querySelectorAll('details.pictures[open] img')])")
    addresses = page.eval_on_selector_all("details.pictures[open] img", "all => all.map(image => image.src)")
    assert {address.partition(":")[0] for address in addresses} == {"data", "file"}
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 400

    page.keyboard.press("Tab")  # to the first picture
    page.keyboard.press("Enter")
    box, place = page.locator("#lightbox"), page.locator("#lightbox-place")
    assert box.is_visible() and place.inner_text() == "1 of 9"
    assert "ground truth" in page.locator("#lightbox-caption").inner_text()
    page.keyboard.press("ArrowRight")
    assert place.inner_text() == "2 of 9" and "HRNet-W32, quality 0.10" in page.locator("#lightbox img").get_attribute(
        "alt"
    )
    for start, end, told in ((300, 100, "3 of 9"), (100, 300, "2 of 9"), (300, 290, "2 of 9")):
        page.evaluate(SWIPE, [start, end])
        assert place.inner_text() == told
    assert serious(page) == []
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert place.inner_text() == "9 of 9"
    page.keyboard.press("Escape")
    assert box.is_hidden()
    # the event of a closed dialog comes after the key
    focused = "told => (document.activeElement.getAttribute('aria-label') ?? '').startsWith(told)"
    page.wait_for_function(focused, arg="HRNet-W48, quality 0.95, image 2")


SWIPE = """([from, to]) => {
  const box = document.getElementById("lightbox");
  const touch = (x) => new Touch({ identifier: 1, target: box, clientX: x, clientY: 300 });
  box.dispatchEvent(new TouchEvent("touchstart", { touches: [touch(from)], changedTouches: [touch(from)] }));
  box.dispatchEvent(new TouchEvent("touchend", { touches: [], changedTouches: [touch(to)] }));
}"""


def test_pictures_are_chosen_by_class_and_quality(open_report):
    page = open_report()
    fold = page.locator("details.pictures").first
    fold.locator("summary").click()
    shown = fold.locator("article.image:visible")
    assert shown.count() == 3
    page.select_option("#filter-class", label="cat")
    assert shown.count() == 2 and fold.locator(".count").inner_text() == "2 of 3 images"
    page.fill("#filter-high", "0.5")
    assert shown.count() == 1 and "worst" in shown.inner_text()
    page.select_option("#filter-class", label="all")
    page.fill("#filter-low", "0.4")
    assert shown.count() == 1 and "most disagreed" in shown.inner_text()


def test_the_main_score_is_the_second_column_of_a_narrow_screen(open_report):
    page = open_report(400)
    second = page.locator("#table-1 tr.row").first.locator("> :nth-child(2)")
    assert "headline" in second.get_attribute("class")
    box = second.bounding_box()
    assert box["x"] + box["width"] <= 400
    page.locator("#table-1 th.headline button").click()
    assert column(page)[0] == "HRNet-W48"
    page.set_viewport_size({"width": 1280, "height": 900})
    assert "headline" not in second.get_attribute("class") and column(page)[0] == "HRNet-W48"
    assert page.locator("#table-1 th.headline").get_attribute("aria-sort") == "descending"


def test_links_open_folds_and_no_table_leaves_a_printed_sheet(open_report, tmp_path):
    """Nothing is printed beyond the margins of 12 mm, 34 points, of whatever sheet. Links open the folds around."""
    page = open_report()
    inner = page.locator("details.fold details.entry").first
    assert inner.is_hidden()
    inner.evaluate("entry => { entry.id = 'goal'; location.hash = 'goal'; }")
    page.wait_for_selector("#goal[open]")
    assert inner.is_visible()
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    words = subprocess.run(
        ["pdftotext", "-bbox", tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True
    )
    beyond, width = [], 0.0
    for line in words.stdout.splitlines():
        if sheet := re.search(r'<page width="([\d.]+)"', line):
            width = float(sheet[1])
        elif word := re.search(r'xMin="([-\d.]+)".* xMax="([-\d.]+)".*>(.*)</word>', line):
            beyond += [word[3]] if float(word[1]) < 33 or float(word[2]) > width - 33 else []
    assert width and beyond == []


FAR = "https://example.org/a.png"


def test_the_policy_lets_no_other_script_style_or_request_through(browser, report):
    opened = Opened(browser, report, 1280)
    page = opened.page
    page.evaluate(
        """(address) => {
      const script = document.createElement("script");
      script.textContent = "window.injected = 1";
      document.body.append(script);
      const html = "<img src='x:' onerror='window.injected = 2'><b style='color: red'>b</b>";
      document.body.insertAdjacentHTML("beforeend", html);
      const far = new Image();
      far.src = address;
      return fetch(address).catch(() => null);
    }""",
        FAR,
    )
    assert page.evaluate("window.injected") is None
    assert page.evaluate("getComputedStyle(document.querySelector('body > b')).color") != "rgb(255, 0, 0)"
    blocked = " ".join(opened.faults)
    for rule in ("script-src", "style-src", "img-src", "default-src"):
        assert rule in blocked
    # The browser tells of an image that it does not ask for.
    assert {(url, opened.failures.get(url)) for url in opened.requests if url.startswith("http")} <= {(FAR, "csp")}
    opened.context.close()


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
