"""`gate:` of a suite, or a policy file, as `types.Policy`: all errors at once, with their lines.

    gate:
      open: warn                        # a required number that cannot be told: warn, or block
      margins: {AP: 0.3, latency: 3%, "coco-boxes/AP": {points: 0.3, relative: 1%}}
      rules:                            # from top to bottom, the last that fits decides
        - {quantity: "AP*", tier: watched}
        - {entry: "pose_*", quantity: AP50, tier: required, margin: 0.5}
      floors:
        - AP50 >= 0.6
        - {entry: "pose_*", floor: "latency <= 0.05"}
      waivers:
        - {entry: pose_w32, quantity: AP, reason: known and accepted, until: 2027-01-31}

Margins come before the rules, in their order. A policy file is the same mapping, with or without `gate:` around it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from hrbench.core import yaml
from hrbench.core.yaml import Node, Problems
from hrbench.suite.policy_schema import GateFields
from hrbench.suite.validate import _check
from hrbench.types import Floor, Margin, Policy, Rule, Waiver

_FLOOR = re.compile(r"\s*(?P<quantity>\S(.*\S)?)\s*(?P<sign>>=|<=)\s*(?P<bound>\d+(\.\d+)?([eE][+-]?\d+)?)\s*")


def read_policy(path: Path) -> Policy:
    """The policy in a file, or of a suite's `gate:`. Raises UsageError with one line for each error."""
    problems = Problems()
    root = yaml.load(path)
    inner = root.get("gate")
    policy = policy_of(inner if inner is not None else root, problems)
    problems.raise_any()
    return policy


def suite_policy(path: Path) -> Policy | None:
    """The policy of the suite in a file, None if it has no `gate:`. Nothing else of the suite is checked."""
    problems = Problems()
    inner = yaml.load(path).get("gate")
    policy = None if inner is None else policy_of(inner, problems)
    problems.raise_any()
    return policy


def policy_of_run(run: Path) -> Policy:
    """The policy of the suite that is stored in a run folder or baseline; the default one if it has none."""
    stored = run / "suite.yaml"
    return (suite_policy(stored) if stored.is_file() else None) or Policy()


def policy_of(node: Node, problems: Problems) -> Policy:
    """The policy in a mapping; its errors are added to `problems`."""
    if not isinstance(node.value, dict):
        problems.add(node, "a policy is a mapping with `margins:`, `rules:`, `floors:` or `waivers:`")
        return Policy(node.source)
    if _check(GateFields, node, problems) is not None:
        return Policy(node.source)
    if empty := _without_value(node):
        for key, one in empty:
            problems.add(one, f"{key} has no value; give one or leave the key out")
        return Policy(node.source)
    rules = [_margin_rule(name, one) for name, one in _items(node, "margins")]
    rules += [_rule(one) for one in _list(node, "rules")]
    floors = [_floor(one, problems) for one in _list(node, "floors")]
    waivers = [_waiver(one, problems) for one in _list(node, "waivers")]
    opened = node.get("open")
    return Policy(
        node.source,
        opened is not None and opened.value == "block",
        tuple(rules),
        tuple(floor for floor in floors if floor is not None),
        tuple(waivers),
    )


def _without_value(node: Node) -> list[tuple[str, Node]]:
    """Keys at any depth whose value is null, each with its node; the models of these fields allow it, as a default."""
    if isinstance(node.value, dict):
        here = [(key, one) for key, one in node.value.items() if one.value is None]
        return here + [found for one in node.value.values() for found in _without_value(one)]
    return [found for one in node.value for found in _without_value(one)] if isinstance(node.value, list) else []


def _items(node: Node, key: str) -> list[tuple[str, Node]]:
    inner = node.get(key)
    return [] if inner is None else list(inner.value.items())


def _list(node: Node, key: str) -> list[Node]:
    inner = node.get(key)
    return [] if inner is None else list(inner.value)


def _margin_rule(name: str, node: Node) -> Rule:
    return Rule(name, margin=_margin(node), where=node.where)


def _margin(node: Node) -> Margin:
    value = node.value
    if isinstance(value, dict):
        points, relative = node.get("points"), node.get("relative")
        return Margin(
            None if points is None else float(points.value), None if relative is None else _share(relative.value)
        )
    return Margin(relative=_share(value)) if isinstance(value, str) else Margin(points=float(value))


def _share(text: str) -> float:
    return float(text.strip().removesuffix("%")) / 100


def _text(node: Node, key: str) -> str:
    inner = node.get(key)
    return "*" if inner is None else inner.value


def _rule(node: Node) -> Rule:
    tier, margin = node.get("tier"), node.get("margin")
    return Rule(
        _text(node, "quantity"),
        _text(node, "entry"),
        None if tier is None else tier.value,
        None if margin is None else _margin(margin),
        node.where,
    )


def _floor(node: Node, problems: Problems) -> Floor | None:
    mapping: Mapping[str, Node] = node.value if isinstance(node.value, dict) else {"floor": node}
    text = mapping["floor"].value
    match = _FLOOR.fullmatch(text)
    if match is None:
        problems.add(
            mapping["floor"], f"floor {text!r}: say QUANTITY >= BOUND or QUANTITY <= BOUND, such as AP50 >= 0.6"
        )
        return None
    if not math.isfinite(float(match["bound"])):
        problems.add(mapping["floor"], f"floor {text[:60]!r}: the bound is larger than any number")
        return None
    entry = mapping["entry"].value if "entry" in mapping else "*"
    return Floor(match["quantity"], float(match["bound"]), match["sign"] == ">=", entry, node.where)


def _waiver(node: Node, problems: Problems) -> Waiver:
    until = node.value["until"]
    try:
        date.fromisoformat(until.value)
    except ValueError:
        problems.add(until, f"until {until.value!r}: there is no such day; write it as 2027-01-31")
    reason = node.value["reason"]
    if not reason.value.strip():
        problems.add(reason, "reason is empty: say why, since it is shown wherever the row is")
    return Waiver(_text(node, "quantity"), reason.value, until.value, _text(node, "entry"), node.where)
