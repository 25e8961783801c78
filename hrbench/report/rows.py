"""Titles, labels and text columns of table rows, and which results belong to a table."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.core import units
from hrbench.cost.telemetry.stability import worst_verdict
from hrbench.judge.comparability import same_value
from hrbench.report.layout import ColumnLayout, TableLayout
from hrbench.report.words import protocol_text, setting_text
from hrbench.store.number_rows import device_of
from hrbench.types import Entry, Result, Unit


def matches(result: Result, table: TableLayout) -> bool:
    """Whether `result` is a row of this table."""
    entry = result.entry
    names = {
        "task": [entry.variant.task],
        "dataset": [entry.dataset.name] if entry.dataset else [""],
        "metric": list(entry.metrics),
        "variant": [entry.variant.name],
        "entry": [result.name],
    }
    for key, wanted in table.rows.items():
        if key == "miniature":
            if bool(wanted) != is_miniature(result):
                return False
            continue
        if key == "protocol":
            if not all(same_value(entry.protocol.get(name), value) for name, value in wanted.items()):
                return False
            continue
        patterns = wanted if isinstance(wanted, list) else [wanted]
        if not any(fnmatch.fnmatchcase(name, str(pattern)) for name in names[key] for pattern in patterns):
            return False
    return True


def is_miniature(result: Result) -> bool:
    """Whether the network or the data set is one of the miniatures."""
    entry = result.entry
    return entry.variant.miniature or bool(entry.dataset and entry.dataset.miniature)


def family(title: str) -> str:
    """The family that rows are grouped by: a network's title up to its size or other details.

    >>> family("HRNet-W32, head at 1/4"), family("SimpleBaseline-R50 (Caffe style)"), family("HRNet miniature")
    ('HRNet', 'SimpleBaseline', 'HRNet')
    >>> family("Mask R-CNN, HRNetV2p-W18"), family("Mask R-CNN R50-FPN (torchvision)"), family("U-Net-R34 (smp)")
    ('Mask R-CNN', 'Mask R-CNN', 'U-Net')
    """
    found = re.match(r"(.+?)(?=[-\s][^-\s,(]*\d|\s+miniature\b|\s*[,(]|$)", title.strip())
    return found[1] if found else title.strip()


def title_of(result: Result) -> str:
    """The title of a result's network in a table."""
    return result.entry.variant.title or result.entry.variant.name


def figure_of(row: Mapping[str, Any] | None, key: str) -> float | None:
    value = row.get(key) if row is not None and key else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def published_decimals(layout: ColumnLayout, unit: Unit, figure: float) -> int | None:
    """Published figures keep the digits they were published with, up to the column's own."""
    if layout.decimals is not None:
        limit: int | None = layout.decimals
    else:
        limit = {"fraction": 1, "count": 1, "operations": 3}.get(unit)
    digits = len(repr(figure).partition(".")[2])
    return digits if limit is None else min(limit, digits)


def text_of(result: Result, name: str) -> tuple[str, tuple[float, ...]]:
    """Text and sort key of a text column."""
    entry = result.entry
    if name == "input":
        return units.size(entry.variant.input), (float(entry.variant.input[0] * entry.variant.input[1]),)
    if name == "dataset":
        return ((entry.dataset.title or entry.dataset.name) if entry.dataset else "none", ())
    texts = {
        "model": title_of(result),
        "entry": result.name,
        "variant": entry.variant.name,
        "protocol": protocol_text(entry.protocol) if entry.protocol or entry.predictions else "",
        "device": device_of(result),
        "dtype": entry.dtype,
        "runtime": str(entry.runtime),
        "weights": _weights(entry),
        "run": run_of(result),
        "stability": worst_verdict([one.conditions.stability for one in result.costs]),
    }
    return texts[name], ()


def _weights(entry: Entry) -> str:
    said = [entry.weights_key, f"without {entry.weights_drop}" if entry.weights_drop else ""]
    words = ", ".join(filter(None, said))
    return f"{entry.weights or ''}{f' ({words})' if words else ''}"


def area(text: str) -> tuple[float, ...]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    return (float(match[1]) * float(match[2]),) if match else ()


def run_of(result: Result) -> str:
    """Name of the run folder that holds the result: runs/pose/entries/NAME -> "pose"."""
    folder = Path(result.folder)
    return folder.parents[1].name if folder.parent.name == "entries" else folder.name


def cost_labels(results: Sequence[Result]) -> dict[tuple[int, str], str]:
    """(place of a result, dtype of a cost) -> what the network is called where the cost's dtype stands beside it.

    An entry in float32 may have costs in bfloat16, too, so the dtype of an entry is no name for its costs.
    """
    dtypes = [dict.fromkeys(cost.conditions.dtype for cost in result.costs) for result in results]
    found: dict[tuple[int, str], str] = {}
    for dtype in dict.fromkeys(one for each in dtypes for one in each):
        places = [place for place, each in enumerate(dtypes) if dtype in each]
        labels = row_labels([results[place] for place in places], with_dtype=False)
        found |= {(place, dtype): label for place, label in zip(places, labels, strict=True)}
    return found


def row_labels(
    results: Sequence[Result], shown: Sequence[str] = (), with_dtype: bool = True, sections: Sequence[str] = ()
) -> list[str]:
    """Titles of rows; equal ones get what distinguishes them: the protocol, the runtime, the entry's name, or its run.

    shown: names of further texts that stand beside the titles (`text_of`); rows that these distinguish get nothing.
    with_dtype: whether the entries' dtype may distinguish them.
    sections: heading that each row stands below; those below different ones are distinguished by it. () for none.
    """
    same_title: dict[tuple[Any, ...], list[int]] = {}
    for index, result in enumerate(results):
        dataset = result.entry.dataset
        below = sections[index] if sections else ""
        key = (title_of(result), result.entry.variant.input, dataset and dataset.name, below)
        same_title.setdefault(key, []).append(index)
    labels = [title_of(result) for result in results]
    for indices in same_title.values():
        if len(indices) == 1:
            continue
        group = [results[index] for index in indices]
        if len({tuple(text_of(result, name)[0] for name in shown) for result in group}) == len(group):
            continue
        names, runs = [result.name for result in group], [run_of(result) for result in group]
        candidates = [_protocol_differences(group), _runtimes(group, with_dtype)]
        candidates += [] if with_dtype else [_entries_of_dtypes(group)]
        candidates += [names, runs]
        candidates.append([f"{name} of {run}" for name, run in zip(names, runs, strict=True)])
        suffixes = next((each for each in candidates if len(set(each)) == len(each)), candidates[-1])
        for index, words in zip(indices, suffixes, strict=True):
            labels[index] += f" · {words}"
    return labels


def _runtimes(results: Sequence[Result], with_dtype: bool) -> list[str]:
    """How these results were run, as words."""
    dtypes = {result.entry.dtype for result in results}
    return [
        f"{result.entry.runtime}, {result.entry.dtype}" if with_dtype and len(dtypes) > 1 else str(result.entry.runtime)
        for result in results
    ]


def _entries_of_dtypes(results: Sequence[Result]) -> list[str]:
    """How these results were run, and the dtype of their entries, as words."""
    return [f"{result.entry.runtime} of an entry in {result.entry.dtype}" for result in results]


def _protocol_differences(results: Sequence[Result]) -> list[str]:
    """The protocol fields in which these results differ, as words."""
    protocols = [result.entry.protocol for result in results]
    fields = dict.fromkeys(key for protocol in protocols for key in protocol)
    differing = [key for key in fields if len({str(protocol.get(key)) for protocol in protocols}) > 1]
    return [
        ", ".join(f"{key} {setting_text(protocol.get(key))}" for key in differing).replace("_", " ")
        for protocol in protocols
    ]
