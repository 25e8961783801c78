"""The street's camera, by hand, and strokes that change what they say."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.miniature.generate.street_camera import Camera, Paper, patch, patches, tint
from hrbench.miniature.generate.street_elements import Frustum, StreetPosition, rectangle, wall

VIEW = Camera(focal=100, centre=40, horizon=20, eye=1.5, air=(200, 200, 200), thickness=0.1)


@pytest.fixture
def paper() -> Paper:
    return Paper(VIEW, 80, 60, 3)


def test_a_point_projects_as_a_pinhole_does() -> None:
    """x = 2 m, 10 m ahead: 20 px right of the vanishing point; on the ground: 15 px below the horizon."""
    points = np.array([[2.0, 0.0, 10.0], [0.0, 1.5, 3.0], [-1.0, 3.5, 20.0]])
    np.testing.assert_allclose(VIEW.project(points), [[60, 35], [40, 20], [35, 10]])
    assert VIEW.size(0.5, 25.0) == pytest.approx(2.0)


def test_what_is_behind_the_camera_is_drawn_as_if_just_before_it() -> None:
    near, behind = VIEW.project(np.array([[0.1, 0.0, 0.5], [0.1, 0.0, -7.0]]))
    np.testing.assert_array_equal(near, behind)


def test_air_hides_what_is_far() -> None:
    assert VIEW.faded((0, 100, 50), 0.0) == (0, 100, 50)
    assert VIEW.faded((0, 100, 50), 10.0) == (126, 163, 145)  # a share of exp(-1) is left
    assert VIEW.faded((0, 100, 50), 1000.0) == (200, 200, 200)


def test_faces_and_face_paint_the_same(paper: Paper) -> None:
    other = Paper(VIEW, 80, 60, 3)
    quads = np.stack([rectangle(-1, 1, z, z + 1) for z in (9.0, 6.0)])
    colours = np.array([[10.0, 20.0, 30.0], [90.0, 60.0, 30.0]])
    paper.faces(quads, colours, 30)
    for quad, colour in zip(quads, ((10, 20, 30), (90, 60, 30)), strict=True):
        other.face(quad, colour, 30)
    np.testing.assert_array_equal(paper.canvas.pixels, other.canvas.pixels)
    assert (paper.canvas.pixels[..., 3] == 30).sum() > 100


def test_a_line_keeps_the_label_and_a_claim_the_picture(paper: Paper) -> None:
    paper.face(rectangle(-2, 2, 5, 12), (80, 80, 80), 23)
    before = paper.canvas.pixels.copy()
    paper.line(np.array([[-1.0, 0.0, 6.0], [1.0, 0.0, 10.0]]), 1.0, (255, 255, 255))
    lined = paper.canvas.pixels.copy()
    assert (lined[..., :3] != before[..., :3]).any() and np.array_equal(lined[..., 3], before[..., 3])
    paper.claim(VIEW.project(rectangle(-0.5, 0.5, 6, 7)), 77)
    assert np.array_equal(paper.canvas.pixels[..., :3], lined[..., :3])
    assert (paper.canvas.pixels[..., 3] == 77).sum() > 20


def test_a_shadow_darkens_the_ground_alone(paper: Paper) -> None:
    paper.face(rectangle(-4, 0, 5, 12), (80, 80, 80), paper.stuff(7))
    paper.face(rectangle(0, 4, 5, 12), (80, 80, 80), paper.stuff(21))
    before = paper.canvas.pixels.copy()
    paper.shadow(rectangle(-2, 2, 6, 9), (7, 8))
    changed = (paper.canvas.pixels != before).any(axis=2)
    assert changed.any() and (before[changed][:, 3] == paper.stuff(7)).all()
    assert (paper.canvas.pixels[changed][:, :3] < before[changed][:, :3]).all()


def test_strokes_outside_the_picture_change_nothing(paper: Paper) -> None:
    before = paper.canvas.pixels.copy()
    far_right = rectangle(50, 52, 5, 6)
    paper.shadow(far_right, (0,))
    paper.claim(VIEW.project(far_right), 50)
    paper.line(far_right, 1.0, (1, 2, 3))
    np.testing.assert_array_equal(paper.canvas.pixels, before)


def test_a_patch_is_a_share_of_a_quad() -> None:
    quad = wall(np.array([0.0, 4.0]), np.array([10.0, 4.0]), 2.0)
    expected = [[1.0, 1.0, 4.0], [5.0, 1.0, 4.0], [5.0, 2.0, 4.0], [1.0, 2.0, 4.0]]
    np.testing.assert_allclose(patch(quad, 0.1, 0.5, 0.5, 1.0), expected)
    many = patches(quad, np.array([[0.0, 1.0, 0.0, 1.0], [0.1, 0.5, 0.5, 1.0]]))
    np.testing.assert_allclose(many, [quad, expected])


def test_a_place_turns_what_stands_there() -> None:
    """Half a turn to the right: what was ahead is to the right, what was to the right is behind."""
    along, across, up = np.array([2.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5, 0.0])
    ahead = StreetPosition(3, 10).world(along, across, up)
    np.testing.assert_allclose(ahead, [[3, 0.5, 12], [4, 0, 10]])
    turned = StreetPosition(3, 10, np.pi / 2).world(along, across, up)
    np.testing.assert_allclose(turned, [[5, 0.5, 10], [3, 0, 9]], atol=1e-12)
    corners = Frustum((-2, 2, 1), (-1, 1, 1), 0.2, 1.2).corners(StreetPosition(0, 10))
    assert corners[:, 1].tolist() == [0.2] * 4 + [1.2] * 4
    np.testing.assert_allclose(corners[[0, 6]], [[-1, 0.2, 8], [1, 1.2, 11]])


def test_a_tint_stays_a_colour() -> None:
    assert tint((100, 200, 255), 1.5) == (150, 255, 255)
    assert tint((100, 200, 255), 0.5) == (50, 100, 127)
