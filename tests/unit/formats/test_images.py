"""A whole image is read, half an image is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hrbench.errors import InputError, MissingError
from hrbench.formats.images import decoded_size, image_faults, read_image, stated_size, truncated

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(suffix: str, *flags: int) -> bytes:
    return cv2.imencode(suffix, PIXELS, list(flags))[1].tobytes()


def test_png_comes_back_as_bgr(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(".png"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", (60, 40)), PIXELS)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_truncated_jpeg_is_refused(tmp_path, progressive, keep):
    data = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    (tmp_path / "whole.jpg").write_bytes(data)
    assert read_image(tmp_path / "whole.jpg").shape == (40, 60, 3)
    (tmp_path / "half.jpg").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r"half\.jpg is truncated"):
        read_image(tmp_path / "half.jpg")


def test_bytes_after_the_end_are_no_harm(tmp_path):
    (tmp_path / "long.jpg").write_bytes(encoded(".jpg") + b"\0" * 100)
    assert read_image(tmp_path / "long.jpg").shape == (40, 60, 3)


@pytest.mark.parametrize("keep", [0.2, 0.9])
def test_a_truncated_png_is_refused(tmp_path, keep):
    data = encoded(".png")
    (tmp_path / "half.png").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r"half\.png is truncated"):
        read_image(tmp_path / "half.png")


@pytest.mark.parametrize("data", [b"", b"plain words, no image"])
def test_what_is_no_image_is_refused(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.jpg"):
        read_image(tmp_path / "a.jpg")


def test_another_size_than_annotated_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(".png"))
    with pytest.raises(InputError, match="is 60x40 pixels, its annotation says 40x60"):
        read_image(tmp_path / "a.png", (40, 60))


def test_no_image_is_missing(tmp_path):
    with pytest.raises(MissingError, match=r"no image .*none\.png"):
        read_image(tmp_path / "none.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_size_is_read_without_the_pixels(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix)[:2000])
    assert stated_size(path) == (60, 40)


def test_what_has_no_size_is_refused(tmp_path):
    with pytest.raises(MissingError, match=r"no image .*none\.png"):
        stated_size(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png is not an image whose size can be read"):
        stated_size(tmp_path / "text.png")


def test_a_look_at_a_whole_image_is_one_line(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(MissingError, match=r"no image .*a\.png"):
        decoded_size(path)
    path.write_bytes(b"plain text")
    assert image_faults(path) == [f"image {path} cannot be read whole (it is no image; 10 bytes): fetch it again"]
    path.write_bytes(b"")
    assert image_faults(path) == [f"image {path} cannot be read whole (it is empty; 0 bytes): fetch it again"]
    path.write_bytes(encoded(".png")[:4000])
    assert image_faults(path) == [f"image {path} cannot be read whole (truncated; 4000 bytes): fetch it again"]
    path.write_bytes(encoded(".png"))
    assert image_faults(path) == image_faults(path, (60, 40)) == []
    assert image_faults(path, (40, 60)) == [f"image {path} is 60x40 pixels, its annotation says 40x60"]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_every_cut_of_a_file_is_truncated_and_what_follows_its_end_is_no_harm(suffix):
    data = encoded(suffix)
    assert not truncated(data) and not truncated(data + b"\0" * 200)
    assert all(truncated(data[:keep]) for keep in range(8, len(data) - 1, 7))
    assert truncated(b"") and not truncated(b"BM, another format")
