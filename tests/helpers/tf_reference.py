"""The steps of the official TensorFlow detectors behind their heads, in plain NumPy, one box at a time.

Boxes are (y1, x1, y2, x2) and deltas (dy, dx, dh, dw), as there; feature maps are (channels, h, w).
"""

from __future__ import annotations

import numpy as np


def anchors(height: int, width: int, stride: int, size: float, scales: int) -> np.ndarray:
    """(h x w x scales x 3, 4) of one level."""
    rows = []
    for i in range(height):
        for j in range(width):
            for scale in range(scales):
                for ratio in (0.5, 1.0, 2.0):
                    side = size * stride * 2 ** (scale / scales)
                    h, w = side / np.sqrt(ratio), side * np.sqrt(ratio)
                    y, x = (i + 0.5) * stride, (j + 0.5) * stride
                    rows.append((y - h / 2, x - w / 2, y + h / 2, x + w / 2))
    return np.array(rows)


def decode(delta: np.ndarray, anchor: np.ndarray, weights: tuple[float, ...], image: tuple[int, int]) -> np.ndarray:
    """One box, clipped to the image (height, width)."""
    dy, dx, dh, dw = delta / np.array(weights)
    h, w = anchor[2] - anchor[0], anchor[3] - anchor[1]
    y, x = anchor[0] + h / 2 + dy * h, anchor[1] + w / 2 + dx * w
    h, w = h * np.exp(min(dh, np.log(1000 / 16))), w * np.exp(min(dw, np.log(1000 / 16)))
    box = np.array([y - h / 2, x - w / 2, y + h / 2, x + w / 2])
    return np.clip(box, 0, [image[0], image[1], image[0], image[1]])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    h = min(one[2], other[2]) - max(one[0], other[0])
    w = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(h, 0) * max(w, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared) if shared else 0.0


def suppress(boxes: np.ndarray, order: np.ndarray, threshold: float, most: int) -> list[int]:
    """Of the boxes named in `order`, best first, those that overlap no better one by the threshold or more."""
    kept: list[int] = []
    for i in order:
        if np.any(boxes[i] > 0) and all(overlap(boxes[i], boxes[j]) < threshold for j in kept):
            kept.append(int(i))
        if len(kept) == most:
            break
    return kept


def descending(scores: np.ndarray) -> np.ndarray:
    """As tf.nn.top_k: of equal scores the first comes first."""
    return np.argsort(-scores, kind="stable")


def select(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, top: int, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """boxes (n, k, 4), scores (n, classes) -> boxes, scores, classes of the detections."""
    rows = []
    for label in range(scores.shape[1]):
        column = boxes[:, min(label, boxes.shape[1] - 1)]
        order = [i for i in descending(scores[:, label])[:top] if scores[i, label] > threshold]
        rows += [(column[i], scores[i, label], label) for i in suppress(column, np.array(order, int), 0.5, most)]
    best = [rows[i] for i in descending(np.array([row[1] for row in rows]))[:most]]
    return (
        np.array([row[0] for row in best]).reshape(-1, 4),
        np.array([row[1] for row in best]),
        np.array([row[2] for row in best], int),
    )


def propose(levels: list[tuple[np.ndarray, np.ndarray]], most: int) -> np.ndarray:
    """Decoded boxes (n, 4) and scores (n,) of each level -> the best `most` of what each level keeps."""
    boxes, scores = [], []
    for each, score in levels:
        kept = suppress(each, descending(score)[:1000], 0.7, 1000)
        boxes.append(each[kept])
        scores.append(score[kept])
    return np.concatenate(boxes)[descending(np.concatenate(scores))[:most]]


def crop(features: list[np.ndarray], first: int, box: np.ndarray, size: int) -> np.ndarray:
    """(channels, size, size) of one box; features[i] is level first + i."""
    h, w = box[2] - box[0], box[3] - box[1]
    side = np.sqrt(h * w)
    level = 4 + int(np.floor(np.log2(side / 224))) if side else first
    level = min(max(level, first), first + len(features) - 1)
    feature = features[level - first]
    result = np.empty((len(feature), size, size))
    for i in range(size):
        for j in range(size):
            y, x = (box[0] + (i + 0.5) * h / size) / 2**level, (box[1] + (j + 0.5) * w / size) / 2**level
            y0, x0 = min(int(y), feature.shape[1] - 1), min(int(x), feature.shape[2] - 1)
            y1, x1 = min(y0 + 1, feature.shape[1] - 1), min(x0 + 1, feature.shape[2] - 1)
            above = feature[:, y0, x0] * (1 - (x - x0)) + feature[:, y0, x1] * (x - x0)
            below = feature[:, y1, x0] * (1 - (x - x0)) + feature[:, y1, x1] * (x - x0)
            result[:, i, j] = above * (1 - (y - y0)) + below * (y - y0)
    return result
