"""Text for a terminal: aligned columns, and what the listing commands show. Returns strings; prints nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from hrbench import catalog, resolve
from hrbench.evaluate import Settings
from hrbench.known import known
from hrbench.models.weight_files import Found, find_weights
from hrbench.types import Cost, DatasetRow, HrbenchError, Score, UsageError, Variant
from hrbench.units import amount, exact, interval, show, size, with_unit

T = TypeVar("T")


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of equal length as aligned text, the first as a heading. right: columns aligned to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[i].rjust(width) if i in right else row[i].ljust(width) for i, width in enumerate(widths)]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def facts(pairs: Mapping[str, str]) -> str:
    """Names and values in two columns."""
    width = max(map(len, pairs))
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in pairs.items())


def chosen(rows: Mapping[str, T], pattern: str, what: str) -> dict[str, T]:
    """Rows whose name is, or matches, `pattern`; all for an empty one. Raises UsageError where there is none."""
    if not pattern:
        return dict(rows)
    if pattern in rows:
        return {pattern: rows[pattern]}
    found = {name: row for name, row in rows.items() if fnmatch.fnmatchcase(name, pattern)}
    if not found:
        raise UsageError(f"there is no {what} {pattern!r}: {resolve.suggestion(pattern, rows)}")
    return found


def models(pattern: str, settings: Settings) -> str:
    """The catalog's networks: one in full, or a line each with parameters and weights on this disk."""
    rows = chosen(catalog.variants(), pattern, "model")
    if len(rows) == 1:
        return _model(next(iter(rows.values())), settings)
    table = [["model", "network", "input", "parameters", "weights here"]]
    for row in rows.values():
        found = find_weights(row, None, settings.weights)
        there = f"{found.source}: {found.path.name}" if isinstance(found, Found) else "-"
        count = show(row.parameters, "count") if row.parameters else "-"
        table.append([row.name, row.title, size(row.input), count, there])
    return columns(table, right=(3,))


def _model(row: Variant, settings: Settings) -> str:
    found = find_weights(row, None, settings.weights)
    published = ", ".join(f"{key} {value}" for key, value in row.published.items())
    return facts(
        {
            "model": row.name + (" (miniature)" if row.miniature else ""),
            "network": row.title,
            "task": row.task,
            "use": row.use,
            "args": _flat(row.args) or "none",
            "input": f"{size(row.input)} (height x width), {row.colour}",
            "mean, std": f"{_flat(row.mean)}; {_flat(row.std)}, by channel position, of values in [0, 1]",
            "parameters": f"{row.parameters:,}" if row.parameters else "not recorded",
            "weights": _flat(row.weights) or "none published",
            "weights here": str(found.path) if isinstance(found, Found) else found,
            "published row": published or "none",
        }
    )


def datasets(pattern: str, settings: Settings) -> str:
    """The catalog's data sets: one in full, or a line each saying whether it is on this disk."""
    rows = chosen(catalog.datasets(), pattern, "data set")
    if len(rows) == 1:
        return _dataset(next(iter(rows.values())), settings)
    table = [["data set", "task", "metrics", "here"]]
    for row in rows.values():
        gaps = missing(row, settings)
        there = "yes" if not gaps else "drawn on first use" if row.draw else f"no: {amount(len(gaps), 'thing')} missing"
        table.append([row.name, row.task, ", ".join(row.metrics), there])
    return columns(table)


def missing(row: DatasetRow, settings: Settings) -> list[str]:
    """What of a data set the default protocol of its task lacks on this disk, in sentences."""
    protocol = {**asdict(known().protocols[row.task]()), **row.fixed}
    try:
        return resolve.resolve("hrbench.datasets", row.use)(settings.data, **row.args).missing(protocol)
    except HrbenchError as error:
        return [str(error)]


def _dataset(row: DatasetRow, settings: Settings) -> str:
    pairs = {
        "data set": row.name + (" (miniature)" if row.miniature else ""),
        "title": row.title,
        "task": row.task,
        "use": row.use,
        "args": _flat(row.args) or "none",
        "metrics": ", ".join(row.metrics),
        "from": row.home,
    }
    return facts({**pairs, "here": "; ".join(missing(row, settings)) or "yes"})


def metrics() -> str:
    """The metrics: what they read and what they give."""
    table = [["metric", "version", "predictions", "numbers"]]
    for name in resolve.names("hrbench.metrics"):
        metric = resolve.resolve("hrbench.metrics", name)()
        numbers = ", ".join(quantity.name for quantity in metric.quantities)
        table.append([name, str(metric.version), metric.prediction_file, numbers])
    return columns(table)


def scores(values: Sequence[Score]) -> str:
    """Scores in points with their intervals."""
    table = [["", "points", "95 % interval", "n"]]
    for score in values:
        unit = score.quantity.unit
        ends = interval(*score.interval, unit, 2) if score.interval else ""
        shown = show(score.value, unit, 2) if score.value is not None else score.reason
        table.append([score.quantity.label, shown, ends, f"{score.n:,}"])
    return columns(table, right=(1, 3))


def costs(values: Sequence[Cost]) -> str:
    """Costs with their units, each with the conditions that define it."""
    table = [["cost", "value", ""]]
    for cost in values:
        view, unit = str(cost.conditions.get("view", "")), cost.quantity.unit
        shown = "-"
        if cost.value is not None:  # the heading of an operation view names its unit already
            shown = show(cost.value, unit, view=view) if view else with_unit(cost.value, unit)
            shown = exact(cost.value, unit) if unit == "count" else shown
        keys = ("batch", "dtype", "device", "passes", "proposals", "masks", "not counted")
        named = [key for key in keys if key in cost.conditions]
        about = [f"{key} {cost.conditions[key]}" for key in named]
        uncounted = cost.conditions.get("uncounted") or {}
        if uncounted:
            about.append("not counted: " + ", ".join(f"{name} x{calls}" for name, calls in uncounted.items()))
        table.append([cost.quantity.label, shown, cost.reason or "; ".join(about)])
    return columns(table, right=(1,))


def _flat(value: Any) -> str:
    """A mapping or sequence in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_flat(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(_flat(item) for item in value)
    return str(Path(value)) if isinstance(value, Path) else str(value)
