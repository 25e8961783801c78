"""Releases in order of time: which there are, which numbers, and where they changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from releases import drifting, write_release

from hrbench.errors import MissingError, UsageError
from hrbench.judge import baseline
from hrbench.judge.history import history, index_in, stretches
from hrbench.judge.trend import trend
from hrbench.types import DatasetRecord

NONE = Path("no such folder")


@pytest.fixture(scope="module")
def drift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten releases that lose 0.1 points each, on 2,000 images."""
    runs = tmp_path_factory.mktemp("drift") / "runs"
    for number, right in enumerate(drifting(10, 0.006, 2000, seed=2)):
        write_release(runs / f"v1.{number}", right, f"2026-{number + 1:02d}-01T00:00:00+00:00")
    return runs


def test_they_are_in_order_of_when_they_were_measured(tmp_path: Path) -> None:
    right = np.arange(100) % 4 > 0
    for name, date in (("a", "2026-03-01T00:00:00+00:00"), ("b", "2026-01-01T00:00:00+00:00"), ("c", "")):
        write_release(tmp_path / "runs" / name, right, date)
    found = history(tmp_path / "runs", NONE)
    assert [release.path.name for release in found.releases] == ["c", "b", "a"]
    assert [(one.key, one.main, len(one.points)) for one in found.series] == [("topk/top1", True, 3)]
    assert {point.value for point in found.series[0].points} == {0.75}


def test_a_run_that_was_saved_as_a_baseline_is_told_once(tmp_path: Path) -> None:
    runs, baselines = tmp_path / "runs", tmp_path / "baselines"
    write_release(runs / "now", np.arange(100) % 4 > 0, "2026-01-01T00:00:00+00:00")
    baseline.save(runs / "now", "v1", baselines, note="the first")
    assert [(one.name, one.note) for one in history(runs, baselines).releases] == [("v1", "the first")]
    write_release(runs / "now", np.arange(100) % 5 > 0, "2026-02-01T00:00:00+00:00")
    found = history(runs, baselines)
    assert [one.name for one in found.releases] == ["v1", str(runs / "now")]
    assert [point.value for point in found.series[0].points] == [0.75, 0.8]


@pytest.mark.parametrize(
    ("quantity", "keys"),
    [
        ("top1", ["topk/top1"]),
        ("topk/*", ["topk/top1", "topk/top5"]),
        ("macs", ["macs"]),
        ("topk/top5", ["topk/top5"]),
    ],
)
def test_a_quantity_is_asked_for_by_name_or_with_its_metric(drift: Path, quantity: str, keys: list[str]) -> None:
    assert [one.key for one in history(drift, NONE, quantity).series] == keys


def test_what_there_is_not_is_told_with_what_there_is(drift: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="hrbench run SUITE makes one"):
        history(tmp_path / "runs", tmp_path / "baselines")
    with pytest.raises(UsageError, match=r"no release has a number 'top2'; did you mean top5\?"):
        history(drift, NONE, "top2")
    with pytest.raises(UsageError, match=r"--only clases: no release has such an entry; did you mean classes\?"):
        history(drift, NONE, only="clases")


def test_a_drift_is_found_though_no_neighbours_differ(drift: Path) -> None:
    index = index_in(drift, NONE)
    (series,) = history(drift, NONE, "top1", index=index).series
    told: list[tuple[int, int]] = []
    made = trend(series, index, on_state=lambda done, of: told.append((done, of)))
    (stretch,) = made.stretches
    assert stretch.fit is not None and stretch.images == 2000
    assert stretch.fit.changes and all(change.difference < 0 for change in stretch.fit.changes)
    assert told == [(number, 10) for number in range(10)]
    for at in range(9):
        (pair,) = trend(replace(series, points=series.points[at : at + 2]), index).stretches
        assert pair.fit is not None and not pair.fit.changes
    # remembered: the same numbers, whether they were derived now or before
    assert trend(series).stretches == made.stretches == trend(series, index).stretches


def test_the_noise_is_that_of_the_paired_comparison(drift: Path) -> None:
    from hrbench.judge.compare import compare
    from hrbench.judge.sides import read_side

    (series,) = history(drift, NONE, "top1").series
    (stretch,) = trend(replace(series, points=series.points[:2])).stretches
    row = compare(read_side(str(drift / "v1.0"), NONE), read_side(str(drift / "v1.1"), NONE)).rows[0]
    assert stretch.fit is not None
    assert stretch.fit.noise[0] == pytest.approx(row.evidence.error, rel=0.1)


def test_other_data_begin_a_stretch_of_their_own(tmp_path: Path) -> None:
    sides = [*drifting(4, 0.0, 500)]
    for number, right in enumerate(sides):
        record = DatasetRecord("miniature-imagenet", f"{number // 2:064d}", 500)
        made = write_release(tmp_path / f"r{number}", right, f"2026-01-0{number + 1}T00:00:00+00:00")
        provenance = replace(made.provenance, dataset=record)
        write_release(tmp_path / f"r{number}", right, f"2026-01-0{number + 1}T00:00:00+00:00", provenance=provenance)
    (series,) = history(tmp_path, NONE, "top1").series
    assert stretches(series.points) == [(0, 2), (2, 4)]
    made = trend(series)
    assert [one.differs for one in made.stretches] == [
        (),
        ("data: miniature-imagenet 000000000000 / miniature-imagenet 000000000000",),
    ]
    assert all(one.fit is not None and not one.fit.changes for one in made.stretches)


def test_counts_are_exact_and_times_that_were_measured_apart_are_not_judged(drift: Path, tmp_path: Path) -> None:
    (series,) = history(drift, NONE, "parameters").series
    (stretch,) = trend(series).stretches
    assert stretch.fit is not None and not stretch.fit.changes and stretch.images == 0
    lat = [one for one in history(Path(__file__).parents[2] / "data", NONE, "*").series if one.key == "latency"]
    for one in lat:
        assert "measured apart" in trend(one).stretches[0].reason


def test_damaged_results_are_told_and_left_out(drift: Path, tmp_path: Path) -> None:
    shutil.copytree(drift, tmp_path / "runs")
    path = tmp_path / "runs" / "v1.3" / "entries" / "classes" / "result.json"
    text = path.read_text()
    value = json.loads(text)["result"]["scores"][0]["value"]
    path.write_text(text.replace(repr(value), repr(value + 0.05), 1))
    found = history(tmp_path / "runs", NONE)
    assert len(found.series[0].points) == 9
    assert len(found.damaged) == 1 and "changed after it was written" in found.damaged[0]


def test_an_index_that_holds_something_else_is_made_anew(drift: Path, tmp_path: Path) -> None:
    shutil.copytree(drift, tmp_path / "runs")
    index = index_in(tmp_path / "runs", NONE)
    (before,) = history(tmp_path / "runs", NONE, "top1", index=index).series
    fitted = trend(before, index)
    assert index.path is not None
    for damage in ("update folders set summary = substr(summary, 1, 40)", "update derived set data = x'c1'"):
        with closing(sqlite3.connect(index.path)) as database, database:
            database.execute(damage)
        (again,) = history(tmp_path / "runs", NONE, "top1", index=index).series
        assert again == before and trend(again, index).stretches == fitted.stretches


def test_a_file_that_could_not_be_read_is_read_again(drift: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(drift, tmp_path / "runs")
    index, read = index_in(tmp_path / "runs", NONE), Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.parts[-4] == "v1.3":
            raise PermissionError(13, "Permission denied")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", denied)
        found = history(tmp_path / "runs", NONE, index=index)
        assert len(found.series[0].points) == 9 and "cannot be read: Permission denied" in found.damaged[0]
    assert len(history(tmp_path / "runs", NONE, index=index).series[0].points) == 10


def test_a_baseline_that_lost_an_entry_is_told(drift: Path, tmp_path: Path) -> None:
    saved = baseline.save(drift / "v1.0", "v1", tmp_path)
    write_release(tmp_path / "run", np.arange(100) % 3 > 0, "2026-05-01T00:00:00+00:00")
    shutil.rmtree(saved.path / "entries" / "classes")
    assert "does not hold classes, which was saved in it" in history(tmp_path / "run", tmp_path).damaged[0]


def test_other_images_end_a_stretch(tmp_path: Path) -> None:
    for number, right in enumerate(drifting(6, 0.0, 500)):
        write_release(tmp_path / f"r{number}", right[: 400 if number == 3 else 500], f"2026-01-0{number + 1}")
    (series,) = history(tmp_path, NONE, "top1").series
    made = trend(series)
    assert [(one.start, one.stop) for one in made.stretches] == [(0, 3), (3, 4), (4, 6)]
    assert made.stretches[0].fit is not None and "images, their truth" in made.stretches[1].differs[0]


def test_a_lost_state_is_told_instead_of_changes(drift: Path, tmp_path: Path) -> None:
    shutil.copytree(drift, tmp_path / "runs")
    state = tmp_path / "runs" / "v1.3" / "entries" / "classes" / "states.npz"
    state.write_bytes(b"other")
    (series,) = history(tmp_path / "runs", NONE, "top1").series
    assert "is not the file that was stored" in trend(series).stretches[0].reason
    state.unlink()
    assert "holds no state of topk" in trend(series).stretches[0].reason


def test_a_run_folder_of_format_1_has_its_place(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "data" / "format1", tmp_path / "runs" / "old")
    found = history(tmp_path / "runs", NONE, "*")
    assert not found.damaged and {one.metric for one in found.series} > {"coco-keypoints"}
