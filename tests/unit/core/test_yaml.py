"""YAML 1.2 with lines: every scalar as it should be, every error with its line, none hiding another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError as MarkedRuamelError
from yaml.error import MarkedYAMLError
from yaml.nodes import ScalarNode

from hrbench.core.yaml import MAX_VALUES, Node, Problems, _Parser, load, read, value
from hrbench.errors import UsageError


def parsed(text: str) -> Any:
    problems = Problems()
    node = read(text, "f.yaml", problems)
    problems.raise_any()
    return node.plain()


def errors(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 1e-3), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-2", -2), ("0x10", 16), ("0o14", 12), ("012", 12),
        ("true", True), ("False", False), ("yes", "yes"), ("on", "on"), ("null", None), ("~", None), ('"1"', "1"),
        ("2017-11-20", "2017-11-20"), ("1:30", "1:30"), ("256x192", "256x192"), ("float32", "float32"),
    ],
)  # fmt: skip
def test_scalars_of_yaml_1_2(text: str, expected: Any):
    read_back = parsed(f"a: {text}")["a"]
    assert read_back == expected and type(read_back) is type(expected)


def test_lines_are_those_of_keys_and_items():
    node = read("a:\n  b:\n    c: 1\nd:\n  - 2\n  - e: 3\n", "f.yaml", Problems())
    assert node.at(["a"]).where == "f.yaml:1"
    assert node.at(["a", "b", "c"]).where == "f.yaml:3"
    assert node.at(["d", 1, "e"]).where == "f.yaml:6"
    assert node.at(["d", "(list)", 0, "absent"]).where == "f.yaml:5"


def test_aliases_are_values():
    assert parsed("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


def test_all_errors_at_once():
    text = "a: 1\na: 2\nb: !!python/object:os.system x\nc: .nan\n? [1]\n: 2\n<<: {d: 1}\n"
    text += "e: 99999999999999999999\nf: 1e999\n"
    assert errors(text).splitlines() == [
        "f.yaml:2: duplicate key 'a', first written in line 1",
        "f.yaml:3: tag tag:yaml.org,2002:python/object:os.system is not understood",
        "f.yaml:4: '.nan': must be a finite number",
        "f.yaml:5: a key must be a word",
        "f.yaml:7: merge keys (<<) are not part of YAML 1.2; use `defaults:` or `base:`",
        "f.yaml:8: '99999999999999999999': a number too large",
        "f.yaml:9: '1e999': must be a finite number",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "f.yaml:1: not YAML: "),
        ("a: 1\n\tb: 2", "f.yaml:2: not YAML: "),
        ("a: *x", "f.yaml:1: not YAML: found undefined alias"),
        ("a: \x00", "f.yaml:1: not YAML: "),
        ('a: "\\ud800"', "f.yaml:1: not YAML: found invalid Unicode character escape code"),
        (
            "a:\n- b: [1\n",
            "f.yaml:2: not YAML: did not find expected ',' or ']' while parsing a flow sequence that begins",
        ),
        ('a: "x\\0y"', "f.yaml:1: holds characters that are not text"),
        ("a: &x [*x]", "f.yaml:1: an alias that contains itself"),
        ("--- 1\n--- 2", "f.yaml:2: not YAML: "),
        ("a: !!int x", "f.yaml:1: 'x': "),
        ("- " * 1200, "f.yaml:1: nested too deeply"),
        ("\n".join(f"{' ' * i}a:" for i in range(300)), "f.yaml:1: nested too deeply"),
        ("[" * 1200, "f.yaml:1: nested too deeply"),
    ],
)
def test_what_is_no_yaml(text: str, message: str):
    assert errors(text).startswith(message)


OF_RUAMEL_ALONE = re.compile(r"[-+]?\.?_.*|[-+]?\.[0-9_]+[eE][0-9].*")
"""What it takes for a number though it is none (`-_3`), and the other way round (`.5e3`)."""

PLAIN = st.text("0123456789_+-.eExXobBinfNaAtruU~ ", max_size=8)


@given(PLAIN)
@example("0o17")
@example("017")
@example("1_000")
@example("1e3")
@example("2017-11-20")
@example("-.inf")
@example("yes")
@example("1:30")
@example(".5e3")
def test_plain_scalars_are_those_of_yaml_1_2(text: str):
    try:
        expected: Any = YAML(typ="safe", pure=True).compose(text)
        mine: Any = _Parser(text).get_single_node()
    except (MarkedYAMLError, MarkedRuamelError):
        return
    if not isinstance(mine, ScalarNode) or OF_RUAMEL_ALONE.fullmatch(text.strip()):
        return
    name = str(expected.tag).rpartition(":")[2]
    assert (mine.tag.rpartition(":")[2], mine.value) == ("str" if name == "timestamp" else name, expected.value)


def test_aliases_of_aliases_do_not_explode():
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert errors("\n".join(rows)) == f"f.yaml:1: more than {MAX_VALUES:,} values once its aliases are written out"


def test_a_value_from_the_command_line_says_so():
    problems = Problems()
    node = value("[1, {a: 8}]", "--set k=[1, {a: 8}]", problems)
    assert node.plain() == [1, {"a": 8}]
    assert node.at([1, "a"]).where == "--set k=[1, {a: 8}]"
    value("[1", "--set k=[1", problems)
    with pytest.raises(UsageError, match=r"^--set k=\[1: not YAML: "):
        problems.raise_any()


def test_an_error_is_told_once_and_in_order():
    problems = Problems()
    for line in (3, 1, 3):
        problems.add(Node(None, "f.yaml", line), "wrong")
    problems.add(Node(None, "--set x"), "wrong")
    with pytest.raises(UsageError) as caught:
        problems.raise_any()
    assert str(caught.value).splitlines() == ["f.yaml:1: wrong", "f.yaml:3: wrong", "--set x: wrong"]


def test_a_file_is_read_or_refused_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: [x]\n")
    assert load(path).plain() == {"a": 1, "b": ["x"]} and load(path).at(["b"]).where == f"{path}:2"
    path.write_text("a: 1\na: 2\nb: !odd 3\n")
    with pytest.raises(UsageError) as caught:
        load(path, "a.yaml")
    assert str(caught.value).splitlines() == [
        "a.yaml:2: duplicate key 'a', first written in line 1",
        "a.yaml:3: tag !odd is not understood",
    ]
    path.write_bytes(b"a: \xff")
    with pytest.raises(UsageError, match=r"a\.yaml: not UTF-8 at byte 3"):
        load(path)
    with pytest.raises(UsageError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["a: !!set {b, c}", "a: !!omap [b: 1]", "!mine {a: 1}", "a: !!pairs [b: 1]"])
def test_tags_of_collections_are_not_understood(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"a.yaml:1: tag .* is not understood"):
        load(path)
    path.write_text("a: !!map {b: !!seq [1]}")
    assert load(path).plain() == {"a": {"b": [1]}}
