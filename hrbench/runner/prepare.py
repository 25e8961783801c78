"""Finds the parts of an entry before anything is run: its data, metrics, weights and task, with their digests.

torch is imported only to load a network: for weights that no file identifies, and to check that weights fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hrbench.contracts import DataSet, HasFolder, Metric
from hrbench.core.plugins import construct, model_ref, resolve
from hrbench.core.remote import mirror
from hrbench.errors import UsageError
from hrbench.models.build import build_with_weights
from hrbench.models.weights.sources import OWN_WEIGHTS, WeightsFile, part_of, weights_digest, weights_of
from hrbench.runner import precomputed
from hrbench.runner.assumed import assumed_notes
from hrbench.runner.conformance import check_contract
from hrbench.runner.data_access import absent_folder, dataset_of, generate_absent, server_of
from hrbench.runner.detection_limits import protocol_limit_notes
from hrbench.runner.device import runtime_version
from hrbench.runner.score import metric_args_of, unknown_options
from hrbench.runner.settings import Settings
from hrbench.runner.shared_parts import SharedParts, protocol_key, row_key
from hrbench.store import keys
from hrbench.types import NOT_READ, DatasetRow, Entry, Missing, Reason, Remark, Result, WeightsRecord

if TYPE_CHECKING:
    from torch import nn


NO_DIGESTS: Mapping[str, str | None] = MappingProxyType({})


@dataclass(slots=True)
class Assembled:
    """An entry with its parts.

    network: only if it brings its own weights, which no file identifies: their digest is that of its tensors.
    reasons: what is missing, if accuracy cannot be measured.
    costs_only: whether accuracy was not requested.
    server: which server scores, in words, if the ground truth is not public; "" if it is scored here.
    offline: whether nothing may be downloaded, not even by a network's own source.
    notes: for readers of the result.
    """

    entry: Entry
    dataset: Any = None
    task: Any = None
    metrics: list[Metric] = field(default_factory=list)
    weights: WeightsFile | None = None
    weights_digest: str | None = None
    network: Any = None
    dataset_digest: str | None = None
    predictions_digest: str | None = None
    target_digest: str | None = None
    reasons: tuple[Reason, ...] = ()
    costs_only: bool = False
    server: str = ""
    offline: bool = False
    notes: list[Remark] = field(default_factory=list)

    @property
    def prediction_key(self) -> str | None:
        """Key of the entry's predictions; None if accuracy cannot be measured, or the network is not built yet."""
        if self.reasons or self.unbuilt:
            return None
        if self.predictions_digest is not None:
            return keys.precomputed_key(self.predictions_digest)
        version = runtime_version(self.entry.runtime)
        return keys.prediction_key(self.entry, self.weights_digest, self.dataset_digest, runtime_version=version)

    @property
    def unbuilt(self) -> bool:
        """Whether the network brings its own weights and was not built, so that nothing identifies them yet."""
        return self.weights is not None and self.weights.source == OWN_WEIGHTS and self.weights_digest is None

    def score_key(self, files: Mapping[str, str]) -> str | None:
        """Key of the scores of stored predictions; None if one of the metrics' prediction files is not there.

        files: file or folder in the entry's folder -> SHA-256.
        """
        found = {name: files[name] for metric in self.metrics if (name := precomputed.stored_name(metric, files))}
        if self.reasons or not self.metrics or not all(precomputed.stored_name(each, files) for each in self.metrics):
            return None
        versions = {metric.name: metric.version for metric in self.metrics}
        options = {**self.dataset.metric_options(), **_further_args(self.dataset, versions)}
        return keys.score_key(self.entry, found, self.truth_digest, versions, options)

    @property
    def truth_digest(self) -> str | None:
        """SHA-256 of the whole data set, or of the ground truth only for precomputed predictions."""
        return self.dataset_digest if self.predictions_digest is None else self.target_digest


def assemble(
    entry: Entry,
    settings: Settings,
    generate: bool = True,
    build_own: bool = False,
    digests: Mapping[str, str | None] = NO_DIGESTS,
    shared: SharedParts | None = None,
) -> Assembled:
    """Finds data, weights and metrics of an entry. Loads no network, except one that brings its own weights.

    generate: whether a miniature that does not exist yet is generated; otherwise it counts as missing.
    build_own: whether a network that brings its own weights is built, for their digest.
    digests: "weights" and "dataset" -> SHA-256 that was computed already; what is left out is computed.
    shared: what was found for other entries and still holds; None for nothing.
    """
    shared = SharedParts() if shared is None else shared
    parts = Assembled(entry, offline=settings.offline)
    if entry.dataset is None:
        return _without_data(parts, settings, build_own, digests, shared)
    if entry.weights == "none" and not entry.predictions:
        parts.reasons, parts.costs_only = (Reason("weights: none was asked for"),), True
        return parts
    row = entry.dataset
    of_row, under = row_key(row), protocol_key(entry.protocol)
    parts.dataset = dataset = shared.of(("data set", of_row), lambda: dataset_of(row, settings.data))
    parts.notes += check_contract("hrbench.datasets", row.use, dataset)
    if not generate and absent_folder(row, parts.dataset) is not None:
        parts.reasons = (Reason(f"{row.name} is not there yet: it is generated on first use"),)
        return parts
    generate_absent(row, parts.dataset)
    if entry.predictions:
        return _with_predictions(parts)
    missing = shared.of(("missing", of_row, under), lambda: missing_parts(row, dataset, entry.protocol))
    may_fetch = generate and not settings.offline
    found = weights_of(entry.variant, entry.weights, settings.weights, fetch=may_fetch, **part_of(entry))
    if isinstance(found, Missing):
        parts.reasons = (*missing, found.reason)
        return parts
    if missing or not_read(entry):
        parts.reasons = (*missing, *not_read(entry))
        return parts
    _identify(parts, found, build_own, digests, shared)
    known = digests.get("dataset")
    parts.dataset_digest = known or shared.of(("digest", of_row, under), lambda: dataset.digest(entry.protocol))
    parts.task = resolve("hrbench.tasks", row.task)(entry.variant, parts.dataset, entry.protocol)
    parts.notes += check_contract("hrbench.tasks", row.task, parts.task)
    parts.metrics = [
        shared.of(("metric", of_row, name), lambda name=name: metric_of(name, dataset)) for name in entry.metrics
    ]
    parts.server = server_of(dataset)
    parts.notes += shared.of(("notes", of_row, under), lambda: dataset.notes(entry.protocol))
    parts.notes += assumed_notes(entry)
    parts.notes += protocol_limit_notes(entry.protocol, parts.metrics)
    return parts


def not_read(entry: Entry) -> tuple[Reason, ...]:
    """The reason why an entry cannot be run whose library had still to fetch how the network is fed; () if there is
    none.
    """
    if entry.protocol.get("stated_by") != NOT_READ:
        return ()
    what = f"when the suite was read, {entry.variant.use} had no preprocessor_config.json on this disk"
    return (Reason(what, "run again, now that the network is fetched, or name a protocol"),)


def missing_parts(row: DatasetRow, dataset: DataSet, protocol: Mapping[str, Any]) -> list[Reason]:
    """What is missing of a data set; for a generated one also how to generate it again."""
    gaps = [Reason(mirror.told(gap)) for gap in dataset.missing(protocol)]
    if gaps and row.draw and isinstance(dataset, HasFolder):
        remedy = f"delete {dataset.folder}, and it is generated again on next use"
        gaps.append(Reason(f"{row.name} is generated, not downloaded", remedy))
    return gaps


def _without_data(
    parts: Assembled, settings: Settings, build_own: bool, digests: Mapping[str, str | None], shared: SharedParts
) -> Assembled:
    """An entry of which only costs are measured; the weights that it names must exist nevertheless."""
    entry = parts.entry
    parts.reasons, parts.costs_only = (Reason("no data set was asked for"),), True
    if entry.weights not in (None, "none"):
        found = weights_of(entry.variant, entry.weights, settings.weights, fetch=False, **part_of(entry))
        if isinstance(found, Missing):
            parts.reasons, parts.costs_only = (found.reason,), False
        else:
            _identify(parts, found, build_own, digests, shared)
    return parts


def _identify(
    parts: Assembled, found: WeightsFile, build_own: bool, digests: Mapping[str, str | None], shared: SharedParts
) -> None:
    """Sets the weights and their digest; for a network with its own weights it is built, if `build_own`."""
    parts.weights = found
    if found.source != OWN_WEIGHTS:
        known = digests.get("weights")
        parts.weights_digest = known or shared.of(("weights", found.path), lambda: weights_digest(found))
    elif build_own:
        parts.network, parts.notes = load_network(parts)
        parts.weights_digest = _state_digest(parts.network)
        if not parts.network.state_dict():
            parts.notes.append("the network shows no tensors (state_dict), so a change of its weights goes unnoticed")


def _state_digest(net: nn.Module) -> str:
    from hrbench.models.weights.load import state_digest

    return state_digest(net)


def load_network(parts: Assembled) -> tuple[nn.Module, list[Remark]]:
    """The entry's network with its weights, and notes from loading it."""
    import torch

    torch.manual_seed(parts.entry.seed)
    assert parts.weights is not None
    use = parts.entry.variant.use
    net, notes = build_with_weights(parts.entry.variant, parts.weights, parts.offline)
    own = model_ref(use).kind == "reference"  # only user-defined code is checked
    return net, [*notes, *(check_contract("hrbench.models", use, net) if own else [])]


def verify_weights_fit(parts: Assembled, stored: Result | None) -> tuple[WeightsRecord, list[Remark]]:
    """Checks that the weights of an entry for costs only fit its network: their record, and notes.

    stored: the entry's last result; a record there that is still valid is not checked again.

    Raises InputError if the weights do not fit, are damaged or refused, and what building the network raises.
    """
    assert parts.weights is not None
    fits = keys.prediction_key(parts.entry, parts.weights_digest, None)
    record = replace(weights_record(parts), fits=fits)
    if stored is not None and stored.status in ("empty", "costs_only") and stored.provenance.weights == record:
        return record, list(stored.notes)
    notes = parts.notes if parts.network is not None else load_network(parts)[1]
    name = parts.weights.path.name or f"those of {parts.entry.variant.use}"
    return record, [f"weights: {name} (SHA-256 {str(parts.weights_digest)[:8]}...) fit the network", *notes]


def weights_record(parts: Assembled) -> WeightsRecord:
    """The record of the weights in the provenance."""
    found = parts.weights
    assert found is not None
    own = found.source == OWN_WEIGHTS
    file, use = ("", parts.entry.variant.use) if own else (found.path.name, "")
    return WeightsRecord(found.source, parts.weights_digest, file=file, use=use, key=found.key, drop=found.drop)


def _with_predictions(parts: Assembled) -> Assembled:
    """An entry with precomputed predictions: finds the metrics that score them and the task that renders them."""
    entry = parts.entry
    assert entry.dataset is not None
    parts.reasons = tuple(precomputed.missing_inputs(entry, parts.dataset))
    if not parts.reasons:
        parts.predictions_digest = precomputed.content_digest(Path(entry.predictions))
        parts.target_digest = precomputed.target_digest(parts.dataset)
        parts.dataset_digest = precomputed.dataset_digest(entry, parts.dataset)
        parts.task = resolve("hrbench.tasks", entry.dataset.task)(entry.variant, parts.dataset, entry.protocol)
        parts.metrics = [metric_of(name, parts.dataset) for name in entry.metrics]
    return parts


def _further_args(dataset: DataSet, metrics: Iterable[str]) -> dict[str, Any]:
    """What the key of a score holds of `metric_args`: nothing if these metrics are told nothing."""
    told = {name: dict(args) for name in sorted(metrics) if (args := metric_args_of(name, dataset))}
    return {"metric_args": told} if told else {}


def metric_of(name: str, dataset: DataSet) -> Metric:
    """A metric constructed for a data set. Raises UsageError if it does not accept such data."""
    options = {**dataset.metric_options(), **metric_args_of(name, dataset)}
    make = resolve("hrbench.metrics", name)
    unknown, _ = unknown_options(make, options)
    if unknown:
        raise UsageError(f"metric {name} does not take what this data set gives it: that is, {', '.join(unknown)}")
    metric = construct(make, f"metric {name}", **options)
    check_contract("hrbench.metrics", name, metric)
    return metric
