"""Parts of a test set that a file names: read strictly, judged as if they were the whole set, told and not blocking."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from releases import drifting, write_release
from simulated_releases import pool_of

from hrbench.errors import InputError, MissingError
from hrbench.judge.by_image import evidence_by_image
from hrbench.judge.compare import compare
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.gate import decide
from hrbench.judge.sides import read_side
from hrbench.judge.slices import members, read_slices, unmatched
from hrbench.store.run_folder import RunFolder
from hrbench.types import Margin, Policy, Reason, Rule

NONE = Path("no such folder")


def test_a_file_is_read_whichever_way_ids_are_written(tmp_path: Path) -> None:
    path = tmp_path / "slices.csv"
    path.write_text("\ufeffslice,image\nnight,000000000139\nrain,139\nnight,aachen/1\n", encoding="utf-8")
    found = read_slices(path)
    assert found == {"night": frozenset({"000000000139", "aachen/1"}), "rain": frozenset({"139"})}
    for name in found:
        assert members(np.array([139, 285]), found[name]).tolist() == [True, False]
    assert members(np.array(["000000000139", "aachen/1", "b"]), found["night"]).tolist() == [True, True, False]
    assert unmatched("night", found["night"], np.array([True, False]), np.array([139, 285])) == (
        "1 of the 2 images of the slice night are not among those judged, which are named like 139",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"slices.csv:1: the columns must be image and slice, not none"),
        ("image,part\n1,a\n", r"slices.csv:1: the columns must be image and slice, not image, part"),
        ("image,slice\n1,a\n2,\n", r"slices.csv:3: a row is an image and a slice"),
        ("image,slice\n1,a,b\n", r"slices.csv:2: a row is an image and a slice"),
        ("image,slice\n", r"slices.csv: names no slice"),
        (
            "image,slice\n1,night*\n",
            r"slices.csv:2: the name of a slice .* not 'night\*'",
        ),
        ("image,slice,slice\n1,a,b\n", r"slices.csv:1: the columns must be image and slice"),
        ('image,slice\n1,"a', r"slices.csv:2: not CSV"),
        ("image,slice\n" + "1" * 200_000 + ",a", r"slices.csv:2: not CSV"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "slices.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_slices(tmp_path / "slices.csv")
    with pytest.raises(MissingError, match="give a CSV file with the columns image and slice"):
        read_slices(tmp_path / "none.csv")


@pytest.mark.parametrize("metric", ["AP", "mIoU", "Top-1"])
def test_a_slice_is_judged_as_if_it_were_the_whole_set(metric: str) -> None:
    pool = pool_of(metric, 1, size=400)
    every = np.arange(400)
    night = frozenset(str(image) for image in every[::3])
    rows = [Evidence("net", "net", metric, pool.quantity)]
    sides = pool.first(every), pool.second(every)
    options = Options(slices={"night": night, "all": frozenset(map(str, every))})
    whole, part, again = evidence_by_image(*sides, rows, options)
    (alone,) = evidence_by_image(pool.first(every[::3]), pool.second(every[::3]), rows, Options())
    assert isinstance(part, Evidence) and isinstance(alone, Evidence) and isinstance(whole, Evidence)
    assert part.quantity.name == f"{whole.quantity.name}:night" and part.is_part and part.slice == "night"
    assert (again.difference, again.interval) == (whole.difference, whole.interval)
    assert part.units == alone.units == 134
    assert part.difference == pytest.approx(alone.difference, abs=1e-12)
    assert part.interval == pytest.approx(alone.interval, abs=1e-12)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases whose Top-1 falls on every fourth image alone."""
    folder = tmp_path_factory.mktemp("runs")
    (right,) = drifting(1, 0.0, 1200)
    worse = right.copy()
    worse[::4] &= np.random.default_rng(0).random(300) > 0.3
    write_release(folder / "before", right, "2026-01-01T00:00:00+00:00")
    write_release(folder / "after", worse, "2026-02-01T00:00:00+00:00")
    return folder


SLICES = {
    "fourth": frozenset(f"n{number:06d}" for number in range(0, 1200, 4)),
    "others": frozenset(f"n{number:06d}" for number in range(1200) if number % 4),
    "nowhere": frozenset({"elsewhere"}),
}


def judged(runs: Path, first: str, second: str, policy: Policy | None = None) -> dict[str, tuple[str, str]]:
    sides = [read_side(str(runs / name), NONE) for name in (first, second)]
    rows = compare(sides[0], sides[1], policy, Options(slices=SLICES)).rows
    return {row.key: (row.verdict, row.tier) for row in rows if row.key.startswith("topk/top1")}


def test_slices_are_watched_and_say_where_it_got_worse(runs: Path) -> None:
    found = judged(runs, "before", "after")
    assert found == {
        "topk/top1": ("regressed", "required"),
        "topk/top1:fourth": ("regressed", "watched"),
        "topk/top1:others": ("cannot tell", "watched"),
        "topk/top1:nowhere": ("missing", "watched"),
    }


def test_a_policy_that_names_a_slice_requires_it_and_one_that_names_the_number_does_not(runs: Path) -> None:
    named = Policy(
        rules=(Rule("top1:f*", "*", "required", Margin(points=60.0)), Rule("*:others", "*", None, Margin(2.0)))
    )
    found = judged(runs, "before", "after", named)
    assert found["topk/top1:fourth"] == ("unchanged", "required")
    assert found["topk/top1:others"] == ("unchanged", "watched")
    every = Policy(rules=(Rule("top*", "*", "required"),))
    assert judged(runs, "before", "after", every)["topk/top1:fourth"][1] == "watched"


def test_equal_predictions_are_unchanged_on_every_slice(runs: Path) -> None:
    found = judged(runs, "before", "before")
    assert {key: verdict for key, (verdict, _) in found.items()} == {
        "topk/top1": "unchanged",
        "topk/top1:fourth": "unchanged",
        "topk/top1:others": "unchanged",
        "topk/top1:nowhere": "missing",
    }


def test_a_required_slice_without_its_file_blocks(runs: Path) -> None:
    sides = [read_side(str(runs / name), NONE) for name in ("before", "before")]
    asked = Policy(rules=(Rule("top1:night", "*", "required", where="p.yaml:3"), Rule("top5:day", "*", "watched")))
    rows = {row.key: row for row in compare(sides[0], sides[1], asked).rows}
    row = rows["topk/top1:night"]
    assert (row.verdict, row.tier, row.floor) == ("missing", "required", "")
    assert row.evidence.reasons == ("the slice night was not judged: give its file by --slices FILE (p.yaml:3)",)
    assert not any(key.endswith("top5:day") for key in rows)
    held = compare(sides[0], sides[1], asked, Options(slices={"night": SLICES["fourth"]})).rows
    assert {row.key for row in held if row.verdict == "missing"} == set()


def test_a_slice_that_the_file_does_not_have_is_missing_with_what_was_meant(runs: Path) -> None:
    side = read_side(str(runs / "before"), NONE)
    asked = Policy(rules=(Rule("topk/top1:fourht", "*", "required", where="p.yaml:3"),))
    comparison = compare(side, side, asked, Options(slices=SLICES))
    (row,) = [row for row in comparison.rows if row.verdict == "missing" and row.tier == "required"]
    (reason,) = row.evidence.reasons
    assert reason == "there is no slice fourht in the file of --slices; did you mean fourth? (p.yaml:3)"
    assert decide(comparison).words == "regressed: topk/top1:fourht of classes is missing"


def two(folder: Path, name: str, **second: object) -> Path:
    right = next(iter(drifting(1, 0.0)))
    write_release(folder / name, right, "2026-01-01", "one")
    write_release(folder / name, right, "2026-01-01", "two", **second)
    return folder / name


@pytest.mark.parametrize(
    ("second", "verdict", "code"),
    [
        ({}, "unchanged", 0),
        ({"status": "failed", "reasons": (Reason("it broke"),)}, "failed", 3),
        ({"limited": 40}, "not comparable", 2),
        (None, "missing", 1),
    ],
)
@pytest.mark.parametrize("only", [False, True])
def test_each_entry_has_its_required_slice_or_blocks(tmp_path: Path, second, verdict: str, code: int, only) -> None:
    """Another entry that has the slice is no excuse, and neither is --only."""
    before, after = two(tmp_path, "before"), two(tmp_path, "after", **(second or {}))
    if second is None:
        shutil.rmtree(after / "entries" / "two")
    if verdict == "failed":
        result = RunFolder(after).read("two")
        RunFolder(after).update(replace(result, scores=()))
    asked = Policy(rules=(Rule("*", "*", "watched"), Rule("top1:fourth", "*", "required", where="p.yaml:3")))
    sides = [read_side(str(one), NONE) for one in (before, after)]
    comparison = compare(sides[0], sides[1], asked, Options(slices=SLICES), only=only)
    found = {row.entry: row.verdict for row in comparison.rows if row.key == "topk/top1:fourth"}
    assert found == {"one": "unchanged", "two": verdict}
    assert decide(comparison).exit_code == code


def test_only_does_not_excuse_a_slice_without_its_file(runs: Path) -> None:
    side = read_side(str(runs / "before"), NONE)
    asked = Policy(rules=(Rule("top1:night", "*", "required", where="p.yaml:3"),))
    assert decide(compare(side, side, asked, only=True)).exit_code == 1
    elsewhere = Policy(rules=(Rule("top1:night", "other_*", "required", where="p.yaml:3"),))
    passing = compare(side, side, elsewhere, only=True)  # the entries that it names were not selected
    assert decide(passing).exit_code == 0 and "no entry has a number top1:night (p.yaml:3)" in passing.notes
    assert decide(compare(side, side, elsewhere)).exit_code == 1


def test_a_later_rule_takes_the_requirement_back(runs: Path) -> None:
    side = read_side(str(runs / "before"), NONE)
    asked = Policy(rules=(Rule("top1:night", "*", "required"), Rule("top1:night", "*", "watched")))
    assert decide(compare(side, side, asked)).exit_code == 0


def test_a_slice_of_one_image_is_missing_whether_predictions_are_equal_or_not(runs: Path) -> None:
    side, one = read_side(str(runs / "before"), NONE), {"one": frozenset({"n000001"})}
    asked = Policy(rules=(Rule("top1:one", "*", "required"),))
    for name in ("before", "after"):
        other = read_side(str(runs / name), NONE)
        found = {row.key: row.verdict for row in compare(side, other, asked, Options(slices=one)).rows}
        assert found["topk/top1:one"] == "missing"


def test_an_image_that_is_written_twice_is_one_image() -> None:
    images = frozenset({"00001", "1", "2"})
    inside = members(np.array([1, 2, 3]), images)
    assert unmatched("n", images, inside, np.array([1, 2, 3])) == ()
