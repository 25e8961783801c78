"""Photographs are read as they are stored, or as their EXIF orientation turns them, and never by chance."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from hrbench.errors import InputError, UsageError
from hrbench.formats import orientation
from hrbench.formats.images import decoded_size, image_faults, read_image, stated_size
from hrbench.formats.pil_images import read_rgb

PIXELS = np.random.default_rng(3).integers(0, 256, (4, 7, 3), dtype=np.uint8)
TAGS = range(1, 9)
FORMATS = {"JPEG": {"quality": 90}, "PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def photograph(tag: int, kind: str, endian: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker whose name does not fit into four bytes"
    exif[orientation.TAG] = tag
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, exif=exif, **FORMATS[kind])
    return stream.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("tag", TAGS)
def test_both_readers_give_either_picture(tmp_path, kind, tag):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(photograph(tag, kind))
    # what is stored: the pixels of the same file without a tag
    (tmp_path / "plain").write_bytes(photograph(1, kind))
    with Image.open(tmp_path / "plain") as picture:
        stored = np.asarray(picture.convert("RGB"))
    with Image.open(path) as picture:  # Pillow turns TIFF by itself
        expected = np.asarray((picture if kind == "TIFF" else ImageOps.exif_transpose(picture)).convert("RGB"))
    for mode, pixels in (("stored", stored), ("applied", expected)):
        np.testing.assert_array_equal(read_rgb(path, None, mode), pixels)
        size = (pixels.shape[1], pixels.shape[0])
        assert stated_size(path, mode) == decoded_size(path, mode) == size
        assert image_faults(path, size, mode) == []
        by_opencv = read_image(path, size, mode)
        assert by_opencv.shape == pixels.shape
        if kind != "JPEG":  # whose decoders differ by a grey value
            np.testing.assert_array_equal(by_opencv[..., ::-1], pixels)
    if kind != "TIFF":  # which OpenCV turns whatever it is told
        by_flag = cv2.imread(str(path), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(read_image(path, None, "applied"), by_flag)


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("kind", FORMATS)
def test_the_tag_is_that_of_pillow(tmp_path, kind, endian):
    for tag in TAGS:
        data = photograph(tag, kind, endian)
        (tmp_path / "a").write_bytes(data)
        assert orientation.tag_of(data) == orientation.tag_of_file(tmp_path / "a") == tag
        with Image.open(tmp_path / "a") as picture:
            assert picture.getexif().get(orientation.TAG, 1) == tag


def test_a_tag_is_found_beyond_large_segments(tmp_path):
    data = photograph(6, "JPEG")
    profile = b"\xff\xe2\xff\xff" + bytes(65533)
    (tmp_path / "a.jpg").write_bytes(data[:2] + 2 * profile + data[2:])
    assert orientation.tag_of_file(tmp_path / "a.jpg") == 6


@pytest.mark.parametrize("tag", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(tag):
    data = photograph(6, "JPEG")
    at = data.index(bytes.fromhex("12010300010000000600"))
    assert orientation.tag_of(data[: at + 8] + tag.to_bytes(2, "little") + data[at + 10 :]) == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_metadata_are_no_error(kind):
    data = photograph(8, kind)
    for end in range(len(data)):
        assert orientation.tag_of(data[:end]) in (1, 8)
    for at in range(min(len(data), 200)):
        assert orientation.tag_of(data[:at] + b"\xff" + data[at + 1 :]) in range(1, 9)


@pytest.mark.parametrize("reader", [read_image, read_rgb])
def test_a_turned_picture_is_refused_if_nobody_says_what_it_means(tmp_path, reader):
    path = tmp_path / "a.jpg"
    path.write_bytes(photograph(3, "JPEG"))
    with pytest.raises(InputError, match=r"EXIF orientation 3.*orientation: stored.*orientation: applied"):
        reader(path, None, "")
    path.write_bytes(photograph(1, "JPEG"))
    assert reader(path, None, "").shape == PIXELS.shape


@pytest.mark.parametrize("reader", [read_image, read_rgb])
def test_exchanged_sizes_name_the_tag(tmp_path, reader):
    path = tmp_path / "a.jpg"
    path.write_bytes(photograph(6, "JPEG"))
    with pytest.raises(InputError, match=r"7x4 pixels, its annotation says 4x7; .*orientation is 6.*`orientation: app"):
        reader(path, (4, 7), "stored")
    with pytest.raises(InputError, match=r"4x7 pixels, its annotation says 7x4; .*`orientation: stored`"):
        reader(path, (7, 4), "applied")
    path.write_bytes(photograph(3, "JPEG"))
    with pytest.raises(InputError, match=r"7x4 pixels, its annotation says 4x7$"):
        reader(path, (4, 7), "stored")
    with pytest.raises(InputError, match=r"7x4 pixels, its annotation says 5x7$"):
        reader(path, (5, 7), "stored")


def test_turned_files_are_counted_and_others_left_to_the_decoder(tmp_path):
    paths: list[Path] = []
    for name, data in (("a", photograph(1, "PNG")), ("b", photograph(7, "PNG")), ("c", b"no image"), ("d", None)):
        paths.append(tmp_path / name)
        if data is not None:
            paths[-1].write_bytes(data)
    found = orientation.turned_files(paths)
    assert found == [(tmp_path / "b", 7)]
    assert orientation.sentence(found, 4, "").startswith("1 of 4 images have an EXIF orientation other than 1")
    assert orientation.sentence([], 4, "") == ""


def test_a_data_set_says_stored_or_applied():
    assert orientation.checked(None, official=True) == "stored"
    assert orientation.checked(None, official=False) == ""
    assert orientation.checked("applied", official=True) == "applied"
    with pytest.raises(UsageError, match="stored or applied was expected, not 'exif'"):
        orientation.checked("exif", official=False)
