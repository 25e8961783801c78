"""What PCK tells of COCO-style files: people who do not count, and joints in another order or unit than COCO's."""

from __future__ import annotations

from collections.abc import Sequence

from hrbench.metrics.coco.misread_joints import misread_joints
from hrbench.metrics.coco.notes import EvaluatedRows, joint_notes
from hrbench.metrics.points.people import People, Posed
from hrbench.types import Note, State


def coco_notes(predictions: Posed, target: People, state: State, sigmas: Sequence[float]) -> list[Note]:
    """What COCO's metric of the same files tells: people who do not count, joints in another order or unit."""
    truth, results = target.coco, predictions.results
    if truth is None or results is None:
        return []
    judged = State(state.metric, state.version, {"categories": truth.categories.tolist(), "most": 1}, state.arrays)
    seen = EvaluatedRows.of(truth.truths, results.detections, judged)
    told = [note for note in joint_notes(truth.truths, truth.keypoints, seen) if note.kind == "num_keypoints"]
    return told + misread_joints(truth, results, sigmas, seen)
