"""A whole image is read, half an image is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hrbench.errors import InputError, MissingError
from hrbench.formats.images import image_size, read_image

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
    assert image_size(path) == (60, 40)


def test_what_has_no_size_is_refused(tmp_path):
    with pytest.raises(MissingError, match=r"no image .*none\.png"):
        image_size(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png is not an image whose size can be read"):
        image_size(tmp_path / "text.png")
