"""Where results lie, as a person names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.store.places import ADDRESS, base_name, below, place_of, shown, split_entry


@pytest.mark.parametrize(
    ("text", "place", "entry"),
    [
        ("runs/pose", "runs/pose", ""),
        ("runs/pose:w32", "runs/pose", "w32"),
        ("v1.2:w32 one", "v1.2", "w32 one"),
        ("runs/a:b/pose", "runs/a:b/pose", ""),
        ("runs/a:b/pose:one", "runs/a:b/pose", "one"),
        ("C:/runs/pose", "C:/runs/pose", ""),
        ("C:\\runs\\pose", "C:\\runs\\pose", ""),
        ("C:\\runs\\pose:one", "C:\\runs\\pose", "one"),
        ("s3://bucket", "s3://bucket", ""),
        ("s3://bucket/runs/pose", "s3://bucket/runs/pose", ""),
        ("s3://bucket/runs/pose:w32", "s3://bucket/runs/pose", "w32"),
        ("s3://bucket/runs/pose/:w32", "s3://bucket/runs/pose/", "w32"),
        ("s3://bucket:w32", "s3://bucket", "w32"),
        ("http://host:9000/pose", "http://host:9000/pose", ""),
        ("http://host:9000/pose:w32", "http://host:9000/pose", "w32"),
        ("abfs://box@account.dfs.core.windows.net/pose:w32", "abfs://box@account.dfs.core.windows.net/pose", "w32"),
        ("file:///runs/pose:w32", "file:///runs/pose", "w32"),
        ("pose:", "pose", ""),
        (":one", ":one", ""),
    ],
)
def test_an_entry_follows_the_last_colon_and_has_no_slash(text, place, entry):
    assert split_entry(text) == (place, entry)


@pytest.mark.parametrize(
    "text", ["s3://KEY:SECRET@bucket", "s3://KEY:SECRET@bucket/a:one", "s3://bucket/a?token=x:one"]
)
def test_no_part_of_a_key_is_an_entry(text):
    assert split_entry(text) == (text, "")


def test_places_are_joined_and_named():
    assert below(place_of("runs"), "pose") == Path("runs/pose")
    assert below(place_of("s3://bucket/runs/"), "pose") == "s3://bucket/runs/pose"
    assert place_of("file:///runs") == Path("/runs")
    assert [base_name(one) for one in ("s3://bucket/runs/pose/", "runs/pose", "v1")] == ["pose", "pose", "v1"]


def test_a_local_copy_is_called_by_its_address(tmp_path: Path):
    assert shown(tmp_path) == str(tmp_path)
    (tmp_path / ADDRESS).write_text("s3://bucket/pose\n")
    assert shown(tmp_path) == "s3://bucket/pose"
    assert shown("s3://KEY:SECRET@bucket/pose") == "s3://***@bucket/pose"
