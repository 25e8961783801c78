"""A report is left as it is only if all that it is made of, and each of its files, is as it was."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from report_factory import make, of, spend

from hrbench.report import current
from hrbench.report.summary import FirstScreen
from hrbench.report.write import write_reports
from hrbench.store.results import to_json
from hrbench.types import Drawing, Result


@pytest.fixture
def stored(tmp_path: Path) -> Result:
    folder = tmp_path / "run" / "entries" / "net"
    folder.mkdir(parents=True)
    (folder / "one.jpg").write_bytes(b"picture")
    timed = spend("latency", 0.1, "seconds", samples=(0.1, 0.11, 0.09), batch=1)
    drawing = Drawing("one.jpg", 1, "worst", "image 1")
    result = replace(make("net", of("AP", 0.7), costs=(timed,)), folder=str(folder), drawings=(drawing,))
    (folder / "result.json").write_bytes(to_json(result))
    return result


def written(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.glob("report.*")}


def again(result: Result, folder: Path, **more: object) -> bool:
    """Whether the report is written again, with the time of its files set back before."""
    for file in folder.glob("report.*"):
        os.utime(file, ns=(1, 1))
    current.note(
        folder, current_key(folder), [*folder.glob("report.*"), *folder.glob("figures/*")], FirstScreen((), "", (), ())
    )
    before = written(folder)
    write_reports([result], folder, **{"suites": ["suite: a"], "keep": True, **more})
    return written(folder) != before


def current_key(folder: Path) -> str:
    return json.loads((folder / current.FILE).read_bytes())["key"]


@pytest.fixture
def folder(stored: Result, tmp_path: Path) -> Path:
    write_reports([stored], tmp_path / "out", suites=["suite: a"], keep=True)
    return tmp_path / "out"


def test_what_shows_all_already_is_left(stored: Result, folder: Path):
    assert not again(stored, folder)


@pytest.mark.parametrize(
    "more",
    [{"suites": ["suite: b"]}, {"title": "Mine"}, {"options": ["--limit 3"]}, {"environments": [{"date": "2026"}]},
     {"left_out": ["left out: x"]}, {"table": "pose"}, {"keep": False}, {"formats": ["html", "json"]}],
)  # fmt: skip
def test_anything_else_that_is_asked_for_is_written(stored: Result, folder: Path, more: dict[str, object]):
    assert again(stored, folder, **more)


def test_a_changed_result_picture_or_code_is_written(
    stored: Result, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    place = Path(stored.folder)
    (place / "result.json").write_bytes(to_json(replace(stored, notes=("new",))))
    assert again(stored, folder) and not again(stored, folder)
    (place / "one.jpg").write_bytes(b"another picture")
    assert again(stored, folder) and not again(stored, folder)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "page.py").write_text("changed")
    monkeypatch.setattr(current, "_PACKAGE", tmp_path / "code")
    assert again(stored, folder)


@pytest.mark.parametrize("name", ["report.html", "report.tex", "figures/latencies.pdf", current.FILE])
@pytest.mark.parametrize("change", ["{}", "[" * 100_000, "removed"])
def test_a_file_that_is_not_as_it_was_written_is_written(stored: Result, folder: Path, name: str, change: str):
    path = folder / name
    path.unlink() if change == "removed" else path.write_text(change)
    before = written(folder)
    write_reports([stored], folder, suites=["suite: a"], keep=True)
    assert written(folder) != before and (folder / "report.html").read_text().startswith("<!")


def test_a_run_folder_that_was_moved_has_the_same_report(stored: Result, folder: Path, tmp_path: Path):
    key = current.key_of([stored], ("a",))
    moved = Path(stored.folder).parents[1].rename(tmp_path / "moved elsewhere")
    place = moved / "entries" / Path(stored.folder).name
    assert current.key_of([replace(stored, folder=str(place))], ("a",)) == key
    assert current.key_of([replace(stored, folder=str(place))], ("b",)) != key
