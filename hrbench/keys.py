"""What makes two results the same measurement: SHA-256 of canonical JSON.

Everything that can change a number is hashed; titles, names, tables, gates and paths are not. A stored result counts
when its key matches the key of the entry at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hrbench.types import Entry, Variant


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples are lists, so a value read back from JSON hashes alike.

    >>> canonical({"b": (1, 2), "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a plain value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def variant_fields(variant: Variant) -> dict[str, Any]:
    """What of a variant decides its outputs: not its name or title, nor where its weights lie."""
    return {
        "use": variant.use,
        "args": _plain(variant.args),
        "task": variant.task,
        "input": list(variant.input),
        "colour": variant.colour,
        "mean": [float(value) for value in variant.mean],
        "std": [float(value) for value in variant.std],
    }


def accuracy_key(
    entry: Entry, weights_digest: str | None, dataset_digest: str | None, metric_versions: Mapping[str, int]
) -> str:
    """Key of an entry's predictions and scores, 64 hexadecimal digits.

    weights_digest, dataset_digest: SHA-256 of what was read; the second covers the annotations, the boxes and the
    list of images. metric_versions: metric name -> version, for the metrics of the entry.
    """
    dataset = entry.dataset
    return digest(
        {
            "variant": variant_fields(entry.variant),
            "weights": weights_digest,
            "dataset": None if dataset is None else {"use": dataset.use, "task": dataset.task},
            "dataset_args": None if dataset is None else _without_paths(dataset.args),
            "dataset_digest": dataset_digest,
            "protocol": _plain(entry.protocol),
            "metrics": dict(sorted(metric_versions.items())),
            "limit": entry.limit,
            "seed": entry.seed,
            "dtype": entry.dtype,
        }
    )


def cost_key(
    entry: Entry,
    *,
    device: str,
    driver: str = "",
    torch: str = "",
    batch: int | Sequence[int] | None = None,
    dtype: str | Sequence[str] | None = None,
) -> str:
    """Key of cost measurements, 64 hexadecimal digits; entries that share it share one measurement.

    device: the device's name as it calls itself. driver, torch: versions; "" where there is none. batch, dtype: of one
    cell; left out, all that the entry asks for.
    """
    latency = entry.cost.get("latency") or {}
    return digest(
        {
            "variant": variant_fields(entry.variant),
            "operations": bool(entry.cost.get("operations", True)),
            "batch": _plain(latency.get("batch", []) if batch is None else batch),
            "dtype": _plain(latency.get("dtype", []) if dtype is None else dtype),
            "budget": latency.get("budget"),
            "device": device,
            "driver": driver,
            "torch": torch,
        }
    )


def content_key(entry: Entry) -> str:
    """Key of all that an entry asks for: two entries of a suite alike in it would measure the same thing twice."""
    return digest(
        {
            "accuracy": accuracy_key(entry, None, None, dict.fromkeys(entry.metrics, 0)),
            "weights": entry.weights,
            "sources": dict(entry.variant.weights) if entry.weights in (None, *entry.variant.weights) else {},
            "paths": None if entry.dataset is None else _plain(entry.dataset.args),
            "cost": _plain(entry.cost),
        }
    )


PATHS = frozenset({"annotations", "images", "folder", "root"})


def _without_paths(args: Mapping[str, Any]) -> dict[str, Any]:
    """Where data lie decides nothing: what they are is in their digest."""
    return {key: value for key, value in _plain(args).items() if key not in PATHS}


def _plain(value: Any) -> Any:
    """Mappings and sequences of any kind as dictionaries and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
