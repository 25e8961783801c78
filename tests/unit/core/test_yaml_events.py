"""Plain documents are read of the events alone: the same tree and the same errors as by PyYAML's graph."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hrbench.catalog import FOLDER
from hrbench.core import yaml
from hrbench.core.resources import shared
from hrbench.core.yaml import MAX_DEPTH, Node, Problems, _read_graph, load_plain, read
from hrbench.errors import UsageError

PIECES = [
    "a", "b: ", "c: 1", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "1", "1.5", "0x1F", "~",
    "true", "no", ".inf", "1e400", "9" * 20, '"q"', '"\\0"', '"\\u00e9"', '"\\ud800"', "'s'", "''", "&x ", "*x",
    "!!str ", "!t ", "! ", "<<: ", "# note", "---\n", "...\n", "|\n  text\n", ">-\n  text\n", "%YAML 1.1\n", "\t",
    "é", "\x07", "a: {b: [1, {c: d}]}",
]  # fmt: skip


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("")
@example("1")
@example("- 1\n- [2, {a: b}]\n- ''\n")
@example("a: 1\n---\nb: 2\n")
@example("a: 1\n...\n")
@example("{a: 1, a: 2}")
@example("? {x: 1}\n: 2")
@example("a: &x 1\nb: *x")
@example("a: '\ud800'")
def test_every_text_gives_the_same_tree_and_the_same_errors(text: str):
    told, expected = Problems(), Problems()
    assert repr(read(text, "f.yaml", told)) == repr(_read_graph(text, "f.yaml", expected))
    assert told.found == expected.found


FILES = [
    *FOLDER.glob("*.yaml"),
    *(file for folder in ("suites", "reports/published", "reports/tables") for file in shared(folder).glob("*.yaml")),
]


def test_every_file_that_ships_is_plain_and_has_the_same_tree(monkeypatch: pytest.MonkeyPatch):
    trees = {file: _read_graph(file.read_text(encoding="utf-8"), "f", Problems()) for file in FILES}
    plain = [file for file in FILES if "&" not in file.read_text(encoding="utf-8")]
    assert len(plain) > 30
    monkeypatch.setattr(yaml, "_read_graph", None)
    for file in plain:
        assert repr(read(file.read_text(encoding="utf-8"), "f", Problems())) == repr(trees[file]), file
        assert repr(load_plain(file)) == repr(trees[file].plain()), file


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
def test_depth_is_limited_alike(depth: int):
    for opening, closing in (("[", "]"), ("{a: ", "}")):
        text, told, expected = opening * depth + closing * depth, Problems(), Problems()
        assert repr(read(text, "f", told)) == repr(_read_graph(text, "f", expected)) and told.found == expected.found


def test_the_number_of_values_is_limited_alike(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(yaml, "MAX_VALUES", 5)
    for text in ("[1, 2, 3, 4]", "[1, 2, 3, 4, 5]", "{a: 1, b: {c: 2}, d: 4}", "{a: 1, b: {c: 2}, d: 4, e: 5}"):
        told, expected = Problems(), Problems()
        assert repr(read(text, "f", told)) == repr(_read_graph(text, "f", expected)) and told.found == expected.found


def test_a_plain_file_with_an_error_is_refused_with_its_line(tmp_path: Path):
    file = tmp_path / "rows.yaml"
    file.write_text("rows:\n  - {a: 1}\n  - {a: 1, a: 2}\n")
    with pytest.raises(UsageError, match=r"rows.yaml:3: duplicate key 'a', first written in line 3"):
        load_plain(file)
    file.write_text("rows: &all\n  - {a: 1}\nmore: *all\n")
    assert load_plain(file) == {"rows": [{"a": 1}], "more": [{"a": 1}]}


def test_keys_are_text_and_values_have_their_lines():
    tree = read("1: x\ntrue:\n  - y\n  - [z,\n     2]\n", "f.yaml", Problems())
    assert tree.plain() == {"1": "x", "true": ["y", ["z", 2]]}
    lines = [node.line for node in (tree.value["1"], tree.value["true"], *tree.value["true"].value)]
    assert lines == [1, 2, 3, 4] and tree.at(["true", 1, 1]) == Node(2, "f.yaml", 5)
