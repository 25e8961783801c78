"""Closed forms and laws of boxes, maps and heatmaps; the official numbers are in tests/golden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.tasks.pose import geometry

coordinates = st.floats(-2000, 2000, allow_nan=False)
lengths = st.floats(1, 2000, allow_nan=False)


@given(x=coordinates, y=coordinates, w=lengths, h=lengths)
def test_a_box_grows_to_the_inputs_aspect_and_keeps_its_centre(x, y, w, h):
    centre, scale = geometry.box_to_centre_scale((x, y, w, h), (256, 192))
    np.testing.assert_allclose(centre, [x + w / 2, y + h / 2], rtol=1e-5, atol=1e-3)
    assert scale[0] / scale[1] == pytest.approx(192 / 256, rel=1e-5)
    padding = 1.0 if centre[0] == -1 else 1.25
    assert scale[0] * 200 == pytest.approx(max(w, h * 0.75) * padding, rel=1e-5)


def test_the_centre_of_minus_one_is_not_padded():
    _, scale = geometry.box_to_centre_scale((-11.0, 0.0, 20.0, 10.0), (256, 192))
    assert scale[0] == pytest.approx(0.1)


@given(x=coordinates, y=coordinates, size=st.floats(0.05, 10), rotation=st.floats(-180, 180))
def test_there_and_back_again(x, y, size, rotation):
    centre, scale = np.array([x, y], np.float32), np.array([size, size * 4 / 3], np.float32)
    there = geometry.affine_matrix(centre, scale, (192, 256), rotation=rotation)
    back = geometry.affine_matrix(centre, scale, (192, 256), rotation=rotation, inverse=True)
    points = np.array([[x, y], [x + 10 * size, y - 20 * size]])
    np.testing.assert_allclose(
        geometry.transform_points(geometry.transform_points(points, there), back), points, atol=0.05
    )
    np.testing.assert_allclose(geometry.transform_points(points, there)[0], [96, 128], atol=0.02)


def test_the_magnification_is_the_widths():
    matrix = geometry.affine_matrix(np.array([100.0, 100.0]), np.array([1.0, 9.0]), (192, 256))
    np.testing.assert_allclose(matrix, [[0.96, 0, 0], [0, 0.96, 32]], atol=1e-5)


def test_the_first_of_equal_maxima_wins():
    heatmaps = np.zeros((1, 1, 4, 5), np.float32)
    heatmaps[0, 0, 1, 3] = heatmaps[0, 0, 2, 0] = 2
    points, value = geometry.heatmap_maxima(heatmaps)
    assert points.tolist() == [[[3.0, 1.0]]]
    assert value.tolist() == [[[2.0]]]


@given(st.integers(0, 2**32 - 1))
def test_mirroring_twice_changes_nothing(seed):
    heatmaps = np.random.default_rng(seed).standard_normal((2, 5, 4, 6)).astype(np.float32)
    pairs = [(0, 3), (1, 2)]
    once = geometry.mirror_heatmaps(heatmaps, pairs)
    np.testing.assert_array_equal(geometry.mirror_heatmaps(once, pairs), heatmaps)
    np.testing.assert_array_equal(once[:, 4], heatmaps[:, 4, :, ::-1])
    np.testing.assert_array_equal(once[:, 0], heatmaps[:, 3, :, ::-1])


def test_the_shift_keeps_the_first_column():
    assert geometry.shift_right(np.array([[[[1.0, 2.0, 3.0]]]])).tolist() == [[[[1.0, 1.0, 2.0]]]]


def test_a_symmetric_blob_is_decoded_at_its_centre():
    y, x = np.mgrid[:64, :48]
    heatmap = np.exp(-((x - 20) ** 2 + (y - 30) ** 2) / 8).astype(np.float32)[None, None]
    centre, scale = np.array([100, 120], np.float32), np.array([0.96, 1.28], np.float32)
    points, confidence = geometry.decode(heatmap, [centre], [scale])
    np.testing.assert_allclose(points[0, 0], [100 + (20 - 24) * 4, 120 + (30 - 32) * 4], atol=1e-4)
    assert confidence[0, 0, 0] == 1
