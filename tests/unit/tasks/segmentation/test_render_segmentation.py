"""Class maps read from folders of predictions, and pictures of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hrbench.errors import InputError, MissingError
from hrbench.formats.label_colours import LabelForm, colours_of
from hrbench.formats.labels import NO_CLASS
from hrbench.tasks.segmentation.render import PANEL, palette, read_maps, render_class_map
from hrbench.types import ClassScheme, Sample

STREET = ClassScheme(("road", "car", "sky"), ids=(7, 26, 23), palette=((128, 64, 128), (0, 0, 142), (70, 130, 180)))
MAP = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
SAMPLE = Sample("city/scene_1", Path("scene_1.png"))


def stored(folder: Path, numbers: np.ndarray, name: str = "city/scene_1.png", mark: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numbers).save(path)
    if mark:
        (folder / "labels.txt").write_text(f"{mark}\n")
    return folder


def test_ids_become_class_indices(tmp_path):
    labels = np.array(STREET.ids, np.uint8)[MAP]
    for mark in ("ids", ""):
        made = read_maps(stored(tmp_path / (mark or "unsaid"), labels, mark=mark), [SAMPLE], STREET)
        assert list(made) == ["city/scene_1"]
        np.testing.assert_array_equal(made["city/scene_1"], MAP)


def test_colours_become_class_indices_and_numbers_beside_a_palette_stay_numbers(tmp_path):
    form = LabelForm(colours_of(STREET.palette, STREET.ids, [[0, 0, 0]], 65533))
    colours = np.array(STREET.palette, np.uint8)[MAP]
    colours[0, 0] = 0  # a colour that is not evaluated
    made = read_maps(stored(tmp_path / "rgb", colours), [SAMPLE], STREET, form)["city/scene_1"]
    assert made[0, 0] == NO_CLASS
    np.testing.assert_array_equal(made.ravel()[1:], MAP.ravel()[1:])
    np.testing.assert_array_equal(read_maps(stored(tmp_path / "i", MAP), [SAMPLE], STREET, form)["city/scene_1"], MAP)


def test_indices_stay_what_they_are(tmp_path):
    for mark in ("indices", ""):
        made = read_maps(stored(tmp_path / (mark or "unsaid"), MAP, mark=mark), [SAMPLE], STREET)
        np.testing.assert_array_equal(made["city/scene_1"], MAP)


def test_labels_of_no_class_are_told_apart(tmp_path):
    ids = read_maps(stored(tmp_path / "ids", np.array([[7, 0], [33, 23]], np.uint8), mark="ids"), [SAMPLE], STREET)
    assert ids["city/scene_1"].tolist() == [[0, NO_CLASS], [NO_CLASS, 2]]
    many = read_maps(stored(tmp_path / "i", np.array([[1, 255]], np.uint8), mark="indices"), [SAMPLE], STREET)
    assert many["city/scene_1"].tolist() == [[1, NO_CLASS]]


def test_files_of_a_server_are_found_by_the_beginning_of_their_name(tmp_path):
    folder = stored(tmp_path, MAP, "flat/scene_1_pred.png", mark="indices")
    np.testing.assert_array_equal(read_maps(folder, [SAMPLE], STREET)["city/scene_1"], MAP)
    stored(tmp_path, MAP, "flat/scene_1_again.png")
    with pytest.raises(MissingError, match="holds 2 predictions of image city/scene_1"):
        read_maps(folder, [SAMPLE], STREET)


def test_palettes_and_sixteen_bits_are_numbers(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    picture = Image.fromarray(MAP).convert("P")
    picture.putdata(MAP.ravel().tolist())
    picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    (folder / "city").mkdir()
    picture.save(folder / "city/scene_1.png")
    np.testing.assert_array_equal(read_maps(folder, [SAMPLE], STREET)["city/scene_1"], MAP)
    many = ClassScheme(tuple(map(str, range(400))))
    deep = read_maps(stored(tmp_path / "d", MAP.astype(np.uint16) + 300), [SAMPLE], many)
    np.testing.assert_array_equal(deep["city/scene_1"], MAP.astype(np.uint16) + 300)


def test_what_is_missing_or_no_labels_is_told(tmp_path):
    with pytest.raises(MissingError, match="holds 0 predictions"):
        read_maps(tmp_path, [SAMPLE], STREET)
    stored(tmp_path, np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(InputError, match=r"scene_1\.png: holds 3 channels, which are equal"):
        read_maps(tmp_path, [SAMPLE], STREET)
    (tmp_path / "city/scene_1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"scene_1\.png: is no PNG"):
        read_maps(tmp_path, [SAMPLE], STREET)


@pytest.mark.parametrize("size", [(100, 200), (200, 100), (1, 40), (700, 1500)])
def test_the_picture_has_image_colours_and_names(size):
    image = np.full((*size, 3), 255, np.uint8)
    classes = np.zeros(size, np.uint16)
    classes[:, size[1] // 2 :] = 2
    picture = render_class_map(image, classes, STREET)
    height, width = (max(1, round(side * PANEL / max(size))) for side in size)
    wide = width > height
    assert picture.shape[0] > (2 * height if wide else height) and picture.shape[1] == (width if wide else 2 * width)
    tinted = picture[height : 2 * height] if wide else picture[:height, width:]
    np.testing.assert_allclose(tinted[0, 0], 255 * 0.35 + 0.65 * np.array([128, 64, 128]), atol=1)
    np.testing.assert_allclose(tinted[-1, -1], 255 * 0.35 + 0.65 * np.array([180, 130, 70]), atol=1)
    legend = picture[2 * height if wide else height :].reshape(-1, 3).tolist()
    assert [128, 64, 128] in legend and [180, 130, 70] in legend and [142, 0, 0] not in legend


def test_labels_of_no_class_are_grey_and_named():
    classes = np.full((40, 60), NO_CLASS, np.uint16)
    picture = render_class_map(np.zeros((40, 60, 3), np.uint8), classes, STREET)
    assert [96, 96, 96] in picture[640:].reshape(-1, 3).tolist()
    np.testing.assert_array_equal(picture[320], np.full((480, 3), round(96 * 0.65)))


def test_many_names_take_several_lines():
    scheme = ClassScheme(tuple(f"a class with a long name {number}" for number in range(30)))
    classes = np.arange(30, dtype=np.uint16).reshape(5, 6).repeat(8, axis=0).repeat(8, axis=1)
    picture = render_class_map(np.zeros((40, 48, 3), np.uint8), classes, scheme)
    assert picture.shape[0] > 2 * 400 + 10 * 18 and picture.shape[1] == 480
    assert cv2.imencode(".jpg", picture)[0]


def test_a_scheme_without_colours_gets_some_that_differ():
    colours = palette(ClassScheme(tuple(map(str, range(60)))))
    assert len(set(colours)) == 60 and all(0 <= value <= 255 for colour in colours for value in colour)
    near = [np.abs(np.subtract(a, b)).sum() for a, b in itertools.pairwise(colours)]
    assert min(near) > 60
    assert palette(STREET) == list(STREET.palette)
