"""Why boundary AP is what it is: the sections of mask AP by the lower of both IoU, and how the two differ.

A state holds no IoU: masks and boundaries of all pairs of an image are compared again. Pairs whose mask IoU is below
`BACKGROUND` have no boundaries made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hrbench.formats.coco.instance_results import InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.boundary_iou import edge_iou
from hrbench.metrics.coco.detection_analysis import (
    Grounds,
    compared_pairs,
    detection_sections,
    size_in_words,
    told_params,
)
from hrbench.metrics.coco.error_types import BACKGROUND, FOREGROUND, matched
from hrbench.metrics.coco.image_pairs import ImagePairs
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.told_table import told_table
from hrbench.types import Analysis, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

CHENG = "Cheng et al., Boundary IoU, CVPR 2021"
_GROUNDS = Grounds(
    errors=f"Bolya et al., TIDE, ECCV 2020, by the IoU of {CHENG}",
    ap=f"{CHENG}; as the score",
    remark=" IoU is the lower of mask and boundary IoU; of crowds it is that of masks.",
)


def boundary_analysis(
    metric: str,
    predictions: InstanceResults,
    target: InstanceTruth,
    matches: Matches,
    settings: MatchSettings,
    params: Mapping[str, Any],
) -> Analysis:
    """The analysis of boundary AP; parameters as of `detection_analysis`. params["dilation_ratio"]: of boundaries."""
    categories = np.asarray(params["categories"], np.int64)
    limit, ratio = settings.max_detections[-1], float(params["dilation_ratio"])
    masks = compared_pairs(predictions, target, matches.images, categories, limit, settings.class_agnostic)
    edges = _edges(masks, predictions, target, ratio)
    pairs = _lower(masks, edges)
    sections = detection_sections(pairs, matched(pairs), matches, settings, params, _GROUNDS)
    sections.insert(2, _difference(masks, edges, target.truths.area, settings))
    told = told_params(settings) | {"dilation_ratio": ratio}
    return Analysis(metric, VERSION, told, tuple(sections))


def _edges(pairs: ImagePairs, predictions: InstanceResults, target: InstanceTruth, ratio: float) -> np.ndarray:
    """(P,) the IoU of the boundaries of each pair."""
    assert isinstance(target.shape, Masks) and isinstance(predictions.shape, Masks)
    of_images = replace(target.truths, category=np.zeros_like(target.truths.category))  # a group is an image
    rows = pairs.rows[pairs.detection]
    return edge_iou(of_images, target.shape, predictions.shape, rows, pairs.object, ratio)


def _lower(pairs: ImagePairs, edges: np.ndarray) -> ImagePairs:
    """The pairs by the lower of both IoU."""
    iou = np.minimum(pairs.iou, edges)
    some = iou >= BACKGROUND
    return replace(pairs, detection=pairs.detection[some], object=pairs.object[some], iou=iou[some])


def _difference(masks: ImagePairs, edges: np.ndarray, area: np.ndarray, settings: MatchSettings) -> AnalysisTable:
    """Mask and boundary IoU of pairs that masks match, by the size of the object. area: (G,) px^2."""
    match = matched(masks)
    mine = match.took[masks.detection] == masks.object
    mask, edge, size = masks.iou[mine], edges[mine], area[masks.object[mine]]
    values = []
    for _, low, high in settings.areas:
        some = (size >= low) & (size <= high)
        own = mask[some], edge[some], mask[some] - edge[some], edge[some] < mask[some], edge[some] < FOREGROUND
        values.append([int(some.sum()), *(part.mean() if some.any() else np.nan for part in own)])
    return told_table(
        "boundaries",
        "Mask IoU and boundary IoU",
        f"Pairs that masks alone match: by falling score, each detection takes the free object of its class with the "
        f"greatest mask IoU of {FOREGROUND:g} or more. Means over these pairs, by the area of the object; boundary is "
        "lower: the share of pairs whose boundary IoU is the lower one; lost: those whose boundary IoU is below "
        f"{FOREGROUND:g}, which masks find and boundaries do not.",
        CHENG,
        [size_in_words(*one) for one in settings.areas],
        (
            ("pairs", "count"),
            ("mask IoU", "fraction"),
            ("boundary IoU", "fraction"),
            ("difference", "fraction"),
            ("boundary is lower", "fraction"),
            ("lost", "fraction"),
        ),
        values,
        "masks match no such object",
        main=2,
    )
