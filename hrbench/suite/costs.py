"""The costs of one entry: each probe that it asks for, with the settings that the probe's dataclass has.

`cost: {latency: {batch: [1, 8]}, operations: false}`. A probe's settings are a mapping, `true` for its defaults,
or `false` to leave it out. A probe that is not named measures only if it is one of `STANDARD`.
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
from hrbench.suite.context import Context, explain

STANDARD = ("operations", "latency")
_INVALID = object()


def cost(node: Node | None, dtype: str, context: Context) -> dict[str, Any]:
    """Name of a probe -> all its settings as JSON, True if it has none; None or False if it is not to measure.

    dtype: of the entry, for probes whose `dtype` the suite leaves out.
    context: gets the problems.
    """
    nodes: dict[str, Node] = dict(node.value) if node is not None else {}
    settings = {name: _default(name, context) for name in STANDARD if name in context.known.costs}
    for name, probe_node in nodes.items():
        if name in context.known.costs:
            options = _options(name, probe_node, context)
            if options is not None:
                settings[name] = _settings(name, options, probe_node, context)
        elif model_ref(name).kind == "reference" and context.check_use(
            Node(name, probe_node.source, probe_node.line), "hrbench.costs", [], "cost"
        ):  # its settings are checked when it is imported, after the suite is loaded
            settings[name] = probe_node.plain()
        elif model_ref(name).kind != "reference":
            context.problems.add(probe_node, f"unknown key {name!r}; {suggestion(name, context.known.costs)}")
    for values in settings.values():
        if isinstance(values, dict) and values.get("dtype") == []:
            values["dtype"] = [dtype]
    return settings


def _default(name: str, context: Context) -> Any:
    options = context.known.costs[name]
    return _plain(options()) if fields(options) else True


def _options(name: str, probe_node: Node, context: Context) -> type | None:
    """The dataclass of a probe's settings; None, and a problem, if the probe does not import."""
    try:
        return context.known.costs[name]
    except HrbenchError as error:
        context.problems.add(probe_node, str(error))
        return None


def _settings(name: str, options: type, probe_node: Node, context: Context) -> Any:
    """All settings of one probe: the suite's, and its defaults."""
    plain = probe_node.plain()
    names = [field.name for field in fields(options)]
    if isinstance(plain, bool):
        return (_plain(options()) if names else True) if plain else (None if names else False)
    if not isinstance(plain, dict) or not names:
        shape = "true, false or a mapping of its settings" if names else "a valid boolean"
        context.problems.add(probe_node, f"cost.{name} must be {shape}, not {json.dumps(plain, ensure_ascii=False)}")
        return None
    types = get_type_hints(options, include_extras=True)
    values = {}
    for key, value in probe_node.value.items():
        if key not in names:
            context.problems.add(value, f"unknown key {key!r}; {suggestion(key, names)}")
        elif (read := _setting(f"cost.{name}.{key}", types[key], value, context)) is not _INVALID:
            values[key] = read
    try:
        return _plain(options(**values))
    except (HrbenchError, ValueError) as error:  # its `__post_init__` checks more
        alone = next((key for key, value in values.items() if not _accepts(options, {key: value})), None)
        place = probe_node if alone is None else probe_node.value[alone]
        context.problems.add(place, f"cost.{name}{'' if alone is None else f'.{alone}'}: {error}")
        return None


def _accepts(options: type, values: Mapping[str, Any]) -> bool:
    try:
        options(**values)
    except (HrbenchError, ValueError):
        return False
    return True


def _setting(named: str, wanted: Any, value: Node, context: Context) -> Any:
    """The value of one setting; `_INVALID`, and a problem, if it does not fit its field.

    named: "cost.PROBE.KEY", for problems.
    wanted: the type of the field.
    """
    plain = value.plain()
    several = plain if isinstance(plain, list) or not takes_several(wanted) else [plain]
    if isinstance(several, list):
        several = list({json.dumps(one): one for one in several}.values())  # each once, in order
    try:  # through JSON, where a list may be a tuple, yet "16" is no number
        return TypeAdapter(wanted).validate_json(json.dumps(several), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        within = plain[int(first["loc"][0])] if isinstance(plain, list) and first["loc"] else plain
        context.problems.add(value, f"{named} {explain(first, within)}")
    except (HrbenchError, ValueError) as error:
        context.problems.add(value, f"{named}: {error}")
    return _INVALID


def takes_several(wanted: Any) -> bool:
    """Whether a field is a tuple of any length, for which a suite may write a single value."""
    inner = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    return get_origin(inner) is tuple and Ellipsis in get_args(inner)


def cost_schema(costs: Mapping[str, type]) -> dict[str, Any]:
    """JSON Schema of `cost:`, with a property for each probe."""
    properties = {name: _probe_schema(options) for name, options in costs.items()}
    user_defined = {"anyOf": [{"type": "boolean"}, {"type": "object"}]}
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {":": user_defined},
        "additionalProperties": False,
    }


def _probe_schema(options: type) -> dict[str, Any]:
    """JSON Schema of one probe: true, false or its settings."""
    description = " ".join((options.__doc__ or "").split())
    if not fields(options):
        return {"type": "boolean", "description": "Whether this is measured."}
    content = TypeAdapter(options).json_schema()
    types = get_type_hints(options, include_extras=True)
    for name, part in content["properties"].items():
        if takes_several(types[name]):
            outer = {key: part.pop(key) for key in ("description", "default", "title") if key in part}
            content["properties"][name] = {"anyOf": [part["items"], part], **outer}
    content |= {"additionalProperties": False}
    content.pop("description", None)
    return {"anyOf": [{"type": "boolean"}, content], "description": description}


def _plain(options: Any) -> dict[str, Any]:
    """The settings of a dataclass as JSON values."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
