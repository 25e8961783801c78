"""Image and label files that are damaged, of another kind, or out of range."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hrbench.errors import InputError, MissingError
from hrbench.formats.pictures import image_faults, image_size, label_faults, range_faults, read_labels, runs

VALUES = np.arange(48, dtype=np.uint8).reshape(6, 8)


def png(values: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.png"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_values_come_as_they_are_stored(path: Path, kind: type):
    values = VALUES.astype(kind) * (1 if kind is np.uint8 else 700)
    path.write_bytes(png(values))
    assert np.array_equal(read_labels(path), values)


def test_palette_indices_come_and_not_their_colours(path: Path):
    picture = Image.fromarray(VALUES)
    picture.putpalette(bytes(range(255, -1, -1)) * 3)
    picture.save(path)
    assert np.array_equal(read_labels(path), VALUES)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_values_of_few_bits_are_not_stretched(path: Path, bits: int):
    values = VALUES % 2**bits
    path.write_bytes(packed(values, bits))
    assert np.array_equal(read_labels(path), values)
    with Image.open(path) as picture:
        assert np.asarray(picture.convert("L")).max() == 255  # which is what decoders make of such a file


def packed(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of so few bits a value, which Pillow does not write: eight values a row."""
    each = 8 // bits

    def byte(some: np.ndarray) -> int:
        return sum(int(value) << (8 - bits - bits * place) for place, value in enumerate(some))

    rows = b"".join(b"\0" + bytes(byte(row[at : at + each]) for at in range(0, 8, each)) for row in values)
    header = struct.pack(">IIBBBBB", 8, len(values), bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_colours_are_no_labels(path: Path):
    path.write_bytes(png(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(InputError, match=r"a\.png hold colours \(Pillow calls it RGB\)"):
        read_labels(path)


def test_what_is_not_there_or_no_image(path: Path):
    with pytest.raises(MissingError, match=r"no image .*a\.png"):
        image_size(path)
    path.write_bytes(b"plain text")
    assert image_faults(path) == [f"image {path} cannot be read (not an image; 10 bytes): get it again"]
    path.write_bytes(b"")
    assert "0 bytes" in image_faults(path)[0]


def test_another_size_than_annotated(path: Path):
    path.write_bytes(png(VALUES))
    assert image_faults(path, (8, 6)) == []
    assert image_faults(path, (6, 8)) == [f"image {path} is 8x6 pixels, its annotation says 6x8"]


@settings(max_examples=150)
@given(st.data())
def test_damage_of_any_kind_is_one_line_or_goes_unseen_and_never_raises(tmp_path_factory, data: st.DataObject):
    whole = png(np.random.default_rng(0).integers(0, 20, (9, 11), dtype=np.uint8))
    content = bytearray(whole)
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damage")
    labels, image = folder / "labels.png", folder / "image.png"
    labels.write_bytes(content)
    image.write_bytes(whole)
    faults = label_faults(image, labels, range(20))
    assert all(str(labels) in fault and "\n" not in fault for fault in faults)
    if not faults:
        assert read_labels(labels).shape == (9, 11)


def test_the_first_label_out_of_range_is_told_with_its_place_and_how_many(path: Path):
    values = np.array([[0, 1], [7, 300]], np.uint16)
    (fault,) = range_faults(path, values, {0, 1, 255})
    assert "hold 7 at (0, 1)" in fault and "(0, 1, 255)" not in fault and "0 to 1, 255" in fault and "2 of 4" in fault
    assert range_faults(path, values, {0, 1, 7, 300}) == []
    assert runs([]) == ""
