"""The fields of one entry -> `types.Entry`: names looked up, defaults filled in, everything checked against the rest.

Each function takes nodes, adds what is wrong to `problems`, and returns None for what could not be made, so that one
reading of a suite finds all its errors.
"""

from __future__ import annotations

from hrbench.core.plugins import FILE_SOURCES, model_ref
from hrbench.core.text import suggestion
from hrbench.core.yaml import Node
from hrbench.suite.context import Context
from hrbench.suite.costs import cost
from hrbench.suite.datasets import PATH_KEYS, ROW_KEYS, dataset_name, laid_over
from hrbench.suite.models import named_as, variant, without_network
from hrbench.suite.protocols import protocol
from hrbench.types import DatasetRow, Entry, Variant

# --- data sets -------------------------------------------------------------------------------------------------------


def dataset(node: Node, context: Context) -> DatasetRow | None:
    """The data set of `dataset:`, by name or with fields in place. The node's shape has been checked."""
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
    called = plain.get("use", base.use if base else "")
    arguments = {key: value for key, value in node.value.items() if key not in ROW_KEYS}
    context.check_arguments(arguments, "hrbench.datasets", called, beside=ROW_KEYS)
    args = {key: value.plain() for key, value in arguments.items()}
    args |= {key: context.path(arguments[key]) for key in PATH_KEYS if isinstance(args.get(key), str)}
    given = {key: plain[key] for key in ("name", "title", "task", "home", "use") if key in plain}
    if "metrics" in plain:
        given["metrics"] = tuple(plain["metrics"])
    if base is not None:
        return laid_over(base, given, args)
    alike = next((row for row in context.known.datasets.values() if row.use == called), None)
    if alike is not None:
        given = {"task": alike.task, "metrics": alike.metrics, "fixed": alike.fixed, **given}
    missing = [key for key in ("task", "metrics") if key not in given]
    if missing:
        context.problems.add(node, f"a data set with `use: {called}` lacks {' and '.join(missing)}")
        return None
    return DatasetRow(**{"name": dataset_name(called, args), **given}, args=args)


# --- metrics, weights -----------------------------------------------------------------------------------------------


def metrics(
    node: Node | None, at: Node, row: DatasetRow | None, made: Variant | None, context: Context
) -> tuple[str, ...]:
    """What predictions are judged by: as given, or the data set's own, which stands at `at`.

    Of the data set's own those stay out that the network's row says it cannot be judged by.
    """
    own = () if row is None else tuple(row.metrics)
    if made is not None and made.metrics:
        own = tuple(name for name in own if name in made.metrics) or own
    names = own if node is None else tuple(node.plain())
    for name in names:
        if name not in context.known.metrics and not context.exists("hrbench.metrics", name):
            where = node if node is not None else at
            context.problems.add(where, f"no metric is called {name!r}; {suggestion(name, context.known.metrics)}")
    if node is not None and len(set(names)) != len(names):
        context.problems.add(node, f"metrics names one twice: {', '.join(names)}")
    return () if row is None else names


def weights(node: Node | None, made: Variant | None, context: Context) -> str | None:
    """An absolute path, a source of the variant's, "none", "own", or None for the first source found."""
    if node is None or made is None:
        return None
    text = node.value
    ref = model_ref(made.use)
    own = ref.kind == "reference"
    if text == "none" or text in made.weights or (text == "own" and own):
        return text
    if text == "own":
        context.problems.add(
            node, f'weights: own is for a callable of one\'s own (use: "package.module:callable"), not {made.use}'
        )
        return None
    if ref.source in FILE_SOURCES:
        context.problems.add(node, f"{made.name} has its weights in its own file: leave `weights` out")
        return None
    if any(mark in text for mark in "./\\~"):
        return context.path(node)
    known = [*made.weights, "none", *(["own"] if own else [])]
    hint = suggestion(text, known)
    context.problems.add(
        node, f"{made.name} has no weights source {text!r}; {hint} (a file is written with its ending)"
    )
    return None


# --- the whole -------------------------------------------------------------------------------------------------------


def entry(node: Node, limit: int | None, context: Context) -> Entry | None:
    """An entry of nodes whose shape has been checked; its name is "" where none is given."""
    model, data, given = node.get("model"), node.get("dataset"), node.get("predictions")
    wanted = data is not None and data.value != "none"
    row = dataset(data, context) if wanted and data is not None else None
    if given is not None and not wanted:
        context.problems.add(given, "predictions are judged on a data set: give `dataset`")
        return None
    made = without_network(node, given, row) if model is None else named_as(variant(model, context), model, node)
    if made is not None and row is not None and made.task != row.task:
        context.problems.add(
            node, f"model {made.name} is for {made.task} and data set {row.name} for {row.task}: they do not fit"
        )
    plain = node.plain()
    task = made.task if made is not None else row.task if row is not None else None
    settings = None if task is None else protocol(node.get("protocol"), node, task, context, made, row)
    judged = metrics(node.get("metrics"), data or node, row, made, context)
    source = weights(node.get("weights"), made, context) if given is None else None
    costs = cost(node.get("cost"), context)
    if made is None or settings is None or (wanted and row is None):
        return None
    if given is not None and node.get("protocol") is None:
        settings = {}  # how they were made is not known unless it is said
    return Entry(
        name=plain.get("name", ""),
        variant=made,
        dataset=row,
        protocol=settings,
        metrics=judged,
        cost=costs,
        weights=source,
        limit=limit,
        predictions="" if given is None else context.path(given),
        where=node.where,
        **{key: plain[key] for key in ("batch", "seed", "dtype", "resamples", "timeout") if key in plain},
    )
