"""YAML 1.2 as a tree with line numbers, and all errors in it at once.

libyaml scans and parses, as PyYAML brings it: the catalog takes a twentieth of the time of a parser in Python. A plain
document is built of its events (`yaml_events.py`), any other of PyYAML's graph. PyYAML's own scalars are those of YAML
1.1, where `no` is false and `1e3` is text; here are those of YAML 1.2's core schema. Its objects are not used: they
keep the last of two equal keys, and no line numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml.cyaml import CParser  # pyright: ignore[reportAttributeAccessIssue]: compiled, and without types
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.resolver import BaseResolver

from hrbench.core.yaml_events import NotPlain, is_text, plain_scalar, values
from hrbench.errors import UsageError

MAX_DEPTH = 200
MAX_VALUES = 200_000  # aliases of aliases can turn ten lines into gigabytes


@dataclass(frozen=True, slots=True)
class Node:
    """One value with its position in a file.

    value: None, a bool, int, float or str, a list of nodes, or a dictionary of name -> node.
    source: the file, or the command-line option.
    line: counted from 1, that of the key for a value in a mapping; 0 if there are no lines.
    """

    value: Any
    source: str
    line: int = 0

    @property
    def where(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source

    def get(self, key: str) -> Node | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def at(self, path: Iterable[Any]) -> Node:
        """The node below this one along keys and indices, as far as they lead; tags of pydantic are skipped."""
        node = self
        for part in path:
            inside: Any = node.value
            if (isinstance(inside, dict) and part in inside) or (
                isinstance(inside, list) and isinstance(part, int) and part < len(inside)
            ):
                node = inside[part]
        return node

    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def having(self, values: Mapping[str, Node | None]) -> Node:
        """This mapping with some values replaced; None removes a key."""
        merged = {**self.value, **values}
        return Node({key: node for key, node in merged.items() if node is not None}, self.source, self.line)


@dataclass(slots=True)
class Problems:
    """Collects errors, each once, since defaults are checked again for every entry."""

    found: dict[tuple[str, int, str], None] = field(default_factory=dict)

    def add(self, node: Node, message: str) -> None:
        self.found[node.source, node.line, " ".join(message.split())] = None

    def raise_any(self) -> None:
        """Raises UsageError with one line per error, in the order of the file."""
        if not self.found:
            return
        ordered = sorted(self.found, key=lambda problem: (problem[1] == 0, problem[1]))
        raise UsageError("\n".join(f"{Node(None, source, line).where}: {text}" for source, line, text in ordered))


def load(path: Path, source: str = "") -> Node:
    """The document in a UTF-8 file. source: its name in error messages, by default the path.

    Raises UsageError with a line for each error, "file:line: what is wrong".
    """
    source, problems = source or str(path), Problems()
    node = read(_text(path, source), source, problems)
    problems.raise_any()
    return node


def load_plain(path: Path) -> Any:
    """The same without its lines, as `load(path).plain()` gives it and faster, for large tables. Raises as `load`."""
    try:
        return values(_Parser, _text(path, str(path)), _scalar_value, None, MAX_VALUES, MAX_DEPTH)
    except NotPlain:
        return load(path).plain()


def _text(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from None


def read(text: str, source: str, problems: Problems) -> Node:
    """The whole document; duplicate keys, unknown tags and other errors are added to `problems`."""
    try:
        make = lambda value, line: Node(value, source, line)  # noqa: E731
        return values(_Parser, text, _scalar_value, make, MAX_VALUES, MAX_DEPTH)
    except NotPlain:
        return _read_graph(text, source, problems)


def _read_graph(text: str, source: str, problems: Problems) -> Node:
    """The same by PyYAML's graph of nodes, which knows anchors, aliases and tags, and where an error is."""
    reader = _TreeBuilder(source, problems)
    top = Node(None, source, 1)
    try:
        if _depth(text) > MAX_DEPTH:  # libyaml of before 2026 overflows the stack
            raise RecursionError
        root = _Parser(text).get_single_node()
        return top if root is None else reader.node(root, ())
    except MarkedYAMLError as error:
        line, told = _syntax_error(error, text)
        problems.add(Node(None, source, line), told)
    except (YAMLError, ValueError) as error:  # ValueError: characters that YAML does not have
        problems.add(top, f"not YAML: {error}")
    except RecursionError:
        problems.add(top, "nested too deeply")
    except _TooManyValues:
        problems.add(top, f"more than {MAX_VALUES:,} values once its aliases are written out")
    return top


def _depth(text: str) -> int:
    """How deep collections are nested, up to the first error; it needs no recursion."""
    parser, depth, deepest = _Parser(text), 0, 0
    try:
        while parser.check_event():
            event = parser.get_event()
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            deepest = max(deepest, depth)
    except YAMLError:
        pass  # told when the text is read
    return deepest


def _syntax_error(error: MarkedYAMLError, text: str) -> tuple[int, str]:
    """Line and words of an error. One at the end is told of the last line, with the line of what was left open."""
    mark = error.problem_mark or error.context_mark
    lines = max(1, len(text.splitlines()))
    if "nesting depth" in str(error.problem):  # libyaml's own limit, of flow collections
        return 1, "nested too deeply"
    told = "not YAML: " + str(error.problem or error.context or "cannot be read")
    if error.context and error.context_mark is not None and error.problem:
        told += f" {error.context} that begins in line {error.context_mark.line + 1}"
    return min(lines, mark.line + 1) if mark is not None else 1, told


def value(text: str, source: str, problems: Problems) -> Node:
    """One value from the command line: `1`, `[1, 8]` or `float32`. All its nodes have `source` and no line."""

    def unlined(node: Node) -> Node:
        inside = node.value
        if isinstance(inside, dict):
            inside = {key: unlined(item) for key, item in inside.items()}
        elif isinstance(inside, list):
            inside = [unlined(item) for item in inside]
        return Node(inside, source)

    local = Problems()
    node = unlined(read(text, source, local))
    for _, _, message in local.found:
        problems.add(node, message)
    return node


def parse_assignment(text: str, option: str, example: str, problems: Problems) -> tuple[list[str], Node] | None:
    """Splits KEY=VALUE of a command-line option into the parts of its dotted key and its value; None for other text.

    example: for the error message.
    """
    source = f"{option} {' '.join(text.split())}"
    key, equals, value_text = text.partition("=")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        problems.add(Node(None, source), f"must be KEY=VALUE, such as {example}")
        return None
    before = len(problems.found)
    node = value(value_text, source, problems)
    return (keys, node) if len(problems.found) == before else None


def parse_assignments(texts: Iterable[str], option: str, example: str, problems: Problems) -> dict[str, Any]:
    """Several KEY=VALUE of one option as a mapping; dotted keys are nested, and the last value of a key counts."""
    values: dict[str, Any] = {}
    for text in texts:
        found = parse_assignment(text, option, example, problems)
        if found is None:
            continue
        (*above, last), node = found
        mapping = values
        for part in above:
            inner = mapping.get(part)
            mapping[part] = inner if isinstance(inner, dict) else {}
            mapping = mapping[part]
        mapping[last] = node.plain()
    return values


class _Parser(CParser, BaseResolver):
    """libyaml with the scalars of YAML 1.2, and `1_000` and `0b1` besides."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        BaseResolver.__init__(self)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?", "-+0123456789."),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
):
    _Parser.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), list(_first))


class _TooManyValues(Exception):
    """The document is larger than any suite."""


@dataclass(slots=True)
class _TreeBuilder:
    source: str
    problems: Problems
    count: int = 0

    def node(self, raw: Any, above: tuple[int, ...], key_line: int = 0) -> Node:
        """A tree from PyYAML's node graph; `above` holds the ids of the collections around it."""
        self.count += 1
        if self.count > MAX_VALUES:
            raise _TooManyValues
        line: int = key_line or raw.start_mark.line + 1
        here = Node(None, self.source, line)
        if id(raw) in above:
            self.problems.add(here, "an alias that contains itself")
            return here
        above = (*above, id(raw))
        if isinstance(raw, ScalarNode):
            return Node(self.scalar(raw, here), self.source, line)
        if raw.tag not in _COLLECTIONS:
            self.problems.add(here, f"tag {raw.tag} is not understood")
            return here
        if isinstance(raw, SequenceNode):
            return Node([self.node(item, above) for item in raw.value], self.source, line)
        assert isinstance(raw, MappingNode)
        return Node(self.mapping(raw, above), self.source, line)

    def mapping(self, raw: MappingNode, above: tuple[int, ...]) -> dict[str, Node]:
        content: dict[str, Node] = {}
        for key, inside in raw.value:
            line = key.start_mark.line + 1
            here = Node(None, self.source, line)
            if not isinstance(key, ScalarNode):
                self.problems.add(here, "a key must be a word")
                continue
            name = key.value
            if not is_text(name):
                self.problems.add(here, "a key holds characters that are not text")
            elif name == "<<":
                self.problems.add(here, "merge keys (<<) are not part of YAML 1.2; use `defaults:` or `base:`")
            elif name in content:
                self.problems.add(here, f"duplicate key {name!r}, first written in line {content[name].line}")
            else:
                content[name] = self.node(inside, above, line)
        return content

    def scalar(self, raw: ScalarNode, here: Node) -> Any:
        tag = str(raw.tag).rpartition(":")[2]
        make = _SCALARS.get(tag)
        if make is None:
            self.problems.add(here, f"tag {raw.tag} is not understood")
            return None
        try:
            made = make(raw.value)
        except ValueError as error:
            self.problems.add(here, f"{raw.value[:40]!r}: {error}")
            return None
        if isinstance(made, str) and not is_text(made):
            self.problems.add(here, "holds characters that are not text")
            return None
        return made


def _boolean(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return word.lower() == "true"


def _integer(word: str) -> int:
    number = int(word.replace("_", ""), 0 if word.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)
    if abs(number) >= 2**63:
        raise ValueError("a number too large")
    return number


def _real(word: str) -> float:
    number = float(word.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


_COLLECTIONS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")

_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda word: None,
    "bool": _boolean,
    "int": _integer,
    "float": _real,
}

_scalar_value = plain_scalar(_Parser.yaml_implicit_resolvers, _SCALARS)
