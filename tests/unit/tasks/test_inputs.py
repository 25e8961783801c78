"""Images become the input of a network in one way for every task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hrbench.tasks.inputs import normalised, tensor_like

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("count", [1, 3])
def test_every_value_is_scaled_by_its_channel(count: int) -> None:
    images = [np.random.default_rng(n).integers(0, 256, (5, 4, 3), dtype=np.uint8) for n in range(count)]
    batch = normalised(images, MEAN, STD, torch.device("cpu"))
    assert batch.shape == (count, 3, 5, 4) and batch.dtype == torch.float32 and batch.is_contiguous()
    for n, image in enumerate(images):
        for channel in range(3):
            expected = (np.float32(image[2, 1, channel]) / np.float32(255) - np.float32(MEAN[channel])) / np.float32(
                STD[channel]
            )
            assert batch[n, channel, 2, 1].item() == expected


def test_one_image_alone_has_the_same_bits_as_within_a_batch() -> None:
    images = [np.random.default_rng(n).integers(0, 256, (5, 4, 3), dtype=np.uint8) for n in range(3)]
    together = normalised(images, MEAN, STD, torch.device("cpu"))
    for n, image in enumerate(images):
        assert torch.equal(normalised([image], MEAN, STD, torch.device("cpu"))[0], together[n])
    images[0][:] = 0  # the images themselves stay as they are
    assert images[1].dtype == np.uint8 and images[1].max() > 3


def test_the_first_parameter_says_dtype_and_device() -> None:
    assert tensor_like(nn.Linear(2, 2).double()).dtype == torch.float64
    for without in (nn.ReLU(), lambda batch: batch):
        assert tensor_like(without).dtype == torch.float32 and tensor_like(without).device.type == "cpu"
