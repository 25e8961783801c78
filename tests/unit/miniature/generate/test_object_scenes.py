"""Scenes with things: each part of a set alone, seeds apart, what is drawn is what is told."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.miniature.generate.object_outlines import CATEGORIES, NAMES, ObjectLook, look, parts
from hrbench.miniature.generate.object_scenes import MIN_VISIBLE_PIXELS, SIDE, scenes
from hrbench.miniature.generate.people_scenes import TEST_SEED
from hrbench.miniature.train.recipes import RECIPES


def test_any_part_of_a_set_can_be_drawn_alone() -> None:
    whole = list(scenes(5, 6))
    for scene, again in zip(whole[4:], scenes(5, 2, first=4), strict=True):
        assert scene.index == again.index
        np.testing.assert_array_equal(scene.image, again.image)
        assert [thing.label for thing in scene.things] == [thing.label for thing in again.things]


def test_seeds_draw_different_scenes_and_no_recipe_has_that_of_the_test_set() -> None:
    (one,), (other,) = scenes(1, 1), scenes(TEST_SEED, 1)
    assert (one.image != other.image).mean() > 0.5
    assert TEST_SEED not in {plan.seed for plan in RECIPES.values()}


def test_things_are_seen_and_do_not_share_pixels() -> None:
    counts = []
    for scene in scenes(3, 48):
        assert scene.image.shape == (SIDE, SIDE, 3) and scene.image.dtype == np.uint8
        total = np.zeros((SIDE, SIDE), int)
        for thing in scene.things:
            assert thing.pixels.sum() >= MIN_VISIBLE_PIXELS
            total += thing.pixels
        assert total.max(initial=0) <= 1
        assert sum(thing.crowd for thing in scene.things) == (scene.index % 16 == 7)
        counts.append(len(scene.things))
    assert counts[11] == counts[34] == 0 and max(counts) > 4


@pytest.mark.parametrize("name", NAMES)
def test_a_thing_fits_its_frame_and_looks_vary(name: str) -> None:
    outlines = []
    for seed in range(30):
        points = np.concatenate([outline for outline, _ in parts(name, look(np.random.default_rng(seed)))])
        assert (np.abs(points) < 0.55).all() and np.ptp(points, axis=0).max() > 0.8
        outlines.append(points.round(6).tobytes())
    assert len(set(outlines)) > 1


def test_paint_tells_no_class() -> None:
    """Every class has a part in the first paint, the same one for all."""
    red = ObjectLook((1, 2, 203), (7, 8, 9), (0.5, 0.5, 0.5, 0.5))
    assert all(any(colour == (1, 2, 203) for _, colour in parts(name, red)) for name in NAMES)


def test_ids_rise_with_gaps() -> None:
    ids = [id for id, _, _ in CATEGORIES]
    assert ids == sorted(ids) and ids != list(range(1, len(ids) + 1))
