"""Migrates a result that hrbench 0.1.0 stored to the keys of today. Runs no network."""

from __future__ import annotations

from collections.abc import Mapping

from hrbench.runner import precomputed
from hrbench.runner.prepare import Assembled
from hrbench.runner.stored_scores import score_mismatch
from hrbench.store.format_1_keys import format_1_accuracy_key, format_1_precomputed_key, rekey_accuracy
from hrbench.types import Reason, Result


def migrate_result(
    stored: Result, parts: Assembled, prediction_key: str, score_key: str
) -> tuple[Result | None, Reason | None]:
    """A result of format 1 under the keys of the entry, and why its scores were not kept.

    stored: as read, its folder included.
    parts: of the entry, with weights and data found.
    prediction_key, score_key: of the entry.

    Returns one of:
    (None, None): the result is not of this entry.
    (result, None): predictions and scores are kept; the scores equal those computed from their states.
    (None, reason): the scores differ from those of their states; the entry is to be run again.
    (result without score_key, None): its metrics are of other versions; its predictions are to be scored again.
    """

    def old_key(versions: Mapping[str, int]) -> str:
        if parts.predictions_digest is not None:
            target = precomputed.content_digest(parts.dataset.target)
            return format_1_precomputed_key(parts.entry, parts.predictions_digest, target, versions)
        return format_1_accuracy_key(parts.entry, parts.weights_digest, parts.dataset_digest, versions)

    versions = {metric.name: metric.version for metric in parts.metrics}
    migrated = rekey_accuracy(stored, old_key, versions, prediction_key, score_key)
    if migrated is None or migrated.score_key is None:
        return migrated, None
    mismatch = score_mismatch(migrated, parts.metrics)
    return (migrated, None) if mismatch is None else (None, mismatch)
