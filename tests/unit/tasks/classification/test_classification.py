"""Crops against torchvision's own, files of every kind that ImageNet has, and the five best classes."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.formats.pil_images import read_rgb
from hrbench.metrics.topk import TopK
from hrbench.tasks.classification.task import CentreCrop, Classification, centre_crop, cut
from hrbench.types import ClassScheme, Item, Sample, Variant

pytestmark = pytest.mark.numeric

NAMES = tuple("abcdefgh")
FRACTIONS = [(7, 8), (19, 20), (1, 1)]
CROPS = [*Classification.protocols, CentreCrop(antialias=False), CentreCrop(crop_fraction=1.0)]
KINDS = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"]


def task_of(colour: Any = "rgb", names: tuple[str, ...] = NAMES, **settings: Any) -> Classification:
    variant = Variant("any", "any", "classification", (32, 32), colour=colour)
    return Classification(variant, SimpleNamespace(scheme=ClassScheme(names)), {**asdict(CentreCrop()), **settings})


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=40)
@given(
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    side=st.integers(8, 40),
    pair=st.sampled_from(FRACTIONS),
)
def test_the_crop_is_torchvisions(height: int, width: int, side: int, pair: tuple[int, int]) -> None:
    image, fraction = noise(height, width), pair[0] / pair[1]
    short = side * pair[1] // pair[0]
    for name, mode in (("bilinear", v2.InterpolationMode.BILINEAR), ("bicubic", v2.InterpolationMode.BICUBIC)):
        theirs = v2.Compose([v2.Resize(short, mode), v2.CenterCrop(side)])(Image.fromarray(image))
        protocol = replace(CentreCrop(crop_fraction=fraction), interpolation=name)
        ours = centre_crop(image, (side, side), protocol)
        np.testing.assert_array_equal(ours, np.asarray(theirs))


@pytest.mark.parametrize(
    "protocol", [*Classification.protocols, CentreCrop(antialias=False), CentreCrop(crop_fraction=1.0)]
)
@pytest.mark.parametrize("size", [(90, 40), (40, 90), (33, 33), (5, 3), (1, 1)])
@pytest.mark.parametrize("input", [(32, 32), (24, 48), (48, 24)])
def test_every_image_fills_every_input(protocol: CentreCrop, size: tuple[int, int], input: tuple[int, int]) -> None:
    image = np.full((*size, 3), (10, 130, 240), np.uint8)
    crop = centre_crop(image, input, protocol)
    assert crop.shape == (*input, 3) and crop.dtype == np.uint8
    np.testing.assert_array_equal(np.unique(crop.reshape(-1, 3), axis=0), [[10, 130, 240]])


def test_the_middle_is_what_is_seen() -> None:
    image = np.zeros((80, 160, 3), np.uint8)
    image[10:70, 50:110] = 255  # the central square of 75 % of the short side
    for protocol in (replace(each, crop_mode="centre") for each in Classification.protocols):
        crop = centre_crop(image, (32, 32), replace(protocol, crop_fraction=0.75))
        assert crop[2:-2, 2:-2].min() == 255
        crop = centre_crop(image, (32, 32), replace(protocol, crop_fraction=1.0))
        assert crop[0].max() == 0 and crop[:, 0].max() == 0 and crop[16, 16].min() == 255


def test_antialias_tells() -> None:
    """Stripes of one pixel become grey with it; without it samples fall on one of them."""
    image = np.zeros((128, 128, 3), np.uint8)
    image[:, ::2] = 255
    smooth = centre_crop(image, (32, 32), CentreCrop(crop_fraction=1.0)).astype(int)
    sharp = centre_crop(image, (32, 32), CentreCrop(crop_fraction=1.0, antialias=False, interpolation="nearest"))
    assert abs(smooth - 128).max() < 12 and set(np.unique(sharp)) <= {0, 255}


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "RGBA", "1", "I;16"])
def test_files_of_every_kind_become_rgb(tmp_path: Path, mode: str) -> None:
    """ImageNet's validation images hold grey and CMYK JPEGs, its training images a PNG that is called JPEG."""
    path = tmp_path / "image.JPEG"
    if mode == "I;16":
        picture = Image.fromarray(np.full((20, 24), 300, np.uint16))
    else:
        picture = Image.fromarray(noise(20, 24)).convert(mode)
    picture.save(path, "JPEG" if mode in ("RGB", "L", "CMYK") else "PNG")
    with Image.open(path) as again:
        expected = np.asarray(again.convert("RGB"))
    found = read_rgb(path, (24, 20))
    assert found.shape == (20, 24, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "image.JPEG"
    with pytest.raises(MissingError, match=str(path)):
        read_rgb(path)
    Image.fromarray(noise(64, 64)).save(path)
    sound = path.read_bytes()
    for damaged, why in ((sound[:700], ""), (sound[:100], ""), (b"", "it is empty"), (b"no image", "it is no image")):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"image .*image.JPEG cannot be read whole \({why}") as caught:
            read_rgb(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(sound)
    with pytest.raises(InputError, match="is 64x64 pixels, its annotation says 64x65"):
        read_rgb(path, (64, 65))


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
)
def test_damage_is_told_or_harmless(tmp_path_factory, kind: str, at: int, byte: int) -> None:
    path = tmp_path_factory.mktemp("damage") / "image"
    Image.fromarray(noise(9, 7)).save(path, kind)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = byte
    path.write_bytes(bytes(data))
    try:
        assert read_rgb(path).ndim == 3
    except InputError as error:
        assert str(path) in str(error)


def test_colours_come_in_the_network_s_order(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    Image.fromarray(np.full((40, 40, 3), (200, 30, 10), np.uint8)).save(path)
    for colour, expected in (("rgb", (200, 30, 10)), ("bgr", (10, 30, 200))):
        (item,) = task_of(colour).prepare(Sample("red", path))
        assert tuple(item.image[5, 5]) == expected and item.image.flags.c_contiguous


# --- boxes -----------------------------------------------------------------------------------------------------------


def test_a_box_is_enlarged_about_its_centre_and_cut_at_the_border() -> None:
    image = np.arange(40 * 60, dtype=np.int32).reshape(40, 60)[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(cut(image, (10, 20, 8, 4), 1.0), image[20:24, 10:18])
    np.testing.assert_array_equal(cut(image, (10, 20, 8, 4), 1.5), image[19:25, 8:20])
    np.testing.assert_array_equal(cut(image, (50, 30, 20, 20), 1.5), image[25:, 45:])
    assert cut(image, (59.9, 39.9, 0.01, 0.01), 1.0).shape == (1, 1, 3)
    assert cut(image, (200, 200, 5, 5), 1.0).shape == (1, 1, 3)


def test_only_the_box_is_looked_at(tmp_path: Path) -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[20:40, 20:40] = 255
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    (item,) = task_of().prepare(Sample("a", path, content=(20.0, 20.0, 20.0, 20.0)))
    assert item.image.min() == 255
    (item,) = task_of(box_scale=3.0, crop_fraction=1.0).prepare(Sample("a", path, content=(20.0, 20.0, 20.0, 20.0)))
    assert item.image[0].max() == 0 and item.image[16, 16].min() == 255


# --- logits ----------------------------------------------------------------------------------------------------------


def finished(logits: list[float], **settings: Any) -> tuple[list[int], list[float]]:
    task = task_of(names=tuple(map(str, range(len(logits)))), **settings)
    item = Item("a", np.zeros((32, 32, 3), np.uint8))
    labels, scores = task.finish(Sample("a", Path("a.png")), [(item, np.array(logits, np.float32))]).value
    return labels.tolist(), scores.tolist()


def test_the_five_best_with_their_probabilities() -> None:
    labels, scores = finished([0.0, 1.0, -5.0, 1.0, 2.0, 0.5])
    assert labels == [4, 1, 3, 5, 0]  # of equals the first
    whole = np.exp([0.0, 1.0, -5.0, 1.0, 2.0, 0.5]).sum()
    assert scores == pytest.approx(np.exp([2.0, 1.0, 1.0, 0.5, 0.0]) / whole)
    assert finished([3e4, -3e4]) == ([0, 1], [1.0, 0.0])


def test_logits_that_are_not_finite_are_told() -> None:
    with pytest.raises(EntryError, match="image a: a logit is not finite"):
        finished([0.0, float("nan")])


def test_a_network_of_other_classes_is_told() -> None:
    item = Item("a", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(EntryError, match=r"the network returned \(1, 1001\) for 1 images.*logits \(1, 8\)"):
        task_of().forward(lambda x: torch.zeros(len(x), 1001), [item])
    with pytest.raises(EntryError, match="the network returned a dict"):
        task_of().forward(lambda x: {}, [item])


@pytest.mark.parametrize("setting", [{"crop_fraction": 0.0}, {"crop_fraction": 1.2}, {"box_scale": 0.0}])
def test_settings_out_of_range_are_told(setting: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(setting))):
        task_of(**setting)


def test_usual_protocols() -> None:
    assert Classification.usual("timm:resnet50") == "timm" and Classification.usual("cls_spinenet") == "spinenet"
    assert Classification.usual("cls_hrnet") == Classification.usual("torchvision:resnet50") == "imagenet"


# --- pictures --------------------------------------------------------------------------------------------------------


def test_the_picture_shows_the_image_and_its_classes(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((50, 80, 3), (255, 0, 0), np.uint8)).save(path)
    task, sample = task_of(), Sample("x/photo", path, group="c", content=(8.0, 5.0, 30.0, 20.0))
    item = Item("x/photo", np.zeros((32, 32, 3), np.uint8))
    prediction = task.finish(sample, [(item, np.array([0, 1, 5, 2, 0, 0, 0, 0], np.float32))])
    TopK().write_predictions([prediction], tmp_path / "predictions.csv")
    rows = task.rows(tmp_path / "predictions.csv", [sample])
    assert [row["label"] for row in rows["x/photo"]] == ["2", "3", "1", "0", "4"]
    assert rows["x/photo"][0]["score"] == pytest.approx(0.905, abs=0.01)
    task.draw(sample, rows["x/photo"], tmp_path / "drawings" / "a.png")
    picture = cv2.imread(str(tmp_path / "drawings" / "a.png"))
    assert picture is not None and picture.shape[1] == 320 and picture.shape[0] == 200 + 6 * 24 + 4
    assert (picture[190, 300] == (0, 0, 255)).all()  # the image
    green = (picture == (120, 190, 120)).all(axis=2)
    assert green[200 + 24 : 200 + 48].any() and not green[200 + 48 :].any()  # the right class, whose bar comes first
