"""Folders of .pts files: 300W's parts, where pixels are counted from, mirrored copies, and what is refused."""

from __future__ import annotations

from pathlib import Path

import drawn_faces as faces
import numpy as np
import pytest

from hrbench.errors import InputError, UsageError
from hrbench.formats.landmarks import read_faces
from hrbench.formats.pts import images_beside, read_pts
from hrbench.metrics.points.nme import Nme

RNG = np.random.default_rng(3)
POINTS = RNG.uniform(3, 40, (68, 2)).round(3)


def test_the_full_set_has_common_and_challenge_and_leaves_training_out(tmp_path: Path) -> None:
    drawn = faces.full_300w(tmp_path)
    read = read_faces(tmp_path)
    assert read.image.tolist() == [*drawn] and all("trainset" not in name for name in drawn)
    assert np.allclose(read.points, np.array([*drawn.values()]), atol=1e-6)
    assert read.subsets["common"].tolist() == [True] * 4 + [False] * 2
    assert read.subsets["challenge"].tolist() == [False] * 4 + [True] * 2
    assert read.notes[0] == "helen/testset: 2 faces; 300W has 330 there"
    metric = Nme()
    told = metric.input_notes(read.points, read, metric.measure(read.points, read))
    assert [note.kind for note in told] == ["faces_read"] * 3 and "300W has 330" in str(told[0])


def test_the_test_set_is_found_in_its_folder_and_above(tmp_path: Path) -> None:
    faces.own_test_300w(tmp_path / "300W")
    for folder, before in ((tmp_path, "300W/"), (tmp_path / "300W", "")):
        read = read_faces(folder)
        assert read.image[0] == f"{before}01_Indoor/000_1" and set(read.subsets) == {"indoor", "outdoor"}


def test_any_other_folder_is_read_whole(tmp_path: Path) -> None:
    faces.full_300w(tmp_path)
    read = read_faces(tmp_path / "helen")
    assert len(read.image) == 4 and read.subsets == {} and read.notes == ()


def test_pixels_count_from_1_unless_said(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text(faces.pts_text(POINTS))
    assert np.allclose(read_faces(tmp_path).points[0], POINTS - 1)
    assert np.allclose(read_faces(tmp_path, 0).points[0], POINTS)
    states = []
    for origin in (None, 1, 0):
        metric = Nme(origin=origin)
        target = metric.read_target(tmp_path)
        states.append(metric.measure(target.points + 0.5, target))
    assert [state.params["origin"] for state in states] == [1, 1, 0]
    with pytest.raises(InputError):
        Nme().merge([states[0], states[2]])
    with pytest.raises(UsageError, match="origin"):
        Nme(origin=2)
    (tmp_path / "list.csv").write_text("a")
    with pytest.raises(UsageError, match=r"folders of \.pts"):
        read_faces(tmp_path / "list.csv", 0)


def test_mirrored_copies_are_left_out_with_a_note(tmp_path: Path) -> None:
    for name in ("a", "a_mirror", "b_mirror"):
        (tmp_path / f"{name}.pts").write_text(faces.pts_text(POINTS))
    read = read_faces(tmp_path)
    assert read.image.tolist() == ["a", "b_mirror"] and "1 mirrored copy left out" in read.notes[0]


def test_an_image_is_the_one_beside(tmp_path: Path) -> None:
    for name in ("a/one.png", "a/one.jpg", "a/two 2.PNG", "three.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = images_beside(tmp_path, ["a/one", "a/two2", "three", "b/x"])
    assert found == {"a/one": "a/one.jpg", "a/two2": "a/two 2.PNG", "three": "three.bmp", "b/x": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\nn_points: 2\n{\n1 2\n3 4\n", "cut off"),
        ("version: 1\nn_points: 3\n{\n1 2\n3 4\n}", "has 2 landmarks, and says n_points: 3"),
        ("version: 2\nn_points: 2\n{\n1 2\n3 4\n}", r"a.pts:1: has version 2"),
        ("version: 1\n\nn_points: 2\n{\n1 2\n3 4 5\n}", r"a.pts:6: is no pair"),
        ("version: 1\nn_points: 2\n{\n1 2\n3 nan\n}", r"a.pts:5: a number is not finite"),
        ("1 2\n3 4\n", "is no .pts file"),
        ("version: 1\nn_points: 2\n{\n1.5 2\n1.2 2\n}", None),
        ("version: 1\nn_points: 2\n{\n1 2\n1 2\n}", "one whole pixel"),
        ("version: 1\nn_points: 0\n{\n}", "has 0 landmarks"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str | None) -> None:
    (tmp_path / "a.pts").write_text(text)
    if words is None:
        assert len(read_faces(tmp_path).points) == 1
        return
    with pytest.raises(InputError, match=words):
        read_faces(tmp_path)


def test_half_a_set_other_numbers_of_landmarks_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no .pts file"):
        read_faces(tmp_path)
    (tmp_path / "ibug").mkdir()
    (tmp_path / "ibug/a.pts").write_text(faces.pts_text(POINTS))
    with pytest.raises(InputError, match="has ibug but not helen/testset"):
        read_faces(tmp_path)
    (tmp_path / "ibug/b.pts").write_text(faces.pts_text(POINTS[:5]))
    with pytest.raises(InputError, match="has 5 landmarks"):
        read_faces(tmp_path / "ibug")


def test_byte_order_marks_and_other_ends_of_lines_are_read(tmp_path: Path) -> None:
    text = faces.pts_text(POINTS).replace("\n", "\r\n")
    (tmp_path / "a.pts").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert np.allclose(read_pts(tmp_path / "a.pts"), POINTS)
