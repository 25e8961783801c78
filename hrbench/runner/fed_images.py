"""What a cost that is measured on images depends on: an entry's data, protocol and weights; and their part of a key.

Probes that are `contracts.FedImages` are measured on it. The parts are found as accuracy finds them (`prepare.py`), but
no metric is needed, and a network may have random weights if the entry asks for `weights: none`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hrbench.contracts import CostProbe, Evaluated, FedImages
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError, in_words
from hrbench.models.build import build
from hrbench.models.weights.sources import OWN_WEIGHTS, part_of, weights_digest, weights_of
from hrbench.runner.conformance import check_contract
from hrbench.runner.data_access import absent_folder, dataset_of, generate_absent
from hrbench.runner.prepare import NO_DIGESTS, Assembled, load_network, missing_parts
from hrbench.runner.settings import Settings
from hrbench.store import keys
from hrbench.types import Entry, Missing, Reason, Result

if TYPE_CHECKING:
    from torch import nn

RANDOM = "random"
"""The weights of a network that has none, in words."""


def fed_parts(
    entry: Entry, settings: Settings, *, generate: bool = True, digests: Mapping[str, str | None] = NO_DIGESTS
) -> Assembled | Reason:
    """Data, task and weights of an entry, with their digests; or why it cannot be run on images. Loads no network.

    generate: whether a miniature that does not exist yet is generated; otherwise it counts as missing.
    digests: "weights" and "dataset" -> SHA-256 that was computed already; what is left out is computed.
    """
    try:
        return _found(entry, settings, generate, digests)
    except HrbenchError as error:
        return Reason(in_words(error))


def _found(entry: Entry, settings: Settings, generate: bool, digests: Mapping[str, str | None]) -> Assembled | Reason:
    row = entry.dataset
    if row is None:
        return Reason("no data set was asked for, and this is measured on images", "name one with dataset:")
    parts = Assembled(entry, offline=settings.offline)
    parts.dataset = dataset_of(row, settings.data)
    check_contract("hrbench.datasets", row.use, parts.dataset)
    if not generate and absent_folder(row, parts.dataset) is not None:
        return Reason(f"{row.name} is not there yet: it is generated on first use")
    generate_absent(row, parts.dataset)
    if missing := missing_parts(row, parts.dataset, entry.protocol):
        return missing[0]
    if entry.weights != "none":
        may_fetch = generate and not settings.offline
        found = weights_of(entry.variant, entry.weights, settings.weights, fetch=may_fetch, **part_of(entry))
        if isinstance(found, Missing):
            return found.reason
        known = digests.get("weights")
        parts.weights = found
        parts.weights_digest = known if known or found.source == OWN_WEIGHTS else weights_digest(found)
    parts.dataset_digest = digests.get("dataset") or parts.dataset.digest(entry.protocol)
    parts.task = resolve("hrbench.tasks", row.task)(entry.variant, parts.dataset, entry.protocol)
    check_contract("hrbench.tasks", row.task, parts.task)
    return parts


def fed_digests(
    entry: Entry, settings: Settings, result: Result | None, generate: bool = True
) -> dict[str, str | None] | None:
    """Digests of the "weights" and the "dataset" that an entry's costs on images depend on; None if they are not there.

    result: the entry's, which knows the digest of weights that the network brings itself.
    """
    record = None if result is None else result.provenance.weights
    own = {"weights": record.sha256} if record is not None and record.source == OWN_WEIGHTS else {}
    parts = fed_parts(entry, settings, generate=generate, digests=own)
    if isinstance(parts, Reason):
        return None
    unknown = None if parts.weights is None else parts.weights.source  # the network's own, which was never built
    return {"weights": parts.weights_digest or unknown, "dataset": parts.dataset_digest}


def fed_key(
    entry: Entry, probe: CostProbe, options: Any, digests: Callable[[], Mapping[str, str | None] | None]
) -> dict[str, Any] | None:
    """The fields of a probe's key for what it feeds a network; None if its numbers depend on no image.

    digests: gives those of `fed_digests`; called only if they are needed.
    """
    how = fed_how(entry, probe, options)
    known = None if how == "never" else digests()
    if how == "never" or (how == "if there" and known is None):
        return None
    return keys.fed_fields(entry, known)


def fed_how(entry: Entry, probe: CostProbe, options: Any) -> str:
    """Whether a probe feeds an entry's network images: "never", "if there" or "always".

    Images tell nothing of a network with random weights, so `weights: none` has them only if they are asked for.
    """
    how = probe.fed_images(entry.variant, options) if isinstance(probe, FedImages) else "never"
    return "never" if how == "if there" and (entry.weights == "none" or entry.dataset is None) else how


def evaluated(parts: Assembled) -> Evaluated:
    """The entry as it is evaluated. Reads the annotations."""
    entry = parts.entry
    assert entry.dataset is not None and parts.dataset_digest is not None

    def network() -> nn.Module:
        if parts.weights is not None:
            return load_network(parts)[0]
        import torch

        torch.manual_seed(entry.seed)
        return build(entry.variant, offline=parts.offline)

    return Evaluated(
        task=parts.task,
        samples=list(parts.dataset.samples(entry.protocol)),
        dataset=entry.dataset.name,
        digest=parts.dataset_digest,
        weights=RANDOM if parts.weights is None else parts.weights.source,
        dtype=entry.dtype,
        build=network,
    )
