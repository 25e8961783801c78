"""What about annotations and detections changes LVIS's numbers, or may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hrbench.formats.coco.federation import Federation
from hrbench.formats.coco.instance_results import InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.federated import beyond, judged_groups
from hrbench.metrics.coco.groups import positions
from hrbench.metrics.coco.matching import MatchSettings
from hrbench.metrics.coco.misread_objects import misread_objects
from hrbench.metrics.coco.notes import EvaluatedRows, area_note, detection_notes, unused_boxes
from hrbench.types import Note, State

_NO_LIMIT = 1 << 62  # of an image and class: the limit is one of an image
ROUND, FULL_IMAGES = 50, 3
"""A number of detections that a detector may be set to keep is a multiple; so many images must have it."""


def lvis_notes(
    predictions: InstanceResults,
    target: InstanceTruth,
    state: State,
    settings: MatchSettings,
    federation: Federation,
) -> list[Note]:
    """Notes on what was read. state: what was measured of it, with these settings."""
    truths, detections = target.truths, predictions.detections
    box = predictions.shape if isinstance(predictions.shape, np.ndarray) else None
    seen = replace(EvaluatedRows.of(truths, detections, state), most=_NO_LIMIT)
    notes = _limit_notes(predictions, state, settings, len(seen.found))
    notes += detection_notes(truths, detections, box, seen)
    images, categories = state.arrays["image"], np.asarray(state.params["categories"], np.int64)
    _, found, verified = judged_groups(truths, detections, settings, images, categories, federation)
    aside = int(np.diff(found.starts)[positions(found.keys, verified) < 0].sum())
    if aside:
        what = "detections are of classes that were not looked for in their image"
        notes.append(Note("unverified", what, aside, len(seen.found), "they are not judged, as LVIS has it"))
    notes += misread_objects(predictions, target, seen, state)
    if isinstance(target.shape, Masks):
        notes += area_note(predictions.area_from, "masks", "detection_area: mask")
        notes += unused_boxes(predictions.boxed and predictions.area_from == "mask", "the lvis package")
    flat = int((truths.area[seen.truth] <= 0).sum())
    if flat:
        effect = "they are left out, as by the lvis package, and verify no class in their image"
        notes.append(Note("no_area", "annotated objects have area 0", flat, len(seen.truth), effect, "truth_area: box"))
    crowds = int(target.flagged[seen.truth].sum())
    if crowds:
        what = "annotated objects have a key `iscrowd` that is set"
        effect = "it has no effect here, as in the lvis package; hotcoco's LVIS mode leaves such objects out"
        notes.append(Note("crowd_keys", what, crowds, len(seen.truth), effect))
    return notes


def _limit_notes(predictions: InstanceResults, state: State, settings: MatchSettings, all_of: int) -> list[Note]:
    most = settings.max_detections[-1]
    cut = int(beyond(predictions.detections, most, state.arrays["image"]).sum())
    if not cut:
        return _cut_before(predictions, most, state.arrays["image"])
    what = f"detections come after the first {most} of their image, all classes together"
    effect = f"only the first {most} detections of an image by score are judged"
    return [Note("cut_detections", what, cut, all_of, effect, "max_detections")]


def _cut_before(predictions: InstanceResults, most: int, images: np.ndarray) -> list[Note]:
    """A note if detections look as if a detector had kept fewer of an image than are judged.

    Then several images have the same largest number, a round one such as 100.
    """
    found = predictions.detections.image
    counts = np.unique(found[np.isin(found, images)], return_counts=True)[1]
    kept = int(counts.max()) if len(counts) else 0
    full = int((counts == kept).sum())
    if not kept or kept >= most or kept % ROUND or full < FULL_IMAGES:
        return []
    what = f"images have exactly {kept} detections and none has more, of which {most} are judged"
    effect = f"AP and AR are lower than they could be if the detector kept no more; let it keep {most} of an image"
    return [Note("cut_before", what, full, len(counts), effect)]
