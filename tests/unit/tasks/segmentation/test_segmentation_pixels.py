"""Pixels that are normalised, padded and cut on a device have the bits of those that are made by NumPy and OpenCV."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hrbench.tasks.segmentation import geometry
from hrbench.tasks.segmentation.pixels import batch_of, input_pixels, inputs_of, keeps_size, size_of
from hrbench.tasks.segmentation.protocols import NAMED_PROTOCOLS, Inference

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(37, 61), (64, 96), (96, 64), (30, 200)]
WINDOWS = [
    Inference(multiple=1),
    Inference(multiple=32),
    Inference(windows="cut", crop=(40, 48), stride=2 / 3),
    Inference(windows="shifted", crop=(40, 48), stride=2 / 3, multiple=8),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("protocol", WINDOWS)
@pytest.mark.parametrize("single", [False, True])
def test_inputs_have_the_same_bits(protocol, dtype, single):
    target = SimpleNamespace(protocol=protocol, device=torch.device("cpu"), dtype=dtype)
    table = geometry.value_table(MEAN, STD, single=single)
    black = tuple(-mean / std for mean, std in zip(MEAN, STD, strict=True))
    compared = 0
    for number, size in enumerate(SIZES):
        if not keeps_size(size, protocol):
            continue
        rng = np.random.default_rng(number)
        images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(2)]
        here, there = (input_pixels(images, table, target, on_device=where) for where in (False, True))
        plan = geometry.window_plan(size, 1.0, protocol)
        for one, other in zip(here, there, strict=True):
            assert isinstance(one, np.ndarray) and isinstance(other, torch.Tensor)
            assert size_of(one) == size_of(other) == size
            ours, theirs = list(inputs_of(plan, other, black)), list(inputs_of(plan, one, black))
            assert [corner for corner, _ in ours] == [corner for corner, _ in theirs]
            made = batch_of([pixels for _, pixels in ours], target.device, dtype)
            expected = batch_of([pixels for _, pixels in theirs], target.device, dtype)
            assert made.dtype == dtype and torch.equal(made, expected)
            compared += 1
    assert compared == 2 * len(SIZES)


def test_the_protocols_of_cityscapes_send_bytes_and_those_of_scales_floats():
    named = {each.name: each for each in NAMED_PROTOCOLS}
    assert any(keeps_size((1024, 2048), each) for each in named.values())
    several = dataclasses.replace(Inference(), scales=(0.5, 1.0, 1.75))
    assert keeps_size((1024, 2048), Inference()) and not keeps_size((1024, 2048), several)


def test_bytes_go_to_any_device_but_the_processor():
    images = [np.zeros((4, 6, 3), np.uint8)]
    table = geometry.value_table(MEAN, STD)
    target = SimpleNamespace(protocol=Inference(multiple=1), device=torch.device("meta"), dtype=torch.float32)
    (made,) = input_pixels(images, table, target)
    assert made.device.type == "meta" and tuple(made.shape) == (3, 4, 6)
