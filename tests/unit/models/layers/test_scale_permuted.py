"""Padding, pooling and resampling against sums written out by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from hrbench.models.layers.scale_permuted import Padding, Resample, convolution, convolve, max_pool, same_padding

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(("kernel", "stride"), list(itertools.product((1, 3, 5, 7), (1, 2, 3, 4))))
def test_same_padding_is_just_enough(kernel: int, stride: int) -> None:
    for size in range(1, 40):
        before, after = same_padding(size, kernel, stride)
        count = math.ceil(size / stride)
        assert before <= after <= before + 1
        assert (size + before + after - kernel) // stride + 1 >= count
        assert before + after == 0 or (count - 1) * stride + kernel == size + before + after


@pytest.mark.parametrize(
    ("kernel", "size", "expected"), [(3, 128, (0, 1)), (7, 128, (2, 3)), (3, 7, (1, 1)), (5, 7, (2, 2)), (1, 8, (0, 0))]
)
def test_same_padding_of_strided_layers(kernel: int, size: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, 3 if kernel == 5 else 2) == expected


@pytest.mark.parametrize(("padding", "start"), [("tf2", 0), ("tf1", -1)])
def test_where_a_strided_window_lies(padding: Padding, start: int) -> None:
    """Of a 3x3 convolution over 8 pixels, stride 2: at pixel 0 in tf2, at pixel -1 in tf1."""
    conv = convolution(1, 1, 3, 2, padding).double()
    torch.nn.init.ones_(conv.weight)
    x = torch.arange(64, dtype=torch.float64).reshape(1, 1, 8, 8)

    def total(row: int, column: int) -> float:
        rows, columns = (range(max(0, 2 * i + start), min(8, 2 * i + start + 3)) for i in (row, column))
        return sum(x[0, 0, r, c].item() for r in rows for c in columns)

    expected = torch.tensor([[total(row, column) for column in range(4)] for row in range(4)], dtype=torch.float64)
    torch.testing.assert_close(convolve(conv, x, padding)[0, 0], expected)


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 8), (3, 2, 7), (5, 3, 7), (5, 4, 16)])
def test_padding_never_wins_a_max_pool(kernel: int, stride: int, size: int) -> None:
    x = -1 - torch.rand(2, 3, size, size + stride, generator=torch.Generator().manual_seed(0))
    pooled = max_pool(x, kernel, stride)
    assert pooled.shape == (2, 3, math.ceil(size / stride), math.ceil((size + stride) / stride))
    assert pooled.max() < 0 and torch.isfinite(pooled).all()
    (top, _), (left, _) = same_padding(size, kernel, stride), same_padding(size + stride, kernel, stride)
    for row, column in itertools.product(range(pooled.shape[2]), range(pooled.shape[3])):
        r, c = row * stride - top, column * stride - left
        window = x[:, :, max(0, r) : r + kernel, max(0, c) : c + kernel]
        assert torch.equal(pooled[:, :, row, column], window.amax((2, 3)))


def passing(halvings: int, padding: Padding) -> Resample:
    """A connection that changes nothing but the size: the middle of each strided window is passed on."""
    net = Resample(1, 1, 1, halvings, padding, "relu").double().eval()
    for layer in (net.squeeze, net.down, net.expand):
        if layer is not None:
            torch.nn.init.zeros_(layer.conv.weight)
            middle = layer.conv.kernel_size[0] // 2
            layer.conv.weight.data[0, 0, middle, middle] = 1
            layer.bn.eps = 0
    return net


def resampled(halvings: int, padding: Padding, source: int, target: int) -> Tensor:
    x = torch.arange(source, dtype=torch.float64).expand(1, 1, source, source)
    return passing(halvings, padding)(x, (target, target))[0, 0, 0]


@pytest.mark.parametrize("padding", ["tf2", "tf1"])
def test_enlarging_repeats_pixels(padding: Padding) -> None:
    assert resampled(-2, padding, 4, 16).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    assert resampled(-1, padding, 4, 7).tolist() == [0, 0, 1, 1, 2, 2, 3]  # floor(4 i / 7)


def test_reducing_by_two_four_and_eight() -> None:
    # The middle of window i is pixel 2i + 1 in tf2 and 2i in tf1; a 3-pool over an even size starts at its window's
    # first pixel, so the largest of each is the third, or the last there is.
    assert resampled(1, "tf2", 16, 8).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    assert resampled(1, "tf1", 16, 8).tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert resampled(2, "tf2", 16, 4).tolist() == [5, 9, 13, 15]
    assert resampled(2, "tf1", 16, 4).tolist() == [4, 8, 12, 14]
    # By eight: two 3-pools in tf2; in tf1 one 5-pool of stride 4, which over 8 pixels pads none before and one after.
    assert resampled(3, "tf2", 16, 2).tolist() == [13, 15]
    assert resampled(3, "tf1", 16, 2).tolist() == [8, 14]


def test_the_papers_code_corrects_what_does_not_divide() -> None:
    # 14 -> 4: strided to 7 (pixels 0, 2 .. 12), a 3-pool of stride 2 over 7 pads one on both sides: 4 pixels.
    assert resampled(2, "tf1", 14, 4).tolist() == [2, 6, 10, 12]
    # 14 -> 2: strided to 7, a 5-pool of stride 3 pads two on both sides: 3 pixels (4, 10, 12); 0 and 1 are taken.
    assert resampled(3, "tf1", 14, 2).tolist() == [4, 10]
    # 5 -> 2: strided to 3 (pixels 0, 2, 4), no pool for a ratio below 3, pixels 0 and 1 are taken.
    assert resampled(1, "tf1", 5, 2).tolist() == [0, 2]
