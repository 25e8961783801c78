"""The protocol of one entry: one of its task's by name, with what data set, network and suite say of its settings.

What a task offers are frozen dataclasses that differ in name. Which of them holds is said by the suite
(`protocol: refinenet`, or `protocol: {name: refinenet, flip: true}`), else by the network's row, else by the task.
Its settings are laid over one another: the protocol's own, those published for the data set, the network's, the
suite's, and last those that the data set decides whatever a suite says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.errors import HrbenchError
from hrbench.suite.context import Context, explained
from hrbench.types import TASKS, DatasetRow, Variant

VERSION = "version"  # of a protocol: only its author changes it


def protocol(
    node: Node | None, at: Node, task: str, context: Context, variant: Variant | None, row: DatasetRow | None
) -> dict[str, Any] | None:
    """Every field of the entry's protocol; None where something is wrong with it. `at` is where the entry stands.

    row: None where only costs are asked for; a task without a protocol then has no settings.
    """
    try:
        kind = context.known.protocols.get(task)
        use = "" if variant is None else variant.use
        named = {} if kind is None else dict(context.known.named(task, use)) or {kind().name: kind()}
    except HrbenchError as error:  # a task that does not import
        context.problems.add(at, str(error))
        return None
    if kind is None:
        return _without(at, task, context, row)
    given = dict(node.value) if node is not None else {}
    name = _name(given.pop("name", None), variant, named, task, context)
    if name is None:
        return None
    read = _Reader(kind, task, context)
    settings = {key: read.setting(key, value) for key, value in given.items()}
    if not read.fine:
        return None
    return {**laid_over(named[name], variant, row), **settings, **({} if row is None else row.fixed)}


def laid_over(named: Any, variant: Variant | None, row: DatasetRow | None) -> dict[str, Any]:
    """Every field of a named protocol (an instance), under what its data set and its network say of them.

    What a network says of a protocol of another name does not hold.
    """
    filled = {field.name: getattr(named, field.name) for field in fields(named)}
    if row is not None:
        filled |= row.protocols.get(named.name, {})
    if variant is not None and variant.protocol.get("name", named.name) == named.name:
        filled |= variant.protocol
    if row is not None:
        filled |= row.fixed
    return {key: _jsonable(value) for key, value in filled.items()}


def _without(at: Node, task: str, context: Context, row: DatasetRow | None) -> dict[str, Any] | None:
    """Nothing is evaluated, so nothing needs to be settled; anything else is a problem."""
    if row is None and task in TASKS:
        return {}
    if task in TASKS:
        context.problems.add(at, f"{task} has no protocol in this version: leave dataset out to measure costs")
    else:
        context.problems.add(at, f"no task is called {task!r}; {suggestion(task, [*context.known.protocols])}")
    return None


def _name(
    node: Node | None, variant: Variant | None, named: Mapping[str, Any], task: str, context: Context
) -> str | None:
    """Which of the named protocols holds: the suite's choice, the network's, or the first."""
    if node is None:
        own = None if variant is None else variant.protocol.get("name")
        return own if own in named else next(iter(named))
    if node.value in named:
        return node.value
    context.problems.add(node, f"task {task} has no protocol {node.value!r}; {suggestion(str(node.value), [*named])}")
    return None


class _Reader:
    """Reads settings by the fields of a protocol's dataclass; `fine` until one is wrong."""

    def __init__(self, kind: type, task: str, context: Context) -> None:
        self.task, self.context, self.fine = task, context, True
        self.types = get_type_hints(kind)
        self.may = [field.name for field in fields(kind) if field.name != VERSION]

    def setting(self, name: str, value: Node) -> Any:
        """The value of a setting as JSON has it, None where it is wrong."""
        if name not in self.may:
            hint = f"{name} is not for suites to set" if name == VERSION else suggestion(name, self.may)
            return self._wrong(value, f"the protocol of task {self.task} has no setting {name!r}; {hint}")
        try:  # through JSON, where a list may be a tuple, yet "16" is no number
            made = TypeAdapter(self.types[name]).validate_json(json.dumps(value.plain()), strict=True)
        except ValidationError as error:
            return self._wrong(value, f"protocol.{name} {explained(error.errors()[0], value.plain())}")
        words = _words(self.types[name])
        if words and isinstance(made, str) and made not in words and not any(mark in made for mark in "./\\"):
            hint = suggestion(made, words)
            return self._wrong(value, f"protocol.{name} {made!r} is no file (those have an ending); {hint}")
        return _jsonable(made)

    def _wrong(self, at: Node, message: str) -> None:
        self.context.problems.add(at, message)
        self.fine = False


def _words(kind: Any) -> tuple[str, ...]:
    """The words of `Literal[...] | str`, a setting that is one of them or a file."""
    parts = get_args(kind)
    if str not in parts:
        return ()
    return tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))


def _jsonable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_jsonable(item) for item in value]
    return value
