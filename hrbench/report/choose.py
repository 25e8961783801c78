"""Chooses the layout of a report: the requested one or those of the tasks, and derived tables for other results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Any, get_args

from hrbench.core.plugins import resolve
from hrbench.core.units import NAMES, amount, listed
from hrbench.cost.quantities import described, is_per_batch
from hrbench.report.layout import ColumnLayout, Layout, Part, PublishedLayout, TableLayout, layout_names, read_layout
from hrbench.report.published import Rows, cost_rows
from hrbench.report.rows import matches
from hrbench.report.table_cells import cost_of, find_measurement
from hrbench.types import Measurement, Quantity, Result

# Parameters and one count of operations are enough beside accuracies nobody laid out; the rest is in cost details.
_COSTS = ("parameters", "macs", "latency")
FEW_SCORES = 4
"""So many scores of all metrics stand in one table; of more only the main ones do, and all in one of their own."""
_NAMED = 4
"""How many entries are named that no table shows."""
_STANDARD = ("parameters", "operations", "latency")
"""The probes whose quantities are restricted to `_COSTS`. All other probes were requested, so they have columns."""


def choose_layout(results: Sequence[Result], table: str = "") -> Layout:
    """The layout called `table` (a name or a path), or the default of the results' tasks.

    A layout with `rest: true`, as those are that ship with hrbench, has tables derived from quantities for results and
    costs that none of its own shows. Any other has the tables that it names alone; `unshown` tells what it leaves out.
    Raises `UsageError` if `table` is not found or not valid.
    """
    names = [table] if table else default_layouts(results)
    layouts = [read_layout(name) for name in names]
    if table and not layouts[0].rest:
        return layouts[0]
    tables = tuple(item for layout in layouts for item in layout.tables)
    used = [layout for layout in layouts if any(matches(r, item) for r in results for item in layout.tables)]
    title = used[0].title if len(used) == 1 else ""
    folder = layouts[0].folder if layouts else Path()
    chosen = complete(Layout(names[0] if names else "derived", tables, title, folder), results)
    further = _further_costs(chosen, results)
    return replace(chosen, tables=(*chosen.tables, *further))


def unshown(results: Sequence[Result], layout: Layout) -> list[str]:
    """A sentence on results that no table of a layout shows; nothing if there are none."""
    left = [result.name for result in results if not any(matches(result, table) for table in layout.tables)]
    if not left:
        return []
    named = listed(left, _NAMED)
    whose = amount(len(left), "entry", "entries")
    return [f"left out: {whose} that no table of {layout.name} shows ({named}): `rest: true` in it shows them"]


def complete(layout: Layout, results: Sequence[Result]) -> Layout:
    """The layout with derived tables for the results whose scores (or costs, without a data set) it does not show."""
    left = [result for result in results if not _covered(result, layout)]
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in left:
        dataset = result.entry.dataset
        groups.setdefault((result.entry.variant.task, dataset.name if dataset else ""), []).append(result)
    taken = {table.name for table in layout.tables}
    derived = []
    for (task, dataset), group in groups.items():
        metrics = tuple(dict.fromkeys(metric for result in group for metric in result.entry.metrics))
        for table in derive_tables(task, dataset, metrics, group):
            name, number = table.name, 2
            while table.name in taken:
                table, number = replace(table, name=f"{name}-{number}"), number + 1
            taken.add(table.name)
            derived.append(table)
    return replace(layout, tables=(*layout.tables, *derived))


def _further_costs(layout: Layout, results: Sequence[Result]) -> list[TableLayout]:
    """Tables of costs, one of each task and data set, if no table of the layout shows some that were measured.

    Each has all latencies with the bounds of their percentiles, the other costs that are not shown elsewhere, and
    whether they are stable; and beside them the main accuracy, for the Pareto front.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    lacking: set[tuple[str, str]] = set()
    for result in results:
        unshown = _unshown(result, layout)
        costs = tuple(cost for cost in result.costs if cost in unshown or cost.quantity.name == "latency")
        dataset = result.entry.dataset
        key = (result.entry.variant.task, dataset.name if dataset else "")
        lacking |= {key} if unshown else set()
        if costs:  # a row for all that have any, also without a bound of a percentile
            groups.setdefault(key, []).append(replace(result, costs=costs))
    return [_cost_table(*key, group) for key, group in groups.items() if key in lacking]


def _cost_table(task: str, dataset: str, results: Sequence[Result]) -> TableLayout:
    """The table of these results' costs."""
    scores = [score for result in results for score in result.scores]
    main = next((score for score in scores if score.interval is not None), scores[0] if scores else None)
    row = results[0].entry.dataset
    title = f", {row.title or row.name}" if row else ""
    texts = ("model", "input", "device", "runtime", "dtype")
    columns = [ColumnLayout("text", name, varies=name in texts[2:]) for name in texts]
    if main is not None:
        columns.append(ColumnLayout("score", main.quantity.name, metric=main.metric))
    columns += cost_columns(results, None, exactly=True)
    columns += _stability(results)
    rows = {"task": task, "dataset": dataset, "entry": [escape(result.name) for result in results]}
    name = "-".join(filter(None, [task, dataset, "further-costs"]))
    return TableLayout(name, f"{task.capitalize()}: costs{title}", tuple(columns), rows, group="none", folded=True)


def _stability(results: Sequence[Result]) -> list[ColumnLayout]:
    """A column that says whether costs are stable, if somebody has looked."""
    watched = any(cost.conditions.stability for result in results for cost in result.costs)
    return [ColumnLayout("text", "stability")] if watched else []


def _unshown(result: Result, layout: Layout) -> tuple[Measurement, ...]:
    """The costs of a result that no column shows: of probes that were asked for, latencies at further batches, and
    latencies whose percentiles have bounds."""
    counted = {one.name for name in _STANDARD if name != "latency" for one in _quantities(name)}
    columns = [
        column
        for table in layout.tables
        if matches(result, table)
        for column in table.columns
        if column.source == "cost"
    ]
    return tuple(
        cost
        for cost in result.costs
        if cost.quantity.name not in counted and not any(_is_shown(result, cost, column) for column in columns)
    )


def _is_shown(result: Result, cost: Measurement, column: ColumnLayout) -> bool:
    """Whether a column shows a result's cost, with a bound of a percentile if it has one."""
    if not find_measurement([cost], column.name, where=column.where):
        return False
    if is_per_batch(cost.quantity) and cost_of(result, column.name, column.where) is not cost:
        return False  # the column shows another dtype or batch
    return cost.conditions.p90_bound is None or "p90" in column.parts


def derive_tables(task: str, dataset: str, metrics: Sequence[str], results: Sequence[Result]) -> list[TableLayout]:
    """A table of the headline numbers of these results, with intervals beside the first score of each metric; one of
    their further scores, unless they are few; and one of each kind of number that single classes have.

    task, dataset, metrics: of their rows; `dataset` is "" for costs only, and published costs then stand beside.
    results: their rows.
    """
    columns = _score_columns(metrics, results)
    classes = [column for column in columns if _is_of_a_class(column)]
    scores = [column for column in columns if column not in classes]
    main = scores if len(scores) <= FEW_SCORES else [column for column in scores if "interval" in column.parts]
    main = main or scores[:FEW_SCORES]
    table = _headline_table(task, dataset, metrics, results, main)
    found = [table]
    if len(main) < len(scores):
        texts = [ColumnLayout("text", "model"), ColumnLayout("text", "input")]
        further = replace(table, columns=(*texts, *scores), published=None, folded=True)
        found.append(replace(further, name=f"{table.name}-scores", title=f"{table.title}: all scores"))
    kinds = dict.fromkeys((column.metric, column.name.partition("/")[0]) for column in classes)
    for metric, kind in kinds:
        some = [one for one in classes if (one.metric, one.name.partition("/")[0]) == (metric, kind)]
        found.append(_class_table(table, metric if len(metrics) > 1 else "", kind, some, len(results)))
    return found


def _class_table(
    table: TableLayout, metric: str, kind: str, columns: Sequence[ColumnLayout], networks: int
) -> TableLayout:
    """Numbers of single classes: a row for each class, or for each network where these are more.

    table: of the headline numbers. metric: "" where there is only one.
    """
    name = "-".join(filter(None, [table.name, metric, kind, "by-class"]))
    title = f"{table.title}: {' '.join(filter(None, [metric, kind]))} by class"
    by_class = len(columns) >= networks
    named = [replace(one, label=one.name.partition("/")[2], group="") for one in columns]
    texts = [] if by_class else [ColumnLayout("text", "model"), ColumnLayout("text", "input")]
    caption = "" if by_class else table.caption
    made = replace(table, name=name, title=title, caption=caption, columns=(*texts, *named), published=None)
    return replace(made, folded=True, by_class=by_class)


def _is_of_a_class(column: ColumnLayout) -> bool:
    """Whether it is the number of a single class, joint or part: KIND/CLASS, and none that has an interval beside."""
    return "/" in column.name and "interval" not in column.parts and not column.name.endswith("/mean")


def _score_columns(metrics: Sequence[str], results: Sequence[Result]) -> list[ColumnLayout]:
    """A column for each score that some result has, with the interval beside the first of each metric."""
    seen: dict[tuple[str, str], ColumnLayout] = {}
    begun: set[str] = set()
    for score in (score for result in results for score in result.scores):
        key = (score.metric, score.quantity.name)
        if key in seen:
            continue
        parts = ("measured", "interval") if score.metric not in begun and score.interval is not None else ("measured",)
        begun.add(score.metric)
        group = score.metric if len(metrics) > 1 else ""
        seen[key] = ColumnLayout("score", score.quantity.name, group=group, metric=score.metric, parts=parts)
    return list(seen.values())


def _headline_table(
    task: str, dataset: str, metrics: Sequence[str], results: Sequence[Result], scores: Sequence[ColumnLayout]
) -> TableLayout:
    """The main scores, parameters, operations and latencies."""
    rows: dict[str, object] = {"task": task, "dataset": dataset, "entry": [escape(result.name) for result in results]}
    if metrics:
        rows["metric"] = list(metrics)
    columns = [
        ColumnLayout("text", "model"),
        ColumnLayout("text", "input"),
        ColumnLayout("text", "device", varies=True),
    ]
    stated = () if dataset else cost_rows(results)
    columns += [_beside(column, stated) for column in cost_columns(results, () if dataset else None)]
    columns += [] if dataset else _stability(results)
    columns += scores
    if dataset and not scores:  # nothing measured yet: one column that says why
        columns += [ColumnLayout("score", metric, metric=metric) for metric in metrics]
    dataset_row = results[0].entry.dataset
    title = (dataset_row.title or dataset_row.name) if dataset_row else "Costs"
    name = "-".join(filter(None, [task, dataset or "costs"]))
    source = PublishedLayout(rows=tuple(stated)) if stated else None
    caption = _units_told(scores, results)
    return TableLayout(name, f"{task.capitalize()}: {title}", tuple(columns), rows, caption=caption, published=source)


def _units_told(columns: Sequence[ColumnLayout], results: Sequence[Result]) -> str:
    """The unit of scores, in a sentence; which have it if they are of several."""
    names: dict[str, list[str]] = {}
    for column in columns:
        found = (find_measurement(result.scores, column.name, column.metric) for result in results)
        one = next((score for score in found if score is not None), None)
        if one is not None:
            label = column.label or one.quantity.label or column.name
            names.setdefault(NAMES[one.quantity.unit], []).append(label)
    if len(names) == 1:
        return "".join(f"Scores in {unit}." for unit in names if unit)
    told = (f"{', '.join(dict.fromkeys(labels))} in {unit}" for unit, labels in names.items() if unit)
    return "; ".join(told) + "." if any(names) else ""


def _beside(column: ColumnLayout, stated: Rows) -> ColumnLayout:
    """The column with the published figures beside it, if any published row has one of that name."""
    if column.where or not any(column.name in row for row in stated):
        return column
    return replace(column, published=column.name, parts=("measured", "published"))


def default_layouts(results: Sequence[Result]) -> list[str]:
    """Names of the layouts of the tasks, and that of the miniatures."""
    known = layout_names()
    tasks = dict.fromkeys(result.entry.variant.task for result in results)
    return [name for name in [*tasks, "miniature"] if name in known]


def _covered(result: Result, layout: Layout) -> bool:
    """Whether some table shows every metric of the result (for a result without scores: the result itself)."""
    tables = [table for table in layout.tables if matches(result, table)]
    if result.entry.dataset is None:
        return bool(tables)
    shown = [column for table in tables for column in table.columns if column.source == "score"]
    held = dict.fromkeys(score.metric for score in result.scores)
    if not held:
        return bool(shown)
    return all(any(find_measurement(result.scores, column.name, metric) for column in shown) for metric in held)


def cost_columns(results: Sequence[Result], names: tuple[str, ...] | None, exactly: bool = False) -> list[ColumnLayout]:
    """A column per cost, and per batch and dtype where they tell costs of one entry, or of one column, apart.

    names: of the quantities of standard probes; None for all.
    exactly: whether a column shows its cost under these conditions alone, though it is the only one.
    """
    every = [cost for result in results for cost in result.costs]
    standard = {one.name for name in _STANDARD for one in _quantities(name)}
    shown = dict.fromkeys(cost.quantity.name for cost in every)
    quantities = {
        name: described(next(cost.quantity for cost in every if cost.quantity.name == name))
        for name in shown
        if names is None or name in _COSTS or name not in standard
    }
    groups = Counter(one.group for one in quantities.values())
    columns = []
    for name, quantity in quantities.items():
        variations = _variations(results, quantity)
        head = quantity.heading or f"{quantity.label or name} ({NAMES[quantity.unit]})"
        group = quantity.group if groups[quantity.group] > 1 else ""  # one alone is no group
        several = len(variations) > 1
        for text, where in variations:
            own = where if exactly or several else {}
            parts = _parts(every, name, own) if names is None else ("measured",)
            label, over = (text, f"{group}, {head}" if group else head) if several else (head, group)
            columns.append(ColumnLayout("cost", name, label=label, group=over, where=own, parts=parts))
    return columns


def _variations(results: Sequence[Result], quantity: Quantity) -> list[tuple[str, dict[str, Any]]]:
    """Under which conditions a quantity has columns of its own: each in words, and as a column requires them.

    Different batches make columns, if the quantity depends on the batch; different dtypes only if one result has
    several of them: where each result has one, the rows tell it.
    """
    keys = ("batch", "dtype") if is_per_batch(quantity) else ("dtype",)
    found = [
        (place, {key: stated[key] for key in keys if key in stated})
        for place, result in enumerate(results)
        for cost in result.costs
        if cost.quantity.name == quantity.name
        for stated in [cost.conditions.stated()]
    ]
    most = max(len(under) for _, under in found)  # one that states less has no value, and its reason in every column
    found = [(place, under) for place, under in found if len(under) == most]
    values = {key: list(dict.fromkeys(under[key] for _, under in found if key in under)) for key in keys}
    dtypes = Counter(place for place, _ in {(place, under.get("dtype")) for place, under in found})
    split = [key for key in keys if len(values[key]) > 1 and (key == "batch" or max(dtypes.values()) > 1)]
    shared = {key: each[0] for key, each in values.items() if len(each) == 1}
    wheres = dict.fromkeys(tuple((key, under[key]) for key in under if key in (*split, *shared)) for _, under in found)
    return [
        (", ".join(str(value) if key == "dtype" else f"{key} {value}" for key, value in where if key in split),
         dict(where))
        for where in wheres
    ]  # fmt: skip


def _parts(costs: Sequence[Measurement], name: str, where: Mapping[str, Any]) -> tuple[Part, ...]:
    """What is shown of a cost: its value, and its spread over images and bounds of percentiles that some result has."""
    found = [cost for cost in costs if cost.quantity.name == name and find_measurement([cost], name, where=where)]
    has = {
        "spread": any(one.conditions.spread is not None for one in found),
        "p90": any(one.conditions.p90_bound is not None for one in found),
        "p99": any(one.conditions.p99_bound is not None for one in found),
    }
    return tuple(part for part in get_args(Part) if part == "measured" or has.get(part))


def _quantities(probe: str) -> Sequence[Quantity]:
    """What a probe that ships with hrbench measures."""
    return resolve("hrbench.costs", probe).quantities
