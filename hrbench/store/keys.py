"""Keys of results, SHA-256 of canonical JSON: two results with the same key are the same measurement.

A stored result is valid if its key equals the key of the entry. A key contains all that decides a number, except what
is named here:

- Predictions: the network's fields, its weights, the data, protocol, limit (and the rule that selects images), seed,
  dtype, runtime (unless it is eager PyTorch), and user-defined code. Left out are the device and the batch, which
  change only how sums are rounded, and the versions of hrbench, torch and other libraries; a run stores all of these
  beside its results. Precomputed predictions: the digest of their file alone.
- Scores: the digests of predictions and ground truth, metrics with versions and options, limit, and the bootstrap. A
  new metric or another bootstrap changes this key alone, so that stored predictions are scored again.
- Costs: each probe has a separate key, of the network's fields and its user-defined code, the probe with its version
  and options, the runtime unless the probe only counts, and those of device, driver, torch and threads that the probe
  depends on. Weights, data and protocol are in the key of a probe that feeds a network images of its data set, and of
  no other: other costs are those of the network with random weights.

Titles, names, tables, gates and paths are in no key: what lies at a path counts by its digest, images by name and size.
A network of a source counts by what the source is asked for: a name, or the digest of a file ("onnx:net.onnx", with the
files that hold its weights) or of a folder's configuration; the version of the library behind it is in cost keys.
User-defined code is what `use: "ourpkg.nets:pose"` or such a metric names; `code_digest` says how much of it counts.
Code behind an entry point counts by its name, and a metric's by its version too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hrbench.core.digests import digest, sha256
from hrbench.core.limit import RULE
from hrbench.core.modules import source_files
from hrbench.core.onnx_external import external_files
from hrbench.core.plugins import model_ref
from hrbench.errors import HrbenchError
from hrbench.statistics.bootstrap import VERSION as BOOTSTRAP_VERSION
from hrbench.types import DatasetRow, Entry, Variant


def variant_fields(variant: Variant, read: bool = True) -> dict[str, Any]:
    """The fields of a variant that decide its outputs; not its name, title, or sources of weights.

    read: whether a file that `use` names is represented by its digest or by its path.
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
    """`use` with a path replaced by the digest of its content."""
    ref = model_ref(use)
    return use if ref.path is None else f"{ref.source}:{source_digest(Path(ref.path))}"


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


def source_digest(path: Path) -> str | None:
    """SHA-256 of the network at a path, 64 hexadecimal digits; None if nothing is there.

    Covered are the file, with the external data files of an ONNX file; or the .json and .py files of a folder, which
    define the network. Raises InputError for an ONNX file that is damaged or names data outside its folder.
    """
    path = path.expanduser()
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".py") and file.is_file())
    else:
        outside = external_files(path) if path.suffix == ".onnx" and path.is_file() else ()
        files = [path, *(file for file in outside if file.is_file())]
    found = [_file_state(file) for file in files]
    return (
        None if not found or None in found else digest([_cached_sha256(*state) for state in found if state is not None])
    )


def _file_state(file: Path) -> tuple[str, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return str(file), status.st_size, status.st_mtime_ns


@cache
def _cached_sha256(file: str, size: int, modified: int) -> str:
    """SHA-256 of a file in this state; a file of gigabytes is read only once."""
    return sha256(Path(file))


def code_digest(reference: str, folders: Sequence[str | Path] = ()) -> str | None:
    """SHA-256 of the code that "package.module:attribute" names, 64 hexadecimal digits; imports nothing.

    Covered are the files of `core.modules.source_files`, with their paths below the folder they are imported from, so
    that moved code keeps its digest.

    folders: searched before `sys.path`.

    Returns None for the name of an entry point, for modules of hrbench, and if there is no file.
    """
    module = model_ref(reference).module
    if not module:
        return None
    found = source_files(module, folders)
    return digest({name: _file_digest(file) for name, file in found.items()}) if found else None


def _file_digest(file: Path) -> str | None:
    try:
        return sha256(file)
    except HrbenchError:  # what cannot be read cannot be imported either
        return None


def prediction_key(
    entry: Entry,
    weights_digest: str | None,
    dataset_digest: str | None,
    *,
    runtime_version: int = 1,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of an entry's predictions, 64 hexadecimal digits. No metric has a part in it.

    entry: with a network to run.
    weights_digest: SHA-256 of the weights that were read.
    dataset_digest: SHA-256 over the annotations, the boxes, and the images by name and size.
    runtime_version: of the entry's runtime.
    folders: searched for user-defined code before `sys.path`.
    """
    uses = [entry.variant.use, *_uses(entry.variant.args)]
    if entry.dataset is not None:
        uses.append(entry.dataset.use)
    fields = {**_prediction_fields(entry, weights_digest, dataset_digest), **_versioned(runtime_version)}
    return digest({**fields, **_user_code(uses, folders)})


def precomputed_key(predictions_digest: str) -> str:
    """Key of predictions that come from a file: its SHA-256 is all that decides them. 64 hexadecimal digits."""
    return digest({"predictions": predictions_digest})


def score_key(
    entry: Entry,
    predictions: Mapping[str, str],
    truth_digest: str | None,
    versions: Mapping[str, int],
    options: Mapping[str, Any],
    *,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of an entry's scores, 64 hexadecimal digits: a new metric, version or bootstrap changes it and no prediction.

    predictions: prediction file -> its SHA-256.
    truth_digest: SHA-256 of the ground truth, or of the whole data set, which covers it.
    versions: metric name -> version.
    options: what the data set constructs its metrics with (sigmas, classes).
    folders: searched for user-defined code before `sys.path`.
    """
    uses = list(entry.metrics)
    if entry.dataset is not None:
        uses.append(entry.dataset.use)
    fields = {
        "predictions": dict(sorted(predictions.items())),
        "truth": truth_digest,
        "metrics": dict(sorted(versions.items())),
        "options": _without_paths(options),
        "limit": _limit(entry),
        "seed": entry.seed,
        "resamples": entry.resamples,
        "bootstrap": BOOTSTRAP_VERSION,
    }
    return digest({**fields, **_user_code(uses, folders)})


def _prediction_fields(
    entry: Entry, weights_digest: str | None, dataset_digest: str | None, read: bool = True
) -> dict[str, Any]:
    """The fields of a prediction key, except user-defined code."""
    dataset = entry.dataset
    return {
        "variant": variant_fields(entry.variant, read),
        "weights": weights_digest,
        "dataset": None if dataset is None else {"use": dataset.use, "task": dataset.task},
        "dataset_args": None if dataset is None else _dataset_args(dataset),
        "dataset_digest": dataset_digest,
        "protocol": _plain(entry.protocol),
        "limit": _limit(entry),
        "seed": entry.seed,
        "dtype": entry.dtype,
        **_part(entry),
        **_runtime(entry.runtime.stated()),
    }


def _part(entry: Entry) -> dict[str, str]:
    """A key's fields for the part of a file that the weights are; no field where the suite does not say it."""
    stated = {"weights_key": entry.weights_key, "weights_drop": entry.weights_drop}
    return {name: value for name, value in stated.items() if value}


def _runtime(stated: Mapping[str, Any]) -> dict[str, Any]:
    """A key's field for a runtime; no field for eager PyTorch, so that keys from before there were others hold."""
    return {"runtime": dict(stated)} if stated else {}


def _versioned(runtime_version: int) -> dict[str, Any]:
    """A key's field for the version of a runtime; no field for the first."""
    return {"runtime_version": runtime_version} if runtime_version != 1 else {}


def _limit(entry: Entry) -> Any:
    """The limit with the rule by which its images are chosen."""
    return None if entry.limit is None else [entry.limit, RULE]


def _user_code(uses: Sequence[str], folders: Sequence[str | Path]) -> dict[str, Any]:
    """A key's field for user-defined code; no field if there is none."""
    found = {use: code for use in uses if (code := code_digest(use, folders)) is not None}
    return {"code": found} if found else {}


def probe_key(
    entry: Entry,
    *,
    probe: str,
    version: int,
    options: Mapping[str, Any],
    measured_with: Mapping[str, Any],
    libraries: Mapping[str, str] | None = None,
    runtime: Mapping[str, Any] | None = None,
    runtime_version: int = 1,
    fed: Mapping[str, Any] | None = None,
    folders: Sequence[str | Path] = (),
) -> str:
    """Key of what one cost probe measures of an entry, 64 hexadecimal digits; entries that share it share the numbers.

    A key does not depend on other probes, so that measured costs stay valid when another cost is added.

    probe, version: of the probe.
    options: all of its settings.
    measured_with: what the probe's numbers depend on, such as {"device": "...", "torch": "2.9"}.
    libraries: versions of those behind the network's source.
    runtime, runtime_version: what its settings state, {} for eager PyTorch, and for what does not depend on it; and its
        version.
    fed: what the network is fed, of `fed_fields`; None if its numbers depend on no image.
    folders: searched for user-defined code before `sys.path`.
    """
    return digest(
        {
            "variant": variant_fields(entry.variant),
            "probe": probe,
            "version": version,
            "options": _plain(options),
            "measured_with": _plain(measured_with),
            **({"libraries": dict(libraries)} if libraries else {}),
            **_runtime(runtime or {}),
            **_versioned(runtime_version),
            **({"fed": _plain(fed)} if fed is not None else {}),
            **_user_code([entry.variant.use, *_uses(entry.variant.args), probe, *_dataset_use(entry, fed)], folders),
        }
    )


def _dataset_use(entry: Entry, fed: Mapping[str, Any] | None) -> list[str]:
    return [] if fed is None or entry.dataset is None else [entry.dataset.use]


def fed_fields(entry: Entry, digests: Mapping[str, str | None] | None) -> dict[str, Any]:
    """What decides which images a network is fed, how they are prepared, and what it finds in them.

    digests: SHA-256 of the "weights" (None for random ones) and the "dataset"; None if they are not there.
    """
    fields = _prediction_fields(entry, (digests or {}).get("weights"), (digests or {}).get("dataset"), read=False)
    kept = ("weights", "dataset", "dataset_args", "dataset_digest", "protocol", "dtype", "seed")
    return {**{name: fields[name] for name in kept}, **_part(entry), "there": digests is not None}


def content_key(entry: Entry) -> str:
    """Key of all that an entry requests: two entries of a suite with the same key would measure the same.

    Reads no file: entries of one suite that name the same code mean the same code.
    """
    return digest(
        {
            "made": digest(_prediction_fields(entry, None, None, read=False)),
            "metrics": sorted(entry.metrics),
            "resamples": entry.resamples,
            "predictions": entry.predictions,
            "weights": [entry.weights, *_part(entry).values()] if _part(entry) else entry.weights,
            "sources": dict(entry.variant.weights) if entry.weights in (None, *entry.variant.weights) else {},
            "paths": None if entry.dataset is None else _plain(entry.dataset.args),
            "cost": _plain(entry.cost),
        }
    )


PATHS = frozenset({"annotations", "images", "labels", "list", "folder", "root", "home"})


def _without_paths(args: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without paths: the digest identifies the data, wherever they are."""
    return {key: value for key, value in _plain(args).items() if key not in PATHS}


_OF_METRICS = frozenset({"metric_args"})
_JUDGING: Mapping[str, frozenset[str]] = {
    "coco-instances": _OF_METRICS | {"iou_thresholds", "areas", "recall_thresholds", "class_agnostic", "per_class"},
    "coco-keypoints": _OF_METRICS | {"oks_thresholds", "areas", "recall_thresholds"},
    **dict.fromkeys(("cityscapes", "faces", "label-folders", "mpii"), _OF_METRICS),
    "lvis": frozenset({"iou_thresholds", "areas", "recall_thresholds"}),
}
"""Arguments of data sets that only decide how predictions are judged."""


def _dataset_args(dataset: DatasetRow) -> dict[str, Any]:
    """Arguments of a data set that decide predictions: `orientation: stored` only allows what is the default."""
    judging = _JUDGING.get(dataset.use, frozenset())
    args = {key: value for key, value in _without_paths(dataset.args).items() if key not in judging}
    return {key: value for key, value in args.items() if (key, value) != ("orientation", "stored")}


def _plain(value: Any) -> Any:
    """Mappings and sequences of any kind as dictionaries and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
