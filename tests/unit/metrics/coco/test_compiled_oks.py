"""Similarities of joints, compiled and by NumPy: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from both_ways import take

from hrbench.metrics.coco.oks import oks


@pytest.mark.parametrize("way", ["compiled"], indirect=True)
@pytest.mark.parametrize("seed", range(20))
def test_similarities(way, monkeypatch, seed):
    """People without, with some and with all joints, of no area, found near and far."""
    rng = np.random.default_rng(seed)
    joints, people, many = int(rng.integers(1, 18)), 12, 40
    truth = np.concatenate([rng.uniform(0, 60, (people, joints, 2)), rng.integers(0, 3, (people, joints, 1))], 2)
    truth[:3, :, 2] = 0
    area = rng.uniform(0, 4000, people) * rng.integers(0, 2, people)
    box = rng.uniform(0, 40, (people, 4)).round(int(seed % 3))
    found = rng.uniform(-90, 150, (many, joints, 2))
    found[:people] = truth[..., :2] + rng.normal(0, 1, (people, joints, 2))
    sigmas = rng.uniform(0.02, 0.11, joints)
    pairs = rng.integers(0, many, 500), rng.integers(0, people, 500)
    both = []
    for one in ("compiled", "numpy"):
        take(one, monkeypatch)
        both.append(oks(truth, area, box, found, sigmas)(*pairs))
    assert both[0].tobytes() == both[1].tobytes() and len(np.unique(both[0])) > 20
