"""Batches that are filled up to a size that a network was compiled for."""

from __future__ import annotations

import torch
from torch import nn

from hrbench.models.runtimes.filled import Filled


class Sized(nn.Module):
    """Knows the batches that it was called with; returns something of every kind."""

    takes_scales = True

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, images, scales=None):
        self.sizes.append(len(images))
        if isinstance(images, list):
            return scales
        return {"maps": images * 2, "all": [images.mean((1, 2, 3)), torch.zeros(7), 3]}


def test_a_smaller_batch_is_filled_up_and_cut():
    net = Sized()
    filled = Filled(net)
    for size, called in ((2, 2), (1, 2), (5, 5), (3, 5), (5, 5)):
        images = torch.randn(size, 3, 4, 4)
        found = filled(images)
        assert called in net.sizes[-2:]  # the first that is filled up is compared with the batch alone
        assert torch.equal(found["maps"], images * 2)
        assert torch.equal(found["all"][0], images.mean((1, 2, 3)))
        assert found["all"][1].shape == (7,) and found["all"][2] == 3


def test_each_size_of_images_has_a_largest_batch():
    net = Sized()
    filled = Filled(net)
    for shape in ((4, 3, 4, 4), (1, 3, 8, 8), (2, 3, 4, 4), (1, 3, 8, 8)):
        filled(torch.randn(*shape))
    assert net.sizes == [4, 1, 4, 2, 1]


class Mean(nn.Module):
    """Looks at the whole batch."""

    def forward(self, images):
        return images - images.mean(0)


def test_a_network_that_looks_at_its_batch_is_not_filled_up():
    filled = Filled(Mean())
    filled(torch.randn(4, 3, 4, 4))
    for size in (2, 3):
        images = torch.randn(size, 3, 4, 4)
        assert torch.equal(filled(images), images - images.mean(0))
    assert filled.fills is False


def test_lists_are_passed_on_and_members_are_the_networks_own():
    filled = Filled(Sized())
    assert filled([torch.zeros(3, 4, 4)], scales=[2.0]) == [2.0]
    assert filled.takes_scales is True and not hasattr(filled, "fixed_batch")
