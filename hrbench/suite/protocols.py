"""The protocol of one entry: one of its task's by name, with the settings of data set, network and suite.

A task offers frozen dataclasses, each with a name. The suite selects one of them (`protocol: refinenet`, or
`protocol: {name: refinenet, flip: true}`), else the network's row, else the task. Settings are merged in this order,
later ones winning: the protocol's own, those published for the data set, the network's, the suite's, and those that
the data set fixes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hrbench.contracts import AT_INPUT
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.errors import HrbenchError
from hrbench.suite.context import Context, explain
from hrbench.types import TASKS, DatasetRow, Variant

VERSION = "version"  # of a protocol: only its author changes it
COLOURS = ("colour", "mean", "std")  # of a network


def protocol(
    node: Node | None, at: Node, task: str, context: Context, variant: Variant | None, row: DatasetRow | None
) -> dict[str, Any] | None:
    """Every field of the entry's protocol; None, and a problem, if something is wrong with it.

    node: `protocol:` of the entry, or None.
    at: the entry, for problems.
    task: its name.
    context: gets the problems.
    variant: the network, None if it is unknown.
    row: the data set; None for costs only, and a task without a protocol then has no settings.
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
    settings_nodes = dict(node.value) if node is not None else {}
    name = _name(settings_nodes.pop("name", None), variant, named, task, context)
    if name is None:
        return None
    reader = _SettingsReader(kind, task, context)
    settings = {key: reader.setting(key, value) for key, value in settings_nodes.items()}
    if not reader.fine:
        return None
    merged = {**merge_settings(named[name], variant, row), **settings, **({} if row is None else row.fixed)}
    merged |= _at_input(kind, merged, {*settings, *_stated(name, variant, row)}, variant)
    return without_later_defaults(kind, merged)


def merge_settings(named: Any, variant: Variant | None, row: DatasetRow | None) -> dict[str, Any]:
    """Every field of a protocol, with the settings of its data set and its network.

    named: an instance of the protocol's dataclass.
    variant: the network; its settings for a protocol of another name are ignored.
    row: the data set.
    """
    filled = {field.name: getattr(named, field.name) for field in fields(named)}
    if row is not None:
        filled |= row.protocols.get(named.name, {})
    if variant is not None and variant.protocol.get("name", named.name) == named.name:
        filled |= variant.protocol
    if row is not None:
        filled |= row.fixed
    return without_later_defaults(type(named), {key: _jsonable(value) for key, value in filled.items()})


def _stated(name: str, variant: Variant | None, row: DatasetRow | None) -> set[str]:
    """Which settings of the protocol of that name the data set and the network state."""
    found = set() if row is None else {*row.protocols.get(name, {}), *row.fixed}
    of_network = {} if variant is None else variant.protocol
    return found | ({*of_network} if of_network.get("name", name) == name else set())


def _at_input(
    kind: type, merged: Mapping[str, Any], stated: Collection[str], variant: Variant | None
) -> dict[str, list[int]]:
    """The size of the network's input for each setting that has it where nothing states another (`AT_INPUT`).

    kind: the protocol's dataclass.
    merged: every setting.
    stated: names of those that suite, data set or network state.
    variant: the network; one without an input changes nothing.
    """
    if variant is None or min(variant.input) < 1:
        return {}
    used = {field.name: field.metadata.get(AT_INPUT) for field in fields(kind)}
    return {
        name: list(variant.input)
        for name, uses in used.items()
        if uses is not None and name not in stated and uses(merged)
    }


def without_later_defaults(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those fields of a protocol's dataclass that came `later` and have their default."""
    later = {field.name: _jsonable(field.default) for field in fields(kind) if field.metadata.get("later")}
    return {key: value for key, value in settings.items() if key not in later or value != later[key]}


def assumed_settings(
    model: Node | None,
    node: Node | None,
    context: Context,
    variant: Variant | None,
    row: DatasetRow,
    stated: Sequence[str],
) -> tuple[str, ...]:
    """Which settings decide how images are prepared for a network of the user's own, and are stated nowhere.

    model: of the entry; a network by name, or with a base, is fed as its row says.
    node: `protocol:` of the entry, or None; a protocol that it names is stated as a whole.
    context: knows the rows of the catalog.
    variant: the network, with what its library states.
    row: the data set, which may state settings.
    stated: fields of the network that its library states.
    """
    if model is None or not isinstance(model.value, dict) or model.get("base") is not None or variant is None:
        return ()
    known = any(each.use == variant.use for each in context.known.variants.values())
    if known:
        return ()
    assumed = [f"model.{name}" for name in COLOURS if model.get(name) is None and name not in stated]
    said = {} if node is None else dict(node.value)
    kind = context.known.protocols.get(variant.task)
    if kind is not None and "name" not in said and "name" not in variant.protocol:
        name = next(iter(context.known.named(variant.task, variant.use)), kind().name)
        settled = {*said, *row.protocols.get(name, {}), *row.fixed, *variant.protocol}
        named = (each.name for each in fields(kind) if each.metadata.get("prepares"))
        assumed += [f"protocol.{each}" for each in named if each not in settled]
    return tuple(assumed)


def _without(at: Node, task: str, context: Context, row: DatasetRow | None) -> dict[str, Any] | None:
    """No settings for a task without protocols; a problem if there is a data set, or no such task."""
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
    """The name of the protocol: the suite's choice, the network's, or the first."""
    if node is None:
        preferred = None if variant is None else variant.protocol.get("name")
        return preferred if preferred in named else next(iter(named))
    if node.value in named:
        return node.value
    context.problems.add(node, f"task {task} has no protocol {node.value!r}; {suggestion(str(node.value), [*named])}")
    return None


class _SettingsReader:
    """Reads settings by the fields of a protocol's dataclass; `fine` until one is wrong."""

    def __init__(self, kind: type, task: str, context: Context) -> None:
        self.task, self.context, self.fine = task, context, True
        self.types = get_type_hints(kind)
        self.known_names = [field.name for field in fields(kind) if field.name != VERSION]

    def setting(self, name: str, value: Node) -> Any:
        """The value of a setting as JSON; None, and a problem, if it is wrong."""
        if name not in self.known_names:
            hint = f"{name} is not for suites to set" if name == VERSION else suggestion(name, self.known_names)
            return self._wrong(value, f"the protocol of task {self.task} has no setting {name!r}; {hint}")
        try:  # through JSON, where a list may be a tuple, yet "16" is no number
            made = TypeAdapter(self.types[name]).validate_json(json.dumps(value.plain()), strict=True)
        except ValidationError as error:
            return self._wrong(value, f"protocol.{name} {explain(error.errors()[0], value.plain())}")
        words = _words(self.types[name])
        if words and isinstance(made, str) and made not in words and not any(mark in made for mark in "./\\"):
            hint = suggestion(made, words)
            return self._wrong(value, f"protocol.{name} {made!r} is no file (those have an ending); {hint}")
        return _jsonable(made)

    def _wrong(self, at: Node, message: str) -> None:
        self.context.problems.add(at, message)
        self.fine = False


def _words(kind: Any) -> tuple[str, ...]:
    """The words of `Literal[...] | str`: such a setting is one of them, or a file."""
    parts = get_args(kind)
    if str not in parts:
        return ()
    return tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))


def _jsonable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_jsonable(item) for item in value]
    return value
