"""A drawn body: symmetric, so that its mirror image with left and right exchanged is again a body."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.miniature.generate import body_model
from hrbench.miniature.generate.body_model import Body
from hrbench.miniature.generate.canvas import Canvas

PAIRS = [(left, left + 1) for left in range(1, 17, 2)]
SIZE = (100, 120)


def standing(seed: int) -> Body:
    """A body in the middle of a 100 x 120 image."""
    body = body_model.pose_body(np.random.default_rng(seed), 90)
    x, y, w, h = body.box
    body.shift(SIZE[0] / 2 - 0.5 - x - w / 2, SIZE[1] / 2 - y - h / 2)
    return body


def mirrored(body: Body) -> Body:
    """The body that a mirror shows: x reversed about the image's middle, left and right exchanged."""
    order = np.arange(len(body_model.JOINTS))
    for left, right in PAIRS:
        order[[left, right]] = order[[right, left]]
    flip, about = np.array([-1.0, 1.0, 1.0]), np.array([SIZE[0] - 1.0, 0.0, 0.0])
    own = np.array([-1.0, 1.0, 1.0])  # a frame's left axis points the other way once more
    return Body(
        joints=(body.joints * flip + about)[order],
        facing=body.facing[order],
        head=(body.head[0] * flip + about, body.head[1]),
        axes=flip[:, None] * body.axes * own,
        chest=flip[:, None] * body.chest * own,
        toes=(body.toes * flip + about)[::-1],
        height=body.height,
        look=body.look,
        box=body.box,
    )


def drawn(body: Body) -> tuple[np.ndarray, np.ndarray]:
    canvas = Canvas(*SIZE, 3)
    body_model.draw_body(canvas, body)
    return canvas.finished()


@pytest.mark.parametrize("seed", range(12))
def test_a_mirrored_body_draws_the_mirrored_picture(seed: int) -> None:
    body = standing(seed)
    image, _ = drawn(body)
    other, _ = drawn(mirrored(body))
    difference = np.abs(image[:, ::-1].astype(int) - other.astype(int)).max(axis=2)
    # Coordinates are rounded towards one side, which moves a few edges by a sixteenth of a fine pixel.
    assert (difference > 40).mean() < 0.002
    assert image.any()


@pytest.mark.parametrize("seed", range(12))
def test_a_mirrored_body_shows_the_mirrored_joints(seed: int) -> None:
    body = standing(seed)
    flags = body_model.visibility(body, drawn(body)[1], 3)
    other = mirrored(body)
    exchanged = body_model.visibility(other, drawn(other)[1], 3)
    for left, right in PAIRS:
        exchanged[[left, right]] = exchanged[[right, left]]
    assert (flags != exchanged).sum() <= 1  # a joint on the very edge of what hides it


@pytest.mark.parametrize("seed", range(20))
def test_limbs_have_the_lengths_of_a_body(seed: int) -> None:
    j = body_model.pose_body(np.random.default_rng(seed), 200).joints
    for a, b, length in ((5, 7, 0.165), (6, 8, 0.165), (7, 9, 0.15), (11, 13, 0.235), (14, 16, 0.225), (11, 12, 0.136)):
        assert np.linalg.norm(j[a] - j[b]) == pytest.approx(200 * length, rel=1e-6)


def test_left_is_to_the_right_of_who_looks_at_the_viewer_and_the_face_is_hidden_from_behind() -> None:
    fronts = backs = 0
    for seed in range(60):
        body = body_model.pose_body(np.random.default_rng(seed), 100)
        towards = float(body.chest[2, 2])
        if towards > 0.6:
            fronts += 1
            assert body.joints[5, 0] > body.joints[6, 0]
        elif towards < -0.6:
            backs += 1
            assert body.joints[5, 0] < body.joints[6, 0]
        if float(body.axes[2, 2]) < -0.5:
            assert not body.facing[:3].any()
        if float(body.axes[2, 2]) > 0.9:
            assert body.facing[:3].all()
    assert fronts > backs > 5


def test_the_box_holds_everything_that_is_drawn() -> None:
    for seed in range(12):
        body = standing(seed)
        rows, columns = np.nonzero(drawn(body)[1])
        x, y, w, h = body.box
        left, right = (columns.min() + 0.5) / 3 - 0.5, (columns.max() + 0.5) / 3 - 0.5
        top, bottom = (rows.min() + 0.5) / 3 - 0.5, (rows.max() + 0.5) / 3 - 0.5
        assert x - 0.5 <= left <= x + 3 and x + w - 3 <= right <= x + w + 0.5
        assert y - 0.5 <= top <= y + 3 and y + h - 3 <= bottom <= y + h + 0.5


def test_flags_say_seen_hidden_or_outside() -> None:
    body = standing(3)
    _, ids = drawn(body)
    alone = body_model.visibility(body, ids, 3)
    assert (alone[5:] > 0).all() and (alone[body.facing] > 0).all() and (alone[~body.facing] == 0).all()
    ids[:, :] = body_model.CLUTTER
    assert set(body_model.visibility(body, ids, 3)[body.facing]) == {1}
    body.shift(1000, 0)
    assert not body_model.visibility(body, ids, 3).any()


def test_fine_pixels_are_averaged_with_rounding() -> None:
    canvas = Canvas(2, 1, 2)
    canvas.pixels[:, :2, 0] = [[10, 11], [10, 11]]
    canvas.pixels[:, 2:, 3] = 7
    image, ids = canvas.finished()
    assert image.tolist() == [[[11, 0, 0], [0, 0, 0]]]  # 10.5 is rounded up
    assert ids.tolist() == [[0, 0, 7, 7], [0, 0, 7, 7]]
