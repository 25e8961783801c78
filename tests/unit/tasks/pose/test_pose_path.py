"""From a picture with a bright spot to its place again: crop, network, mirrored image, decoding and map back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from hrbench.errors import EntryError
from hrbench.tasks.pose.protocols import NAMED_PROTOCOLS
from hrbench.tasks.pose.task import Pose
from hrbench.types import KeypointScheme, Person, Sample, Variant

BY_NAME = {protocol.name: protocol for protocol in NAMED_PROTOCOLS}
SPOT = (70.3, 91.8)
BOX = (20.0, 30.0, 100.0, 120.0)


class Thumbnail(nn.Module):
    """Heatmaps (N, 1, h/4, w/4) that show the crop itself.

    corners: whether their corner pixels are those of the crop (UDP), or each pixel is the crop's fourth (classic).
    """

    def __init__(self, corners: bool) -> None:
        super().__init__()
        self.corners = corners

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        light = crops[:, :1] + 0.5  # means and deviations of 0.5 and 1
        if not self.corners:
            return light[..., ::4, ::4]
        size = (crops.shape[2] // 4, crops.shape[3] // 4)
        return nn.functional.interpolate(light, size=size, mode="bilinear", align_corners=True)


class OfThreeMaps(nn.Module):
    """The same with the offsets of UDP's combined heatmaps, towards the light's middle."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        light = Thumbnail(corners=True)(crops)
        _, _, height, width = light.shape
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        weight = light.clamp(min=0.2) - 0.2
        middle = [(weight * place).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True) for place in (x, y)]
        radius = 0.0546875 * max(height, width)
        offsets = [(at - place) / radius for at, place in zip(middle, (x, y), strict=True)]
        return torch.cat([light, *offsets], dim=1)


def found_spot(folder: Path, name: str, **change: object) -> np.ndarray:
    """Where the protocol sees the spot, (2,) in image pixels."""
    y, x = np.mgrid[:180, :160]
    spot = 250 * np.exp(-((x - SPOT[0]) ** 2 + (y - SPOT[1]) ** 2) / (2 * 9.0**2))
    path = folder / "spot.png"
    assert cv2.imwrite(str(path), np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2))
    variant = Variant("spot", "spot", "pose", (256, 192), mean=(0.5,) * 3, std=(1.0,) * 3)
    scheme = KeypointScheme(("spot",), (), (0.05,))
    protocol = dataclasses.asdict(dataclasses.replace(BY_NAME[name], **change))
    task = Pose(variant, SimpleNamespace(scheme=scheme), protocol)
    sample = Sample(1, path, (160, 180), content=(Person(0, box=BOX),))
    items = task.prepare(sample)
    combined = protocol["decoding"] == "combined"
    net = (OfThreeMaps() if combined else Thumbnail(protocol["affine"] == "udp")).eval()
    (row,) = task.finish(sample, list(zip(items, task.forward(net, items), strict=True))).value
    return np.array(row["keypoints"][:2])


@pytest.mark.parametrize("flip", [False, True])
def test_udp_finds_the_spot_in_the_picture_and_its_mirror_image(tmp_path, flip):
    """Grey levels are whole numbers, and the network samples between pixels: a tenth of a pixel is what they allow."""
    np.testing.assert_allclose(found_spot(tmp_path, "udp", flip=flip), SPOT, atol=0.1)


@pytest.mark.parametrize("flip", [False, True])
def test_offset_maps_find_the_spot_in_the_picture_and_its_mirror_image(tmp_path, flip):
    np.testing.assert_allclose(found_spot(tmp_path, "udp-combined", flip=flip), SPOT, atol=0.1)


def test_a_network_without_offset_maps_is_refused(tmp_path):
    variant = Variant("spot", "spot", "pose", (256, 192))
    scheme = SimpleNamespace(scheme=KeypointScheme(("spot", "other"), (), (0.05, 0.05)))
    task = Pose(variant, scheme, dataclasses.asdict(BY_NAME["udp-combined"]))
    with pytest.raises(EntryError, match=r"\(1, 2, 64, 48\) .*\(1, 6, h, w\), 3 of each joint with decoding: comb"):
        task.check_output(torch.zeros(1, 2, 64, 48), [(256, 192)])
    task.check_output(torch.zeros(1, 6, 64, 48), [(256, 192)])


@pytest.mark.parametrize("name", ["dark", "top-down"])
def test_the_mirror_image_moves_joints_of_the_classic_map(tmp_path, name):
    """Moved by a heatmap pixel (4 of the input), the mirrored heatmaps are still 1 input pixel off; in the mean half.

    The input is 192 wide where the region has 1.25 x 120 x 3/4 = 112.5 px.
    """
    alone, mean = (found_spot(tmp_path, name, flip=flip) for flip in (False, True))
    if name == "dark":
        np.testing.assert_allclose(alone, SPOT, atol=0.1)
        np.testing.assert_allclose(mean - alone, [0.5 * 112.5 / 192, 0], atol=0.05)
    else:  # a quarter of a heatmap pixel at best: four pixels of the input
        assert np.abs(alone - SPOT).max() < 4 * 112.5 / 192 / 2
