"""DARK and UDP, also with combined heatmaps, against records of mmpose 1.3.2 (record_mmpose.py): crops, mirrored
heatmaps, decoded joints."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from test_pose_protocol import formula_image

from hrbench.tasks.pose import decoding, geometry

pytestmark = pytest.mark.numeric

SIZES = {"256x192": ((192, 256), (48, 64)), "384x288": ((288, 384), (72, 96))}
KINDS = ("exact", "noisy", "two", "border", "low", "noise", "empty")
FLIP_PAIRS = [(1, 2), (4, 5)]
BOUND = 1e-5
"""Pixels of the input, or of the image. Where libraries are those of the records, joints in the input are equal to the
last bit."""


@pytest.fixture(scope="module", params=SIZES)
def size(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def record(golden_folder: Path, size: str) -> dict[str, np.ndarray]:
    with np.load(golden_folder / f"mmpose/{size}.npz") as file:
        return {name: file[name] for name in file.files}


def at_input(points: np.ndarray, size: str, kind: str) -> np.ndarray:
    """Joints (K, 2) of the heatmap in pixels of the network's input."""
    input, heatmap = (np.array(each, np.float64) for each in SIZES[size])
    # in mmpose the last pixel of a heatmap by UDP lies on the input's border: the map back to the image undoes it
    return points / (heatmap - 1) * input if kind == "udp" else points * (input / heatmap)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel", [11, 17])
@pytest.mark.parametrize("name", ["dark", "udp"])
def test_joints_in_the_input(record, size, name, kernel, kind):
    heatmaps = record[f"heatmaps {kind}"].astype(np.float32)[None]
    points, maxima = decoding.refined_maxima(heatmaps, name, kernel)
    np.testing.assert_allclose(at_input(points[0], size, name), record[f"{name} {kernel} {kind}"], rtol=0, atol=BOUND)
    np.testing.assert_array_equal(maxima[0, :, 0], record[f"scores {kind}"])
    if kind != "noise":  # of which a step is as long as the Hessian is flat
        assert np.abs(points[0]).max() < max(SIZES[size][1]) + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dark", "udp"])
def test_joints_in_the_image(golden, record, size, name, kind):
    index = golden("mmpose/index.json")
    affine = "udp" if name == "udp" else "classic"
    place = index["crops"][f"{size} {index[f'box of {kind}']} {affine}"]
    centre, scale = np.array(place["centre"]), np.array(place["scale"]) / geometry.PIXEL_STD
    heatmaps = record[f"heatmaps {kind}"].astype(np.float32)[None]
    joints, _ = decoding.decode(heatmaps, [centre], [scale], decoding=name, affine=affine, kernel=11)
    np.testing.assert_allclose(joints[0], record[f"image {name} 11 {kind}"], rtol=0, atol=BOUND)


@pytest.mark.parametrize("name", ["dark", "udp"])
def test_the_mean_with_the_mirrored_image(record, size, name):
    direct, mirrored = (record[f"{each} two"].astype(np.float32)[None] for each in ("heatmaps", "mirrored"))
    mean = geometry.average_flip(direct, mirrored, FLIP_PAIRS, shift=name == "dark")
    points, _ = decoding.refined_maxima(mean, name, 11)
    np.testing.assert_allclose(at_input(points[0], size, name), record[f"flip {name} 11"], rtol=0, atol=BOUND)


def test_crops_of_udp(golden, size):
    index = golden("mmpose/index.json")
    image, input = formula_image(240, 260, 5), SIZES[size][0]
    for name, box in index["boxes"].items():
        expected = index["crops"][f"{size} {name} udp"]
        centre, scale = geometry.box_to_centre_scale(box, (input[1], input[0]))
        assert centre.tolist() == expected["centre"]
        # in units of 200 px float32 rounds once more: at most 3.1e-5 px here
        np.testing.assert_allclose(scale * geometry.PIXEL_STD, expected["scale"], rtol=1.2e-7)
        crop = geometry.crop(image, centre, scale, input, affine="udp")
        assert zlib.crc32(crop.tobytes()) == expected["crc32"]
        assert zlib.crc32(geometry.crop(image, centre, scale, input).tobytes()) != expected["crc32"]


RADIUS = 0.0546875


@pytest.fixture(scope="module")
def combined(golden_folder: Path) -> dict[str, np.ndarray]:
    with np.load(golden_folder / "mmpose/combined.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("kernel", [11, 5])
@pytest.mark.parametrize("kind", ["exact", "noisy", "two", "border", "empty"])
def test_joints_of_combined_heatmaps(combined, size, kernel, kind):
    """mmpose's Gaussian has 2 x kernel + 1 pixels. For a map that is nowhere positive it reads offsets of another."""
    heatmaps = combined[f"{size} heatmaps {kind}"].astype(np.float32)[None]
    points, maxima = decoding.combined_maxima(heatmaps, 2 * kernel + 1, radius=RADIUS)
    some = [0, 2] if kind == "empty" else [0, 1, 2]
    expected = combined[f"{size} {kernel} {kind}"][some]
    np.testing.assert_allclose(at_input(points[0, some], size, "udp"), expected, rtol=0, atol=BOUND)
    np.testing.assert_allclose(maxima[0, :, 0], combined[f"{size} {kernel} scores {kind}"], rtol=0, atol=1e-6)
    if kind == "empty":
        assert points[0, 1].tolist() == [-1, -1] and maxima[0, 1, 0] < 0


def test_joints_of_combined_heatmaps_in_the_image(golden, combined, size):
    place = golden("mmpose/index.json")["crops"][f"{size} wide udp"]
    centre, scale = np.array(place["centre"]), np.array(place["scale"]) / geometry.PIXEL_STD
    heatmaps = combined[f"{size} heatmaps noisy"].astype(np.float32)[None]
    joints, _ = decoding.decode(
        heatmaps, [centre], [scale], decoding="combined", affine="udp", kernel=23, radius=RADIUS
    )
    np.testing.assert_allclose(joints[0], combined[f"{size} image wide"], rtol=0, atol=BOUND)


def test_the_mean_of_combined_heatmaps_with_the_mirrored_image(combined, size):
    direct, mirrored = (combined[f"{size} heatmaps {each}"].astype(np.float32)[None] for each in ("noisy", "two"))
    mean = geometry.average_flip(direct, mirrored, [(1, 2)], shift=False, combined=True)
    points, _ = decoding.combined_maxima(mean, 23, radius=RADIUS)
    np.testing.assert_allclose(at_input(points[0], size, "udp"), combined[f"{size} flip"], rtol=0, atol=BOUND)
