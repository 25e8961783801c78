"""The files of a report, in the formats that are asked for."""

from __future__ import annotations

import re

import pytest
from report_factory import make, of, spend

from hrbench.errors import UsageError
from hrbench.report.write import write_reports


def test_four_files_and_nothing_else(tmp_path):
    page = write_reports([make("HRNet-W32", of("AP", 0.744))], tmp_path / "run", title="Mine", suites=["suite: a"])
    assert page == tmp_path / "run" / "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "report.csv", "report.html", "report.md", "report.tex",
    ]  # fmt: skip
    assert "<h1>Mine</h1>" in page.read_text(encoding="utf-8")
    assert "| HRNet-W32 |" in page.with_suffix(".md").read_text(encoding="utf-8")
    assert page.with_suffix(".csv").read_text(encoding="utf-8").startswith("table,row,")
    assert r"\toprule" in page.with_suffix(".tex").read_text(encoding="utf-8")


def test_the_figures_lie_beside_the_page_and_it_leads_to_them(tmp_path):
    costs = [(spend("macs", 1e9 * many), spend("parameters", 1e6 * many, "count")) for many in (1, 2)]
    results = [make(f"A-{n}", of("AP", 0.7, (0.69, 0.71)), costs=cost) for n, cost in enumerate(costs)]
    page = write_reports(results, tmp_path)
    there = {path.name for path in (tmp_path / "figures").iterdir()}
    stems = ("pose-coco-val-macs", "pose-coco-val-parameters", "pose-coco-val-intervals")
    endings = (".svg", ".pdf", "-column.svg", "-column.pdf")
    assert there == {f"{stem}{ending}" for stem in stems for ending in endings} | {"figures.json"}
    led = re.findall(r'href="(figures/[^"]*)"', page.read_text(encoding="utf-8"))
    assert {f"figures/{name}" for name in there} == {*led, "figures/figures.json"}
    (tmp_path / "figures" / "mine.txt").write_text("mine")
    write_reports(results[:1], tmp_path)  # a single point makes no figure
    assert [path.name for path in sorted((tmp_path / "figures").iterdir())] == ["figures.json", "mine.txt"]
    (tmp_path / "figures" / "mine.txt").unlink()
    write_reports(results[:1], tmp_path)
    assert not (tmp_path / "figures").exists()


def test_only_the_chosen_formats_are_written(tmp_path):
    results = [make("A", of("AP", 0.7, (0.69, 0.71))), make("B", of("AP", 0.71, (0.7, 0.72)))]
    first = write_reports(results, tmp_path, formats=["json", "csv", "json"])
    assert first.name == "report.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.json"]
    with pytest.raises(UsageError, match="a report has no format xlsx; it has html, md, csv, tex, json"):
        write_reports(results, tmp_path, formats=["csv", "xlsx"])
    with pytest.raises(UsageError, match="no format was chosen"):
        write_reports(results, tmp_path, formats=[])


def test_runs_with_different_environments_are_told_apart(tmp_path):
    environments = [{"processor": "first"}, {"processor": "second"}, {"processor": "first"}]
    page = write_reports(
        [make("a", of("AP", 0.7))], tmp_path, environments=environments, suites=["s: 1", "s: 2"], options=["--limit 3"]
    )
    text = page.read_text(encoding="utf-8")
    assert "run 1" in text and "run 2" in text and "run 3" not in text
    assert "s: 1\n\ns: 2" in text
    assert "run with: <code>--limit 3</code>" in text


def test_a_table_of_ones_own(tmp_path):
    (tmp_path / "own.yaml").write_text("tables: [{name: mine, columns: [{text: model}, {score: AP}]}]")
    page = write_reports([make("a", of("AP", 0.7))], tmp_path, table=str(tmp_path / "own.yaml"))
    assert "## mine" in page.with_suffix(".md").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UsageError, match=r"report\.md: cannot be written \((Not a directory|File exists)\); choose a folder with --out"
    ):
        write_reports([make("a")], tmp_path / "file" / "below")
