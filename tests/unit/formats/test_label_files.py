"""Label PNGs: every kind that sets come in is read exactly, every damage is one line that names the file."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from hrbench.errors import HrbenchError, InputError, MissingError, UsageError
from hrbench.formats.label_colours import LabelForm, colours_of
from hrbench.formats.labels import LABELS, label_faults, range_faults, ranges, read_labels, write_labels

WHAT = "a label map"


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png(rows: list[bytes], width: int, bits: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG made by hand, its rows packed already and not filtered."""
    header = width.to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes([bits, colour, 0, 0, 0])
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    palette = chunk(b"PLTE", bytes(range(3 * 2**bits))) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + palette + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@settings(max_examples=60)
@given(
    labels=st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
    )
)
def test_what_is_written_is_read(labels: np.ndarray, tmp_path: Path) -> None:
    write_labels(tmp_path / "a.png", labels)
    again = read_labels(tmp_path / "a.png", WHAT)
    assert again.dtype == labels.dtype and np.array_equal(again, labels)


@pytest.mark.parametrize("colour", [0, 3])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_and_few_bits_give_the_stored_numbers(bits: int, colour: int, tmp_path: Path) -> None:
    if (bits, colour) == (8, 3):
        palette = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("P")
        palette.putpalette([5, 6, 7] * 256)
        palette.save(tmp_path / "a.png", transparency=3)
        expected = np.asarray(palette)
    else:
        expected = np.random.default_rng(bits).integers(0, 2**bits, (5, 8)).astype(np.uint8)
        packed = [
            int("".join(f"{value:0{bits}b}" for value in row), 2).to_bytes(bits, "big") for row in expected.tolist()
        ]
        (tmp_path / "a.png").write_bytes(png(packed, 8, bits, colour))
    again = read_labels(tmp_path / "a.png", WHAT)
    assert again.dtype == np.uint8 and np.array_equal(again, expected)


def test_what_is_no_pixel_is_passed_over(tmp_path: Path) -> None:
    """A broken colour profile, text and gamma do not change labels, and nobody prints a word about them."""
    extra = chunk(b"gAMA", b"\0\0\0\1") + chunk(b"iCCP", b"x") + chunk(b"zTXt", b"a\0\0no zlib") + chunk(b"eXIf", b"?")
    (tmp_path / "a.png").write_bytes(png([b"\1\2", b"\3\4"], 2, 8, 0, extra))
    assert read_labels(tmp_path / "a.png", WHAT).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("mode", "colour", "words"),
    [
        (
            "RGB",
            (0, 0, 0),
            "holds 3 channels, which are equal; option channels: equal reads them as one, .*palette",
        ),
        ("RGB", (0, 9, 0), r"holds colours; option palette: .* this file has \[0, 9, 0\]; it should be a label map"),
        ("RGBA", (0, 9, 0, 0), "is transparent in parts, of which no option says what they are"),
        ("RGBA", (0, 9, 0, 255), r"holds colours; option palette: .* this file has \[0, 9, 0\]"),
        ("LA", (7, 255), "holds grey and transparency; option channels: equal"),
    ],
)
def test_colours_are_refused_and_the_option_named(mode: str, colour: tuple, words: str, tmp_path: Path) -> None:
    Image.new(mode, (4, 3), colour).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=rf"a\.png: {words}"):
        read_labels(tmp_path / "a.png", WHAT)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_equal_channels_are_read_as_one(mode: str, tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(labels).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png", WHAT, LabelForm(channels="equal")), labels)
    Image.new("RGB", (4, 3), (1, 2, 1)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="holds colours; its channels are not equal; option palette"):
        read_labels(tmp_path / "a.png", WHAT, LabelForm(channels="equal"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_of_a_palette_are_its_labels(mode: str, tmp_path: Path) -> None:
    palette, ids = [(0, 0, 0), (128, 0, 0), (0, 0, 255), (255, 255, 255)], [7, 300, 0, 255]
    form = LabelForm(colours_of(palette, ids, [(1, 2, 3)], 65533))
    index = np.random.default_rng(0).integers(0, 5, (20, 30))
    Image.fromarray(np.array([*palette, (1, 2, 3)], np.uint8)[index]).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png", WHAT, form), np.array([*ids, 65533])[index])
    Image.new("RGB", (4, 3), (128, 0, 1)).save(tmp_path / "b.png")
    with pytest.raises(
        InputError,
        match=r"the colour \[128, 0, 1\] at \(0, 0\), which is not in the palette .near .128, 0, 0., which is.; 12",
    ):
        read_labels(tmp_path / "b.png", WHAT, form)


@pytest.mark.parametrize(
    ("palette", "ignored", "words"),
    [
        ([(0, 0, 0)], [], "palette has 1 colours for 2 classes"),
        ([(0, 0, 0), (0, 0, 0)], [], "is given two meanings"),
        ([(0, 0, 0), (0, 0, 256)], [], "is no colour"),
        ([(0, 0, 0), (0, 0, 1)], [(0, 0, 1)], "is given two meanings"),
        (None, [(0, 0, 1)], "give `palette`"),
    ],
)
def test_palettes_that_cannot_be_read(palette, ignored, words) -> None:
    with pytest.raises(UsageError, match=words):
        colours_of(palette, (0, 1), ignored, 65533)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, bool, ">u2"])
def test_numpy_arrays_are_read_exactly(dtype, tmp_path: Path) -> None:
    labels = np.arange(12).reshape(3, 4).astype(dtype)
    np.save(tmp_path / "a.npy", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy", WHAT), labels.astype(np.int64))
    np.save(tmp_path / "b.npy", np.asfortranarray(np.full((3, 4), 40000, np.uint16)))
    assert read_labels(tmp_path / "b.npy", WHAT).dtype == np.uint16


CUT = "is no NumPy array that can be read"
HEADER = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 9), }"
HUGE_ARRAY = b"\x93NUMPY\x01\x00v\x00" + HEADER.ljust(117) + b"\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((2, 3, 4), np.uint8), "holds 2x3x4 of uint8; whole numbers \\(height, width\\) are needed"),
        (np.zeros((2, 3), np.float32), "holds 2x3 of float32"),
        (np.full((2, 3), -1), "holds labels from -1 to -1"),
        (np.full((2, 3), 70000), "holds labels from 70000"),
        (np.array([[{}]], object), "is no NumPy array that can be read"),
        (b"", "is no NumPy array"),
        (HUGE_ARRAY, CUT),
    ],
)
def test_other_arrays_are_refused(content, words, tmp_path: Path) -> None:
    if isinstance(content, bytes):
        (tmp_path / "a.npy").write_bytes(content)
    else:
        np.save(tmp_path / "a.npy", content)
    with pytest.raises(InputError, match=rf"a\.npy: {words}"):
        read_labels(tmp_path / "a.npy", WHAT)


def test_other_files_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (4, 3)).save(stream, "JPEG")
    for content, words in ((b"", "is empty"), (stream.getvalue(), "is no PNG"), (b"\x89PNG\r\n\x1a\n", "is truncated")):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.png: {words} \({len(content)} bytes\); it should be a label map"):
            read_labels(tmp_path / "a.png", WHAT)
    with pytest.raises(MissingError, match=r"b\.png: there is no such file; it should be a label map"):
        read_labels(tmp_path / "b.png", WHAT)


@pytest.fixture(scope="module")
def whole() -> tuple[bytes, np.ndarray]:
    labels = np.random.default_rng(0).integers(0, 34, (40, 60)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG")
    return stream.getvalue(), labels


@settings(max_examples=80)
@given(end=st.integers(0, 10**6))
def test_every_truncation_is_one_line(end: int, whole, tmp_path: Path, capfd) -> None:
    content = whole[0]
    (tmp_path / "a.png").write_bytes(content[: end % len(content)])
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path / "a.png", WHAT)
    assert str(caught.value).startswith(f"{tmp_path / 'a.png'}: ") and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@settings(max_examples=150)
@given(at=st.integers(0, 10**6), byte=st.integers(0, 255), repaired=st.booleans())
def test_damage_is_refused_or_harmless(at: int, byte: int, repaired: bool, whole, tmp_path: Path, capfd) -> None:
    """One byte changed: refused, or not in the pixels. repaired: with a checksum that hides it from all but zlib."""
    content, labels = bytearray(whole[0]), whole[1]
    at %= len(content)
    content[at] = byte
    if repaired:
        body = whole[0].index(b"IDAT")
        size = int.from_bytes(whole[0][body - 4 : body], "big")
        content[body + 4 + size : body + 8 + size] = zlib.crc32(content[body : body + 4 + size]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content)
    try:
        again = read_labels(tmp_path / "a.png", WHAT)
    except HrbenchError as error:
        assert "\n" not in str(error) and str(tmp_path / "a.png") in str(error)
    else:
        assert repaired or np.array_equal(again, labels)
    assert capfd.readouterr() == ("", "")


@settings(max_examples=100)
@given(content=st.binary(max_size=200), signed=st.booleans())
def test_any_bytes_are_refused(content: bytes, signed: bool, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes((b"\x89PNG\r\n\x1a\n" if signed else b"") + content)
    with pytest.raises(InputError):
        read_labels(tmp_path / "a.png", WHAT)


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png([b"\1\2"] * 3, 4, 8, 0))
    with pytest.raises(InputError, match=r"a\.png: (is truncated|cannot be decoded)"):
        read_labels(tmp_path / "a.png", WHAT)


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(UsageError, match=r"a\.png: cannot be written"):
        write_labels(tmp_path / "no/a.png", np.zeros((2, 2), np.uint8))


# --- looking closer --------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_of_labels_is_one_line_or_goes_unseen_and_never_raises(data: st.DataObject, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 20, (9, 11), dtype=np.uint8)
    labels, image = tmp_path / "labels.png", tmp_path / "image.png"
    write_labels(image, values)
    content = bytearray(image.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    labels.write_bytes(content)
    faults = label_faults(image, labels, range(20))
    assert all(str(labels) in fault and "\n" not in fault for fault in faults)
    if not faults:
        assert read_labels(labels, LABELS).shape == (9, 11)


def test_both_files_of_a_pair_are_looked_at(tmp_path: Path) -> None:
    image, labels = tmp_path / "image.png", tmp_path / "labels.png"
    assert label_faults(image, labels, {0}) == [
        f"no image {image}",
        f"{labels}: there is no such file; it should be labels, a PNG with one number a pixel",
    ]
    write_labels(image, np.zeros((3, 4), np.uint8))
    write_labels(labels, np.zeros((4, 3), np.uint8))
    assert label_faults(image, labels, {0}) == [
        f"labels {labels} are 3x4 pixels, their image {image} is 4x3",
    ]


def test_the_first_label_out_of_range_is_told_with_its_place_and_how_many(tmp_path: Path) -> None:
    values = np.array([[0, 1], [7, 300]], np.uint16)
    (fault,) = range_faults(tmp_path / "a.png", values, {0, 1, 255})
    assert "hold 7 at (0, 1)" in fault and "(0, 1, 255)" not in fault and "0 to 1, 255" in fault and "2 of 4" in fault
    assert range_faults(tmp_path / "a.png", values, {0, 1, 7, 300}) == []
    assert ranges([]) == ""
