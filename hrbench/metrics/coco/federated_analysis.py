"""Why LVIS AP is what it is: the sections of box and mask AP under LVIS's federated rules.

Of the detections that the evaluation keeps (`federated.judged_groups`), those of a class that is not verified in their
image, and those that found nothing of a class that is not exhaustively annotated in it, do not count: they are no
errors. What they cost is known all the same: a detection of a class that nobody looked for, on an object of another
class, would have found that object with its class set right. So has tidecv 1.0.1 with the regions of its reader of
LVIS, of which costs are the same (`tests/golden/tide`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hrbench.formats.coco.federation import FREQUENCIES, Federation
from hrbench.formats.coco.instance_results import InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.metrics.coco.confusion import SCORE, mistaken
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.detection_analysis import (
    TIDE,
    Grounds,
    compared_pairs,
    detection_sections,
    single_thresholds,
    told_params,
)
from hrbench.metrics.coco.error_types import FOREGROUND, Matched, matched
from hrbench.metrics.coco.federated import among_keys, beyond, group_numbers, judged_groups
from hrbench.metrics.coco.image_pairs import ImagePairs
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.told_table import told_table
from hrbench.types import Analysis, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

MOST_PAIRS = 50
"""Of a thousand classes and more, so many confusions are told."""

LVIS = "Gupta et al., LVIS, CVPR 2019; equal to lvis 0.5.3"
_RARITY = ("rare (r)", "common (c)", "frequent (f)")
_GROUNDS = Grounds(
    errors=f"{TIDE} with LVIS's ignored classes",
    ap=LVIS,
    remark=" Detections that LVIS ignores are not counted as errors; costs are of setting them right, too.",
    left_out="those that LVIS ignores do not count",
)
_KNOWN = (
    "annotated in the image",
    "annotated, not exhaustively",
    "known to be absent",
    "absent, not exhaustively",
    "not looked for",
)


def federated_analysis(
    metric: str,
    predictions: InstanceResults,
    target: InstanceTruth,
    matches: Matches,
    settings: MatchSettings,
    params: Mapping[str, Any],
) -> Analysis:
    """The analysis of LVIS AP; parameters as of `detection_analysis`. params["frequency"]: r, c or f of each class."""
    assert target.federation is not None, "read_target reads it"
    categories = np.asarray(params["categories"], np.int64)
    pairs = _pairs(predictions, target, settings, matches.images, categories)
    known = _known(pairs, predictions, target, settings, matches.images, categories, target.federation)
    match = matched(pairs)
    ignored = (known == 1) | (known > 2)
    match = replace(match, spared=match.spared | (~match.right & ignored))
    labels = list(params["names"])
    confusions = [_confusions(pairs, match, labels)]
    sections = detection_sections(pairs, match, matches, settings, params, _GROUNDS, confusions)
    sections.insert(2, _frequencies(matches, settings, params["frequency"]))
    sections.insert(3, _by_knowledge(pairs, match, known))
    return Analysis(metric, VERSION, told_params(settings), tuple(sections))


def _pairs(
    predictions: InstanceResults, target: InstanceTruth, settings: MatchSettings, images: np.ndarray, ids: np.ndarray
) -> ImagePairs:
    """The pairs of what the evaluation keeps: rows of area 0, and those beyond the limit of an image, have no class."""
    truths, found = target.truths, predictions.detections
    none = int(ids.min(initial=0)) - 1
    limit = settings.max_detections[-1]
    gone = (found.area <= 0) | beyond(found, limit, images)
    kept = replace(target, truths=replace(truths, category=np.where(truths.area <= 0, none, truths.category)))
    some = replace(predictions, detections=replace(found, category=np.where(gone, none, found.category)))
    return compared_pairs(some, kept, images, ids, limit)


def _known(
    pairs: ImagePairs,
    predictions: InstanceResults,
    target: InstanceTruth,
    settings: MatchSettings,
    images: np.ndarray,
    categories: np.ndarray,
    federation: Federation,
) -> np.ndarray:
    """(N,) what is known of each detection's class in its image, an index of `_KNOWN`."""
    objects, _, verified = judged_groups(
        target.truths, predictions.detections, settings, images, categories, federation
    )
    keys = pairs.image * max(pairs.classes, 1) + pairs.found
    annotated, looked = among_keys(keys, objects.keys), among_keys(keys, verified)
    partial = among_keys(keys, group_numbers(federation.partial, images, categories))
    return np.select([annotated & ~partial, annotated, looked & ~partial, looked], [0, 1, 2, 3], 4)


def _by_knowledge(pairs: ImagePairs, match: Matched, known: np.ndarray) -> AnalysisTable:
    over = np.zeros(len(known), bool)
    over[pairs.detection[(pairs.iou >= FOREGROUND) & ~pairs.same]] = True
    values = []
    for one in range(len(_KNOWN)):
        some = known == one
        left = some & ~match.right
        values.append([some, some & match.right, left & ~match.spared, left & match.spared, left & over])
    columns = "detections", "right", "errors", "ignored", "on another class"
    return told_table(
        "federation",
        "Detections by what is known of their class",
        "Detections that are kept (area above 0, within the limit of their image), by what the annotations say of "
        "their class in their image. Right: it found an object of its class at an IoU of "
        f"{FOREGROUND:g} or more; errors count against AP, ignored ones do not. On another class: those "
        f"that are not right and have an IoU of {FOREGROUND:g} or more with one.",
        LVIS,
        _KNOWN,
        [(name, "count") for name in columns],
        [[int(part.sum()) for part in row] for row in values],
        "",
        main=0,
    )


def _frequencies(matches: Matches, settings: MatchSettings, frequency: str) -> AnalysisTable:
    columns, limit = single_thresholds(settings), len(settings.max_detections) - 1
    asked = [("precision", None), *(("precision", at) for _, at in columns), ("recall", None)]
    groups = [tuple(place for place, own in enumerate(frequency) if own == one) for one in FREQUENCIES]
    numbers = [Number("", kind, at, 0, limit, among=own) for own in groups for kind, at in asked]
    found = Accumulator(matches, settings, numbers).at().reshape(len(groups), -1)
    objects = np.bincount(matches.object_category, matches.positives[:, 0], len(frequency))
    rows = [(len(own), sum(objects[place] > 0 for place in own), objects[list(own)].sum()) for own in groups]
    return told_table(
        "frequencies",
        "AP by frequency of classes",
        "Mean over the classes with objects that are in fewer than 10 training images (rare), in 10 to 99 (common), "
        "and in 100 or more (frequent), over IoU as the score has it.",
        LVIS,
        _RARITY,
        (
            ("classes", "count"),
            ("with objects", "count"),
            ("objects", "count"),
            ("AP", "fraction"),
            *((name, "fraction") for name, _ in columns),
            ("AR", "fraction"),
        ),
        np.concatenate([np.array(rows, np.float64), np.where(found < 0, np.nan, found)], axis=1),
        "no class of this frequency has an object",
        main=3,
    )


def _confusions(pairs: ImagePairs, match: Matched, labels: Sequence[str]) -> AnalysisTable:
    """The most frequent pairs of an object's class and the class of the detection that took it."""
    detection, row = mistaken(pairs, match, (pairs.score >= SCORE) & ~match.right)
    both = pairs.truth[row] * pairs.classes + pairs.found[detection]
    keys, place, many = np.unique(both, return_inverse=True, return_counts=True)
    judged = np.bincount(place, ~match.spared[detection], len(keys))
    order = np.argsort(-many, kind="stable")[:MOST_PAIRS]
    own, other = np.divmod(keys[order], max(pairs.classes, 1))
    objects = np.bincount(pairs.truth[pairs.counted], minlength=pairs.classes)[own]
    times = dict(zip(keys.tolist(), many.tolist(), strict=True))
    back = [times.get(b * pairs.classes + a, 0) for a, b in zip(own.tolist(), other.tolist(), strict=True)]
    return told_table(
        "confusions",
        "Most confused classes",
        f"Detections of a score of {SCORE:g} or more that found no object of their class take, by falling score, the "
        "free object of another class with the greatest IoU of "
        f"{FOREGROUND:g} or more; the {MOST_PAIRS} most frequent pairs. Those of a class that LVIS ignores in the "
        "image take one, too; judged are the others. Of the class: among its objects; the other way: objects of the "
        "second class taken for the first.",
        "hrbench's own rule; thresholds as of mmdetection's confusion_matrix.py",
        [f"{labels[one]} → {labels[two]}" for one, two in zip(own.tolist(), other.tolist(), strict=True)],
        (("objects", "count"), ("judged", "count"), ("of the class", "fraction"), ("the other way", "count")),
        np.column_stack([many[order], judged[order], many[order] / np.maximum(objects, 1), back]),
        "",
        main=0,
    )
