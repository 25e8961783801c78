"""Scenes are drawn from (kind, seed, index) alone."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import pytest

from hrbench.miniature.generate.people_scenes import TEST_SEED, PeopleScene, scenes
from hrbench.miniature.train.recipes import RECIPES

KINDS: tuple[Literal["coco"], Literal["mpii"]] = ("coco", "mpii")


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_depends_on_its_number_alone(kind: Literal["coco", "mpii"]) -> None:
    together = list(scenes(kind, 5, 4))
    (alone,) = scenes(kind, 5, 1, first=3)
    assert np.array_equal(together[3].image, alone.image)
    assert all(
        np.array_equal(a.joints, b.joints) and a.box == b.box
        for a, b in zip(together[3].people, alone.people, strict=True)
    )
    assert not np.array_equal(together[0].image, next(scenes(kind, 6, 1)).image)


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("coco", "2de5e3a334bb405f0323a1908b8f9b429f3ed0478b8935699109b1f5b49b4e95"),
        ("mpii", "7edb46e33abfac03e011724d5dd22bf00e4b0e87591f9c5ad8b3d5ecda9704d0"),
    ],
)
def test_the_pixels_of_the_test_sets_are_these(kind: Literal["coco", "mpii"], digest: str) -> None:
    """A changed pixel changes every stored result: then the folder's version (miniature/v1) must rise too."""
    pixels = hashlib.sha256(b"".join(scene.image.tobytes() for scene in scenes(kind, TEST_SEED, 12)))
    assert pixels.hexdigest() == digest


def test_training_never_sees_the_test_seed() -> None:
    assert all(recipe.seed != TEST_SEED for recipe in RECIPES.values())


@pytest.fixture(scope="module")
def some() -> list[PeopleScene]:
    return list(scenes("coco", 5, 16))


def test_images_and_people_are_of_many_kinds(some: list[PeopleScene]) -> None:
    assert {scene.image.dtype for scene in some} == {np.dtype(np.uint8)}
    assert {scene.image.shape[:2] for scene in some} >= {(120, 160), (240, 180)}
    counts = [sum(person.role == "person" for person in scene.people) for scene in some]
    assert min(counts) >= 1 and max(counts) == 4
    assert {person.role for scene in some for person in scene.people} >= {"person", "crowd"}


def test_flags_fit_what_is_drawn(some: list[PeopleScene]) -> None:
    seen = hidden = unlabelled = 0
    for scene in some:
        height, width = scene.image.shape[:2]
        for person in scene.people:
            assert set(person.flags) <= {0, 1, 2}
            inside = (person.joints > -0.5).all(axis=1) & (person.joints < [width - 0.5, height - 0.5]).all(axis=1)
            assert inside[person.flags > 0].all()  # what lies outside is never labelled
            for x, y in person.joints[person.flags == 2]:
                column, row = round(x), round(y)
                around = person.pixels[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
                assert around.any()
            seen += int((person.flags == 2).sum())
            hidden += int((person.flags == 1).sum())
            unlabelled += int((person.flags == 0).sum())
    assert seen > 5 * hidden > 0 and unlabelled > 0


def test_boxes_lie_in_the_image_and_within_the_whole_figure(some: list[PeopleScene]) -> None:
    for scene in some:
        height, width = scene.image.shape[:2]
        for person in scene.people:
            x, y, w, h = person.box
            assert x >= 0 and y >= 0 and x + w <= width + 1e-9 and y + h <= height + 1e-9
            wx, wy, ww, wh = person.whole
            assert w <= ww + 1e-9 and h <= wh + 1e-9 and wx <= x + 1e-9 and wy <= y + 1e-9
