"""The keys of format 1, as hrbench 0.1.0 computed them, to recognise what it stored.

Frozen: these functions return the key that 0.1.0 gave an entry. If a stored result has that key, its predictions,
scores and costs are those of the entry, and get the keys of today.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hrbench.core.digests import digest, sha256
from hrbench.core.modules import source_files
from hrbench.core.plugins import model_ref
from hrbench.errors import HrbenchError
from hrbench.types import Entry, Result, Variant

_PATHS = frozenset({"annotations", "images", "labels", "list", "folder", "root", "home"})
"""Arguments of a data set that are paths, and decide no number."""


def rekey_accuracy(
    stored: Result,
    old_key: Callable[[Mapping[str, int]], str],
    versions: Mapping[str, int],
    prediction_key: str,
    score_key: str,
) -> Result | None:
    """A result of format 1 with the keys of today, None if it is not of the entry.

    stored: as it was read.
    old_key: versions of metrics -> the key of the entry in format 1.
    versions: of the metrics of the entry.
    prediction_key, score_key: of the entry today. Scores are kept only if metrics and versions are those of today;
        otherwise the result has no score_key, and its predictions are to be scored again.
    """
    stored_versions = {name: record.version for name, record in stored.provenance.metrics.items()}
    if not stored.predicted or stored.score_key is None or stored.score_key != old_key(stored_versions):
        return None
    same = stored_versions == dict(versions) and set(stored.entry.metrics) == set(versions)
    return replace(stored, prediction_key=prediction_key, score_key=score_key if same else None)


def format_1_accuracy_key(
    entry: Entry,
    weights_digest: str | None,
    dataset_digest: str | None,
    metric_versions: Mapping[str, int],
    *,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of an entry's predictions and scores, 64 hexadecimal digits.

    weights_digest: SHA-256 of the weights.
    dataset_digest: SHA-256 of annotations, boxes and the images' names and sizes.
    metric_versions: metric name -> version.
    folders: searched for user-defined code before `sys.path`.
    """
    uses = [entry.variant.use, *_uses(entry.variant.args), *entry.metrics]
    dataset = entry.dataset
    if dataset is not None:
        uses.append(dataset.use)
    return digest(
        {
            "variant": _variant_fields(entry.variant),
            "weights": weights_digest,
            "dataset": None if dataset is None else {"use": dataset.use, "task": dataset.task},
            "dataset_args": None if dataset is None else _without_paths(dataset.args),
            "dataset_digest": dataset_digest,
            "protocol": _plain(entry.protocol),
            "metrics": dict(sorted(metric_versions.items())),
            "limit": entry.limit,
            "seed": entry.seed,
            "dtype": entry.dtype,
            **_runtime(entry),
            **_user_code(uses, folders),
        }
    )


def format_1_precomputed_key(
    entry: Entry,
    predictions_digest: str,
    target_digest: str,
    metric_versions: Mapping[str, int],
    *,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of the scores of precomputed predictions, 64 hexadecimal digits.

    predictions_digest, target_digest: SHA-256 of the predictions and of the ground truth.
    metric_versions: metric name -> version.
    folders: searched for user-defined code before `sys.path`.
    """
    assert entry.dataset is not None
    return digest(
        {
            "predictions": predictions_digest,
            "dataset": {"use": entry.dataset.use, "task": entry.dataset.task},
            "dataset_args": _without_paths(entry.dataset.args),
            "target": target_digest,
            "metrics": dict(sorted(metric_versions.items())),
            "limit": entry.limit,
            "seed": entry.seed,
            **_user_code([*entry.metrics, entry.dataset.use], folders),
        }
    )


def format_1_cost_key(
    entry: Entry,
    *,
    device: str,
    driver: str = "",
    torch: str = "",
    threads: int | None = None,
    version: int = 0,
    libraries: Mapping[str, str] | None = None,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of an entry's costs, 64 hexadecimal digits.

    device: the device's name as it calls itself.
    driver, torch: versions; "" if there is none.
    threads: of a forward pass on the CPU; None if they do not matter.
    version: of the code that counts and times.
    libraries: versions of those behind the network's source.
    folders: searched for user-defined code before `sys.path`.
    """
    latency = entry.cost.get("latency") or {}
    return digest(
        {
            "variant": _variant_fields(entry.variant),
            "operations": bool(entry.cost.get("operations", True)),
            "batch": _plain(latency.get("batch", [])),
            "dtype": [entry.dtype] if latency.get("dtype") == [] else _plain(latency.get("dtype", [])),
            "budget": latency.get("budget"),
            "device": device,
            "driver": driver,
            "torch": torch,
            "threads": threads,
            "flags": {},
            "version": version,
            **({"libraries": dict(libraries)} if libraries else {}),
            **_runtime(entry),
            **_user_code([entry.variant.use, *_uses(entry.variant.args)], folders),
        }
    )


def _runtime(entry: Entry) -> dict[str, Any]:
    """No field for eager PyTorch, the only runtime there was."""
    stated = entry.runtime.stated()
    return {"runtime": stated} if stated else {}


def _variant_fields(variant: Variant) -> dict[str, Any]:
    return {
        "use": _used(variant.use),
        "args": _used_within(_plain(variant.args)),
        "task": variant.task,
        "input": list(variant.input),
        "colour": variant.colour,
        "mean": [float(value) for value in variant.mean],
        "std": [float(value) for value in variant.std],
    }


def _used(use: str) -> str:
    """`use` with a path replaced by the digest of its content."""
    ref = model_ref(use)
    return use if ref.path is None else f"{ref.source}:{_source_digest(Path(ref.path))}"


def _used_within(value: Any) -> Any:
    """Arguments, networks among them (mappings with `use`) as `_used` has them."""
    if not isinstance(value, dict):
        return value
    return {
        key: _used(item) if key == "use" and isinstance(item, str) else _used_within(item)
        for key, item in value.items()
    }


def _uses(args: Any) -> Iterator[str]:
    """The `use` of each network within arguments."""
    for key, item in args.items() if isinstance(args, Mapping) else ():
        if key == "use" and isinstance(item, str):
            yield item
        yield from _uses(item)


def _source_digest(path: Path) -> str | None:
    """SHA-256 of a network's file with its external data, or of a folder's .json and .py; None if there is nothing."""
    path = path.expanduser()
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".py") and file.is_file())
    else:
        files = [path, *(_external(path) if path.suffix == ".onnx" else ())]
    try:
        states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        return None
    return digest([_cached_sha256(*state) for state in states]) if states else None


def _external(path: Path) -> list[Path]:
    """Files beside an ONNX file that hold its tensors, as format 1 found them: by names of up to 127 bytes."""
    try:
        content = path.read_bytes()
    except OSError:
        return []
    names = set()
    for mark in re.finditer(rb"\n\x08location\x12([\x01-\x7f])", content):
        name = content[mark.end() : mark.end() + mark[1][0]]
        names.add(name.decode("utf-8", errors="replace"))
    return [file for name in sorted(names) if (file := path.parent / name).is_file()]


@cache
def _cached_sha256(file: str, size: int, modified: int) -> str:
    """SHA-256 of a file in this state; a file of gigabytes is read only once."""
    return sha256(Path(file))


def _user_code(uses: Sequence[str], folders: Sequence[str | Path]) -> dict[str, Any]:
    """The field for user-defined code; no field if there is none."""
    found = {use: code for use in uses if (code := _code_digest(use, folders)) is not None}
    return {"code": found} if found else {}


def _code_digest(reference: str, folders: Sequence[str | Path]) -> str | None:
    """SHA-256 of the files of the code that "package.module:attribute" names; None for anything else."""
    if model_ref(reference).kind != "reference":
        return None
    found = source_files(reference.partition(":")[0], folders)
    return digest({name: _file_digest(file) for name, file in found.items()}) if found else None


def _file_digest(file: Path) -> str | None:
    try:
        return sha256(file)
    except HrbenchError:  # what cannot be read cannot be imported either
        return None


def _without_paths(args: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in _plain(args).items() if key not in _PATHS}


def _plain(value: Any) -> Any:
    """Mappings and sequences of any kind as dictionaries and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
