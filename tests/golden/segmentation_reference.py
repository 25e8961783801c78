"""The official segmentation inference, written down a second time from what the golden records say of themselves.

One image at a time, one window at a time, nothing shared with the package: plain and slow. Images are (3, H, W) float64
tensors that are normalised already, scores (C, H, W) float64.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
LEFT_AND_RIGHT = ((14, 15), (16, 17), (18, 19))


def toy(fill, classes: int, seed: int) -> nn.Module:
    """The network of the records."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, classes, 3, stride=2, padding=1)
    )
    return fill.fill(net, seed)


def bilinear(maps: Tensor, size: tuple[int, int], corners: bool) -> Tensor:
    """(C, h, w) to (C, *size)."""
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=corners)[0]


def inference(net: nn.Module, image: Tensor, flip: bool, corners: bool, lip: bool) -> Tensor:
    """exp of the logits at the image's size, averaged with the mirrored ones."""
    size = (image.shape[1], image.shape[2])
    logits = bilinear(net(image[None])[0], size, corners)
    if flip:
        mirrored = bilinear(net(torch.flip(image, [2])[None])[0], size, corners)
        if lip:
            for left, right in LEFT_AND_RIGHT:
                mirrored[[left, right]] = mirrored[[right, left]]
        logits = (logits + torch.flip(mirrored, [2])) * 0.5
    return logits.exp()


def pad(image: Tensor, height: int, width: int) -> Tensor:
    """Black at the right and the bottom, up to that size."""
    out = torch.from_numpy(-MEAN / STD)[:, None, None].repeat(
        1, max(height, image.shape[1]), max(width, image.shape[2])
    )
    out[:, : image.shape[1], : image.shape[2]] = image
    return out


def multi_scale(
    net: nn.Module,
    image: Tensor,
    kind: str,
    base: int,
    crop: tuple[int, int],
    scales: list[float],
    flip: bool,
    corners: bool,
) -> Tensor:
    """The sum over scales at the image's size; kind: "cityscapes", "base" or "lip" (base with exchanged channels)."""
    height, width = image.shape[1:]
    total = None
    for scale in scales:
        long = int(base * scale + 0.5)
        new = (long, int(width * long / height + 0.5)) if height > width else (int(height * long / width + 0.5), long)
        resized = cv2.resize(image.permute(1, 2, 0).numpy(), new[::-1], interpolation=cv2.INTER_LINEAR)
        pixels = torch.from_numpy(resized).permute(2, 0, 1)
        if kind == "cityscapes":
            scores = _cityscapes(net, pixels, crop, scale, flip, corners)
        else:
            scores = _windows(net, pixels, crop, flip, corners, kind == "lip")
        scores = bilinear(scores[:, : new[0], : new[1]], (height, width), corners)
        total = scores if total is None else total + scores
    assert total is not None
    return total


def _cityscapes(net, pixels: Tensor, crop: tuple[int, int], scale: float, flip: bool, corners: bool) -> Tensor:
    if scale <= 1:
        return inference(net, pixels, flip, corners, lip=False)
    height, width = pixels.shape[1:]
    total = count = 0
    for row in range(math.ceil((height - crop[0]) / crop[0]) + 1):
        for column in range(math.ceil((width - crop[1]) / crop[1]) + 1):
            bottom = min((row + 1) * crop[0], height)
            right = min((column + 1) * crop[1], width)
            box = (slice(max(bottom - crop[0], 0), bottom), slice(max(right - crop[1], 0), right))
            total, count = _added(total, count, inference(net, pixels[:, *box], flip, corners, False), box, pixels)
    return total / count


def _windows(net, pixels: Tensor, crop: tuple[int, int], flip: bool, corners: bool, lip: bool) -> Tensor:
    height, width = pixels.shape[1:]
    if max(height, width) <= min(crop):
        return inference(net, pad(pixels, *crop), flip, corners, lip)[:, :height, :width]
    pixels = pad(pixels, *crop)
    height, width = pixels.shape[1:]
    steps = [int(side * 2 / 3) for side in crop]
    total = count = 0
    for row in range(math.ceil((height - crop[0]) / steps[0]) + 1):
        for column in range(math.ceil((width - crop[1]) / steps[1]) + 1):
            top, left = row * steps[0], column * steps[1]
            box = (slice(top, min(top + crop[0], height)), slice(left, min(left + crop[1], width)))
            window = pixels[:, *box]
            scores = inference(net, pad(window, *crop), flip, corners, lip)[:, : window.shape[1], : window.shape[2]]
            total, count = _added(total, count, scores, box, pixels)
    return total / count


def _added(total, count, scores: Tensor, box: tuple[slice, slice], pixels: Tensor):
    more, once = torch.zeros(len(scores), *pixels.shape[1:], dtype=torch.float64), torch.zeros(pixels.shape[1:])
    more[:, *box], once[box] = scores, 1
    return total + more, count + once
