"""`hrbench history`: the table, the formats, the page in a browser, the index beside it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from axe import serious
from releases import drifting, write_release
from seeds import VIEWS

from hrbench.cli.command_line import main

LONG = "classes-of-a-network-with-a-name-that-is-rather-long_256x192"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten releases that lose 0.1 points each; the last two of an entry more."""
    folder = tmp_path_factory.mktemp("history & more")
    for number, right in enumerate(drifting(10, 0.006, 2000, seed=2)):
        run, date = folder / "runs" / f"v1.{number}", f"2026-{number + 1:02d}-01T00:00:00+00:00"
        write_release(run, right, date)
        if number > 7:
            write_release(run, right, date, entry=LONG)
    return folder


def history(place: Path, *arguments: str) -> int:
    folders = ["--runs", str(place / "runs"), "--baselines", str(place / "baselines")]
    return main(["history", *arguments, *folders])


def test_the_short_table_has_a_line_for_each_entry(place: Path, capsys) -> None:
    assert history(place) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("10 releases, ")
    (short,) = (line for line in lines if line.startswith("classes "))
    assert short.split()[1:3] == ["topk/top1", "10"] and short.split()[5].startswith("−")
    assert lines[-1] == "changes are looked for where a number is named: hrbench history top1"
    assert main(["history", "top1", "--runs", str(place / "runs"), "--only", "classes"]) == 0  # as it advises


def test_a_named_number_has_its_releases_and_its_change(place: Path, capsys) -> None:
    assert history(place, "top1", "--only", "classes") == 0
    text = capsys.readouterr().out
    assert text.startswith("classes, topk/top1: worse: −")
    rows = [line for line in text.splitlines() if "runs/v1." in line]
    assert len(rows) == 10 + 1  # and the sentence
    assert "1 March 2026" in text and "penalty" in text and "2,000 images" in text


def test_both_formats_hold_every_point(place: Path, capsys) -> None:
    assert history(place, "top1", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 12 and {row["entry"] for row in rows} == {"classes", LONG}
    changes = [row for row in rows if row["change"] is not None]
    assert changes and all(row["change_low"] < row["change"] < row["change_high"] < 0 for row in changes)
    assert history(place, "top1", "--format", "csv") == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["value"]) for row in table] == [row["value"] for row in rows]


def test_what_was_read_is_remembered_and_may_be_deleted(place: Path, capsys) -> None:
    assert history(place, "top1") == 0
    first = capsys.readouterr().out
    index = place / "runs" / "history.sqlite"
    assert index.is_file()
    index.unlink()
    assert history(place, "top1") == 0
    assert capsys.readouterr().out == first


def test_nothing_there_is_told_with_what_to_do(tmp_path: Path, capsys) -> None:
    assert history(tmp_path) == 2
    error = capsys.readouterr().err
    assert "neither a baseline in" in error and "hrbench run SUITE makes one" in error
    assert history(tmp_path, "--tracking", "sqlite:///x.db") == 2
    assert "--tracking is an option of --export mlflow" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), VIEWS)
def test_the_page_opens_offline(place: Path, browser: Any, capsys, width: int, scheme: str) -> None:
    file = place / "history.html"
    assert history(place, "top*", "--html", str(file)) == 0
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme)
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg.trend").count() == 4
    first = page.locator("svg.trend").first
    assert first.locator("circle").count() == 10 and first.locator("line.level").count() > 1
    assert "worse: −" in (first.get_attribute("aria-label") or "")
    assert page.locator(".changes li").count() == 1
    page.locator("summary").first.click()
    assert page.locator("details").first.locator("tbody tr").count() == 10
    # no text of a drawing lies beyond its edge
    beyond = """() => [...document.querySelectorAll('svg.trend text')].filter(t => {
      const a = t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect();
      return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1; }).length"""
    assert page.evaluate(beyond) == 0
    assert serious(page) == []
    assert said == []
    context.close()
