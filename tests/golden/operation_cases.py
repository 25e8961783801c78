"""Small networks, and networks of hrbench, whose operations mmengine counted: for the record and its test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape4 = tuple[int, int, int, int]


class Work(nn.Module):
    """A network that is one function, with weights where it needs some."""

    def __init__(self, work: Callable[..., Any], *weights: tuple[int, ...]) -> None:
        super().__init__()
        self.work = work
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in weights)

    def forward(self, x: Tensor) -> Any:
        return self.work(x, *self.weights)


class Attend(nn.MultiheadAttention):
    """Self-attention over the rows of an image."""

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore
        return super().forward(x[:, 0], x[:, 0], x[:, 0], need_weights=False)[0]


class Recurrent(nn.Module):
    """A recurrent layer over the rows of an image."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x[:, 0])[0]


SMALL: dict[str, tuple[Callable[[], nn.Module], Shape4]] = {
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1, groups=2), nn.BatchNorm2d(6), nn.ReLU(True), nn.Conv2d(6, 2, 1)),
        (2, 4, 9, 9),
    ),
    "padding same": (lambda: nn.Conv2d(4, 6, 3, padding="same"), (2, 4, 9, 9)),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.BatchNorm2d(6, affine=False)),
        (1, 4, 5, 5),
    ),
    "linear": (lambda: nn.Sequential(nn.Linear(6, 3), nn.LayerNorm(3), nn.Flatten(), nn.Linear(30, 2)), (1, 2, 5, 6)),
    "norms": (lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)), (2, 4, 5, 5)),
    "pools": (lambda: nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)), (1, 2, 9, 9)),
    "nearest": (lambda: nn.Upsample(scale_factor=2), (1, 3, 4, 5)),
    "bilinear": (lambda: nn.Upsample(size=(7, 9), mode="bilinear"), (1, 3, 4, 5)),
    "bicubic": (lambda: nn.Upsample(size=(7, 9), mode="bicubic"), (1, 3, 4, 5)),
    "matmul": (lambda: Work(lambda x: torch.matmul(x, x.transpose(2, 3)).softmax(-1)), (2, 3, 4, 5)),
    "matmul broadcast": (lambda: Work(lambda x, w: torch.matmul(x, w), (5, 6)), (2, 3, 4, 5)),
    "matrix and vector": (lambda: Work(lambda x, w: torch.matmul(x, w), (5,)), (2, 3, 4, 5)),
    "vector and matrix": (lambda: Work(lambda x, w: torch.matmul(w, x[0, 0]), (4,)), (2, 3, 4, 5)),
    "two vectors": (lambda: Work(lambda x, w: torch.matmul(x[0, 0, 0], w), (5,)), (2, 3, 4, 5)),
    "bmm": (lambda: Work(lambda x: torch.bmm(x[0], x[0].transpose(1, 2))), (1, 3, 4, 5)),
    "addmm": (lambda: Work(lambda x, b: torch.addmm(b, x[0, 0], x[0, 1]), (4, 4)), (1, 2, 4, 4)),
    "einsum": (lambda: Work(lambda x: torch.einsum("nchw,nkhw->nck", x, x)), (2, 3, 4, 5)),
    "attention": (lambda: Attend(6, 2, batch_first=True), (2, 1, 5, 6)),
    "grid": (lambda: Work(lambda x, g: F.grid_sample(x, g, align_corners=False), (1, 3, 3, 2)), (1, 2, 4, 4)),
    "residual": (lambda: Work(lambda x: F.silu(x + x.mul(2)).add_(1).clamp(0, 6)), (1, 2, 4, 4)),
    "lstm": (lambda: Recurrent(nn.LSTM(4, 3, batch_first=True)), (2, 1, 5, 4)),
}

ROWS = ("pose_hrnet_w32_coco_256x192", "pose_resnet_50_coco_256x192", "cls_hrnet_w18", "seg_hrnet_miniature_cityscapes")
"""Networks of the catalog."""


def builders() -> dict[str, tuple[Callable[[], nn.Module], Shape4]]:
    """Every case by its name: a builder, and the shape of its input."""
    from hrbench.catalog import variants
    from hrbench.models.build import build

    known = variants()
    rows = {name: (lambda row=known[name]: build(row), (1, 3, *known[name].input)) for name in ROWS}
    return {**SMALL, **rows}
