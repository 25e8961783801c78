"""Pictures of shapes are drawn from (seed, index) alone, and hold the shape they are called by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hrbench.miniature.generate.shape_dataset import (
    CLASSES,
    SHAPES,
    SIZE,
    TEST_IMAGES,
    TEST_SEED,
    generate_imagenet,
    picture,
    pictures,
)
from hrbench.miniature.train.recipes import RECIPES


def test_a_picture_depends_on_its_number_alone() -> None:
    together = list(pictures(5, 4))
    ((alone, label),) = pictures(5, 1, first=3)
    assert label == together[3][1] == 3 and np.array_equal(together[3][0], alone)
    assert not np.array_equal(alone, next(pictures(6, 1, first=3))[0])


def test_the_pixels_of_the_test_set_are_these() -> None:
    """A changed pixel changes every stored result: then the folder's version (miniature/v1) must rise too."""
    pixels = hashlib.sha256(b"".join(image.tobytes() for image, _ in pictures(TEST_SEED, 20)))
    assert pixels.hexdigest() == "b5b5520f8c0e6a6da28ebac1597f8fdc31c3adcbfce438e9344b077c3e2a3f25"


def test_training_pictures_are_others() -> None:
    assert all(recipe.seed != TEST_SEED for recipe in RECIPES.values())


def test_the_set_is_drawn_in_class_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrbench.miniature.generate.shape_dataset.TEST_IMAGES", 20)
    generate_imagenet(tmp_path / "imagenet")
    files = sorted((tmp_path / "imagenet").rglob("*.png"))
    assert len(files) == 20 and [path.name for path in tmp_path.iterdir()] == ["imagenet"]
    assert sorted({path.parent.name for path in files}) == list(CLASSES) == sorted(CLASSES)
    image = cv2.imread(str(tmp_path / "imagenet" / "val" / CLASSES[3] / "00000013.png"))
    assert np.array_equal(image, next(pictures(TEST_SEED, 1, first=13))[0])


def test_classes_take_turns_and_pictures_are_colourful() -> None:
    drawn = list(pictures(3, 20))
    assert [label for _, label in drawn] == [*range(10)] * 2 and TEST_IMAGES % len(CLASSES) == 0
    assert all(image.shape == (SIZE, SIZE, 3) and image.dtype == np.uint8 and image.std() > 5 for image, _ in drawn)


@pytest.mark.parametrize("name", CLASSES)
def test_outlines_lie_in_the_unit_square_and_have_an_area(name: str) -> None:
    outline, hole = SHAPES[name]
    assert np.abs(outline).max() < 1.15
    assert abs(cv2.contourArea((outline * 1000).astype(np.int32))) > 0.9e6
    assert (hole is not None) == (name in ("crescent", "ring"))


def test_a_shape_is_brighter_than_what_it_lies_on() -> None:
    """The same picture with an empty shape differs where the shape is, and there it is darker."""
    looked = 0
    for seed in range(5):
        shown = picture(np.random.default_rng(seed), CLASSES.index("circle")).astype(int)
        ring = picture(np.random.default_rng(seed), CLASSES.index("ring")).astype(int)
        differs = np.abs(shown - ring).sum(axis=2) > 60
        if differs.sum() > 20:
            looked += 1
            assert (shown - ring)[differs].mean() > 0
    assert looked >= 3
