"""The page of a comparison in a browser: from disk, with the network off, at the widths of desk and telephone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe import serious
from evidence import parameters, points
from seeds import VIEWS

from hrbench.judge.evidence import Evidence
from hrbench.judge.gate import decide
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.sides import Side
from hrbench.judge.verdict import judge
from hrbench.report.comparison_page import render_comparison
from hrbench.types import Margin, Policy

pytestmark = pytest.mark.browser
M = Margin(points=0.3)
FOUND = [
    points(
        -5, 0.2, entry="a-network-with-a-rather-long-name_256x192", former="a-network-with-a-rather-long-name_256x192"
    ),
    points(0.02, 0.05),
    points(0.9, 0.1),
    points(-0.3, 0.4, notes=("images of one group resemble each other",)),
    parameters(28_500_000, 28_500_000),
    Evidence("gone", "gone", "coco-boxes", points(0, 1).quantity, first=0.5, state="missing", reasons=("no more",)),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = tuple(
        Row(judge([(one, M)])[0], "required" if number % 2 == 0 else "watched") for number, one in enumerate(FOUND)
    )
    changes = {"net": ("weights: 0123 / 4567", "torch: 2.9 / 2.15 <beta>"), "gone": ()}
    comparison = Comparison("v1.0", "runs/x", rows, changes, ("a file <is> damaged",), Policy())
    sides = (Side("v1.0", Path(), {}, {}), Side("runs/x", Path(), {}, {}))
    path = tmp_path_factory.mktemp("a page & more") / "comparison.html"
    path.write_text(render_comparison(comparison, sides, decide(comparison)))
    return path


@pytest.fixture
def opened(browser: Any, page_file: Path):
    """Opens the page at a width, and fails for anything on the console or a request beyond the file."""
    said: list[str] = []
    contexts = []

    def at(width: int, **how: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: said.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
        )
        page.goto(page_file.as_uri())
        return page

    yield at
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_and_never_scrolls_sideways(opened: Any, width: int) -> None:
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").inner_text() == "runs/x against v1.0"
    assert page.locator(".verdict").inner_text().startswith("Regressed: coco-boxes/AP of a-network")


def test_what_decides_comes_first_and_every_row_is_there(opened: Any) -> None:
    page = opened(1280)
    assert [heading.inner_text() for heading in page.locator("h2:not(.visually-hidden)").all()] == [
        "Numbers", "What differs", "How it was judged"
    ]  # fmt: skip
    rows = page.locator("tr.row").all()
    assert [row.locator("td.mark").inner_text() for row in rows] == ["-", "~", "+", "?", "~", "!"]
    assert [row.get_attribute("class").split()[-1] for row in rows].count("blocks") == 1
    assert "torch: 2.9 / 2.15 <beta>" in page.locator("main").inner_text()
    assert page.locator("svg.forest").count() == 5
    # what goes on beyond the edge has an arrowhead, and what lies beyond it no point
    first = rows[0].locator("svg.forest")
    assert first.locator(".beyond").count() == 1 and first.locator("circle").count() == 0


def test_readers_and_keyboards_find_their_way(opened: Any) -> None:
    page = opened(1280)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("svg.forest:not([aria-hidden=true])").count() == 0
    assert page.locator("th:not([scope])").count() == 0
    for section in page.locator("section").all():
        assert page.locator(f"#{section.get_attribute('aria-labelledby')}").count() == 1
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)"))
    assert reached[:3] == ["Numbers", "What differs", "How it was j"]  # then the table, which scrolls
    assert page.evaluate("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
def test_axe_finds_nothing_serious(opened: Any, width: int, scheme: str) -> None:
    assert serious(opened(width, color_scheme=scheme)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(opened: Any, scheme: str) -> None:
    """4.5 to 1 at least for every text, as WCAG 2 asks (success criterion 1.4.3)."""
    page = opened(1280, color_scheme=scheme)
    assert page.evaluate(CONTRAST) >= 4.5


CONTRAST = r"""() => {
  const light = c => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const under = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\)$|transparent/.test(c)) return c; } return 'rgb(255,255,255)'; };
  let worst = 99;
  for (const e of document.querySelectorAll('main *, header *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || e.closest('svg')) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(under(e))].sort((x, y) => y - x);
    worst = Math.min(worst, (a + .05) / (b + .05));
  }
  return worst;
}"""


def test_a_page_grows_with_its_rows_and_no_faster() -> None:
    def size(many: int) -> int:
        rows = tuple(Row(judge([(replace(FOUND[0], entry=f"net{n}"), M)])[0], "required") for n in range(many))
        sides = (Side("a", Path(), {}, {}), Side("b", Path(), {}, {}))
        return len(render_comparison(Comparison("a", "b", rows, {}, (), Policy()), sides))

    one, ten, hundred = size(1), size(10), size(100)
    assert hundred - one == pytest.approx(11 * (ten - one), rel=0.05)


def test_of_many_numbers_the_unchanged_wait_behind_a_box(browser: Any, tmp_path: Path) -> None:
    same = [replace(parameters(9, 9), entry="a", former="a") for _ in range(40)]
    worse = points(-5, 0.2, entry="a", former="a")
    rows = tuple(Row(judge([(one, M)])[0], "required") for one in [worse, *same])
    comparison = Comparison("v1.0", "runs/x", rows, {"a": ()}, (), Policy())
    sides = (Side("v1.0", Path(), {}, {}), Side("runs/x", Path(), {}, {}))
    (tmp_path / "page.html").write_text(render_comparison(comparison, sides))
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator("tr.row:visible").count() == 1 and page.get_by_text("40 unchanged", exact=True).count()
    page.get_by_label("show also the 40 unchanged numbers").check()
    assert page.locator("tr.row:visible").count() == 41
    context.close()
