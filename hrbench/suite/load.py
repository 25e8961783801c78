"""A suite file -> `types.Suite`: every name looked up, every default filled in, every error told with its line.

    suite = load_suite("suites/pose.yaml", known())
    suite = load_suite("pose", known(), overrides=["cost.latency.batch=1"], only="pose_hrnet*", limit=100)

`suite_yaml.py` reads the file, `suite_schema.py` says which keys there are, `suite_entries.py` makes the entries,
`suite_models.py` their networks; `suite_datasets.py` names their data sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path

from hrbench.core import yaml
from hrbench.core.resources import shared
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node, Problems
from hrbench.errors import UsageError
from hrbench.store.keys import content_key
from hrbench.suite.context import Context
from hrbench.suite.datasets import told_apart
from hrbench.suite.entries import entry
from hrbench.suite.matrix import _merge, _override, _written_out
from hrbench.suite.naming import named_apart
from hrbench.suite.schema import EntryFields, suite_schema
from hrbench.suite.validate import _check, _checked_top
from hrbench.types import Entry, Known, Suite

__all__ = ["find_suite", "load_suite", "suite_names", "suite_schema"]


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
    root = yaml.read(text, source, problems)
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


# --- entries ---------------------------------------------------------------------------------------------------------


def _entries(
    root: Node, settings: Sequence[Node], limit: int | None, only: str | None, context: Context
) -> list[Entry]:
    """All entries with their names. A setting that an entry does not know is no problem where `only` leaves it out."""
    problems = context.problems
    defaults = root.get("defaults") or Node({}, root.source, root.line)
    laid_from = {node.source for node in settings}
    made, unfit = [], []
    for raw in _written_out(root, problems):
        node = _merge(defaults, raw)
        laid = reduce(_merge, settings, node)
        aside = replace(context, problems=Problems())
        one = _entry(laid, limit, aside)
        refused = {problem: None for problem in aside.problems.found if problem[0] in laid_from}
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
