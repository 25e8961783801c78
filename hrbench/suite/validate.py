"""Checks the form of a suite file against its schema; reports all errors at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from hrbench.core.text import suggestion
from hrbench.core.yaml import Node, Problems
from hrbench.suite.context import explain
from hrbench.suite.schema import NAME, Defaults, SuiteFields, keys_at

NESTED = ("model", "dataset", "runtime", "weights")
"""Keys of an entry whose value may be a mapping with a known form."""


def _checked_top(root: Node, problems: Problems) -> bool:
    """Checks the keys beside the entries; returns whether the entries can be parsed."""
    if root.value is None and problems.found:
        return False  # the error of reading it is reported already
    if not isinstance(root.value, dict):
        problems.add(root, "a suite is a mapping with `suite:` and `entries:` or `models:`")
        return False
    rest = {
        key: node
        for key, node in root.value.items()
        if key not in ("entries", "models", "datasets", "runtimes", "defaults")
    }
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
    """Checks a mapping against a pydantic model. Returns None if it is valid, else its valid part.

    The valid part is the mapping without unknown keys and without values that have an error.
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
    """Adds a problem for each key without a value, also within a model or data set; returns such keys."""
    wrong = set()
    for key, value in node.value.items():
        if value.value is None:
            problems.add(value, f"{key} has no value; give one or leave the key out")
            wrong.add(key)
        elif key in NESTED and isinstance(value.value, dict) and _without_value(value, problems):
            wrong.add(key)
    return wrong


def _message(error: Any, at: Node, model: type[BaseModel]) -> str:
    place = [part for part in error["loc"] if not (isinstance(part, str) and part.startswith("("))]
    named = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        above = error["loc"][:-1]
        may = keys_at(above) if any(isinstance(part, str) for part in above) else tuple(model.model_fields)
        key = error["loc"][-1]  # the user's, which may begin like a tag of pydantic
        return f"unknown key {key!r}; {suggestion(str(key), may)}"
    if error["type"] == "missing" and isinstance(place[-1], int):
        return f"{'.'.join(map(str, place[:-1]))} must have at least {place[-1] + 1} values"
    if error["type"] == "missing":
        return f"{named} is missing"
    if error["loc"][-1] == NAME and error["type"] == "literal_error":
        return f"{named} must be a whole number of at least 1, or {error['ctx']['expected']}, not {at.plain()!r}"
    if error["loc"][-1] == NAME:
        return f"{named} must be a name or a mapping, not {at.plain()!r}"
    return f"{named} {explain(error, at.plain())}"
