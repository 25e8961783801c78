"""Rescoring and OKS non-maximum suppression of the people estimated in one image.

Follows deep-high-resolution-net.pytorch lib/nms/nms.py and lib/dataset/coco.py (evaluate), pinned by golden records.
OKS here compares two estimates: all joints count, whatever their confidence, and the area is the mean of the two
padded boxes', unlike the metric's OKS (metrics/keypoints.py), which knows visibility and the segment's area.
"""

from __future__ import annotations

import numpy as np


def rescore(confidences: np.ndarray, box_score: float, threshold: float = 0.2) -> float:
    """Box score times the mean of the joint confidences (K,) strictly above `threshold`, or 0 if there is none."""
    confident = np.asarray(confidences, dtype=np.float64)
    confident = confident[confident > threshold]
    # cumsum adds one after the other, as the official loop does; sum() would add pairwise
    mean = float(confident.cumsum()[-1]) / confident.size if confident.size else 0.0
    return mean * box_score


def oks_between(
    person: np.ndarray,
    others: np.ndarray,
    area: float,
    areas: np.ndarray,
    sigmas: np.ndarray,
    visibility_threshold: float | None = None,
) -> np.ndarray:
    """OKS of one estimate with N others, (N,) float64 in [0, 1].

    person: (K, 3) x, y, confidence.
    others: (N, K, 3).
    area, areas: padded box areas in square pixels, of `person` and of `others`.
    sigmas: (K,).
    visibility_threshold: only joints above it in the *other* estimate count; OKS is 0 if there is none. (The official
        code intends both estimates, but its `list and list` keeps only the second.)
    """
    variance = (2 * np.asarray(sigmas, dtype=np.float64)) ** 2
    delta = others[..., :2] - person[:, :2]
    squared = (delta[..., 0] ** 2 + delta[..., 1] ** 2).astype(np.float64)
    mean_area = (area + np.asarray(areas, dtype=np.float64)) / 2 + np.spacing(1)
    similarity = np.exp(-(squared / variance / mean_area[:, None] / 2))
    if visibility_threshold is None:
        return similarity.sum(axis=1) / similarity.shape[1]
    counted = others[..., 2] > visibility_threshold
    return np.where(counted, similarity, 0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def _descending(scores: np.ndarray) -> np.ndarray:
    """Indices by falling score; of equal scores the later one first, as reversing an ascending sort has it."""
    return np.argsort(scores, kind="stable")[::-1]


def oks_nms(
    people: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
    visibility_threshold: float | None = None,
) -> list[int]:
    """Indices kept, by falling score: a person goes when its OKS with a kept one exceeds `threshold`.

    people: (N, K, 3).
    scores, areas: (N,).
    """
    order, kept = _descending(np.asarray(scores)), []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        overlap = oks_between(people[best], people[rest], float(areas[best]), areas[rest], sigmas, visibility_threshold)
        order = rest[overlap <= threshold]
    return kept


def soft_oks_nms(
    people: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
    max_people: int = 20,
) -> list[int]:
    """Indices of at most `max_people` people in the order of their decayed scores.

    A kept person multiplies the others' scores by exp(-OKS^2 / threshold); the decayed scores only decide the order.
    """
    order = _descending(np.asarray(scores))
    decayed, kept = np.asarray(scores, dtype=np.float64)[order], []
    while order.size and len(kept) < max_people:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        overlap = oks_between(people[best], people[rest], float(areas[best]), areas[rest], sigmas)
        left = decayed[1:] * np.exp(-(overlap**2) / threshold)
        again = _descending(left)
        order, decayed = rest[again], left[again]
    return kept
