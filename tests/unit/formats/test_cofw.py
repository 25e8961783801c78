"""COFW's file: images, landmarks and occlusions as they were drawn, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import drawn_faces as faces
import h5py
import numpy as np
import pytest

from hrbench.errors import InputError, MissingError
from hrbench.formats.images import decoded_size, image_faults, read_image, stated_size
from hrbench.formats.landmarks import read_faces


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, list[np.ndarray], np.ndarray]:
    path = tmp_path_factory.mktemp("cofw") / "COFW_test_color.mat"
    return path, *faces.cofw(path)


def test_landmarks_and_occlusions_are_those_of_the_file(drawn) -> None:
    path, _, points = drawn
    read = read_faces(path)
    assert np.array_equal(read.points, points[..., :2]) and read.hidden is not None
    assert np.array_equal(read.hidden, points[..., 2] == 1) and read.subsets == {} and read.origin is None
    assert read.image.tolist() == ["IsT/0000", "IsT/0001", "IsT/0002"]
    low, high = np.floor(points[0, :, :2].min(axis=0)), np.ceil(points[0, :, :2].max(axis=0))
    assert read.centre[0].tolist() == ((low + high) / 2).tolist() and read.scale[0] == max(high - low) / 200


def test_images_in_colour_and_grey_are_read_by_each_reader(drawn) -> None:
    path, images, _ = drawn
    for number, image in enumerate(images):
        inner = path / f"IsT/{number:04d}"
        colours = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        assert np.array_equal(read_image(inner)[..., ::-1], colours)
        assert stated_size(inner) == decoded_size(inner) == (60, 50) and image_faults(inner) == []
    with pytest.raises(InputError, match="its annotation says 9x9"):
        read_image(path / "IsT/0000", (9, 9))
    for name in ("IsT/0003", "IsTr/0000", "IsT/x", "phisT/0000"):
        with pytest.raises((MissingError, InputError), match=r"no image|IsTr"):
            read_image(path / name)


def test_a_training_file_has_other_names(tmp_path: Path) -> None:
    faces.cofw(tmp_path / "COFW_train.mat", 2, "Tr")
    assert read_faces(tmp_path / "COFW_train.mat").image.tolist() == ["IsTr/0000", "IsTr/0001"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.pop("phisT"), "phisT is missing"),
        (lambda file: file.pop("IsT"), "neither IsT nor IsTr"),
        (lambda file: file["phisT"].__setitem__((3, 1), np.nan), "face 1: a number in phisT is not finite"),
        (lambda file: file["phisT"].__setitem__((60, 2), 0.5), "face 2: an occlusion in phisT is neither 0 nor 1"),
        (lambda file: file["phisT"].__setitem__((slice(0, 58), 0), 7), "face 0: all landmarks lie on one whole pixel"),
        (lambda file: file.move("bboxesT", "other"), "bboxesT is missing"),
        (lambda file: (file.pop("bboxesT"), file.__setitem__("bboxesT", np.ones((4, 2)))), r"shape \(2, 4\); \(3, 4\)"),
        (lambda file: (file.pop("IsT"), file.__setitem__("IsT", np.ones((1, 3)))), "no array of cells"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change, words: str) -> None:
    path = tmp_path / "COFW_test_color.mat"
    faces.cofw(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=words):
        read_faces(path)


def test_other_files_and_images_of_other_kinds_are_refused(tmp_path: Path, drawn) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(200))
    with pytest.raises(InputError, match=r"version 7\.3"):
        read_faces(tmp_path / "a.mat")
    with pytest.raises(MissingError, match="no such file"):
        read_faces(tmp_path / "b.mat")
    path = tmp_path / "c.mat"
    faces.cofw(path)
    with h5py.File(path, "r+") as file:
        file["wide"] = np.ones((3, 4, 5))
        file["IsT"][0, 0] = file["wide"].ref
    with pytest.raises(InputError, match="no array of uint8"):
        read_image(path / "IsT/0000")


def test_without_h5py_one_line_says_what_to_install(drawn, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingError, match=r"pip install 'hrbench\[matlab\]'$"):
        read_faces(drawn[0])
