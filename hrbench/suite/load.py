"""A suite file -> `types.Suite`: every name looked up, every default filled in, every error told with its line.

    suite = load_suite("suites/pose.yaml", known())
    suite = load_suite("pose", known(), overrides=["cost.latency.batch=1"], only="pose_hrnet*", limit=100)

`suite_yaml.py` reads the file, `suite_schema.py` says which keys there are, `suite_entries.py` makes the entries,
`suite_models.py` their networks; `suite_datasets.py` names their data sets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hrbench import suite_yaml
from hrbench.keys import content_key
from hrbench.names import suggestion
from hrbench.places import shared
from hrbench.suite_context import Context, explained
from hrbench.suite_datasets import told_apart, unnamed_if_altered
from hrbench.suite_entries import entry
from hrbench.suite_naming import named_apart
from hrbench.suite_schema import NAME, Defaults, EntryFields, SuiteFields, keys_at, schema
from hrbench.suite_yaml import Node, Problems
from hrbench.types import Entry, Known, Suite, UsageError

__all__ = ["find_suite", "load_suite", "schema", "suite_names"]


def load_suite(
    path_or_name: str | Path,
    known: Known,
    *,
    overrides: Sequence[str] = (),
    only: str | None = None,
    limit: int | None = None,
) -> Suite:
    """Reads a suite file, or the shipped suite of that name.

    overrides: "KEY=VALUE" with a dotted key within an entry ("cost.latency.batch=1"), laid over every entry; one that
    `only` leaves out need not know it. only: a shell pattern that names of entries must match. limit: evaluate only the
    first so many images.
    Raises UsageError with one line for each error: "file:line: what is wrong; did you mean X?".
    """
    path = find_suite(path_or_name)
    text, source = _text(path), str(path)
    problems = Problems()
    root = suite_yaml.read(text, source, problems)
    settings = [_override(text, problems) for text in overrides]
    if limit is not None and limit < 1:
        problems.add(Node(None, f"--limit {limit}"), "must be at least 1")
    context = Context(known, path.resolve().parent, problems)
    entries = []
    if _checked_top(root, problems):
        entries = _entries(root, [item for item in settings if item is not None], limit, only, context)
    problems.raise_any()
    table = root.get("table") or Node("", source)
    return Suite(
        name=_string(root, "suite"),
        title=_string(root, "title"),
        entries=_selected(entries, only, source),
        table=context.path(table) if "/" in table.value or table.value.endswith((".yaml", ".yml")) else table.value,
        path=str(path.resolve()),
        text=text,
        names=tuple(made.name for made in entries),
        options=(
            *(f"--set {setting}" for setting in overrides),
            *((f"--only {only}",) if only else ()),
            *((f"--limit {limit}",) if limit else ()),
        ),
    )


def find_suite(path_or_name: str | Path) -> Path:
    """The suite file at a path, or the shipped one of that name. Raises UsageError, naming those there are."""
    path = Path(path_or_name)
    try:
        if path.is_file():
            return path
        if path.suffix not in (".yaml", ".yml") and len(path.parts) == 1:
            shipped = shared("suites") / f"{path}.yaml"
            if shipped.is_file():
                return shipped
    except (OSError, ValueError):  # a name too long, or with a null character, is the name of no file
        pass
    raise UsageError(f"no suite file {str(path_or_name)!r}, nor a shipped suite of that name; {_hint(path.stem)}")


def suite_names() -> list[str]:
    """Names of the suites that ship."""
    return sorted(path.stem for path in shared("suites").glob("*.yaml"))


def _hint(name: str) -> str:
    return suggestion(name, suite_names())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _string(root: Node, key: str) -> str:
    node = root.get(key)
    return "" if node is None else str(node.value)


# --- the shape -------------------------------------------------------------------------------------------------------


def _checked_top(root: Node, problems: Problems) -> bool:
    """Checks the keys beside the entries; whether entries can be looked at."""
    if root.value is None and problems.found:
        return False  # what could not be read is named already
    if not isinstance(root.value, dict):
        problems.add(root, "a suite is a mapping with `suite:` and `entries:` or `models:`")
        return False
    rest = {key: node for key, node in root.value.items() if key not in ("entries", "models", "datasets", "defaults")}
    _check(SuiteFields, Node(rest, root.source, root.line), problems)
    defaults = root.get("defaults")
    if defaults is not None:
        if not isinstance(defaults.value, dict):
            problems.add(defaults, "defaults must be a mapping")
            return False
        _check(Defaults, defaults, problems)
    if root.get("entries") is None and root.get("models") is None:
        problems.add(root, "there are neither `entries:` nor `models:`")
        return False
    return True


def _check(model: type[BaseModel], node: Node, problems: Problems) -> Node | None:
    """Checks a mapping against a pydantic model: None where it is in order, else what is left to look at of it.

    Left is the mapping without its unknown keys and without the values in which something is wrong.
    """
    left = node.having(dict.fromkeys(_without_value(node, problems)))
    fine = len(left.value) == len(node.value)
    try:  # through JSON, where a list may be a tuple, yet "16" is no number
        model.model_validate_json(json.dumps(left.plain()), strict=True)
    except ValidationError as error:
        fine = False
        for one in error.errors():
            problems.add(node.at(one["loc"]), _message(one, node.at(one["loc"]), model))
            place = [part for part in one["loc"] if not (isinstance(part, str) and part.startswith("("))]
            left = _pruned(left, place if one["type"] == "extra_forbidden" else place[:1])
    return None if fine else left


def _pruned(node: Node, place: Sequence[Any]) -> Node:
    """The tree without the key that `place` leads to."""
    if not place or not isinstance(node.value, dict) or place[0] not in node.value:
        return node
    inner = node.value[place[0]]
    if len(place) > 1 and isinstance(inner.value, dict):
        return node.having({place[0]: _pruned(inner, place[1:])})
    return node.having({place[0]: None})


def _without_value(node: Node, problems: Problems) -> set[str]:
    """Keys with nothing behind them, here and within a model or data set in place: most likely forgotten."""
    wrong = set()
    for key, value in node.value.items():
        if value.value is None:
            problems.add(value, f"{key} has no value; give one or leave the key out")
            wrong.add(key)
        elif key in ("model", "dataset") and isinstance(value.value, dict) and _without_value(value, problems):
            wrong.add(key)
    return wrong


def _message(error: Any, at: Node, model: type[BaseModel]) -> str:
    place = [part for part in error["loc"] if not (isinstance(part, str) and part.startswith("("))]
    named = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        above = error["loc"][:-1]
        may = keys_at(above) if any(isinstance(part, str) for part in above) else tuple(model.model_fields)
        return f"unknown key {place[-1]!r}; {suggestion(str(place[-1]), may)}"
    if error["type"] == "missing" and isinstance(place[-1], int):
        return f"{'.'.join(map(str, place[:-1]))} must have at least {place[-1] + 1} values"
    if error["type"] == "missing":
        return f"{named} is missing"
    if error["loc"][-1] == NAME and error["type"] == "literal_error":
        return f"{named} must be a whole number of at least 1, or {error['ctx']['expected']}, not {at.plain()!r}"
    if error["loc"][-1] == NAME:
        return f"{named} must be a name or a mapping, not {at.plain()!r}"
    return f"{named} {explained(error, at.plain())}"


# --- entries ---------------------------------------------------------------------------------------------------------


def _entries(
    root: Node, settings: Sequence[Node], limit: int | None, only: str | None, context: Context
) -> list[Entry]:
    """All entries with their names. A setting that an entry does not know is no problem where `only` leaves it out."""
    problems = context.problems
    defaults = root.get("defaults") or Node({}, root.source, root.line)
    made, unfit = [], []
    for raw in _written_out(root, problems):
        node = _merge(defaults, raw)
        laid = reduce(_merge, settings, node)
        aside = replace(context, problems=Problems())
        one = _entry(laid, limit, aside)
        refused = {problem: None for problem in aside.problems.found if problem[0].startswith("--set")}
        if refused and only is not None:
            one = _entry(node, limit, context)
        else:
            problems.found.update(aside.problems.found)
            refused = {}
        if one is not None:
            made.append(one)
            unfit.append(refused)
    apart = told_apart(
        made, context.known.datasets, lambda one, message: problems.add(_place(one, root.source), message)
    )
    named = named_apart(apart)
    _refuse_duplicates(named, root, problems)
    for one, refused in zip(named, unfit, strict=True):
        if only is not None and fnmatchcase(one.name, only):
            problems.found.update(refused)
    return named


def _entry(node: Node, limit: int | None, context: Context) -> Entry | None:
    left = _check(EntryFields, node, context.problems)
    one = entry(node if left is None else left, limit, context)
    return one if left is None else None


def _written_out(root: Node, problems: Problems) -> Iterator[Node]:
    """Every entry of the suite with its own `model` and `dataset`: first the matrix at the top, then `entries`."""
    matrix = {key: node for key in ("models", "datasets") if (node := root.get(key)) is not None}
    if "models" in matrix:
        yield from _matrix(Node(matrix, root.source, matrix["models"].line), problems)
    elif matrix:
        problems.add(matrix["datasets"], "`datasets:` at the top goes with `models:`")
    rows = root.get("entries")
    if rows is None:
        return
    if not isinstance(rows.value, list) or not rows.value:
        problems.add(rows, "entries must be a list with at least one entry")
        return
    for row in rows.value:
        if not isinstance(row.value, dict):
            problems.add(row, "an entry is a mapping with `model:`, `models:` or `predictions:`")
        else:
            yield from _matrix(row, problems)


def _matrix(row: Node, problems: Problems) -> Iterator[Node]:
    """An entry for each of its models and each of its data sets; itself where it has no such lists."""
    given = row.get("predictions")
    if row.get("model") is None and row.get("models") is None and given is None:
        _check(EntryFields, row, problems)  # most likely the key is there, misspelt
        problems.add(row, "an entry needs `model:` or `models:`, or `predictions:`")
        return
    if given is not None and (several := row.get("models") or row.get("datasets")) is not None:
        problems.add(several, "one file of predictions is of one `model` on one `dataset`")
        return
    sides: dict[str, list[Node | None]] = {}
    for one, many in (("model", "models"), ("dataset", "datasets")):
        several = row.get(many)
        if several is None:
            sides[one] = [row.get(one)]
            continue
        if row.get(one) is not None:
            problems.add(several, f"give either {one} or {many}")
        if not isinstance(several.value, list) or not several.value:
            problems.add(several, f"{many} must be a list with at least one {one}")
            return
        sides[one] = list(several.value)
    for model in sides["model"]:
        for data in sides["dataset"]:
            line = model if model is not None and row.get("models") is not None else row
            made = row.having({"models": None, "datasets": None, "model": model, "dataset": data})
            yield Node(made.value, row.source, line.line)


def _merge(under: Node, over: Node) -> Node:
    """Mappings merged key by key, `over` winning; a data set or model that says what it is replaces the other.

    "cost: {latency: {batch: 8}}" keeps the rest of the cost. "dataset: {split: train2017}" changes the split of the
    data set underneath, be it given by name or in place, while "dataset: {use: ...}" is another one.
    """
    merged = {key: _spelt_out(key, node) for key, node in under.value.items()}
    for key, node in over.value.items():
        below, node = merged.get(key), _spelt_out(key, node)
        if below is None or not isinstance(node.value, dict):
            merged[key] = node
            continue
        if key in ("dataset", "model"):
            if "use" in node.value or "base" in node.value:
                merged[key] = node
                continue
            if isinstance(below.value, str) and below.value != "none":
                below = Node({"base": below}, below.source, below.line)
            if key == "dataset" and isinstance(below.value, dict):
                below = unnamed_if_altered(below, node)
        uses = [side.get("use") for side in (below, node)]
        if None not in uses and len({str(use and use.value) for use in uses}) == 2:  # another network as an argument
            merged[key] = node
            continue
        merged[key] = _merge(below, node) if isinstance(below.value, dict) else node
    return Node(merged, over.source if over.line else under.source, over.line or under.line)


def _spelt_out(key: str, node: Node) -> Node:
    """`protocol: NAME` as `protocol: {name: NAME}`, so that it can be merged with settings."""
    if key == "protocol" and isinstance(node.value, str):
        return Node({"name": node}, node.source, node.line)
    return node


def _override(text: str, problems: Problems) -> Node | None:
    """ "cost.latency.batch=1" as the mapping {cost: {latency: {batch: 1}}}."""
    found = suite_yaml.assignment(text, "--set", "cost.latency.batch=1", problems)
    if found is None:
        return None
    keys, node = found
    if keys[0] in ("model", "models", "datasets", "name", "predictions") and len(keys) == 1:
        problems.add(node, f"{keys[0]} cannot be the same for every entry; use --only to choose entries")
        return None
    for part in reversed(keys):
        node = Node({part: node}, node.source)
    return node


# --- duplicates, and what is chosen ----------------------------------------------------------------------------------


def _place(one: Entry, source: str) -> Node:
    """Where an entry stands in the file."""
    line = one.where.removeprefix(f"{source}:")
    return Node(None, source, int(line) if line.isdecimal() else 0)


def _refuse_duplicates(entries: Sequence[Entry], root: Node, problems: Problems) -> None:
    """Two entries of one name would share a folder; two of one content would measure the same thing twice."""
    names: dict[str, Entry] = {}
    contents: dict[str, Entry] = {}
    for one in entries:
        at = _place(one, root.source)
        same = names.setdefault(one.name.casefold(), one)
        if same is not one:
            problems.add(at, f"the name {one.name!r} is taken by the entry at {same.where}")
            continue
        same = contents.setdefault(content_key(one), one)
        if same is not one:
            problems.add(at, f"asks for the same as entry {same.name!r} at {same.where}")


def _selected(entries: Sequence[Entry], only: str | None, source: str) -> tuple[Entry, ...]:
    if only is None:
        return tuple(entries)
    chosen = tuple(one for one in entries if fnmatchcase(one.name, only))
    if not chosen:
        names = ", ".join(one.name for one in entries)
        raise UsageError(f"--only {only!r} matches no entry of {source}; there are: {names}")
    return chosen
