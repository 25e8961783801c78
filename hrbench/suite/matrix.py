"""Expands a suite into single entries: matrices, defaults, overrides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from hrbench.core import yaml
from hrbench.core.yaml import Node, Problems
from hrbench.suite.datasets import drop_name_if_changed
from hrbench.suite.schema import EntryFields
from hrbench.suite.validate import _check


def _expand(root: Node, problems: Problems) -> Iterator[Node]:
    """Every entry of the suite with one `model` and one `dataset`: first the matrix at the top, then `entries`."""
    matrix = {key: node for key in ("models", "datasets", "runtimes") if (node := root.get(key)) is not None}
    if "models" in matrix:
        yield from _matrix(Node(matrix, root.source, matrix["models"].line), problems)
    for key in matrix if "models" not in matrix else ():
        problems.add(matrix[key], f"`{key}:` at the top goes with `models:`")
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
    """An entry for each of its models, data sets and runtimes with each other; the entry itself if it has no lists."""
    predictions = row.get("predictions")
    if row.get("model") is None and row.get("models") is None and predictions is None:
        _check(EntryFields, row, problems)  # most likely the key is there, misspelt
        problems.add(row, "an entry needs `model:` or `models:`, or `predictions:`")
        return
    if (
        predictions is not None
        and (several := row.get("models") or row.get("datasets") or row.get("runtimes")) is not None
    ):
        problems.add(several, "one file of predictions is of one `model` on one `dataset`, and no runtime makes it")
        return
    sides: dict[str, list[Node | None]] = {}
    for one, many in (("model", "models"), ("dataset", "datasets"), ("runtime", "runtimes")):
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
    many = {f"{one}s": len(values) for one, values in sides.items() if len(values) > 1}
    if many and (name := row.get("name")) is not None:
        counts = ", ".join(f"{number} {key}" for key, number in many.items())
        problems.add(
            name,
            f"name {name.value!r} is of one entry, and this makes several ({counts}): name the network instead, "
            "`model: {base: NETWORK, name: NAME}`, to which the runtime is added"
            if set(many) == {"runtimes"}
            else f"name {name.value!r} is of one entry, and this makes several ({counts}): leave it out, or write them "
            "as entries of their own",
        )
        return
    for model, data, runtime in product(*sides.values()):
        line = model if model is not None and row.get("models") is not None else row
        lists = {"models": None, "datasets": None, "runtimes": None}
        made = row.having({**lists, "model": model, "dataset": data, "runtime": runtime})
        yield Node(made.value, row.source, line.line)


def _merge(under: Node, over: Node) -> Node:
    """Merges mappings key by key; `over` wins. A data set or model with `use` or `base` replaces the other.

    "cost: {latency: {batch: 8}}" keeps the rest of the cost. "dataset: {split: train2017}" changes the split of the
    data set in `under`, whether given by name or by fields; "dataset: {use: ...}" replaces it.
    """
    merged = {key: _as_mapping(key, node) for key, node in under.value.items()}
    for key, node in over.value.items():
        below, node = merged.get(key), _as_mapping(key, node)
        if below is None or not isinstance(node.value, dict):
            merged[key] = node
            continue
        if key == "runtime" and "name" in node.value and _named(below) != _named(node):
            below = below.having({"mode": None, "provider": None})  # which are another runtime's
        if key in ("dataset", "model"):
            if "use" in node.value or "base" in node.value:
                merged[key] = node
                continue
            if isinstance(below.value, str) and below.value != "none":
                below = Node({"base": below}, below.source, below.line)
            if key == "dataset" and isinstance(below.value, dict):
                below = drop_name_if_changed(below, node)
        uses = [side.get("use") for side in (below, node)]
        if None not in uses and len({str(use and use.value) for use in uses}) == 2:  # another network as an argument
            merged[key] = node
            continue
        merged[key] = _merge(below, node) if isinstance(below.value, dict) else node
    return Node(merged, over.source if over.line else under.source, over.line or under.line)


def _named(node: Node) -> Any:
    """The runtime that a mapping names."""
    name = node.get("name")
    return "eager" if name is None else name.value


def _as_mapping(key: str, node: Node) -> Node:
    """`protocol: NAME` as `protocol: {name: NAME}`, so that it can be merged with settings; a runtime's likewise."""
    if key in ("protocol", "runtime") and isinstance(node.value, str):
        return Node({"name": node}, node.source, node.line)
    return node


def _override(text: str, problems: Problems) -> Node | None:
    """ "cost.latency.batch=1" as the mapping {cost: {latency: {batch: 1}}}."""
    found = yaml.parse_assignment(text, "--set", "cost.latency.batch=1", problems)
    if found is None:
        return None
    keys, node = found
    if keys[0] in ("model", "models", "datasets", "runtimes", "name", "predictions") and len(keys) == 1:
        problems.add(node, f"{keys[0]} cannot be the same for every entry; use --only to choose entries")
        return None
    for part in reversed(keys):
        node = Node({part: node}, node.source)
    return node
