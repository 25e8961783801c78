"""The detection task: what goes into a network, what its answers become, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from torch import Tensor, nn

from hrbench.errors import EntryError, InputError
from hrbench.models.detectors.fcos import fcos
from hrbench.tasks.detection.task import Detection
from hrbench.types import ClassScheme, Sample, Variant

pytestmark = pytest.mark.numeric

SCHEME = ClassScheme(("person", "car", "kite"), (1, 3, 38))
SIZE = (60, 40)


def task_for(protocol: str = "plain", input: tuple[int, int] = (64, 64), **settings: Any) -> Detection:
    chosen = next(each for each in Detection.protocols if each.name == protocol)
    colour = settings.pop("colour", "rgb")
    variant = Variant("tried", "network", "detection", input, colour=colour)
    return Detection(variant, SimpleNamespace(scheme=SCHEME), {**asdict(chosen), **settings})


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    path = tmp_path / "a.png"
    image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), image)
    return Sample(11, path, SIZE)


class Net(nn.Module):
    """Finds the same in every image, and keeps what it was given."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found, self.given = found, []

    def forward(self, images: list[Tensor]) -> Any:
        self.given.append(images)
        return self.found if not isinstance(self.found, dict) else [self.found] * len(images)


def found(labels: list[int], scores: list[float] | None = None, **more: Any) -> dict[str, Tensor]:
    count = len(labels)
    boxes = torch.tensor([[2.0 * i, 1, 2 * i + 10, 21] for i in range(count)]).reshape(-1, 4)
    falling = [0.9 - 0.1 * i for i in range(count)] if scores is None else scores
    return {"boxes": boxes, "scores": torch.tensor(falling), "labels": torch.tensor(labels, dtype=torch.long), **more}


def rows_of(task: Detection, sample: Sample, net: nn.Module) -> list[dict[str, Any]]:
    items = task.prepare(sample)
    prediction = task.finish(sample, list(zip(items, task.forward(net, items), strict=True)))
    assert prediction.sample == sample.id
    return prediction.value


def test_rows_are_coco_results_best_first(sample: Sample) -> None:
    rows = rows_of(task_for(), sample, Net(found([2, 0, 1], [0.25, 0.75, 0.5])))
    assert rows == [
        {"image_id": 11, "category_id": 1, "bbox": [2.0, 1.0, 10.0, 20.0], "score": 0.75},
        {"image_id": 11, "category_id": 3, "bbox": [4.0, 1.0, 10.0, 20.0], "score": 0.5},
        {"image_id": 11, "category_id": 38, "bbox": [0.0, 1.0, 10.0, 20.0], "score": 0.25},
    ]
    assert rows_of(task_for(), sample, Net(found([]))) == []


def test_equal_scores_stay_in_order_and_only_the_best_are_kept(sample: Sample) -> None:
    rows = rows_of(task_for(most=3), sample, Net(found([0, 1, 2, 0, 1], [0.5, 0.5, 0.9, 0.5, 0.5])))
    assert [row["bbox"][0] for row in rows] == [4, 0, 2]


def test_mmdetection_1_counts_the_last_pixel_and_has_one_factor(sample: Sample) -> None:
    new, old = (rows_of(task_for(name), sample, Net(found([0])))[0]["bbox"] for name in ("mmdet", "mmdet1"))
    factor = 800 / 40  # 1200 x 800: the long side stays below 1333
    np.testing.assert_allclose(new, [0, 1 / factor, 10 / factor, 20 / factor], rtol=1e-6)
    np.testing.assert_allclose(np.subtract(old, new), [0, 0, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("protocol", "shape"),
    [
        ("plain", (40, 60)),
        ("mmdet", (800, 1200)),
        ("spinenet", (85, 128)),
        ("torchvision", (800, 1200)),
        ("torchvision-fixed", (96, 128)),
    ],
)
def test_inputs_by_protocol(protocol: str, shape: tuple[int, int], sample: Sample) -> None:
    net = Net(found([]))
    task = task_for(protocol, input=(96, 128) if protocol == "torchvision-fixed" else (128, 128))
    rows_of(task, sample, net)
    (image,) = net.given[0]
    assert image.shape == (3, *shape) and image.dtype == torch.float32
    if protocol == "plain":
        pixels = cv2.imread(str(sample.path))[..., ::-1] / 255
        expected = (pixels - task.mean) / task.std
        np.testing.assert_allclose(image.permute(1, 2, 0), expected, atol=1e-6)


def test_colours_are_the_networks(sample: Sample) -> None:
    (rgb,), (bgr,) = task_for().prepare(sample), task_for(colour="bgr").prepare(sample)
    np.testing.assert_array_equal(rgb.image, bgr.image[..., ::-1])


def test_labels_are_positions_or_category_ids(sample: Sample) -> None:
    def ids(labels: str, *given: int) -> list[int]:
        return [row["category_id"] for row in rows_of(task_for(labels=labels), sample, Net(found(list(given))))]

    assert ids("contiguous", 0, 1, 2) == [1, 3, 38]
    assert ids("category", 0, 2, 37) == [1, 3, 38]
    assert ids("id", 1, 3, 38) == [1, 3, 38]


def test_labels_of_unused_ids_are_left_out_and_counted(sample: Sample) -> None:
    task = task_for(labels="category", most=2)
    assert task.notes() == []
    rows = rows_of(task, sample, Net(found([11, 0, 11, 2, 0])))
    assert [row["category_id"] for row in rows] == [1, 3]  # the best two of those that are left
    rows_of(task, sample, Net(found([25])))
    assert [note.count for note in task.notes()] == [1, 3]
    cut, said = map(str, task.notes())
    assert cut.startswith("1 detections beyond the 2 best of their image were left out")
    assert said.startswith("3 detections of category ids that are no class of the data set (12, 26) were left out")
    assert said.endswith("(option protocol.labels: contiguous)")


def test_a_size_that_is_not_the_costs_is_told() -> None:
    other, same = (task_for("mmdet", input=size) for size in ((128, 160), (800, 1344)))
    assert [str(note) for note in other.notes()] == [
        "images went in with a short side of 800 px (protocol.short): costs are of an input of 128x160 "
        "(option protocol.short: 128)"
    ]
    assert same.notes() == [] and task_for("spinenet").notes() == []


@pytest.mark.parametrize("label", [3, -1])
def test_a_position_beyond_the_classes_is_an_error(label: int, sample: Sample) -> None:
    with pytest.raises(EntryError, match=rf"returned label {label}; the data set has 3 classes, labels 0 to 2"):
        rows_of(task_for(), sample, Net(found([0, label])))


def test_that_nothing_was_ever_found_is_noted(sample: Sample) -> None:
    task = task_for()
    for _ in range(2):
        rows_of(task, sample, Net(found([])))
    (said,) = task.notes()
    assert str(said).startswith("2 of 2 images have no detection at all: has the network the right weights")
    rows_of(task, sample, Net(found([0])))
    assert task.notes() == []


@pytest.mark.parametrize("name", ["boxes", "scores", "mask_crops"])
def test_numbers_that_are_not_finite_are_an_error(name: str, sample: Sample) -> None:
    wrong = found([0, 1], mask_crops=torch.full((2, 28, 28), 0.9))
    wrong[name][1] = float("nan")
    with pytest.raises(EntryError, match=r"gave a\.png boxes, scores or masks that are not finite"):
        rows_of(task_for(), sample, Net(wrong))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (torch.zeros(1, 80, 8, 8), "a Tensor for 1 images"),
        ([], "0 outputs for 1 images"),
        ([torch.zeros(4)], "a Tensor for an image"),
        ([{"pred_boxes": torch.zeros(1, 4), "logits": torch.zeros(1, 3)}], "pred_boxes, logits for an image"),
        ([found([0]) | {"boxes": torch.zeros(1, 5)}], r"boxes of shape \(1, 5\) where \(1, 4\)"),
        ([found([0]) | {"scores": torch.zeros(1, 1)}], r"scores of shape \(1, 1\) where \(1\)"),
        ([found([0]) | {"labels": [0]}], r"labels of shape \(\) where \(1\)"),
        ([found([0], mask_crops=torch.zeros(1, 1, 28, 28))], r"mask_crops of shape .* where \(1, any, any\)"),
        ([found([0], masks=torch.zeros(1, 28, 28))], r"masks of shape \(1, 28, 28\) where \(1, 40, 60\)"),
    ],
)  # fmt: skip
def test_networks_that_return_other_things(output: Any, words: str, sample: Sample) -> None:
    with pytest.raises(EntryError, match=f"the network returned {words}.*a detector returns for each image"):
        rows_of(task_for(), sample, Net(output))


def test_crops_are_pasted_on_the_original_image(sample: Sample) -> None:
    crops = torch.stack([torch.zeros(28, 28), torch.ones(28, 28)])
    rows = rows_of(task_for("mmdet"), sample, Net(found([0, 1], mask_crops=crops)))
    assert [row["segmentation"]["size"] for row in rows] == [[40, 60], [40, 60]]
    larger = found([0, 1], mask_crops=crops)
    larger["boxes"] *= 20  # the input has 20 times the image's side
    areas = [coco_mask.area(row["segmentation"]) for row in rows_of(task_for("mmdet"), sample, Net(larger))]
    assert areas == [0, 200]


def test_whole_masks_come_back_as_they_are(sample: Sample) -> None:
    masks = torch.zeros(2, 40, 60, dtype=torch.bool)
    masks[1, 3:9, 10:21] = True
    rows = rows_of(task_for(), sample, Net(found([0, 1], [0.5, 0.9], masks=masks)))
    assert [coco_mask.area(row["segmentation"]) for row in rows] == [66, 0]
    np.testing.assert_array_equal(coco_mask.toBbox(rows[0]["segmentation"]), [10, 3, 11, 6])


class Averages(nn.Module):
    """Boxes and scores that hang on the pixels, and on what a batch is padded to if it is: a batch of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        height, width = (max(side) for side in zip(*(image.shape[1:] for image in images), strict=True))
        batch = torch.stack([nn.functional.pad(i, (0, width - i.shape[2], 0, height - i.shape[1])) for i in images])
        values = self.conv(batch).mean(dim=(2, 3)).sigmoid()  # (N, 4)
        ends = values.new_tensor([0.0, 0.0, 10.0, 10.0])
        return [
            {"boxes": (4 * row + ends)[None], "scores": row[:1], "labels": torch.zeros(1, dtype=torch.long)}
            for row in values
        ]


@pytest.mark.parametrize("protocol", [each.name for each in Detection.protocols])
def test_a_batch_of_1_and_of_16_find_the_same(protocol: str, tmp_path: Path) -> None:
    """Also where images of several sizes are given at once."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    task, net, items = task_for(protocol, short=48, long=80), Averages().eval(), []
    for number, (height, width) in enumerate([(40, 60), (60, 40), (33, 47), (40, 60)] * 4):
        path = tmp_path / f"{number}.png"
        assert cv2.imwrite(str(path), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        items += task.prepare(Sample(number, path))
    together = task.forward(net, items)
    for item, one in zip(items, together, strict=True):
        (alone,) = task.forward(net, [item])
        np.testing.assert_allclose(one.boxes, alone.boxes, atol=1e-4)
        np.testing.assert_allclose(one.scores, alone.scores, atol=1e-4)
    assert len({float(each.scores[0]) for each in together}) == 16


class Level(nn.Module):
    """A backbone of one level at 1/8."""

    channels, strides = (32,), (8,)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x.new_zeros(len(x), 32, x.shape[2] // 8, x.shape[3] // 8)]


@pytest.mark.parametrize(("factor", "kept"), [(1, 2), (3, 1)])
def test_mmdetection_1_suppresses_in_pixels_of_the_original_image(factor: int, kept: int, tmp_path: Path) -> None:
    """Two boxes, 46 high and 16 apart in the input, whose IoU is 31 / 63 there and 11 / 21.67 at a third of the size;
    an input of 180x120 is the image itself in one case and its threefold in the other.
    """
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), np.zeros((120 // factor, 180 // factor, 3), np.uint8))
    net: Any = fcos(Level(), classes=3, convention="mmdet1").eval()
    scores = torch.full((1, 3, 15, 22), -5.0)
    scores[0, 0, 5, 9], scores[0, 0, 7, 9] = 3.0, 2.0
    distances = torch.tensor([10.0, 20, 10, 26])[None, :, None, None].expand(1, 4, 15, 22)
    net.bbox_head.forward = lambda features: ([scores], [distances], [torch.zeros(1, 1, 15, 22)])
    rows = rows_of(task_for("mmdet1", short=120, long=1333), Sample(1, path), net)
    expected = [[66 / factor, y / factor, 20 / factor + 1, 46 / factor + 1] for y in (24, 40)]
    np.testing.assert_allclose([row["bbox"] for row in rows], expected[:kept], rtol=1e-6)


def test_scales_go_to_networks_that_take_them(tmp_path: Path) -> None:
    """Also where images of several sizes have inputs of one and go through together."""

    class Scaled(Net):
        takes_scales = True

        def forward(self, images: list[Tensor], scales: list[float] | None = None) -> Any:
            self.given.append((len(images), scales))
            return super().forward(images)

    def scales_of(protocol: str) -> Any:
        task, net, items = task_for(protocol, short=120, long=300), Scaled(found([])), []
        for number, size in enumerate([(40, 60), (20, 30), (30, 30)]):
            path = tmp_path / f"{number}.png"
            assert cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8))
            items += task.prepare(Sample(number, path))
        task.forward(net, items)
        return net.given[::2]

    assert scales_of("mmdet1") == scales_of("mmdet") == scales_of("torchvision") == [(2, [3.0, 6.0]), (1, [4.0])]
    assert scales_of("plain") == [(1, [1.0])] * 3
    (_, pair), (_, one) = scales_of("spinenet")
    assert [*pair, *one] == pytest.approx([64 / 60, 64 / 30, 64 / 30])


def test_half_precision_and_a_network_without_parameters(sample: Sample) -> None:
    net = Net(found([0], mask_crops=torch.ones(1, 28, 28, dtype=torch.float16)))
    net.weight = nn.Parameter(torch.zeros(1, dtype=torch.float16))
    (row,) = rows_of(task_for(), sample, net)
    assert net.given[0][0].dtype == torch.float16 and coco_mask.area(row["segmentation"]) == 200
    assert len(rows_of(task_for(), sample, lambda images: [found([0])] * len(images))) == 1


def test_a_truncated_image_is_named(sample: Sample) -> None:
    sample.path.write_bytes(sample.path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"a\.png is truncated"):
        task_for().prepare(sample)


def test_the_usual_protocol_of_networks() -> None:
    assert Detection.usual("mask_rcnn") == Detection.usual("fcos") == "mmdet"
    assert Detection.usual("retinanet") == "spinenet"
    assert Detection.usual("torchvision:retinanet_resnet50_fpn") == "torchvision"
    assert Detection.usual("torchvision:ssd300_vgg16") == "torchvision-fixed"
    assert Detection.usual("transformers:detr") == "plain"
