"""Closed forms of DARK's and UDP's expansions; mmpose's numbers are in tests/golden."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hrbench.errors import UsageError
from hrbench.tasks.pose import decoding, geometry
from hrbench.tasks.pose.protocols import NAMED_PROTOCOLS, checked

BY_NAME = {protocol.name: protocol for protocol in NAMED_PROTOCOLS}
REFINED = ["dark", "udp"]


def gaussians(centres: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Heatmaps (N, 1, h, w) float32 of height 1 around centres (N, 2); size: (width, height)."""
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    square = (x - centres[:, :1, None]) ** 2 + (y - centres[:, 1:, None]) ** 2
    return np.exp(-square / (2 * sigma**2)).astype(np.float32)[:, None]


def centres_of(seed: int, size: tuple[int, int], away: float) -> np.ndarray:
    """Two hundred centres (200, 2) between pixels, `away` from the border at least."""
    return np.random.default_rng(seed).uniform(away, np.array(size) - 1 - away, (200, 2))


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
@pytest.mark.parametrize("name", REFINED)
def test_an_exact_gaussian_is_decoded_to_its_centre(name, sigma):
    """The logarithm of a Gaussian is a parabola: but for float32, one step is exact."""
    centres = centres_of(1, (72, 96), 14)
    points, maxima = decoding.refined_maxima(gaussians(centres, (72, 96), sigma), name, 0)
    np.testing.assert_allclose(points[:, 0], centres, rtol=0, atol=1e-5)
    assert maxima.max() <= 1


@pytest.mark.parametrize(("name", "bound"), [("dark", 4e-4), ("udp", 5e-5)])
@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_a_smoothed_gaussian_is_decoded_to_its_centre(name, sigma, bound):
    """The kernel of 11 pixels ends at two and a half sigma, so that what is smoothed is no Gaussian in the tails."""
    centres = centres_of(2, (48, 64), 14)
    points, _ = decoding.refined_maxima(gaussians(centres, (48, 64), sigma), name, 11)
    np.testing.assert_allclose(points[:, 0], centres, rtol=0, atol=bound)


def test_a_wider_kernel_comes_closer():
    centres = centres_of(3, (48, 64), 14)
    errors = [
        np.abs(decoding.refined_maxima(gaussians(centres, (48, 64), 2), "dark", kernel, 2.0)[0][:, 0] - centres).max()
        for kernel in (5, 11, 21)
    ]
    assert errors[0] > errors[1] > 10 * errors[2]


@pytest.mark.parametrize("name", REFINED)
def test_at_the_border(name):
    """DARK leaves a maximum within two pixels of the border where it is, UDP refines it by the edge's values."""
    centre = np.array([[1.2, 30.3]])
    points, _ = decoding.refined_maxima(gaussians(centre, (48, 64), 2), name, 0)
    if name == "dark":
        assert points[0, 0].tolist() == [1, 30]
    else:
        np.testing.assert_allclose(points[0, 0], centre[0], atol=1e-5)


@pytest.mark.parametrize("name", REFINED)
@pytest.mark.parametrize("kernel", [0, 11])
def test_maps_without_a_positive_value_have_their_joint_outside(name, kernel):
    heatmaps = np.stack([np.zeros((8, 6)), np.full((8, 6), -1.0), np.full((8, 6), np.nan)]).astype(np.float32)[None]
    points, maxima = decoding.refined_maxima(heatmaps, name, kernel)
    assert points[0].tolist() == [[-1, -1]] * 3
    assert maxima[0, :2, 0].tolist() == [0, -1]


@pytest.mark.parametrize("name", REFINED)
def test_a_flat_map_stays_at_its_first_pixel(name):
    points, _ = decoding.refined_maxima(np.ones((1, 1, 9, 7), np.float32), name, 0)
    assert points[0, 0].tolist() == [0, 0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 11, 17]))
def test_smoothing_keeps_each_maximum_and_mixes_no_maps(seed, kernel):
    heatmaps = np.random.default_rng(seed).uniform(0, 1, (2, 3, 9, 8)).astype(np.float32)
    kept = heatmaps.copy()
    found = decoding.smoothed(heatmaps, kernel)
    np.testing.assert_array_equal(heatmaps, kept)
    np.testing.assert_allclose(found.max(axis=(2, 3)), heatmaps.max(axis=(2, 3)), rtol=1e-6)
    alone = np.stack([decoding.smoothed(one[None, None], kernel)[0, 0] for one in heatmaps.reshape(6, 9, 8)])
    np.testing.assert_allclose(found.reshape(6, 9, 8), alone, rtol=1e-6)


@pytest.mark.parametrize("kernel", [3, 11, 17])
def test_the_gaussian_is_that_of_its_formula(kernel):
    """A single bright pixel becomes the kernel: exp(-r^2 / 2 sigma^2) in its square, zero outside."""
    heatmap = np.zeros((1, 1, 41, 41), np.float32)
    heatmap[0, 0, 20, 20] = 1
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8
    y, x = np.mgrid[-20:21, -20:21]
    expected = np.exp(-(x**2 + y**2) / (2 * sigma**2)) * (np.maximum(abs(x), abs(y)) <= kernel // 2)
    if kernel > 7:  # up to 7 OpenCV has kernels by tables
        np.testing.assert_allclose(decoding.smoothed(heatmap, kernel)[0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(decoding.smoothed(heatmap, kernel, sigma)[0, 0], expected, atol=1e-6)


coordinates = st.floats(-500, 500, allow_nan=False)


@given(x=coordinates, y=coordinates, w=st.floats(0.05, 5), h=st.floats(0.05, 5))
def test_a_regions_corners_are_the_corner_pixels_by_udp(x, y, w, h):
    centre, scale = np.array([x, y]), np.array([w, h])
    low, high = centre - 100 * scale, centre + 100 * scale
    there = geometry.transform_points([low, high, centre], geometry.udp_matrix(centre, scale, (192, 256)))
    np.testing.assert_allclose(there, [[0, 0], [191, 255], [95.5, 127.5]], atol=0.05)
    back = geometry.heatmap_to_image("udp", centre, scale, (48, 64))
    np.testing.assert_allclose(geometry.transform_points([[0, 0], [47, 63]], back), [low, high], atol=1e-9)


@pytest.mark.parametrize("name", REFINED)
def test_a_joint_comes_back_to_its_place_in_the_image(name):
    """Image to input by the crop's map, input to heatmap, a Gaussian there, decoded, and back to the image."""
    protocol = BY_NAME[name]
    centre, scale = np.array([120.25, 200.5], np.float32), np.array([0.75, 1.0], np.float32)
    joint = np.array([[101.3, 222.7]])
    if protocol.affine == "udp":
        at_input = geometry.transform_points(joint, geometry.udp_matrix(centre, scale, (192, 256)))
        at_heatmap = at_input * np.array([47 / 191, 63 / 255])
    else:
        at_heatmap = geometry.transform_points(joint, geometry.affine_matrix(centre, scale, (48, 64)))
    found, confidence = decoding.decode(
        gaussians(at_heatmap, (48, 64), 2), [centre], [scale], decoding=protocol.decoding, affine=protocol.affine,
        kernel=protocol.blur_kernel,
    )  # fmt: skip
    assert found.dtype == np.float64 and confidence.shape == (1, 1, 1)
    np.testing.assert_allclose(found[0], joint, atol=4e-4 * 200 * 0.75 / 47)


def test_a_mirrored_heatmap_needs_no_shift_by_udp():
    """The mirror of the input is that of its heatmap about the same axis, the middle of the outermost pixels."""
    centres = centres_of(5, (48, 64), 14)
    direct = gaussians(centres, (48, 64), 2)
    mirrored = gaussians(np.array([47, 0]) + centres * [-1, 1], (48, 64), 2)
    mean = geometry.average_flip(direct, mirrored, [], shift=False)
    np.testing.assert_allclose(decoding.refined_maxima(mean, "udp", 0)[0][:, 0], centres, rtol=0, atol=1e-5)


def test_the_classic_decoding_is_hrnets():
    heatmaps = np.random.default_rng(0).uniform(-1, 1, (2, 3, 16, 12)).astype(np.float32)
    places = [np.array([50, 60], np.float32)] * 2, [np.array([0.3, 0.4], np.float32)] * 2
    for offset in (True, False):
        ours, theirs = (f(heatmaps, *places, quarter_offset=offset) for f in (decoding.decode, geometry.decode))
        for one, other in zip(ours, theirs, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def discs(centres: np.ndarray, size: tuple[int, int], radius: float) -> np.ndarray:
    """Combined heatmaps (N, 3, h, w) float32: a disc around centres (N, 2), and how far each pixel is from them."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    along = [(centres[:, axis, None, None] - place) / radius for axis, place in enumerate((x, y))]
    return np.stack([along[0] ** 2 + along[1] ** 2 <= 1, *along], axis=1).astype(np.float32)


@pytest.mark.parametrize("kernel", [0, 11, 23])
def test_offsets_lead_from_any_pixel_to_the_joint(kernel):
    """At each pixel the offset maps tell the rest of the way: whatever is the maximum, the joint is exact."""
    centres = centres_of(5, (48, 64), 2)
    heatmaps = discs(centres, (48, 64), 3.5)
    points, maxima = decoding.combined_maxima(heatmaps, kernel, radius=3.5 / 64)
    np.testing.assert_allclose(points[:, 0], centres, rtol=0, atol=1e-5)
    assert maxima.max() <= 1 + 1e-6
    wrong, _ = decoding.combined_maxima(heatmaps, kernel, radius=7 / 64)
    assert np.abs(wrong[:, 0] - centres).max() > 0.1


def test_a_mirrored_joint_has_a_mirrored_offset():
    centres = centres_of(6, (48, 64), 4)
    heatmaps, mirrored = (discs(one, (48, 64), 3.5) for one in (centres, [47, 0] + centres * [-1, 1]))
    mean = geometry.average_flip(heatmaps, mirrored, [], shift=False, combined=True)
    np.testing.assert_allclose(mean, heatmaps, rtol=0, atol=1e-5)
    pair = geometry.mirror_combined(np.concatenate([mirrored, heatmaps], axis=1), [(0, 1)])
    np.testing.assert_allclose(pair[:, 3:], heatmaps, rtol=0, atol=1e-5)


def test_maxima_with_the_map_of_udp():
    heatmaps = np.zeros((1, 1, 64, 48), np.float32)
    heatmaps[0, 0, 63, 47] = 1
    found, _ = decoding.decode(heatmaps, [np.array([100.0, 80.0])], [np.array([0.5, 1.0])], affine="udp")
    assert found[0, 0].tolist() == [150, 180]


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("dark", {"quarter_offset": True}, "set it to false for decoding: dark"),
        ("top-down", {"blur_kernel": 11}, "here it is maximum"),
        ("udp", {"blur_kernel": 10}, "it is odd"),
        ("udp", {"blur_kernel": -3}, "it is odd"),
        ("dark", {"blur_sigma": -1.0}, "0 or more"),
        ("udp-combined", {"offset_radius": 0.0}, "above 0 with decoding: combined"),
        ("udp", {"offset_radius": 0.1}, "and 0 with others"),
        ("udp-combined", {"quarter_offset": True}, "set it to false for decoding: combined"),
        ("dark", {"blur_kernel": 0, "blur_sigma": 2.0}, "only with a blur_kernel"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(name, change, says):
    assert checked(BY_NAME[name]) is BY_NAME[name]
    with pytest.raises(UsageError, match=says):
        checked(dataclasses.replace(BY_NAME[name], **change))


@pytest.mark.numeric
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_with_a_narrower_gaussian_joints_are_those_of_vitpose_in_transformers(noise):
    """Whose kernel of 11 pixels has a sigma of 0.8, and that of mmpose 2."""
    library = pytest.importorskip("transformers")
    box, centres = [20.0, 30.0, 90.0, 120.0], centres_of(7, (48, 64), 14)
    heatmaps = gaussians(centres, (48, 64), 2)[:, 0][None]
    heatmaps = heatmaps + np.float32(noise) * np.random.default_rng(0).normal(0, 1, heatmaps.shape).astype(np.float32)
    processor = library.VitPoseImageProcessor()
    ((theirs,),) = processor.post_process_pose_estimation(
        SimpleNamespace(heatmaps=torch.from_numpy(heatmaps)), boxes=[[box]]
    )
    centre, scale = geometry.box_to_centre_scale(box, (256, 192))
    ours, _ = decoding.decode(heatmaps, [centre], [scale], decoding="udp", affine="udp", kernel=11, sigma=0.8)
    np.testing.assert_allclose(ours[0], theirs["keypoints"].numpy(), atol=1e-4)
