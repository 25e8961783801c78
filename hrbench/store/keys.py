"""What makes two results the same measurement: SHA-256 of canonical JSON.

A stored result counts when its key matches the key of the entry at hand. In a key is all that decides the number, but
for what is named here:

- Predictions and scores: the network's fields, its weights, the data, protocol, metrics with their versions, limit,
  seed, dtype, and code of one's own. Left out are the device and the batch, which change only how sums are rounded,
  and the versions of hrbench, torch and other libraries; a run stores all of these beside its results.
- Costs: the network's fields and its code of one's own, what is to be measured, and what it is measured with: device,
  driver, torch, threads, numeric flags, and the version of the code that counts and times. Left out are the weights,
  since costs are those of the network with random weights.

- Predictions that were given: their digest, that of the ground truth, metrics, limit and seed. No network has a part in
  it, nor has what the suite says of their protocol.

Titles, names, tables, gates and paths are in no key: what lies at a path counts by its digest, images by name and size.
A network of a source counts by what the source is asked for: a name, or the digest of a file ("onnx:net.onnx", with the
files that hold its weights) or of a folder's configuration; the version of the library behind it is in cost keys.
Code of one's own is what `use: "ourpkg.nets:pose"` or such a metric names; `code_digest` says how much of it counts.
Code behind an entry point counts by its name, and a metric's by its version too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hrbench.core.digests import digest
from hrbench.core.modules import own_files
from hrbench.core.plugins import is_reference, source_of, source_path
from hrbench.types import Entry, Variant


def variant_fields(variant: Variant, read: bool = True) -> dict[str, Any]:
    """What of a variant decides its outputs: not its name or title, nor where its weights lie.

    read: whether the file that a source is asked for stands by its digest, or by its path.
    """
    return {
        "use": _used(variant.use) if read else variant.use,
        "args": _used_within(_plain(variant.args)) if read else _plain(variant.args),
        "task": variant.task,
        "input": list(variant.input),
        "colour": variant.colour,
        "mean": [float(value) for value in variant.mean],
        "std": [float(value) for value in variant.std],
    }


def _used(use: str) -> str:
    """`use` with the digest of what lies there in place of a path."""
    found, path = source_of(use), source_path(use)
    return use if found is None or path is None else f"{found[0]}:{source_digest(path)}"


def _used_within(value: Any) -> Any:
    """Arguments, networks among them (mappings with `use`) as `_used` has them."""
    if not isinstance(value, dict):
        return value
    return {
        key: _used(item) if key == "use" and isinstance(item, str) else _used_within(item)
        for key, item in value.items()
    }


def _uses(args: Any) -> Iterator[str]:
    """What networks within arguments are made by."""
    for key, item in args.items() if isinstance(args, Mapping) else ():
        if key == "use" and isinstance(item, str):
            yield item
        yield from _uses(item)


def source_digest(path: Path) -> str | None:
    """SHA-256 of the network at a path, 64 hexadecimal digits; None where nothing is.

    A file counts with the files of external data that an ONNX file names; a folder by its .json and .py files, which
    say what the network is.
    """
    path = path.expanduser()
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".py") and file.is_file())
    else:
        files = [path, *(_external(path) if path.suffix == ".onnx" else ())]
    found = [_file_state(file) for file in files]
    return None if not found or None in found else digest([_whole(*state) for state in found if state is not None])


def _external(path: Path) -> list[Path]:
    """Files beside an ONNX file that hold its tensors: entries ("location", NAME) of its message, as stored there."""
    try:
        content = path.read_bytes()
    except OSError:
        return []
    names = set()
    for mark in re.finditer(rb"\n\x08location\x12([\x01-\x7f])", content):
        name = content[mark.end() : mark.end() + mark[1][0]]
        names.add(name.decode("utf-8", errors="replace"))
    return [file for name in sorted(names) if (file := path.parent / name).is_file()]


def _file_state(file: Path) -> tuple[str, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return str(file), status.st_size, status.st_mtime_ns


@cache
def _whole(file: str, size: int, modified: int) -> str:
    """SHA-256 of a file as it is; a file of gigabytes is read once."""
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_digest(reference: str, folders: Sequence[str | Path] = ()) -> str | None:
    """SHA-256 of the code that "package.module:attribute" names, 64 hexadecimal digits; imports nothing.

    Covered are the files that `names.own_files` tells, with their paths below the folder they are imported from, so
    that code moved as a whole keeps its digest. folders: looked through before `sys.path`. None for the name of an
    entry point, for hrbench's own modules, and where there is no file.
    """
    if not is_reference(reference):
        return None
    found = own_files(reference.partition(":")[0], folders)
    return digest({name: _file_digest(file) for name, file in found.items()}) if found else None


def _file_digest(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # what cannot be read cannot be imported either
        return None


def accuracy_key(
    entry: Entry,
    weights_digest: str | None,
    dataset_digest: str | None,
    metric_versions: Mapping[str, int],
    *,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of an entry's predictions and scores, 64 hexadecimal digits.

    weights_digest, dataset_digest: SHA-256 of what was read; the second covers the annotations, the boxes, and the
    images by name and size. metric_versions: metric name -> version, for the metrics of the entry. folders: where code
    of one's own is looked for before `sys.path`.
    """
    uses = [entry.variant.use, *_uses(entry.variant.args), *entry.metrics]
    if entry.dataset is not None:
        uses.append(entry.dataset.use)
    fields = _accuracy_fields(entry, weights_digest, dataset_digest, metric_versions)
    return digest({**fields, **_own_code(uses, folders)})


def given_key(
    entry: Entry,
    predictions_digest: str,
    target_digest: str,
    metric_versions: Mapping[str, int],
    *,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of the scores of predictions that were given, 64 hexadecimal digits.

    predictions_digest, target_digest: SHA-256 of the file and of the ground truth that it is judged by.
    """
    assert entry.dataset is not None
    fields = {
        "predictions": predictions_digest,
        "dataset": {"use": entry.dataset.use, "task": entry.dataset.task},
        "dataset_args": _without_paths(entry.dataset.args),
        "target": target_digest,
        "metrics": dict(sorted(metric_versions.items())),
        "limit": entry.limit,
        "seed": entry.seed,
    }
    return digest({**fields, **_own_code([*entry.metrics, entry.dataset.use], folders)})


def _accuracy_fields(
    entry: Entry,
    weights_digest: str | None,
    dataset_digest: str | None,
    metric_versions: Mapping[str, int],
    read: bool = True,
) -> dict[str, Any]:
    """All of an accuracy key but the code of one's own."""
    dataset = entry.dataset
    return {
        "variant": variant_fields(entry.variant, read),
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


def _own_code(uses: Sequence[str], folders: Sequence[str | Path]) -> dict[str, Any]:
    """A key's field for code of one's own; no field where there is none, so that such keys know nothing of it."""
    found = {use: code for use in uses if (code := code_digest(use, folders)) is not None}
    return {"code": found} if found else {}


def cost_key(
    entry: Entry,
    *,
    device: str,
    driver: str = "",
    torch: str = "",
    threads: int | None = None,
    flags: Mapping[str, Any] | None = None,
    version: int = 0,
    libraries: Mapping[str, str] | None = None,
    batch: int | Sequence[int] | None = None,
    dtype: str | Sequence[str] | None = None,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of cost measurements, 64 hexadecimal digits; entries that share it share one measurement.

    device: the device's name as it calls itself. driver, torch: versions; "" where there is none. threads: that a
    forward pass on the CPU uses; None where they do not matter. flags: settings of torch's arithmetic, such as whether
    TF32 is allowed; plain values. version: of the code that counts and times. libraries: versions of those behind the
    network's source. batch, dtype: of one cell; left out, all
    that the entry asks for. folders: where code of one's own is looked for before `sys.path`.
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
            "threads": threads,
            "flags": _plain(flags or {}),
            "version": version,
            **({"libraries": dict(libraries)} if libraries else {}),
            **_own_code([entry.variant.use, *_uses(entry.variant.args)], folders),
        }
    )


def probe_key(
    entry: Entry,
    *,
    probe: str,
    version: int,
    options: Mapping[str, Any],
    measured_with: Mapping[str, Any],
    libraries: Mapping[str, str] | None = None,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of what one cost probe measures of an entry, 64 hexadecimal digits; entries that share it share the numbers.

    One probe's key knows nothing of the others, so that another cost can be added and leave those measured valid.

    probe, version: of the probe.
    options: all of its settings.
    measured_with: what the probe says that its numbers depend on, such as {"device": "...", "torch": "2.9"}.
    libraries: versions of those behind the network's source.
    folders: where user-defined code is looked for before `sys.path`.
    """
    return digest(
        {
            "variant": variant_fields(entry.variant),
            "probe": probe,
            "version": version,
            "options": _plain(options),
            "measured_with": _plain(measured_with),
            **({"libraries": dict(libraries)} if libraries else {}),
            **_own_code([entry.variant.use, *_uses(entry.variant.args), probe], folders),
        }
    )


def content_key(entry: Entry) -> str:
    """Key of all that an entry asks for: two entries of a suite alike in it would measure the same thing twice.

    Reads no file: entries of one suite that name the same code mean the same code.
    """
    return digest(
        {
            "accuracy": digest(_accuracy_fields(entry, None, None, dict.fromkeys(entry.metrics, 0), read=False)),
            "predictions": entry.predictions,
            "weights": entry.weights,
            "sources": dict(entry.variant.weights) if entry.weights in (None, *entry.variant.weights) else {},
            "paths": None if entry.dataset is None else _plain(entry.dataset.args),
            "cost": _plain(entry.cost),
        }
    )


PATHS = frozenset({"annotations", "images", "labels", "list", "folder", "root", "home"})


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
