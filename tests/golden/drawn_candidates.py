"""Raw candidates of a one-stage pose network, drawn from a seed, for records and the test that reads them."""

from __future__ import annotations

import numpy as np


def candidates(seed: int, count: int, input: tuple[int, int], joints: int) -> np.ndarray:
    """Raw candidates (5 + 3 joints, count) float32 in clusters that overlap; beyond the input's border, too."""
    rng = np.random.default_rng(seed)
    height, width = input
    middles = rng.uniform(-5, [width + 5, height + 5], (6, 2))
    which = rng.integers(0, 6, count)
    centre = middles[which] + rng.normal(0, 2, (count, 2))
    size = rng.uniform(12, 25, (count, 2))
    score = rng.uniform(0, 1, (count, 1)) ** 4
    points = centre[:, None] + rng.uniform(-15, 15, (count, joints, 2))
    seen = rng.uniform(0, 1, (count, joints, 1))
    rows = [centre, size, score, np.concatenate([points, seen], axis=2).reshape(count, -1)]
    return np.ascontiguousarray(np.concatenate(rows, axis=1).T.astype(np.float32))
