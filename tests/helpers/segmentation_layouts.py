"""Tiny sets drawn in the layouts that the publishers of segmentation sets use, written down apart from the catalog."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Layout:
    """Where an image, its labels and the list lie below the data folder; "" for labels and lists that there are not.

    values: every label that the files may hold, ignored ones among them. classes: label -> index of an output, None for
    an ignored one. coloured: whether labels are PNGs with a palette. line: what the list says of a sample.
    """

    images: str
    labels: str
    list: str
    names: tuple[str, ...]
    values: tuple[int, ...]
    classes: dict[int, int | None] = field(default_factory=dict)
    coloured: bool = False
    line: str = "{name}"


def counted(first: int, count: int, *ignored: int) -> dict[int, int | None]:
    """Labels from `first` on are the classes in order."""
    return {**{first + index: index for index in range(count)}, **dict.fromkeys(ignored)}


def layout(
    images: str,
    labels: str,
    list: str,
    names: tuple[str, ...],
    classes: dict[int, int | None],
    coloured: bool = False,
    line: str = "{name}",
) -> Layout:
    return Layout(images, labels, list, names, tuple(classes), classes, coloured, line)


VOC = ("2007_000033", "2008_000042", "2007_000061")
STUFF = [label for label in range(1, 183) if label not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)]
"""Labels of COCO-Stuff that occur: 80 things of COCO's 91 (11 were never annotated) and 91 kinds of stuff."""

CONTEXT = ("VOCdevkit/VOC2010/JPEGImages/{name}.jpg", "VOCdevkit/VOC2010/SegmentationClassContext/{name}.png")
CONTEXT_LIST = "VOCdevkit/VOC2010/ImageSets/SegmentationContext/val.txt"
VOC2012 = "VOCdevkit/VOC2012"

LAYOUTS = {
    "pascal-context-59": layout(*CONTEXT, CONTEXT_LIST, VOC, counted(1, 59, 0)),
    "pascal-context-60": layout(*CONTEXT, CONTEXT_LIST, VOC, counted(0, 60)),
    "lip-val": layout(
        "lip/TrainVal_images/val_images/{name}.jpg",
        "lip/TrainVal_parsing_annotations/val_segmentations/{name}.png",
        "",
        ("100034_483681", "10005_205677", "100142_449784"),
        counted(0, 20),
    ),
    "lip-test": layout(
        "lip/Testing_images/testing_images/{name}.jpg",
        "",
        "lip/Testing_images/test_id.txt",
        ("100012_501646", "100120_450577"),
        counted(0, 20),
    ),
    "voc2012-val": layout(
        VOC2012 + "/JPEGImages/{name}.jpg",
        VOC2012 + "/SegmentationClass/{name}.png",
        VOC2012 + "/ImageSets/Segmentation/val.txt",
        VOC,
        counted(0, 21, 255),
        coloured=True,
    ),
    "voc2012-test": layout(
        VOC2012 + "/JPEGImages/{name}.jpg", "", VOC2012 + "/ImageSets/Segmentation/test.txt", VOC, counted(0, 21)
    ),
    "ade20k-val": layout(
        "ADEChallengeData2016/images/validation/{name}.jpg",
        "ADEChallengeData2016/annotations/validation/{name}.png",
        "",
        ("ADE_val_00000001", "ADE_val_00000002", "ADE_val_00000003"),
        counted(1, 150, 0),
    ),
    "nyudv2-40": layout(
        "nyuv2/test/rgb/{name}.png",
        "nyuv2/test/labels_40/{name}.png",
        "nyuv2/test.txt",
        ("0001", "0009", "0002"),
        counted(1, 40, 0),
    ),
    "sunrgbd-37": layout(
        "sunrgbd/SUNRGBD-test_images/{name}.jpg",
        "sunrgbd/sunrgbd_train_test_labels/{name}.png",
        "",
        ("img-000001", "img-000002"),
        counted(1, 37, 0),
    ),
    "pascal-person-part": layout(
        "VOCdevkit/VOC2010/JPEGImages/{name}.jpg",
        "pascal_person_part/pascal_person_part_gt/{name}.png",
        "pascal_person_part/pascal_person_part_trainval_list/val_id.txt",
        VOC,
        counted(0, 7, 255),
    ),
    "coco-stuff-10k": layout(
        "cocostuff/val/image/{name}.jpg",
        "cocostuff/val/label/{name}.png",
        "",
        ("COCO_train2014_000000000825", "COCO_train2014_000000000934"),
        {**{label: index for index, label in enumerate(STUFF)}, 0: None},
    ),
    "coco-stuff-164k-val2017": layout(
        "coco_stuff164k/images/val2017/{name}.jpg",
        "coco_stuff164k/annotations/val2017/{name}.png",
        "",
        ("000000000139", "000000000285"),
        {**{label - 1: index for index, label in enumerate(STUFF)}, 255: None},
    ),
    "camvid-11": layout(
        "CamVid/test/{name}.png",
        "CamVid/testannot/{name}.png",
        "",
        ("0001TP_008550", "Seq05VD_f00000"),
        counted(0, 11, 11),
    ),
}


def draw(root: Path, made: Layout, seed: int = 0, size: tuple[int, int] = (24, 18)) -> dict[str, np.ndarray]:
    """Writes the set below `root`. Returns the label map (H, W) of each name, every value among them."""
    rng = np.random.default_rng(seed)
    width, height = size
    truth = {}
    for number, name in enumerate(made.names):
        save(root / made.images.format(name=name), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        values = np.array(made.values, np.uint8)
        labels = rng.choice(values, (height, width))
        labels.ravel()[: len(values)] = values[: labels.size] if number == 0 else labels.ravel()[: len(values)]
        truth[name] = labels
        if made.labels:
            save(root / made.labels.format(name=name), labels, made.coloured)
    if made.list:
        path = root / made.list
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(made.line.format(name=name) + "\n" for name in made.names))
    return truth


def save(path: Path, values: np.ndarray, coloured: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values)
    if coloured:
        picture.putpalette(np.random.default_rng(1).integers(0, 256, 768, dtype=np.uint8).tobytes())
    picture.save(path)


def indices(labels: np.ndarray, classes: dict[int, int | None]) -> np.ndarray:
    """Class indices (H, W) of labels, 0 where nothing is judged."""
    table = np.zeros(256, np.uint8)
    for label, index in classes.items():
        table[label] = index or 0
    return table[labels]
