"""The network of one entry as `types.Variant`: a catalog row by name, or fields in the suite, or no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hrbench.core.nested_args import base_of, faults, is_network, merge_defaults
from hrbench.core.plugins import model_ref
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.errors import HrbenchError
from hrbench.suite.context import Context
from hrbench.suite.protocols import COLOURS
from hrbench.types import DatasetRow, LibraryInput, Variant

NETWORK_FIELDS = ("use", "args", "task", "input", "colour", "mean", "std")  # what decides a variant's outputs
SOURCE_TASKS = {"timm": "classification", "smp": "segmentation"}  # default task of a source


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
    fields = {key: value for key, value in node.plain().items() if key != "base"}
    source = model_ref(fields.get("use", "")).source
    if base is None and "task" not in fields and source in SOURCE_TASKS:
        fields["task"] = SOURCE_TASKS[source]
    alike = [row for row in context.known.variants.values() if row.use == fields.get("use")]
    if base is None and "task" not in fields and alike:
        fields["task"] = alike[0].task
    if (use := node.get("use")) is not None and not context.check_use(
        use, "hrbench.models", context.networks(), "model"
    ):
        return None
    if use is not None:
        fields["use"] = context.use(use)
    if base is None and "input" not in fields and use is not None and "task" in fields:
        own = _library_input(fields["use"], fields, None, "", node, context)
        if own is not None and own.input is not None:
            fields["input"] = own.input
    missing = [] if base else [key for key in ("use", "task", "input") if key not in fields]
    if missing:
        context.problems.add(node, f"a model in place lacks {', '.join(missing)}; give that or `base: NAME`")
        return None
    if (args := node.get("args")) is not None:
        used = fields["use"] if base is None else fields.get("use", base.use)
        under = base.args if base is not None and used == base.use else {}
        problems = list(faults(args.plain(), under))
        for path, message in problems:
            context.problems.add(args.at(path), message)
        if problems:
            return None
        fields["args"] = _arguments(args, used, under, context)
    variant = _override_variant(base, fields)
    if len(variant.mean) != len(variant.std):
        context.problems.add(node, f"mean has {len(variant.mean)} values and std {len(variant.std)}")
        return None
    return variant


def _arguments(args: Node, use: str, under: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The checked arguments of `use`; networks among them are checked too, and paths of files made absolute.

    args: their form has been checked.
    use: of the network.
    under: the base's arguments.
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


def _override_variant(base: Variant | None, fields: dict[str, Any]) -> Variant:
    """A variant with the fields of `base`, overridden by those of `fields`.

    Arguments are merged with the base's (`nested_args.merge_defaults`), unless `fields` has another `use`, which takes
    other arguments. Weights, parameter count, published row and title of the base are kept only for the same network.
    """
    for key in ("input", "mean", "std"):
        if key in fields:
            fields[key] = tuple(fields[key])
    if base is None:
        return Variant(**{"name": model_ref(fields["use"]).short_name, **fields})
    if "use" in fields and fields["use"] != base.use:
        fields.setdefault("args", {})
    elif "args" in fields:
        fields["args"] = merge_defaults(base.args, fields["args"])
    variant = replace(base, **fields)
    dropped: dict[str, Any] = {}
    if any(getattr(variant, key) != getattr(base, key) for key in ("use", "args")):
        dropped = {"weights": {}, "parameters": None}
    if any(getattr(variant, key) != getattr(base, key) for key in NETWORK_FIELDS):
        dropped |= {"published": {}, "title": ""}
    return replace(variant, **{key: value for key, value in dropped.items() if key not in fields})


def fed_by_library(variant: Variant, model: Node, node: Node, context: Context) -> tuple[Variant, tuple[str, ...]]:
    """The network with what its library says of how it is fed, except what the suite says itself; and which fields of
    the network the library stated.

    model: what names it; a row of the catalog says itself how its network is fed.
    node: the entry; a protocol that it names other than the library's keeps its own settings.
    context: gets a problem if the library feeds the network in a way that is not known here.
    """
    if not isinstance(model.value, dict) or model.get("use") is None:
        return variant, ()
    weights = node.get("weights")
    file = "" if weights is None or not isinstance(weights.value, str) else weights.value
    stated = {"task": variant.task, "args": variant.args}
    named = node.get("protocol")
    at = None if named is not None and named.get("name") is not None else model
    own = _library_input(variant.use, stated, variant.input, file, at, context)
    if own is None:
        return variant, ()
    said = model.plain()
    colours = {key: getattr(own, key) for key in COLOURS if key not in said}
    protocol = {**own.protocol, "stated_by": own.stated_by} if own.protocol else {}
    return replace(variant, protocol=protocol, **colours), COLOURS if own.states_colours else ()


def _library_input(
    use: str,
    fields: Mapping[str, Any],
    input: tuple[int, int] | None,
    weights: str,
    at: Node | None,
    context: Context,
) -> LibraryInput | None:
    """`Known.library_input`; None, and a problem at `at` if it is given, where the library's way is not known."""
    try:
        return context.known.library_input(use, fields["task"], input, fields.get("args", {}), weights)
    except HrbenchError as error:
        if at is not None:
            context.problems.add(at, str(error))
        return None


def named_as(variant: Variant | None, model: Node, node: Node) -> Variant | None:
    """A network written in the suite without a name gets the name of its entry."""
    name = node.get("name")
    if variant is None or name is None or not isinstance(model.value, dict) or "name" in model.value:
        return variant
    return replace(variant, name=name.value)


def without_network(node: Node, predictions: Node | None, row: DatasetRow | None) -> Variant | None:
    """The variant of an entry with predictions and no model: a name, a task, and no input."""
    if predictions is None or row is None:
        return None
    name = node.get("name")
    return Variant(name.value if name is not None else Path(predictions.value).stem, "", row.task, (0, 0))
