"""The four files of a report."""

from __future__ import annotations

import pytest
from report_factory import make, of

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
