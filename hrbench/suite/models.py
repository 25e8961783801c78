"""The network of one entry -> `types.Variant`: a catalog row by name, or with its fields in place, or none at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hrbench.core.nested_args import base_of, faults, is_network, merge_defaults
from hrbench.core.plugins import model_ref
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.suite.context import Context
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
    source = model_ref(given.get("use", "")).source
    if base is None and "task" not in given and source in SOURCE_TASKS:
        given["task"] = SOURCE_TASKS[source]
    alike = [row for row in context.known.variants.values() if row.use == given.get("use")]
    if base is None and "task" not in given and alike:
        given["task"] = alike[0].task
    if (use := node.get("use")) is not None and not context.check_use(
        use, "hrbench.models", context.networks(), "model"
    ):
        return None
    if use is not None:
        given["use"] = context.use(use)
    missing = [] if base else [key for key in ("use", "task", "input") if key not in given]
    if missing:
        context.problems.add(node, f"a model in place lacks {', '.join(missing)}; give that or `base: NAME`")
        return None
    if (args := node.get("args")) is not None:
        called = given["use"] if base is None else given.get("use", base.use)
        under = base.args if base is not None and called == base.use else {}
        wrong = list(faults(args.plain(), under))
        for path, message in wrong:
            context.problems.add(args.at(path), message)
        if wrong:
            return None
        given["args"] = _arguments(args, called, under, context)
    made = _laid_over(base, given)
    if len(made.mean) != len(made.std):
        context.problems.add(node, f"mean has {len(made.mean)} values and std {len(made.std)}")
        return None
    return made


def _arguments(args: Node, use: str, under: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The arguments of `use`, each looked up; those of networks among them too, whose files get absolute paths.

    under: the base's arguments. The form of networks has been checked.
    """
    context.check_arguments(args.value, "hrbench.models", use)
    made = args.plain()
    for key, node in args.value.items():
        if not isinstance(node.value, dict) or not (is_network(made[key]) or is_network(under.get(key))):
            continue
        inner = base_of(made[key], under.get(key)) or {}
        called = node.get("use")
        if called is not None and context.check_use(called, "hrbench.models", context.networks(), "model"):
            made[key]["use"] = context.use(called)
        elif called is not None:
            continue
        if (within := node.get("args")) is not None:
            made[key]["args"] = _arguments(
                within, made[key].get("use", inner.get("use")), inner.get("args") or {}, context
            )
    return made


def _laid_over(base: Variant | None, given: dict[str, Any]) -> Variant:
    """A variant of the given fields over those of `base`.

    Arguments are laid over the base's (`merge_defaults`) unless another `use` is given, which takes arguments of its
    own. What is known
    of the base's network (its weights, count, published row, title) holds only for what is still the same network.
    """
    for key in ("input", "mean", "std"):
        if key in given:
            given[key] = tuple(given[key])
    if base is None:
        return Variant(**{"name": model_ref(given["use"]).short_name, **given})
    if "use" in given and given["use"] != base.use:
        given.setdefault("args", {})
    elif "args" in given:
        given["args"] = merge_defaults(base.args, given["args"])
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
