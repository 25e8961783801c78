"""Rows of the index: what they say, what is damaged, what is read again, which are chosen."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from releases import write_release

from hrbench.serve import overview
from hrbench.serve.chosen import SORTS, IndexQuery, chosen
from hrbench.serve.overview import Overview
from hrbench.serve.places import Roots, RunPlace
from hrbench.serve.rows import EntryRow, RunRow
from hrbench.store.results import to_json
from hrbench.store.run_folder import RunFolder
from hrbench.types import Quantity

AP = Quantity("AP", "AP", "fraction", "higher")
ERROR = Quantity("nme", "NME", "fraction", "lower")


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    shutil.copytree(stored, tmp_path / "stored")
    return tmp_path / "stored"


def rows(folder: Path) -> dict[str, RunRow]:
    return {row.place.name: row for row in Overview(Roots(folder / "runs", folder / "baselines")).rows()}


def test_a_row_says_what_is_stored(folder: Path):
    found = rows(folder)
    assert list(found) == ["first", "second", "baseline_1"]
    first, kept = found["first"], found["baseline_1"]
    assert (first.date, len(first.entries), first.expected, first.damaged) == ("2026-01-01T00:00:00+00:00", 1, 1, ())
    [score] = first.main_scores()
    assert (score.quantity.name, score.value, score.entry) == ("top1", 0.75, "shapes")
    assert kept.is_baseline and kept.note == "written by hrbench 0.2" and kept.options == ("--limit 12",)
    assert kept.title == "A baseline that is read for ever" and kept.date == "2026-11-29T15:35:18+00:00"
    assert [entry.name for entry in kept.entries] == ["keypoints", "joints", "streets", "objects", "classes"]
    scores = kept.main_scores()
    assert [one.limited for one in scores] == [12] * 7
    told = [(one.quantity.label, one.metric) for one in scores]
    assert ("mIoU", "cityscapes") in told and ("mIoU", "miou") in told and ("PCKh@0.5 mean", "") in told


def test_the_folder_may_be_a_run_itself(folder: Path):
    [row] = Overview(Roots(folder / "runs" / "first", folder / "none")).rows()
    assert row.place.key == "runs/first" and len(row.entries) == 1


DAMAGE = {
    "entries/classes/result.json": ("broken", "entries/classes/result.json is not a result of hrbench"),
    "run.json": ("[]", "run.json is damaged"),
    "baseline.json": ("{", "baseline.json is damaged"),
}


@pytest.mark.parametrize("file", DAMAGE)
def test_damage_is_told_in_the_row(folder: Path, file: str):
    text, said = DAMAGE[file]
    place = folder / "baselines" / "baseline_1"
    (place / file).write_text(text)
    row = rows(folder)["baseline_1"]
    assert row.troubled and len(row.damaged) == 1 and said in row.damaged[0] and str(folder) not in row.damaged[0]
    assert len(row.entries) == 5


def test_a_number_that_was_changed_is_damage(folder: Path):
    path = folder / "runs/first/entries/shapes/result.json"
    path.write_text(path.read_text().replace('"value": 0.75', '"value": 0.99'))
    row = rows(folder)["first"]
    assert "was changed after it was written" in row.damaged[0] and row.main_scores() == []


def test_an_entry_that_a_baseline_has_lost_is_damage(folder: Path):
    shutil.rmtree(folder / "baselines/baseline_1/entries/joints")
    row = rows(folder)["baseline_1"]
    assert row.damaged == ("baseline_1 does not hold joints, which was saved in it",)
    assert (len(row.entries), row.expected) == (4, 5)


def test_links_and_folders_in_place_of_results_are_told_and_not_read(folder: Path):
    entries = folder / "runs/first/entries"
    (entries / "linked").symlink_to(entries / "shapes")
    (entries / "odd" / "result.json").mkdir(parents=True)
    row = rows(folder)["first"]
    assert [entry.name for entry in row.entries] == ["shapes"] and row.odd
    assert sorted(row.damaged) == [
        "first/entries/linked is no regular file",
        "first/entries/odd/result.json is no regular file",
    ]


def test_a_folder_that_cannot_be_listed_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("first/entries"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(overview.os, "scandir", scandir)
    assert rows(folder)["first"].damaged == ("entries cannot be read: Permission denied",)


def test_a_file_is_read_again_only_if_it_has_changed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    real = overview._entry
    monkeypatch.setattr(overview, "_entry", lambda path: read.append(path.parts[-4]) or real(path))
    index = Overview(Roots(folder / "runs", folder / "baselines"))
    index.rows()
    assert len(read) == 7
    index.rows()
    assert len(read) == 7
    path = folder / "runs/first/entries/shapes/result.json"
    os.utime(path, ns=(1, 1))
    index.rows()
    assert read[7:] == ["first"]


def test_a_run_that_grows_is_shown_as_it_is(folder: Path):
    index = Overview(Roots(folder / "runs", folder / "baselines"))
    run = folder / "runs" / "first"
    record = '{"suite": "two", "entries": ["shapes", "later"]}'
    (run / "run.json").write_text(record)
    before = next(row for row in index.rows() if row.place.name == "first")
    assert (len(before.entries), before.expected) == (1, 2)
    write_release(run, np.arange(200) < 199, "2026-01-01T00:00:00+00:00", entry="later")
    after = next(row for row in index.rows() if row.place.name == "first")
    assert [entry.name for entry in after.entries] == ["shapes", "later"]
    shutil.rmtree(run)
    assert "first" not in {row.place.name for row in index.rows()}


def test_failed_and_empty_entries_are_counted(folder: Path):
    run = RunFolder(folder / "runs/first")
    [result] = run.results()
    path = folder / "runs/first/entries/shapes/result.json"
    path.write_bytes(to_json(replace(result, status="failed", scores=())))
    row = rows(folder)["first"]
    assert row.count("failed") == 1 and row.troubled and row.main_scores() == []


def of(name: str, value: float | None, protocol: str = "", quantity: Quantity = AP, **more) -> EntryRow:
    return EntryRow(name, "done", dataset="COCO", scores=(("m", quantity, value),), protocol=protocol, **more)


def made(name: str, *entries: EntryRow, **more) -> RunRow:
    return RunRow(RunPlace("runs", name, Path(name)), entries=entries, **more)


def test_the_main_score_is_the_best_under_the_protocol_of_most():
    row = made("a", of("one", 0.9, "annotated boxes"), of("two", 0.7), of("three", 0.8), of("four", None))
    assert [(one.entry, one.value) for one in row.main_scores()] == [("three", 0.8)]
    lower = made("a", of("one", 0.2, quantity=ERROR), of("two", 0.1, quantity=ERROR))
    assert [one.entry for one in lower.main_scores()] == ["two"]
    limited = made("a", of("one", 0.9, limited=10), of("two", 0.7), of("three", 0.6))
    assert [one.entry for one in limited.main_scores()] == ["two"]


ROWS = [
    made("b", of("w32", 0.7), suite="pose", date="2026-01-02T00:00:00+00:00", commit="12ab"),
    made("a", of("w48", 0.8), of("w18", 0.1), suite="pose", date="2026-01-02T01:00:00+02:00"),
    made("c", EntryRow("x", "failed"), suite="other", date="", is_baseline=True),
]


def names(**query: str) -> str:
    return "".join(row.place.name for row in chosen(ROWS, IndexQuery.of(query)))


def test_rows_are_sorted_and_those_without_a_value_come_last():
    assert names() == "bac" and names(order="up") == "abc"
    assert names(sort="name") == "abc" and names(sort="name", order="down") == "cba"
    assert names(sort="entries") == "abc" and names(sort="score") == "abc" and names(sort="commit") == "bac"
    assert names(sort="nothing", order="sideways") == "bac"
    assert set(SORTS) == {"name", "date", "entries", "score", "commit"}


def test_rows_are_found_by_words_kind_and_state():
    assert names(q="POSE w32") == "b" and names(q="coco") == "ba" and names(q="none") == "" and names(q="  ") == "bac"
    assert names(kind="runs") == "ba" and names(kind="baselines") == "c"
    assert names(state="trouble") == "c" and names(state="whole") == "ba"


def test_a_heading_sorts_and_turns():
    assert (
        IndexQuery().sorted_by("date")["order"] == "up" and IndexQuery(order="up").sorted_by("date")["order"] == "down"
    )
    assert IndexQuery(q="x").sorted_by("name") == {"q": "x", "kind": "", "state": "", "sort": "name", "order": "up"}
