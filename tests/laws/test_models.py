"""What every row of the catalog promises: it builds on meta, counts and returns what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Any

import pytest
import torch
from empty import on_meta
from seeds import some
from torch import Tensor, nn

from hrbench import catalog
from hrbench.cost.operations.recorder import Recorder
from hrbench.errors import UsageError
from hrbench.models.build import build
from hrbench.models.weights.sources import HUB_SOURCES, stated_source
from hrbench.types import Variant

ROWS = catalog.variants()
MADE = [name for name, row in ROWS.items() if not row.absent]
ABSENT = [name for name, row in ROWS.items() if row.absent]
MINIATURES = [name for name, row in ROWS.items() if row.miniature]
OPENMMLAB = ("https://download.openmmlab.com/", "https://open-mmlab.s3.ap-northeast-2.amazonaws.com/")
READABLE = (".safetensors", ".pth", ".pt", ".tar", ".h5", ".npz")
LIBRARIES = {"smp": "segmentation_models_pytorch"}  # those whose module is not called as their source is


def heatmaps(row: Variant, net: nn.Module, images: Tensor) -> None:
    """Pose and landmarks: (N, points, h, w) at a quarter of the input, or where the head reads a lower branch."""
    stride = 2 ** (row.args.get("head", 1) + 1)
    points = row.args["joints"] if "joints" in row.args else row.args["landmarks"]
    assert net(images).shape == (len(images), points, row.input[0] // stride, row.input[1] // stride)


def pixel_logits(row: Variant, net: nn.Module, images: Tensor) -> None:
    """Segmentation: (N, classes, h, w) at an eighth of the input or finer, or a list of such."""
    output = net(images)
    classes = classes_of(row)
    named = re.search(r"(?:cityscapes|pascal_ctx|lip|ade|cocostuff|voc|camvid)(\d+)", row.name)
    assert named is None or int(named[1]) == classes
    for logits in output if isinstance(output, list) else [output]:
        assert logits.shape[:2] == (len(images), classes)
        (height, width), (h, w) = row.input, logits.shape[2:]
        assert h <= height <= 8 * h and w <= width <= 8 * w
        assert abs(h * width - w * height) <= max(row.input)  # the same shape up to one pixel


def class_logits(row: Variant, net: nn.Module, images: Tensor) -> None:
    """Classification: (N, classes), of ImageNet where the row says nothing."""
    assert net(images).shape == (len(images), classes_of(row))


def classes_of(row: Variant) -> int:
    return row.args.get("classes", row.args.get("num_classes", 1000))


def levels(row: Variant, net: Any, images: Tensor) -> None:
    """Backbone: maps (N, C, h, w), finest first, of the channels and strides that the module says."""
    maps = net(images)
    assert len(maps) == len(net.channels) == len(net.strides) > 1
    assert list(net.strides) == sorted(set(net.strides))
    for level, channels, stride in zip(maps, net.channels, net.strides, strict=True):
        assert level.shape[:2] == (len(images), channels)
        assert all(
            side // stride <= size <= -(-side // stride) for side, size in zip(row.input, level.shape[2:], strict=True)
        )


def parts(row: Variant, net: Any, images: Tensor) -> None:
    """Detection: its parts run without values, for so many proposals and masks, and say what was not counted."""
    conditions = net.count_parts(images, proposals=7, masks=5)
    assert conditions["not counted"]
    assert conditions.get("proposals", 7) == 7 and conditions.get("masks", 5) == 5
    assert ("masks" in conditions) == ("mask" in row.name)
    assert ("proposals" in conditions) == ("rcnn" in row.name)


CHECKS: dict[str, Callable[[Variant, nn.Module, Tensor], None]] = {
    "backbone": levels,
    "classification": class_logits,
    "detection": parts,
    "pose": heatmaps,
    "landmarks": heatmaps,
    "segmentation": pixel_logits,
}


def of_every_kind(names: list[str]) -> list[Any]:
    """The names as parameters; of rows of one constructor and task all but the last are exhaustive."""
    last = {(ROWS[name].use, ROWS[name].task): name for name in names}
    return some(names, later={*names} - {*last.values()})


@pytest.mark.parametrize("name", of_every_kind(MADE))
def test_row_builds_on_meta_and_returns_what_its_task_says(name: str) -> None:
    row = ROWS[name]
    library = row.use.partition(":")[0] if re.match(r"\w+:", row.use) else ""
    if library and find_spec(LIBRARIES.get(library, library)) is None:
        pytest.skip(f"{library} is not installed")
    with on_meta():
        net = build(row)
        images = torch.empty(2, 3, *row.input)
    assert not net.training
    with torch.inference_mode(), torch.device("meta"), Recorder():  # as it is counted
        CHECKS[row.task](row, net, images)
    assert all(value.is_meta for value in net.state_dict().values())
    if row.parameters is not None or not row.miniature:
        assert sum(p.numel() for p in net.parameters()) == row.parameters


@pytest.mark.parametrize("name", ABSENT)
def test_a_row_without_a_network_says_why(name: str) -> None:
    row = ROWS[name]
    assert not row.weights and row.parameters is None
    with pytest.raises(UsageError, match=re.escape(row.absent)):
        build(row)


@pytest.mark.parametrize("name", ROWS)
def test_weights_of_a_row_are_files_that_can_be_read(name: str) -> None:
    for source, text in ROWS[name].weights.items():
        known = stated_source(ROWS[name], source)
        assert PurePosixPath(known.file).suffix in READABLE, source
        if source in HUB_SOURCES:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", text), source
        if source == "openmmlab":
            assert known.address.startswith(OPENMMLAB) and len(known.sha256) == 8


def numbers(row: Variant, net: Any, images: Tensor) -> Tensor:
    """What a network computes of images, one row for each: of a detector its features, of which it makes all else."""
    if row.task == "detection":
        maps = net.backbone(images)
        maps = net.neck(maps) if hasattr(net, "neck") else maps
        return torch.cat([level.flatten(1) for level in maps], dim=1)
    return net(images)


@pytest.mark.numeric
@pytest.mark.parametrize("name", MINIATURES)
def test_same_seed_same_network_and_no_image_touches_another(name: str) -> None:
    row = ROWS[name]
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(build(row).double())
    one, two = (net.state_dict() for net in nets)
    assert all(torch.equal(one[key], two[key]) for key in one)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, *row.input, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        together = numbers(row, nets[0], images)
        alone = torch.cat([numbers(row, nets[0], image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)
    assert not torch.equal(together[0], together[1])
