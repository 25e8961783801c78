"""PNGs of labels, one number per pixel: read exactly or refused, and written completely or not at all.

Every chunk of a PNG has a checksum (ISO/IEC 15948). Not all decoders check it, and some decode a truncated file to an
image that is partly empty. So the chunks are checked here first, which takes microseconds since labels compress well,
and the decoder gets only the chunks of the pixels.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hrbench.core.files import reading, write_whole
from hrbench.errors import InputError, MissingError
from hrbench.formats import png_pixels
from hrbench.formats.images import decoded_size
from hrbench.formats.label_colours import PLAIN, LabelForm, LabelsError, from_array, single
from hrbench.formats.labelme import TO_MAPS, annotation_of
from hrbench.formats.orientation import Orientation, size_remark, tag_of_file
from hrbench.formats.png import SIGNATURE, chunks

LABELS = "labels, a PNG with one number a pixel"
"""A label file in words, for messages."""

NO_CLASS = np.iinfo(np.uint16).max
"""In class maps that are read from files: a label that stands for no class."""

_GREY, _PALETTE = 0, 3
_LISTED = 8
_KEPT = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_STRETCH = {2: 85, 4: 17}  # bits -> the factor by which a decoder scales grey values to 0..255
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def read_labels(path: Path, content: str, form: LabelForm = PLAIN) -> np.ndarray:
    """(H, W) uint8, or uint16 of a 16-bit file: grey values as they are stored, or indices of a palette.

    path: a PNG; or a NumPy array, if it ends in .npy.
    content: what the file should be, in words, for errors.
    form: how to read a PNG of several channels.

    Raises MissingError if there is no file; InputError if it is not a PNG, is truncated or damaged, or holds colours
    that `form` does not tell how to read.
    """
    with reading(path, content) as stream:
        data = stream.read()
    if path.suffix.lower() == ".npy":
        try:
            return from_array(data)
        except ValueError as error:
            raise InputError(f"{path}: {error} ({len(data)} bytes); it should be {content}") from None
    try:
        pixels, bits, colour = checked_chunks(data)
    except ValueError as error:
        raise InputError(f"{path}: {error} ({len(data)} bytes); it should be {content}") from None
    if colour not in (_GREY, _PALETTE) and bits != 8:
        raise InputError(f"{path}: holds colours of {bits} bits; {_one_number(content)}")
    try:
        labels = _decoded(pixels)
    except DAMAGE as error:
        why = "is truncated" if "truncated" in str(error) else f"cannot be decoded ({error})"
        raise InputError(f"{path}: {why} ({len(data)} bytes); it should be {content}") from None
    if colour not in (_GREY, _PALETTE):
        try:
            return single(labels, form)
        except LabelsError as error:
            beside = annotation_of(path)
            if beside is not None:
                what = f"is the photograph that {beside.name}, a file of labelme, annotates"
                raise InputError(f"{path}: {what}; {TO_MAPS}") from None
            raise InputError(f"{path}: {error}; {_one_number(content)}", error.option) from None
    if bits == 16:
        return labels.astype(np.uint16, copy=False)
    labels = labels.astype(np.uint8, copy=False)
    return labels // _STRETCH[bits] if colour == _GREY and bits in _STRETCH else labels


def _decoded(parts: Sequence[bytes]) -> np.ndarray:
    """The pixels of a file's parts: by the compiled helper if it can, else by Pillow. Raises what Pillow raises."""
    names = [part[4:8] for part in parts]
    if names.count(b"IHDR") == 1:
        data = [part[8:-4] for part, name in zip(parts, names, strict=True) if name == b"IDAT"]
        found = png_pixels.pixels(parts[1][8:-4], data, b"PLTE" in names)
        if found is not None:
            return found
    with Image.open(io.BytesIO(b"".join(parts)), formats=("PNG",)) as picture:
        return np.asarray(picture)


def checked_chunks(data: bytes) -> tuple[list[bytes], int, int]:
    """Signature and chunks of the pixels, bits per sample and colour type; checksums are verified.

    Raises ValueError saying what is wrong.
    """
    if not data.startswith(SIGNATURE):
        raise ValueError("is no PNG" if data else "is empty")
    parts = [SIGNATURE]
    for name, start, end in chunks(data):
        if len(parts) == 1 and (name != b"IHDR" or end - start != 25):
            raise ValueError("is damaged: it does not begin with a PNG header")
        if name in _KEPT:
            if zlib.crc32(data[start + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
                raise ValueError(f"is damaged: the checksum of {name.decode()} is wrong")
            parts.append(data[start:end])
    return parts, data[24], data[25]


def class_map(labels: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    """Class indices (H, W) uint16 of labels (H, W), NO_CLASS where a label stands for no class.

    classes: label -> class index.

    >>> class_map(np.array([[7, 0], [8, 255]], np.uint8), {7: 0, 8: 1}).tolist()
    [[0, 65535], [1, 65535]]
    """
    table = np.full(1 << 16, NO_CLASS, np.uint16)
    for label, index in classes.items():
        table[label] = index
    return table[labels]


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Writes (H, W) uint8 or uint16 as a grey PNG, whole or not at all. Raises UsageError if the disk refuses."""
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG", compress_level=3)
    write_whole(path, lambda file: file.write(stream.getvalue()))


# --- looking closer, for `hrbench datasets NAME --check` -------------------------------------------------------------


def _one_number(content: str) -> str:
    """What a file should be, that it has one number a pixel said once."""
    return f"it should be {content}" + ("" if "one number a pixel" in content else ", one number a pixel")


def label_faults(
    image: Path,
    labels: Path,
    known: Collection[int],
    orientation: Orientation = "stored",
    form: LabelForm = PLAIN,
    advice: Callable[[Collection[int]], str] = lambda labels: "",
) -> list[str]:
    """Faults of an image and its labels: a damaged file, different sizes, or a label not in `known`.

    orientation: which picture the labels belong to.
    form: how the labels are stored.
    advice: all labels of a map with one that is not known -> which option reads it, "" for none.
    """
    faults, size = [], None
    try:
        size = decoded_size(image, orientation)
    except (InputError, MissingError) as error:
        faults.append(str(error))
    try:
        values = read_labels(labels, LABELS, form)
    except (InputError, MissingError) as error:
        return [*faults, str(error)]
    if size is not None and size != values.shape[::-1]:
        width, height = values.shape[::-1]
        remark = size_remark(size, (width, height), tag_of_file(image), orientation)
        faults.append(
            f"labels {labels} are {width}x{height} pixels, their image {image} is {size[0]}x{size[1]}{remark}"
        )
    odd = range_faults(labels, values, known)
    remedy = advice(np.unique(values).tolist()) if odd else ""
    return [*faults, *(f"{fault}; {remedy}" if remedy else fault for fault in odd)]


def range_faults(path: Path, values: np.ndarray, known: Collection[int]) -> list[str]:
    """At most one sentence on labels (H, W) that are not in `known`: the first of them, and how many pixels hold one.

    >>> range_faults(Path("a.png"), np.array([[0, 9], [1, 9]]), {0, 1})
    ['labels a.png hold 9 at (1, 0), which is no label of this data set (0 to 1); 2 of 4 pixels are out of range']
    """
    strange = ~np.isin(values, np.fromiter(known, np.int64, len(known)))
    count = int(np.count_nonzero(strange))
    if not count:
        return []
    y, x = np.unravel_index(int(np.argmax(strange)), values.shape)
    return [
        f"labels {path} hold {values[y, x]} at ({x}, {y}), which is no label of this data set ({ranges(known)}); "
        f"{count} of {values.size} pixels are out of range"
    ]


def unknown_label_advice(labels: Collection[int], known: Collection[int], classes: int) -> str:
    """`unknown_label_remedy` in words alone."""
    return unknown_label_remedy(labels, known, classes)[1]


def unknown_label_remedy(
    labels: Collection[int], known: Collection[int], classes: int, predicted: bool = False
) -> tuple[str, str]:
    """Which option reads a map with labels that a data set does not know, as the suite's `dataset:` has it: the first
    choice as `InputError.option` has it, and all in words.

    labels: all labels of the map.
    known: labels of the classes, and those that are ignored.
    classes: how many classes there are.
    predicted: whether the map is a prediction, where a label that is ignored is wrong.

    >>> unknown_label_remedy({0, 255}, {0, 1}, 2)[0]
    'values: {0: 0, 255: 1}'
    >>> unknown_label_remedy({0, 7, 9}, {0, 1}, 2)[1]
    'option ignore: [7, 9] leaves them out, option values: {label: class, ...} says what each means'
    """
    strange = sorted(set(labels) - set(known))
    if classes == 2 and len(strange) == 1 and set(labels) <= {0, *strange}:
        (label,) = strange
        option = f"values: {{0: 0, {label}: 1}}"
        return option, (
            f"option {option} reads {label} as the second class (in a suite a line of "
            f"`dataset:`, instead of ids and mapping), option ignore: [{label}] leaves it out"
        )
    shown = ", ".join(map(str, strange[:_LISTED])) + (", ..." if len(strange) > _LISTED else "")
    them = "it" if len(strange) == 1 else "them"
    effect = f"counts {them} as wrong where predicted" if predicted else f"leaves {them} out"
    advice = f"option ignore: [{shown}] {effect}, option values: {{label: class, ...}} says what each means"
    return f"ignore: [{shown}]", advice


def ranges(numbers: Collection[int]) -> str:
    """Whole numbers in words.

    >>> ranges([0, 1, 2, 5, 255])
    '0 to 2, 5, 255'
    """
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join(" to ".join(map(str, part)) for part in parts)
