"""Parts of a test set that a file names: read strictly, judged as if they were the whole set, told and not blocking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from releases import drifting, write_release
from simulated_releases import pool_of

from hrbench.errors import InputError, MissingError
from hrbench.judge.by_image import evidence_by_image
from hrbench.judge.compare import compare
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.sides import read_side
from hrbench.judge.slices import members, read_slices, unmatched
from hrbench.types import Margin, Policy, Rule

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
        ("image,slice\n1,night*\n", r"slices.csv:2: the name of a slice has none of"),
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
    row = rows["top1:night"]
    assert (row.verdict, row.tier) == ("missing", "required")
    assert row.evidence.reasons == (
        "there is no number of the slice top1:night (p.yaml:3): give its file by --slices FILE",
    )
    assert "top5:day" not in rows
    held = compare(sides[0], sides[1], asked, Options(slices={"night": SLICES["fourth"]})).rows
    assert {row.key for row in held if row.verdict == "missing"} == set()
