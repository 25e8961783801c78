"""What classifiers learn from: batches that fit, pictures that keep their shape, a loss that falls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hrbench.catalog import variants
from hrbench.miniature.train.classification import ShapesTrainingTask
from hrbench.miniature.train.loop import build, train
from hrbench.miniature.train.recipes import find_recipe
from hrbench.tasks.classification.task import CentreCrop, centre_crop

pytestmark = pytest.mark.numeric

NAMES = ["cls_hrnet_miniature_imagenet", "cls_resnet_miniature_imagenet"]


@pytest.mark.parametrize("name", NAMES)
def test_batches_fit_the_network(name: str) -> None:
    variant, recipe = variants()[name], replace(find_recipe(name), batch=4, images=10)
    examples = recipe.task.examples(variant, recipe)
    inputs, labels = next(recipe.task.batches(examples, variant, recipe))
    assert inputs.shape == (4, 3, *variant.input) and labels.shape == (4,) and labels.dtype == torch.int64
    net = build(variant, recipe).eval()
    with torch.no_grad():
        assert net(inputs).shape == (4, variant.args["classes"])
        assert recipe.task.loss(net, (inputs, labels)).ndim == 0


def test_an_unchanged_picture_is_what_the_protocol_shows() -> None:
    class Still:
        """Draws the middle of every range."""

        def uniform(self, low: float, high: float, size: int | None = None) -> float | np.ndarray:
            middle = 0.0 if high > 6 else (low + high) / 2  # no turn
            return middle if size is None else np.full(size, middle)

        def random(self) -> float:
            return 0.9

    rows, columns = np.mgrid[:64, :64]
    image = np.stack([rows * 3, columns * 3, rows + columns], axis=2).astype(np.uint8)
    shown = ShapesTrainingTask().augmented(image, (64, 64), Still())
    expected = centre_crop(image, (64, 64), CentreCrop())
    assert np.abs(shown.astype(int) - expected).max() <= 3  # a pixel more or less of the 73


def test_augmented_pictures_differ_and_keep_their_size() -> None:
    rng, image = np.random.default_rng(0), np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    drawn = [ShapesTrainingTask().augmented(image, (48, 48), rng) for _ in range(3)]
    assert all(each.shape == (48, 48, 3) and each.dtype == np.uint8 for each in drawn)
    assert not np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[1], drawn[2])


def test_a_little_training_reduces_the_loss_and_repeats() -> None:
    name = "cls_resnet_miniature_imagenet"
    variant, recipe = variants()[name], replace(find_recipe(name), batch=10, iterations=50, images=10, warmup=3)
    examples = recipe.task.examples(variant, recipe)
    losses = train(build(variant, recipe), variant, recipe, examples)
    # 0.61 on plain code and on AVX2; 0.50 with another seed.
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5])
    short = replace(recipe, iterations=6)
    first, again = (train(build(variant, short), variant, short, examples) for _ in range(2))
    assert first == again and len(first) == 6
