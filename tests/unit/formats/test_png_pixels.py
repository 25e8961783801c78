"""Label maps decoded by the compiled helper: the pixels and the refusals of Pillow, whatever filters a file has."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from both_ways import both_ways, take
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from hrbench.errors import InputError
from hrbench.formats import png_pixels
from hrbench.formats.labels import read_labels
from hrbench.formats.png import SIGNATURE


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(
    rows: bytes,
    width: int,
    height: int,
    bits: int = 8,
    colour: int = 0,
    stream: bytes | None = None,
    interlace: int = 0,
) -> bytes:
    """A file of rows as they are filtered, each after the number of its filter."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 else b""
    data = zlib.compress(rows) if stream is None else stream
    halves = chunk(b"IDAT", data[: len(data) // 2]) + chunk(b"IDAT", data[len(data) // 2 :])
    return SIGNATURE + chunk(b"IHDR", header) + palette + halves + chunk(b"IEND", b"")


def filtered(seed: int, width: int, height: int, size: int, zeros: float, filters: tuple[int, ...]) -> bytes:
    """Rows of random bytes, many of them zero as in label maps, under random filters."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (height, width * size + 1), np.uint8)
    rows[rng.random(rows.shape) < zeros] = 0
    for row in rows[rng.random(height) < 0.3]:
        row[1:] = 0
    rows[:, 0] = rng.choice(filters, height)
    return rows.tobytes()


def pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


@both_ways
@settings(max_examples=150)
@given(
    st.integers(0, 10**6),
    st.integers(1, 70),
    st.integers(1, 12),
    st.sampled_from([1, 2]),
    st.sampled_from([0.0, 0.7, 0.97, 0.995]),
    st.sampled_from([(0, 1, 2, 3, 4), (4,), (2, 4), (3,), (1,)]),
)
@example(0, 64, 12, 2, 0.99, (4,))
def test_pixels_are_those_of_pillow(way, tmp_path_factory, seed, width, height, size, zeros, filters):
    data = png(filtered(seed, width, height, size, zeros, filters), width, height, 8 * size)
    file = tmp_path_factory.getbasetemp() / "one.png"
    file.write_bytes(data)
    found, expected = read_labels(file, "labels"), pillow(data)
    assert found.dtype == (np.uint8 if size == 1 else np.uint16) and found.flags.c_contiguous
    assert np.array_equal(found, expected)


@both_ways
@pytest.mark.parametrize("colour", [0, 3])
def test_saved_label_maps_come_back(way, tmp_path: Path, colour: int):
    """Runs of labels, as label maps have them: rows above and pixels to the left repeat, and change in between."""
    rng = np.random.default_rng(5)
    for number in range(20):
        coarse = rng.integers(0, 34, (rng.integers(1, 9), rng.integers(1, 40)), np.uint8)
        labels = np.kron(coarse, np.ones((rng.integers(1, 9), rng.integers(1, 30)), np.uint8)).astype(np.uint8)
        labels[rng.random(labels.shape) < 0.01] = 255
        picture = Image.fromarray(labels)
        if colour == 3:
            picture.putpalette(list(range(256)) * 3)
        picture.save(tmp_path / f"{number}.png", optimize=bool(number % 2))
        assert np.array_equal(read_labels(tmp_path / f"{number}.png", "labels"), labels)
        if colour == 0:
            wide = labels.astype(np.uint16) * 1000 + 7
            Image.fromarray(wide).save(tmp_path / f"{number}.png")
            assert np.array_equal(read_labels(tmp_path / f"{number}.png", "labels"), wide)


ROWS = filtered(1, 9, 4, 1, 0.5, (0, 4))
FAULTS = {
    "a filter that does not exist": png(b"\x05" + ROWS[1:], 9, 4),
    "a row too few": png(ROWS[:-10], 9, 4),
    "a row too many": png(ROWS + ROWS[:10], 9, 4),
    "bytes after the stream": png(ROWS, 9, 4, stream=zlib.compress(ROWS) + b"more"),
    "a wrong checksum of the stream": png(ROWS, 9, 4, stream=zlib.compress(ROWS)[:-1] + b"\0"),
    "no end of the stream": png(ROWS, 9, 4, stream=zlib.compress(ROWS)[:-6]),
    "no stream": png(ROWS, 9, 4, stream=b"no"),
    "no pixels": png(b"", 0, 4),
    "interlaced": png(ROWS, 9, 4, interlace=1),
    "a palette that is not there": png(ROWS, 9, 4, colour=3).replace(chunk(b"PLTE", bytes(range(256)) * 3), b""),
    "four bits": png(filtered(2, 9, 4, 1, 0.5, (0, 4))[: 4 * 6], 9, 4, bits=4),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_plain_is_as_pillow_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str):
    file, told = tmp_path / "one.png", []
    file.write_bytes(FAULTS[fault])
    for way in ("numpy", "compiled"):
        take(way, monkeypatch)
        try:
            told.append(read_labels(file, "labels").tolist())
        except InputError as error:
            told.append(re.sub("0x[0-9a-f]+", "", str(error)))  # Pillow tells where a stream lies in memory
    assert told[0] == told[1], fault


def test_the_helper_decodes_what_is_plain(monkeypatch: pytest.MonkeyPatch):
    take("compiled", monkeypatch)
    header = struct.pack(">IIBBBBB", 9, 4, 8, 0, 0, 0, 0)
    assert png_pixels.pixels(header, [zlib.compress(ROWS)], False) is not None
    take("numpy", monkeypatch)
    assert png_pixels.pixels(header, [zlib.compress(ROWS)], False) is None
