"""Loads a suite file as `types.Suite`: looks up all names, fills in all defaults, reports all errors with their line.

    suite = load_suite("suites/pose.yaml", known())
    suite = load_suite("pose", known(), overrides=["cost.latency.batch=1"], only="pose_hrnet*", limit=100)

`core/yaml.py` reads the file, `schema.py` has the keys, `matrix.py` merges defaults and overrides, `entries.py` builds
the entries, `models.py` their networks; `naming.py` names entries, `datasets.py` data sets.
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
from hrbench.suite.datasets import disambiguate
from hrbench.suite.entries import entry
from hrbench.suite.gate import policy_of
from hrbench.suite.matrix import _expand, _merge, _override
from hrbench.suite.naming import name_entries
from hrbench.suite.schema import EntryFields, suite_schema
from hrbench.suite.validate import _check, _checked_top
from hrbench.types import IMAGES, Entry, Known, Suite

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

    path_or_name: a file, or the name of a shipped suite.
    known: the names of this installation, from `registry.known`.
    overrides: "KEY=VALUE" with a dotted key of an entry ("cost.latency.batch=1"), set in every entry. Errors of an
        override in entries that `only` leaves out are ignored.
    only: a shell pattern for the names of entries.
    limit: evaluate only so many images, spread over the set.

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
        if (gate := root.get("gate")) is not None:
            policy_of(gate, problems)
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
        partial=only is not None,
        images=_images(root),
    )


def find_suite(path_or_name: str | Path) -> Path:
    """The suite file at a path, or the shipped one of that name. Raises UsageError listing the shipped ones."""
    path = Path(path_or_name)
    try:
        if path.is_file():
            return path
        if path.suffix not in (".yaml", ".yml") and len(path.parts) == 1:
            shipped = shared("suites") / f"{path}.yaml"
            if shipped.is_file():
                return shipped
    except (OSError, ValueError):  # a name that is too long or has a null character names no file
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


def _images(root: Node) -> int:
    """`report: {images: N}`, whose form is checked already."""
    report = root.get("report")
    node = report.get("images") if report is not None else None
    return IMAGES if node is None else int(node.value)


def _string(root: Node, key: str) -> str:
    node = root.get(key)
    return "" if node is None else str(node.value)


# --- entries ---------------------------------------------------------------------------------------------------------


def _entries(
    root: Node, settings: Sequence[Node], limit: int | None, only: str | None, context: Context
) -> list[Entry]:
    """All entries with their names.

    settings: overrides. Their errors in entries that `only` leaves out are ignored.
    """
    problems = context.problems
    defaults = root.get("defaults") or Node({}, root.source, root.line)
    override_sources = {node.source for node in settings}
    entries, entry_refusals = [], []
    for raw in _expand(root, problems):
        of_file = raw.get("predictions") is not None and raw.get("model") is None  # no runtime makes it
        node = _merge(defaults.having({"runtime": None}) if of_file else defaults, raw)
        overridden = reduce(_merge, settings, node)
        trial = replace(context, problems=Problems())
        one = _entry(overridden, limit, trial)
        refused = {problem: None for problem in trial.problems.found if problem[0] in override_sources}
        if refused and only is not None:
            one = _entry(node, limit, context)
        else:
            problems.found.update(trial.problems.found)
            refused = {}
        if one is not None:
            entries.append(one)
            entry_refusals.append(refused)
    disambiguated = disambiguate(
        entries, context.known.datasets, lambda one, message: problems.add(_node_of(one, root.source), message)
    )
    named = name_entries(disambiguated)
    _refuse_duplicates(named, root, problems)
    for one, refused in zip(named, entry_refusals, strict=True):
        if only is not None and fnmatchcase(one.name, only):
            problems.found.update(refused)
    return named


def _entry(node: Node, limit: int | None, context: Context) -> Entry | None:
    left = _check(EntryFields, node, context.problems)
    one = entry(node if left is None else left, limit, context)
    return one if left is None else None


# --- duplicates, and selection ---------------------------------------------------------------------------------------


def _node_of(one: Entry, source: str) -> Node:
    """A node with the position of an entry in the file, for problems."""
    line = one.where.removeprefix(f"{source}:")
    return Node(None, source, int(line) if line.isdecimal() else 0)


def _refuse_duplicates(entries: Sequence[Entry], root: Node, problems: Problems) -> None:
    """Adds a problem for two entries of one name, which would share a folder, and for two that measure the same."""
    names: dict[str, Entry] = {}
    contents: dict[str, Entry] = {}
    for one in entries:
        at = _node_of(one, root.source)
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
