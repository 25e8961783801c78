"""The fields of one entry as `types.Entry`: names looked up, defaults filled in, fields checked against each other.

Each function takes nodes, adds errors to `problems`, and returns None if there were any, so that parsing a suite once
finds all its errors.
"""

from __future__ import annotations

from typing import Any

from hrbench.core.plugins import FILE_SOURCES, model_ref
from hrbench.core.remote.addresses import is_url
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.suite.context import Context
from hrbench.suite.costs import cost
from hrbench.suite.datasets import PATH_KEYS, ROW_KEYS, dataset_name, override_row
from hrbench.suite.models import fed_by_library, named_as, variant, without_network
from hrbench.suite.protocols import assumed_settings, protocol
from hrbench.types import DatasetRow, Entry, RuntimeSettings, Variant

# --- data sets -------------------------------------------------------------------------------------------------------


def dataset(node: Node, context: Context) -> DatasetRow | None:
    """The data set of `dataset:`, by name or by fields. The form of the node has been checked."""
    if isinstance(node.value, str):
        row = context.known.datasets.get(node.value)
        if row is None:
            hint = suggestion(node.value, [*context.known.datasets, "none"])
            context.problems.add(node, f"no data set is called {node.value!r}; {hint}")
        return row
    base = None
    if (named := node.get("base")) is not None:
        base = dataset(Node(named.value, named.source, named.line), context)
        if base is None:
            return None
    return _dataset_in_place(node, base, context)


def _dataset_in_place(node: Node, base: DatasetRow | None, context: Context) -> DatasetRow | None:
    plain = node.plain()
    if base is None and "use" not in plain:
        context.problems.add(node, "a data set in place lacks `use`; give that or `base: NAME`")
        return None
    uses = sorted({row.use for row in context.known.datasets.values()})
    if (use := node.get("use")) is not None and not context.check_use(use, "hrbench.datasets", uses, "data set"):
        return None
    used = plain.get("use", base.use if base else "")
    arguments = {key: value for key, value in node.value.items() if key not in ROW_KEYS}
    context.check_arguments(arguments, "hrbench.datasets", used, beside=ROW_KEYS)
    args = {key: value.plain() for key, value in arguments.items()}
    args |= {key: context.path(arguments[key]) for key in PATH_KEYS if isinstance(args.get(key), str)}
    fields = {key: plain[key] for key in ("name", "title", "task", "home", "use") if key in plain}
    if "metrics" in plain:
        fields["metrics"] = tuple(plain["metrics"])
    if base is not None:
        return override_row(base, fields, args)
    alike = next((row for row in context.known.datasets.values() if row.use == used), None)
    if alike is not None:
        fields = {"task": alike.task, "metrics": alike.metrics, "fixed": alike.fixed, **fields}
    missing = [key for key in ("task", "metrics") if key not in fields]
    if missing:
        context.problems.add(node, f"a data set with `use: {used}` lacks {' and '.join(missing)}")
        return None
    return DatasetRow(**{"name": dataset_name(used, args), **fields}, args=args)


# --- metrics, weights -----------------------------------------------------------------------------------------------


def metrics(
    node: Node | None, at: Node, row: DatasetRow | None, variant: Variant | None, context: Context
) -> tuple[str, ...]:
    """The metrics that score predictions: those of the entry, or else those of the data set.

    node: `metrics:` of the entry, or None.
    at: the data set, for problems with its metrics.
    row: the data set; None for costs only.
    variant: its row may restrict the metrics of the data set.
    context: gets the problems.
    """
    defaults = () if row is None else tuple(row.metrics)
    if variant is not None and variant.metrics:
        defaults = tuple(name for name in defaults if name in variant.metrics) or defaults
    names = defaults if node is None else tuple(node.plain())
    for name in names:
        if name not in context.known.metrics and not context.exists("hrbench.metrics", name):
            context.problems.add(
                node if node is not None else at,
                f"no metric is called {name!r}; {suggestion(name, context.known.metrics)}",
            )
    if node is not None and len(set(names)) != len(names):
        context.problems.add(node, f"metrics names one twice: {', '.join(names)}")
    return () if row is None else names


def weights(node: Node | None, variant: Variant | None, context: Context) -> tuple[str | None, str, str]:
    """Which weights, which part of a training checkpoint they are, and the prefix to drop; "" for what is not said.

    The weights: an absolute path, an address, a source of the variant's, "none", "own", or None for the first source
    found.
    """
    if node is None or variant is None:
        return None, "", ""
    if not isinstance(node.value, dict):
        return _weights_file(node, variant, context), "", ""
    file = _weights_file(node.value["file"], variant, context)
    said = {name: node.get(name) for name in ("key", "drop")}
    for name, given in said.items():
        if given is not None and file in ("none", "own"):
            what = "a key could choose a part" if name == "key" else "all keys could lose a prefix"
            context.problems.add(given, f"weights: {file} are no file, of which {what}")
    key, drop = ("" if given is None else str(given.value) for given in said.values())
    return file, key, drop


def _weights_file(node: Node, variant: Variant, context: Context) -> str | None:
    text = node.value
    ref = model_ref(variant.use)
    user_defined = ref.kind == "reference"
    if text == "none" or text in variant.weights or (text == "own" and user_defined):
        return text
    if text == "own":
        context.problems.add(
            node, f'weights: own is for a user-defined callable (use: "package.module:callable"), not {variant.use}'
        )
        return None
    if ref.source in FILE_SOURCES:
        context.problems.add(node, f"{variant.name} has its weights in its own file: leave `weights` out")
        return None
    if is_url(text):
        return context.address(node)
    if any(mark in text for mark in "./\\~"):
        return context.path(node)
    known = [*variant.weights, "none", *(["own"] if user_defined else [])]
    hint = suggestion(text, known)
    context.problems.add(
        node, f"{variant.name} has no weights source {text!r}; {hint} (a file is written with its ending)"
    )
    return None


# --- runtimes --------------------------------------------------------------------------------------------------------


def runtime(node: Node | None, variant: Variant | None, context: Context) -> RuntimeSettings:
    """How the network is run: eager PyTorch if nothing is said, and its own runtime for a network in a file."""
    in_file = variant is not None and model_ref(variant.use).source in FILE_SOURCES
    default = "own" if in_file else "eager"
    if node is None:
        return RuntimeSettings(default)
    name = node.get("name")
    named = default if name is None else str(name.value)
    if named not in context.known.runtimes:
        at = node if name is None else name
        context.problems.add(at, f"no runtime is called {named!r}; {suggestion(named, context.known.runtimes)}")
        return RuntimeSettings(default)
    if variant is not None and in_file != (named == "own"):
        why = (
            "is a file, which brings its own runtime" if in_file else "is no file (onnx:, exported:), which own is for"
        )
        context.problems.add(node if name is None else name, f"{variant.name} {why}: leave runtime {named} out")
        return RuntimeSettings(default)
    # false is what a setting is without being named, except for TF32
    values = {
        key: value for key, value in node.plain().items() if (key != "name" and value is not False) or key == "tf32"
    }
    taken = context.known.runtimes[named]
    for key in values:
        if key not in taken:
            takes = f"it takes {', '.join(taken)}" if taken else "it takes no settings"
            context.problems.add(node.value[key], f"runtime {named} does not take {key}; {takes}")
    fits: Any = {key: value for key, value in values.items() if key in taken}
    own = {key: value for key, value in fits.items() if key in ("mode", "provider")}
    if own and (why := context.known.refused(named, own)):
        context.problems.add(node.value[next(iter(own))], why)
        return RuntimeSettings(default)
    return RuntimeSettings(named, **fits)


# --- the whole -------------------------------------------------------------------------------------------------------


def entry(node: Node, limit: int | None, context: Context) -> Entry | None:
    """The entry of a node whose form has been checked; its name is "" if the suite gives none.

    node: a mapping of the entry's fields.
    limit: of images, None for all.
    context: gets the problems.
    """
    model, data, predictions = node.get("model"), node.get("dataset"), node.get("predictions")
    has_data = data is not None and data.value != "none"
    row = dataset(data, context) if has_data and data is not None else None
    if predictions is not None and not has_data:
        context.problems.add(predictions, "predictions are scored on a data set: give `dataset`")
        return None
    network = (
        without_network(node, predictions, row) if model is None else named_as(variant(model, context), model, node)
    )
    stated: tuple[str, ...] = ()
    if network is not None and row is not None and network.task != row.task:
        context.problems.add(
            node, f"model {network.name} is for {network.task} and data set {row.name} for {row.task}: they do not fit"
        )
    if network is not None and model is not None and row is not None and predictions is None:
        network, stated = fed_by_library(network, model, node, context)
    plain = node.plain()
    task = network.task if network is not None else row.task if row is not None else None
    settings = None if task is None else protocol(node.get("protocol"), node, task, context, network, row)
    metric_names = metrics(node.get("metrics"), data or node, row, network, context)
    source, part, drop = (None, "", "") if predictions is not None else weights(node.get("weights"), network, context)
    costs = cost(node.get("cost"), plain.get("dtype", "float32"), context)
    run_by = runtime(node.get("runtime"), network, context)
    if predictions is not None and model is None and (given := node.get("runtime")) is not None:
        context.problems.add(given, "predictions from a file are of no runtime: leave it out")
    if network is None or settings is None or (has_data and row is None):
        return None
    from_file = predictions is not None
    if not from_file and row is not None:
        assumed = assumed_settings(model, node.get("protocol"), context, network, row, stated)
    else:
        assumed = ()
    if from_file and node.get("protocol") is None:
        settings = {}  # the protocol of precomputed predictions is unknown unless the suite states it
    return Entry(
        name=plain.get("name", ""),
        variant=network,
        dataset=row,
        protocol=settings,
        metrics=metric_names,
        cost=costs,
        weights=source,
        weights_key=part,
        weights_drop=drop,
        assumed=assumed,
        limit=limit,
        runtime=run_by,
        predictions="" if predictions is None else context.path(predictions),
        where=node.where,
        **{key: plain[key] for key in ("batch", "seed", "dtype", "resamples", "timeout", "shards") if key in plain},
    )
