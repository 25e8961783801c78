"""PNGs of segment ids: read exactly or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrbench.errors import InputError, MissingError
from hrbench.formats.panoptic.pixels import MOST, read_ids, write_ids
from hrbench.formats.panoptic.segments import Segments, counted

WHAT = "a PNG of predicted segment ids"


def test_ids_are_red_and_256_green_and_65536_blue(tmp_path: Path) -> None:
    colours = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, 0], [255, 255, 255], [3, 2, 1]]], np.uint8)
    expected = [[1, 256, 65536], [0, MOST, 3 + 2 * 256 + 65536]]
    Image.fromarray(colours).save(tmp_path / "a.png")
    found = read_ids(tmp_path / "a.png", WHAT)
    assert found.tolist() == expected and found.dtype == np.uint32
    with Image.open(tmp_path / "a.png") as picture:
        picture.putalpha(7)
        picture.save(tmp_path / "b.png")
    assert read_ids(tmp_path / "b.png", WHAT).tolist() == expected
    write_ids(tmp_path / "c.png", np.array(expected))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "c.png")), colours)


def test_random_ids_survive(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, MOST + 1, (37, 53))
    write_ids(tmp_path / "a.png", ids)
    assert np.array_equal(read_ids(tmp_path / "a.png", WHAT), ids)
    values, pixels = counted(read_ids(tmp_path / "a.png", WHAT))
    assert np.array_equal(values, np.unique(ids)) and pixels.sum() == ids.size


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (Image.new("L", (3, 2)), "holds one channel of grey"),
        (Image.new("P", (3, 2)), "holds a palette"),
        (Image.new("LA", (3, 2)), "holds grey and an alpha channel"),
        (Image.new("I;16", (3, 2)), "holds one channel of grey"),
    ],
)
def test_other_pngs_are_refused(tmp_path: Path, image: Image.Image, says: str) -> None:
    image.save(tmp_path / "a.png")
    with pytest.raises(InputError, match=f"a.png: {says}; it should be {WHAT}: ids are R"):
        read_ids(tmp_path / "a.png", WHAT)


def test_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_ids(path, np.arange(600).reshape(20, 30))
    whole = path.read_bytes()
    for data, says in (
        (whole[:-20], "is truncated"), (b"", "is empty"), (b"GIF89a" + whole, "is no PNG"),
        (whole[:60] + b"x" + whole[61:], "is damaged: the checksum"),
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(InputError, match=says):
            read_ids(path, WHAT)
    with pytest.raises(MissingError, match="there is no such file"):
        read_ids(tmp_path / "b.png", WHAT)


def test_segments_are_found_by_their_ids() -> None:
    segments = Segments(np.array([9, 2, 5]), np.zeros(3, np.int64), np.zeros(3, np.bool_), np.zeros(3))
    assert segments.places(np.array([2, 3, 9, 5, 0, 99])).tolist() == [1, -1, 0, 2, -1, -1]
    nothing = Segments(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0))
    assert nothing.places(np.array([2, 3])).tolist() == [-1, -1]
