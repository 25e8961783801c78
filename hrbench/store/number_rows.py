"""Every number of a result as a row of plain values: what the pandas table and the JSON of a report have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.core.shown_text import shown
from hrbench.types import Measurement, Result

COLUMNS: Mapping[str, str] = {
    "run": 'name of the run folder, with folders above it where names are equal; "" for a result that is not stored',
    "date": "when it was measured, ISO 8601 in UTC; of an earlier hrbench, when its run began",
    "entry": "of the suite",
    "model": "name of the network",
    "use": 'what builds the network, "timm:hrnet_w18"; of a file its name',
    "input": 'height x width in pixels, "256x192"',
    "dataset": "name of the data set; none for costs only",
    "protocol": "every setting of the protocol by name, as JSON",
    "status": "of the entry: done, submitted, costs_only, empty or failed",
    "limited": "the --limit that was used; none for all images",
    "metric": 'name of the metric; "cost" for costs',
    "quantity": 'name of the number within its metric, "AP50", or of the cost, "latency"',
    "unit": "of value, low, high, spread and samples: a base unit, such as fraction, seconds, bytes",
    "value": "the number with all its digits; none if there is none, and reason says why",
    "low": "lower end of its 95 % interval; none without one",
    "high": "upper end of its 95 % interval",
    "n": "objects behind a score (people, joints, images); none for a cost",
    "reason": 'why there is no number; of an unstable one, what disturbed it; "" for nothing',
    "batch": "of a cost: images in a forward pass",
    "dtype": 'of a cost: "float32"',
    "device": "the processor or GPU that a score's predictions or a cost were made on; none for what is counted",
    "runtime": 'how the network was run, "eager", "compile, threads 2"; none for what is counted or given',
    "threads": "of a cost: CPU threads of a pass",
    "mode": "of a time: how long it was measured: quick, gate or smoke",
    "inputs": 'of a cost: what was fed, "standard normal" or "8 images of NAME"',
    "weights": 'whose weights the network had: one of its sources, "file" or "random"',
    "weights_file": "name of the file of the score's weights",
    "weights_sha256": "of that file, or of the tensors of a network that brings its own",
    "data_sha256": "of the annotations and images that a score was measured on",
    "caches": 'of a latency: "warm", or "cold" if they were flushed before each pass',
    "passes": "how many samples were taken",
    "spread": "of a cost on several images: standard deviation over these",
    "p90_bound": "of a latency: upper bound of the 90th percentile in seconds; none with too few samples",
    "p99_bound": "of a latency: upper bound of the 99th percentile in seconds",
    "stability": "of a time: stable, unstable or unknown",
    "unstable_because": 'what disturbed a measurement, or why its stability is not known; "" for nothing',
    "hrbench": "version that measured it",
    "label": 'what tables and the terminal call the quantity, "Top-1"; `quantity` is its name in files and policies',
}
"""Name of a column -> what it holds, in the order of the columns; later versions add columns at the end."""

NUMBERS = ("value", "low", "high", "spread", "p90_bound", "p99_bound")
WHOLE = ("limited", "n", "batch", "threads", "passes")
"""Columns of numbers, and of whole ones; the others are texts. All of them may be missing."""

SAMPLES = "samples"
"""The column of raw measurements, which is there if it is asked for."""


def number_rows(results: Iterable[Result], samples: bool = False) -> list[dict[str, Any]]:
    """One row for each number of each result, and one for an entry without any number, with its reason.

    samples: whether a row has the raw measurements as well, a list in the order taken.

    The keys are `COLUMNS`. A value that does not exist is None, never NaN. Texts name no folder of this machine.
    """
    results = list(results)
    runs, dates = run_names(results), {}
    rows = []
    for result, run in zip(results, runs, strict=True):
        head = {"run": run, "date": _date(result, dates), **_head(result)}
        for one in (*result.scores, *result.costs):
            row = {**head, **_number(one), **_measured(result, one)}
            rows.append(_whole(row, [float(each) for each in one.samples] if samples else None))
        if not result.scores and result.reason:
            rows.append(_whole({**head, "reason": result.reason}, [] if samples else None))
    return rows


def _whole(row: Mapping[str, Any], samples: list[float] | None) -> dict[str, Any]:
    """All columns in their order, texts cleaned. samples: None if they are not asked for."""
    found = {name: _plain(row.get(name)) for name in COLUMNS}
    return found if samples is None else {**found, SAMPLES: samples}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _head(result: Result) -> dict[str, Any]:
    """What all rows of a result have."""
    entry, provenance = result.entry, result.provenance
    return {
        "entry": result.name,
        "model": entry.variant.name,
        "use": entry.variant.use,
        "input": "{}x{}".format(*entry.variant.input),
        "dataset": entry.dataset.name if entry.dataset else None,
        "protocol": json.dumps(_cleaned(entry.protocol), ensure_ascii=False) if entry.protocol else None,
        "status": result.status,
        "limited": result.limited,
        "reason": "",
        "unstable_because": "",
        "hrbench": provenance.environment.get("hrbench"),
    }


def _cleaned(value: Any) -> Any:
    """Nested settings whose texts are cleaned."""
    if isinstance(value, Mapping):
        return {str(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return _plain(value)


def _number(one: Measurement) -> dict[str, Any]:
    """A number, how certain it is, and why it is not there."""
    low, high = one.interval or (None, None)
    disturbed = "; ".join(one.conditions.stability_reasons)
    return {
        "metric": one.metric or "cost",
        "quantity": one.quantity.name,
        "label": one.quantity.label or one.quantity.name,
        "unit": one.quantity.unit,
        "value": None if one.value is None else float(one.value),
        "low": low,
        "high": high,
        "n": one.n if one.metric else None,
        "reason": str(one.reason or disturbed),
        "stability": one.conditions.stability or None,
        "p90_bound": one.conditions.p90_bound,
        "p99_bound": one.conditions.p99_bound,
        "passes": one.conditions.passes,
        "spread": one.conditions.spread,
        "unstable_because": disturbed,
    }


def _measured(result: Result, one: Measurement) -> dict[str, Any]:
    """What a number was measured under."""
    under, entry, provenance = one.conditions, result.entry, result.provenance
    names = ("batch", "dtype", "mode", "device", "threads", "caches", "inputs", "weights", "runtime")
    stated = {name: getattr(under, name) or None for name in names}
    if one.metric:
        weights, data = provenance.weights, provenance.dataset
        return stated | {
            "device": None if entry.predictions else device_of(result) or None,
            "runtime": None if entry.predictions else str(entry.runtime),
            "weights": weights and weights.source,
            "weights_file": weights and (Path(weights.file).name or None),
            "weights_sha256": weights and weights.sha256,
            "data_sha256": data and data.sha256,
        }
    if not under.device:
        return stated
    own = entry.runtime.name == "own"
    stated["runtime"] = under.runtime or (str(entry.runtime) if own else "eager")
    stated["inputs"] = under.inputs or "standard normal"
    if stated["inputs"] == "standard normal" and not own:
        stated["weights"] = under.weights or "random"
    return stated


def device_of(result: Result) -> str:
    """The name of the device that computed the predictions, from the provenance, or ""."""
    device, environment = result.provenance.device, result.provenance.environment
    gpus = environment.get("gpus") or []
    kind, _, index = device.partition(":")
    if kind == "cuda" and int(index or 0) < len(gpus):
        return str(gpus[int(index or 0)].get("name") or device)
    return str(environment.get("processor") or device) if kind == "cpu" else device


def run_names(results: Sequence[Result]) -> list[str]:
    """What the run folder of each result is called: its name, with as much of the path as tells equal names apart."""
    folders = [_run_folder(result) for result in results]
    paths = {folder: folder.absolute().parts[1:] for folder in folders if folder is not None}
    names = {}
    for folder, parts in paths.items():
        others = [other for one, other in paths.items() if other != parts and one != folder]
        deep = next((n for n in range(1, len(parts)) if all(one[-n:] != parts[-n:] for one in others)), len(parts))
        names[folder] = "/".join(parts[-deep:])
    return ["" if folder is None else names[folder] for folder in folders]


def _run_folder(result: Result) -> Path | None:
    if not result.folder:
        return None
    folder = Path(result.folder)
    return folder.parents[1] if folder.parent.name == "entries" else folder


def _date(result: Result, known: dict[Path, str | None]) -> str | None:
    """When it was measured. known: of run folders, which is filled."""
    folder, own = _run_folder(result), getattr(result.provenance, "date", "")
    if own or folder is None:
        return own or None
    if folder not in known:
        try:
            found = json.loads((folder / "environment.json").read_bytes())["date"]
        except (OSError, ValueError, KeyError, TypeError):
            found = None
        known[folder] = found if isinstance(found, str) else None
    return known[folder]
