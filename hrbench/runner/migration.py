"""What hrbench 0.1.0 stored of an entry, taken over under the keys of today. Runs no network."""

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
    """A result of format 1 under the keys of the entry at hand, and why its scores were not taken over.

    (None, None): it is not of this entry. (result, None): predictions and scores are taken over, the scores were held
    to their states. (None, reason): the scores are not those of their states; the entry is to be run again.
    (result without score_key, None): its metrics are of other versions; its predictions are to be scored again.

    stored: as read, its folder included. parts: of the entry at hand, with weights and data found.
    prediction_key, score_key: of the entry at hand.
    """

    def old_key(versions: Mapping[str, int]) -> str:
        if parts.predictions_digest is not None:
            target = precomputed.content_digest(parts.dataset.target)
            return format_1_precomputed_key(parts.entry, parts.predictions_digest, target, versions)
        return format_1_accuracy_key(parts.entry, parts.weights_digest, parts.dataset_digest, versions)

    versions = {metric.name: metric.version for metric in parts.metrics}
    moved = rekey_accuracy(stored, old_key, versions, prediction_key, score_key)
    if moved is None or moved.score_key is None:
        return moved, None
    wrong = score_mismatch(moved, parts.metrics)
    return (moved, None) if wrong is None else (None, wrong)
