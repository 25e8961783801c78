"""What the listing commands show, as text in aligned columns. Returns strings; prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench import catalog
from hrbench.cli.text import columns, facts, select_rows
from hrbench.core import plugins
from hrbench.core.nested_args import as_yaml, is_network
from hrbench.core.remote import mirror
from hrbench.core.units import amount, exact, interval, show, size, with_unit
from hrbench.cost.quantities import described
from hrbench.errors import HrbenchError, UsageError
from hrbench.models.weights.sources import Source, WeightsFile, find_weights, stated_source
from hrbench.types import DatasetRow, Measurement, Variant

MAX_ALIKE = 8
"""So many classes without a value for one reason stand in a table; more are one line."""


def models(pattern: str, task: str, weights: Path) -> str:
    """The catalog's networks: one in full, or all that match by task and family, with their weights on this disk.

    pattern: a name, a shell pattern, or "" for all.
    task: only networks of this task, "" for all.
    weights: the folder of weights.

    Raises UsageError if no network matches.
    """
    every = catalog.variants()
    rows = list(select_rows(every, pattern, "model").values())
    tasks = list(dict.fromkeys(row.task for row in rows))
    if task and task not in (known_tasks := dict.fromkeys(row.task for row in every.values())):
        raise UsageError(f"there is no task {task!r} among the models: {plugins.suggestion(task, known_tasks)}")
    if task and task not in tasks:
        raise UsageError(f"there is no model {pattern or '*'!r} of task {task!r}: {plugins.suggestion(task, tasks)}")
    rows = [row for row in rows if task in ("", row.task)]
    if len(rows) == 1:
        return model(rows[0], weights)
    groups: dict[tuple[str, str], list[Variant]] = {}
    for row in rows:
        groups.setdefault((row.task, family(row)), []).append(row)
    shown = sorted(groups, key=lambda group: tasks.index(group[0]))  # families stay in the order of the catalog
    lines = iter(
        columns([MODELS, *(_line(row, weights) for group in shown for row in groups[group])], right=(3,)).splitlines()
    )
    text = [next(lines), next(lines)]
    for group in shown:
        text += ["", f"{group[0]}: {group[1]} ({len(groups[group])})", *(next(lines) for _ in groups[group])]
    return "\n".join([*text, "", _total(rows, weights)])


MODELS = ("model", "network", "input", "params (M)", "weights")


def family(row: Variant) -> str:
    """The heading a network is listed under: the entry point that builds it, or the source it comes from."""
    return plugins.model_ref(row.use).family


def _line(row: Variant, weights: Path) -> tuple[str, ...]:
    count = show(row.parameters, "count") if row.parameters else "-"
    return (row.name, row.title, size(row.input), count, _weights(row, weights))


def _weights(row: Variant, folder: Path) -> str:
    """Which weights are on this disk, or how to get them, in a few words."""
    found = find_weights(row, None, folder)
    if isinstance(found, WeightsFile):
        return f"{found.source}: {found.path.name}"
    if row.absent:
        return "cannot be built"
    sources = [stated_source(row, name) for name in row.weights]
    by_address = [source.name for source in sources if source.address]
    by_hand = [source.name for source in sources if not source.address]
    ways = [f"to fetch: {', '.join(by_address)}"] if by_address else []
    ways += [f"by hand: {', '.join(by_hand)}"] if by_hand else []
    return "; ".join(ways) or "none published"


def _total(rows: Sequence[Variant], weights: Path) -> str:
    here = sum(isinstance(find_weights(row, None, weights), WeightsFile) for row in rows)
    absent = sum(bool(row.absent) for row in rows)
    counted = amount(len(rows), "network") + (f", {absent} of them cannot be built" if absent else "")
    return (
        f"{counted}; weights of {here} are here. All about one: hrbench models NAME; "
        "to download weights that have an address: hrbench fetch weights NAME"
    )


def model(row: Variant, weights: Path) -> str:
    """All about one network of the catalog."""
    by_address = [name for name in row.weights if stated_source(row, name).address]
    pairs = {
        "model": row.name + (" (miniature)" if row.miniature else ""),
        "network": row.title,
        "task": row.task,
        "cannot be built": row.absent,
        "use": row.use,
        "args": _args(row.args) or "none",
        "input": f"{size(row.input)} (height x width), {row.colour}",
        "mean, std": f"{_flat(row.mean)}; {_flat(row.std)}, by channel position, of values in [0, 1]",
        "parameters": f"{row.parameters:,}" if row.parameters else "not recorded",
        "weights": "\n".join(_source(stated_source(row, name), row, weights) for name in row.weights)
        or "none published",
        "published": _published(row),
    }
    if by_address:
        checked = " (it also checks the digest of a file that is here)"
        has_digest = any(stated_source(row, name).sha256 for name in by_address)
        pairs["to fetch them"] = f"hrbench fetch weights {row.name}" + (checked if has_digest else "")
    return facts({name: value for name, value in pairs.items() if value})


def _source(source: Source, row: Variant, folder: Path) -> str:
    """A source of weights: name, origin, digest, and the file on this disk or the paths that were searched."""
    found = find_weights(row, source.name, folder)
    known = f", SHA-256 {source.sha256}{'' if len(source.sha256) == 64 else '...'}" if source.sha256 else ""
    origin = source.address or f"{source.file} from {source.home}"
    searched = " and ".join(map(str, source.places(folder)))
    there = f"here: {found.path}" if isinstance(found, WeightsFile) else f"not here: {searched}"
    return f"{source.name}: {origin}{known}\n  {there}"


def _published(row: Variant) -> str:
    """The literature's row of a network: which it is, its figures, and who states them."""
    if not row.published:
        return "none"
    from hrbench.report.published import linked_row

    link = ", ".join(f"{key} {value}" for key, value in row.published.items() if key != "source")
    found = linked_row(row.published)
    if found is None:
        return f"{link}\n  (reports/published has no such row)"
    rest = {key: value for key, value in found.items() if key not in (*row.published, "source") and value is not None}
    lines = [link, *_figures(rest)]
    return "\n  ".join([*lines, f"source: {found['source']}"] if "source" in found else lines)


# Numbers of a published row that are settings; every other number that is no cost is a score in points.
_SETTINGS = ("classes", "epochs", "input")
_PUBLISHED_COSTS = {
    "params": "params {} M",
    "params_M": "params {} M",
    "flops": "flops {} G multiply-adds",
    "gflops": "GFLOPs {} as the HRNet papers count: multiply-adds / 2^30",
}


def _figures(row: Mapping[str, Any]) -> list[str]:
    """A published row in lines: its settings, what it costs, and its accuracies, each with its unit."""
    costs = [text.format(row[key]) for key, text in _PUBLISHED_COSTS.items() if key in row]
    if "gflops" in row and "gflops_size" in row:
        costs[-1] += f", at {row['gflops_size']}"
    points = {
        key: value
        for key, value in row.items()
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and key not in (*_SETTINGS, *_PUBLISHED_COSTS)
    }
    rest = {key: value for key, value in row.items() if key not in (*points, *_PUBLISHED_COSTS, "gflops_size")}
    accuracies = ", ".join(f"{key} {value}" for key, value in points.items())
    return [*filter(None, [_flat(rest), "; ".join(costs), f"in points: {accuracies}" if points else ""])]


def _args(args: Mapping[str, Any]) -> str:
    """Arguments as a suite would have them, in one line; arguments that are networks in separate lines."""
    inner = {key: value for key, value in args.items() if is_network(value)}
    plain = {key: value for key, value in args.items() if key not in inner}
    lines = [plain] if plain else []
    return "\n".join(as_yaml(line) for line in [*lines, *({key: value} for key, value in inner.items())])


def datasets(pattern: str, data: Path) -> str:
    """The catalog's data sets: one in full, or a line each saying whether it is on this disk."""
    rows = select_rows(catalog.datasets(), pattern, "data set")
    if len(rows) == 1:
        return _dataset(next(iter(rows.values())), data)
    table = [["data set", "task", "metrics", "here"]]
    for row in rows.values():
        gaps = missing_data(row, data)
        there = (
            "yes" if not gaps else "generated on first use" if row.draw else f"no: {amount(len(gaps), 'thing')} missing"
        )
        table.append([row.name, row.task, ", ".join(row.metrics), there])
    return columns(table)


def missing_data(row: DatasetRow, data: Path) -> list[str]:
    """What is missing of a data set on this disk for the default protocol of its task, in sentences."""
    from hrbench.runner.data_access import dataset_of
    from hrbench.suite.registry import protocol_for  # with all that reads suites: no list of networks needs it

    try:
        return [mirror.told(gap) for gap in dataset_of(row, data).missing(protocol_for(row))]
    except HrbenchError as error:
        return [str(error)]


def _dataset(row: DatasetRow, data: Path) -> str:
    pairs = {
        "data set": row.name + (" (miniature)" if row.miniature else ""),
        "title": row.title,
        "task": row.task,
        "use": row.use,
        "args": _short(row.args) or "none",
        "metrics": ", ".join(row.metrics),
        "protocols": "\n".join(f"{name}: {_flat(settings)}" for name, settings in row.protocols.items()),
        "from": row.home,
        "to fetch it": f"hrbench fetch data {row.name}" if row.downloads else "",
        "here": "\n".join(missing_data(row, data)) or "yes",
    }
    return facts({name: value for name, value in pairs.items() if value})


def _short(args: Mapping[str, Any], max_length: int = 60) -> str:
    """Arguments in lines; of long lists (class names, colours) only their length."""
    lines = []
    for key, value in args.items():
        text = _flat(value)
        if key == "home":  # shown under "from"
            continue
        if len(text) > max_length and isinstance(value, (list, tuple)):
            text = f"{len(value)} of them, the first {_flat(value[0])}"
        lines.append(f"{key}={text}")
    return "\n".join(lines)


def scores(values: Sequence[Measurement]) -> str:
    """Scores in points with their intervals. Many classes without a value for one reason are a line below the table."""
    table = [["", "points", "95 % interval", "n", ""]]
    alike: dict[str, list[Measurement]] = {}  # a reason without the name of the class -> scores of classes
    for score in values:
        part, reason = score.quantity.name.partition("/")[2], str(score.reason or "")
        if score.value is None and part and reason.startswith(f"{part} "):
            alike.setdefault(reason.removeprefix(f"{part} "), []).append(score)
    many = {reason: some for reason, some in alike.items() if len(some) > MAX_ALIKE}
    folded = {score.quantity.name for some in many.values() for score in some}
    for score in values:
        if score.quantity.name in folded:
            continue
        unit = score.quantity.unit
        ends = interval(*score.interval, unit, 2) if score.interval else ""
        shown = show(score.value, unit, 2) if score.value is not None else "-"
        table.append([score.quantity.label, shown, ends, f"{score.n:,}", str(score.reason or "")])
    below = []
    for reason, some in many.items():
        named = ", ".join(score.quantity.label for score in some[:MAX_ALIKE])
        below.append(f"{len(some)} classes ({named} and {len(some) - MAX_ALIKE} more): each {reason}")
    return "\n".join([columns(table, right=(1, 3)), *below])


def costs(values: Sequence[Measurement]) -> str:
    """Costs with their units, operations with the name of their counting convention in brackets.

    Each has the conditions that define it. Below the table: what the counts leave out, and long reasons for missing
    values.
    """
    table = [["cost", "value", ""]]
    remarks: dict[tuple[str, str], list[str]] = {}  # (heading, text) -> costs
    for cost in values:
        under = cost.conditions
        convention, unit = under.convention, cost.quantity.unit
        shown = "-"
        if cost.value is not None:  # the heading of an operation count names its unit already
            shown = (
                show(cost.value, unit, own=described(cost.quantity).divisor)
                if convention
                else with_unit(cost.value, unit)
            )
            shown = exact(cost.value, unit) if unit == "count" else shown
        keys = ("batch", "dtype", "device", "mode", "passes", "stability", "proposals", "masks")
        about = [f"{key} {value}" for key in keys if (value := getattr(under, key)) not in (None, "")]
        label = cost.quantity.label
        label += f" [{convention}]" if convention and convention != label else ""
        reason = str(cost.reason or "")
        if len(reason) > 60 or "\n" in reason:
            remarks.setdefault(("no value of", reason), []).append(convention or cost.quantity.label)
            reason = "see below"
        table.append([label, shown, reason or "; ".join(about)])
        for heading, text in (("counted", under.counted), ("counted on", under.counted_on)):
            if text:
                remarks.setdefault(("to know of", f"{heading}: {text}"), []).append(convention or cost.quantity.label)
        if under.stability_reasons and cost.quantity.name == "latency":
            remarks.setdefault((under.stability, "\n".join(under.stability_reasons)), []).append(label)
        parts = [under.not_counted] if under.not_counted else []
        parts += [f"{name} x{calls}" for name, calls in under.uncounted.items()]
        if parts:
            remarks.setdefault(("not counted in", ", ".join(parts)), []).append(convention or cost.quantity.label)
    indent = "\n  "
    lines = [
        f"{heading} {', '.join(labels)}:{indent}{indent.join(text.splitlines())}"
        for (heading, text), labels in remarks.items()
    ]
    return "\n".join([columns(table, right=(1,)), *([""] if lines else []), *lines])


def _flat(value: Any) -> str:
    """A mapping or sequence in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_flat(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(_flat(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
