"""The network of one entry -> `types.Variant`: a catalog row by name, or with its fields in place, or none at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hrbench.names import short_name, source_of, suggestion
from hrbench.suite_context import Context
from hrbench.suite_yaml import Node
from hrbench.types import DatasetRow, Variant

NETWORK = ("use", "args", "task", "input", "colour", "mean", "std")  # what decides a variant's outputs
SOURCE_TASKS = {"timm": "classification", "smp": "segmentation"}  # what a source is mostly for, if nothing is said


def variant(node: Node, context: Context) -> Variant | None:
    """The network of `model:`, by name or with fields in place. The node's shape has been checked."""
    if isinstance(node.value, str):
        row = context.known.variants.get(node.value)
        if row is None:
            hint = suggestion(node.value, context.known.variants)
            context.problems.add(node, f"no model is called {node.value!r}; {hint}")
        return row
    base = None
    if (named := node.get("base")) is not None:
        base = variant(Node(named.value, named.source, named.line), context)
        if base is None:
            return None
    return _variant_in_place(node, base, context)


def _variant_in_place(node: Node, base: Variant | None, context: Context) -> Variant | None:
    given = {key: value for key, value in node.plain().items() if key != "base"}
    source = source_of(given.get("use", ""))
    if base is None and "task" not in given and source is not None and source[0] in SOURCE_TASKS:
        given["task"] = SOURCE_TASKS[source[0]]
    alike = [row for row in context.known.variants.values() if row.use == given.get("use")]
    if base is None and "task" not in given and alike:
        given["task"] = alike[0].task
    if (use := node.get("use")) is not None and not context.check_use(
        use, "hrbench.models", sorted({row.use for row in context.known.variants.values()}), "model"
    ):
        return None
    if use is not None:
        given["use"] = context.use(use)
    missing = [] if base else [key for key in ("use", "task", "input") if key not in given]
    if missing:
        context.problems.add(node, f"a model in place lacks {', '.join(missing)}; give that or `base: NAME`")
        return None
    if (args := node.get("args")) is not None:
        context.check_arguments(
            args.value, "hrbench.models", given["use"] if base is None else given.get("use", base.use)
        )
    made = _laid_over(base, given)
    if len(made.mean) != len(made.std):
        context.problems.add(node, f"mean has {len(made.mean)} values and std {len(made.std)}")
        return None
    return made


def _laid_over(base: Variant | None, given: dict[str, Any]) -> Variant:
    """A variant of the given fields over those of `base`.

    Arguments are laid over the base's unless another `use` is given, which takes arguments of its own. What is known
    of the base's network (its weights, count, published row, title) holds only for what is still the same network.
    """
    for key in ("input", "mean", "std"):
        if key in given:
            given[key] = tuple(given[key])
    if base is None:
        return Variant(**{"name": short_name(given["use"]), **given})
    if "use" in given and given["use"] != base.use:
        given.setdefault("args", {})
    elif "args" in given:
        given["args"] = {**base.args, **given["args"]}
    made = replace(base, **given)
    forgotten: dict[str, Any] = {}
    if any(getattr(made, key) != getattr(base, key) for key in ("use", "args")):
        forgotten = {"weights": {}, "parameters": None}
    if any(getattr(made, key) != getattr(base, key) for key in NETWORK):
        forgotten |= {"published": {}, "title": ""}
    return replace(made, **{key: value for key, value in forgotten.items() if key not in given})


def named_as(made: Variant | None, model: Node, node: Node) -> Variant | None:
    """A network of one's own goes by the name of its entry, where it has none."""
    name = node.get("name")
    if made is None or name is None or not isinstance(model.value, dict) or "name" in model.value:
        return made
    return replace(made, name=name.value)


def without_network(node: Node, given: Node | None, row: DatasetRow | None) -> Variant | None:
    """What stands in a network's place where predictions were given: a name, a task, and no input."""
    if given is None or row is None:
        return None
    name = node.get("name")
    return Variant(name.value if name is not None else Path(given.value).stem, "", row.task, (0, 0))
