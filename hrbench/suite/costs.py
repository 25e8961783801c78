"""The costs of one entry: each probe that it asks for, with the settings that the probe's dataclass has.

`cost: {latency: {batch: [1, 8]}, operations: false}`. A probe's settings are a mapping, `true` for its defaults, or
`false` for not at all. A probe that is not named measures only if it is one of `STANDARD`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hrbench.core.plugins import model_ref
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.errors import HrbenchError
from hrbench.suite.context import Context, explained

STANDARD = ("operations", "latency")
_WRONG = object()


def cost(node: Node | None, context: Context) -> dict[str, Any]:
    """Name of a probe -> all its settings as JSON has them, True if it has none; None or False if it is not to measure.

    What is wrong is added to the problems.
    """
    given: dict[str, Node] = dict(node.value) if node is not None else {}
    found = {name: _default(name, context) for name in STANDARD if name in context.known.costs}
    for name, asked in given.items():
        if name in context.known.costs:
            kind = _options(name, asked, context)
            if kind is not None:
                found[name] = _settings(name, kind, asked, context)
        elif model_ref(name).kind == "reference" and context.check_use(
            Node(name, asked.source, asked.line), "hrbench.costs", [], "cost"
        ):  # its settings are read when it is imported, which is not done while a suite is read
            found[name] = asked.plain()
        elif model_ref(name).kind != "reference":
            context.problems.add(asked, f"unknown key {name!r}; {suggestion(name, context.known.costs)}")
    return found


def _default(name: str, context: Context) -> Any:
    kind = context.known.costs[name]
    return _plain(kind()) if fields(kind) else True


def _options(name: str, asked: Node, context: Context) -> type | None:
    """The dataclass of a probe's settings; None, and a problem, if the probe does not import."""
    try:
        return context.known.costs[name]
    except HrbenchError as error:
        context.problems.add(asked, str(error))
        return None


def _settings(name: str, kind: type, asked: Node, context: Context) -> Any:
    """What is said of one probe, filled up with its defaults."""
    plain = asked.plain()
    may = [field.name for field in fields(kind)]
    if isinstance(plain, bool):
        return (_plain(kind()) if may else True) if plain else (None if may else False)
    if not isinstance(plain, dict) or not may:
        shape = "true, false or a mapping of its settings" if may else "a valid boolean"
        context.problems.add(asked, f"cost.{name} must be {shape}, not {json.dumps(plain, ensure_ascii=False)}")
        return None
    types = get_type_hints(kind, include_extras=True)
    made = {}
    for key, value in asked.value.items():
        if key not in may:
            context.problems.add(value, f"unknown key {key!r}; {suggestion(key, may)}")
        elif (read := _setting(f"cost.{name}.{key}", kind, key, types[key], value, context)) is not _WRONG:
            made[key] = read
    return _plain(kind(**made))


def _setting(named: str, kind: type, key: str, wanted: Any, value: Node, context: Context) -> Any:
    """One setting as its field has it; `_WRONG`, and a problem, if it does not fit."""
    plain = value.plain()
    several = plain if isinstance(plain, list) or not takes_several(wanted) else [plain]
    if isinstance(several, list):
        several = list(dict.fromkeys(map(_hashable, several)))
    try:  # through JSON, where a list may be a tuple, yet "16" is no number
        read = TypeAdapter(wanted).validate_json(json.dumps(several), strict=True)
        kind(**{key: read})  # which may have conditions of its own
        return read
    except ValidationError as error:
        first = error.errors()[0]
        within = plain[int(first["loc"][0])] if isinstance(plain, list) and first["loc"] else plain
        context.problems.add(value, f"{named} {explained(first, within)}")
    except (HrbenchError, ValueError) as error:
        context.problems.add(value, f"{named}: {error}")
    return _WRONG


def takes_several(wanted: Any) -> bool:
    """Whether a field is a tuple of any length, for which a suite may write a single value."""
    inner = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    return get_origin(inner) is tuple and Ellipsis in get_args(inner)


def cost_schema(costs: Mapping[str, type]) -> dict[str, Any]:
    """JSON Schema of `cost:`, with a property for each probe."""
    properties = {name: _probe_schema(kind) for name, kind in costs.items()}
    user_defined = {"anyOf": [{"type": "boolean"}, {"type": "object"}]}
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {":": user_defined},
        "additionalProperties": False,
    }


def _probe_schema(kind: type) -> dict[str, Any]:
    """Whether a probe measures, or its settings."""
    told = " ".join((kind.__doc__ or "").split())
    if not fields(kind):
        return {"type": "boolean", "description": "Whether this is measured."}
    made = TypeAdapter(kind).json_schema()
    types = get_type_hints(kind, include_extras=True)
    for name, part in made["properties"].items():
        if takes_several(types[name]):
            said = {key: part.pop(key) for key in ("description", "default", "title") if key in part}
            made["properties"][name] = {"anyOf": [part["items"], part], **said}
    made |= {"additionalProperties": False}
    made.pop("description", None)
    return {"anyOf": [{"type": "boolean"}, made], "description": told}


def _plain(options: Any) -> dict[str, Any]:
    """The settings of a dataclass as JSON has them."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
