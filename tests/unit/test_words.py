"""Names that are unique, parameters documented one a line, and plain English in docstrings and comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "hrbench"
FILES = sorted(PACKAGE.rglob("*.py"))

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_class_name_is_unique():
    """A name that is searched for leads to one class."""
    places = defaultdict(list)
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not [f"{name}: {', '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]


def differ_by_a_letter(one: str, other: str) -> bool:
    """Whether two names differ in exactly one letter: exchanged, added or left out."""
    short, long = sorted((one, other), key=len)
    if len(short) == len(long):
        return sum(a != b for a, b in zip(short, long, strict=True)) == 1
    return len(long) == len(short) + 1 and any(long[:at] + long[at + 1 :] == short for at in range(len(long)))


def test_no_two_modules_of_a_room_differ_by_a_letter():
    rooms = defaultdict(set)
    for path in FILES:
        if not path.stem.startswith("__"):
            rooms[path.relative_to(PACKAGE).parts[0]].add(path.stem)
    pairs = [
        f"{room}: {one}, {other}"
        for room, names in rooms.items()
        for one, other in combinations(sorted(names), 2)
        if differ_by_a_letter(one, other)
    ]
    assert not pairs


def test_names_that_differ_by_a_letter_are_seen():
    assert differ_by_a_letter("state", "states") and differ_by_a_letter("scene", "scent")
    assert not differ_by_a_letter("state", "state") and not differ_by_a_letter("train", "training")


# --- parameters one a line -------------------------------------------------------------------------------------------


def public(nodes: Sequence[ast.stmt], above: str = "") -> Iterator[tuple[str, Definition]]:
    """Dotted name and node of each public function and class, methods and inner classes included."""
    for node in nodes:
        if isinstance(node, Definition) and (not node.name.startswith("_") or node.name == "__init__"):
            yield f"{above}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{above}{node.name}.")


def parameters(node: Definition) -> set[str]:
    """What a docstring can document: a function's parameters; a class's fields and the parameters of its `__init__`."""
    if not isinstance(node, ast.ClassDef):
        every = node.args
        given = [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]
        return {argument.arg for argument in given if argument is not None} - {"self", "cls"}
    fields = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)}
    starts = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
    return fields.union(*map(parameters, starts))


def documented(text: str, names: set[str]) -> list[tuple[tuple[str, ...], bool]]:
    """(names, whether it begins a line) of each "name: ..." or "one, other: ..." in a docstring, in order.

    It counts only at the start of a line or of a sentence, and only if all of its words are parameters. So neither a
    colon in a sentence nor one in an example is taken for it.
    """
    found = []
    for match in re.finditer(r"(?:^|(?<=[.;]))([ \t]*)(\w+(?:,\s\w+)*):\s", text, re.M):
        words = tuple(match[2].replace(",", " ").split())
        if names.issuperset(words):
            found.append((words, match.start() == 0 or text[match.start() - 1] == "\n"))
    return found


def crowded(text: str, names: set[str]) -> list[str]:
    """Parameters that begin inside a line, if a docstring documents more than two."""
    found = documented(text, names)
    if sum(len(words) for words, _ in found) <= 2:
        return []
    return [word for words, first in found if not first for word in words]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_parameters_are_documented_one_a_line(path: Path):
    wrong = []
    for name, node in public(tree(path).body):
        words = crowded(ast.get_docstring(node) or "", parameters(node))
        if words:
            wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}: {', '.join(words)}")
    assert not wrong, "more than two parameters are documented; each begins a line:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Does it.\n\na: one.\nb: two.\nc: three.", []),
        ("Does it.\n\na: one. b: two.", []),
        ("Does it.\n\na: one. b: two. c: three.", ["b", "c"]),
        ("Does it. a: one.\nb: two\n    in two lines.\nc: three.", ["a"]),
        ("Does it.\n\na, b: two. c: three.", ["c"]),
        ("Does it.\n\na: one of these: b, c. other: not a parameter.\nb: two.\nc: three.", []),
        ("The pair (a: one, b: two, c: three) is in a sentence.", []),
        (">>> f({a: 1, b: 2, c: 3})", []),
    ],
)
def test_crowded_parameters_are_seen(text: str, expected: list[str]):
    assert crowded(text, {"a", "b", "c"}) == expected


def test_what_can_be_documented():
    (function, thing) = ast.parse(
        "def f(self, a, /, b, *c, d=1, **e): ...\nclass C:\n    f: int\n    g = 1\n    def __init__(self, h): ...\n"
    ).body
    assert parameters(function) == set("abcde")
    assert parameters(thing) == {"f", "h"}
    assert [name for name, _ in public([function, thing])] == ["f", "C", "C.__init__"]


# --- plain English ---------------------------------------------------------------------------------------------------

BANNED = {
    r"\b(?:one|anybody|nobody)'s own\b": "user-defined",
    r"\bstrangers?\b": "third-party, or unknown",
    r"\bkin\b": "the noun",
    r"\blest\b": "so that ... not",
    r"\bthat which\b": "what, or the noun",
    r"\bbut for\b": "except",
    r"\bwithout a word\b": "silently",
    r"\b[A-Z]\w*Error\s+where\b": "if",
    r"\b(?:None|NaN)\s+where\b": "if",
}
"""Phrase, as a pattern -> what to say instead."""


def prose(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each comment and each string in three double quotes, which docstrings are."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith('"""')):
            yield token.start[0], token.string


def phrases(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, phrase, what to say instead) of each banned phrase in a module's docstrings and comments."""
    for first, sentence in prose(text):
        for pattern, instead in BANNED.items():
            for match in re.finditer(pattern, sentence):
                yield first + sentence.count("\n", 0, match.start()), " ".join(match[0].split()), instead


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_docstrings_and_comments_are_plain(path: Path):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {phrase!r}; say: {instead}"
        for line, phrase, instead in phrases(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_banned_phrases_are_seen():
    text = '"""Raises\nInputError where\nit is empty."""\nx = "a stranger"  # of one\'s own\ny = None\n'
    assert [(line, phrase) for line, phrase, _ in phrases(text)] == [(2, "InputError where"), (4, "one's own")]
