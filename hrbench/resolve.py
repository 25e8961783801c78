"""A name or "package.module:attribute" -> the object behind it.

Names are entry points: strings in a distribution's metadata, imported only when resolved. Built-ins use the same
mechanism as strangers. Groups: "hrbench.models", "hrbench.datasets", "hrbench.tasks", "hrbench.metrics"; a group may
be given without the "hrbench." in front.

    net = resolve("hrbench.models", "pose_hrnet")(width=32)
    net = resolve("hrbench.models", "ourpkg.nets:pose")()
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hrbench import names as lookup
from hrbench.names import is_reference, module_file, suggestion
from hrbench.types import EntryError, UsageError

__all__ = ["arguments", "exists", "names", "resolve", "suggestion"]


def names(group: str) -> tuple[str, ...]:
    """All entry-point names of a group, sorted; nothing is imported."""
    return tuple(sorted(_points(_full(group))))


def exists(group: str, name: str) -> bool:
    """Whether `name` is an entry point of the group, or "module:attribute" whose module lies on `sys.path`.

    Nothing is imported, so a module that fails to import, or lacks the attribute, is found out by `resolve`.
    """
    if is_reference(name):
        return module_file(name.partition(":")[0]) is not None
    return name in _points(_full(group))


def arguments(group: str, name: str, folders: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Names of the arguments a callable takes, told from its source, or None; see `hrbench.names.arguments`."""
    point = _points(_full(group)).get(name)
    reference = name if is_reference(name) else "" if point is None else point.value
    return lookup.arguments(reference, folders) if reference else None


def resolve(group: str, name: str) -> Any:
    """The object behind an entry point or "package.module:attribute".

    Raises UsageError where there is no such name, EntryError (one line, with the cause) where it does not import.
    """
    group = _full(group)
    if is_reference(name):
        reference = name
    elif name in _points(group):
        reference = _points(group)[name].value
    else:
        raise UsageError(f"no {_noun(group)} is called {name!r}; {suggestion(name, _points(group))}")
    module, _, attribute = reference.partition(":")
    where = f"{_noun(group)} {name!r}" + ("" if name == reference else f" ({reference})")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # whatever a stranger's module raises while it is imported
        cause = " ".join(str(error).split())
        raise EntryError(f"{where} cannot be imported: {type(error).__name__}: {cause}") from error
    try:
        return reduce(getattr, attribute.split("."), found)
    except AttributeError as error:
        hint = suggestion(attribute, [key for key in vars(found) if not key.startswith("_")])
        raise EntryError(f"{where}: module {module} has no {attribute!r}; {hint}") from error


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _full(group: str) -> str:
    return group if "." in group else f"hrbench.{group}"


def _noun(group: str) -> str:
    last = group.rpartition(".")[2]
    return {"models": "model", "datasets": "data set", "tasks": "task", "metrics": "metric"}.get(last, last)
