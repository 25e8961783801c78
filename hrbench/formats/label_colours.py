"""Label maps whose pixels are not one stored number: colours of a palette, equal channels, NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hrbench.core.npz import read_npy
from hrbench.errors import UsageError

Colour = tuple[int, int, int]
_FEW = 6
_NEAR = 8
"""A colour that differs by so much in no channel may be one that was mistyped, or changed by JPEG."""


class LabelsError(ValueError):
    """Pixels or numbers that are no labels. option: as `InputError` has it."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True)
class LabelForm:
    """How label maps are stored, as the user says. The default: one number a pixel.

    colours: (red, green, blue) -> the label of pixels of this colour; {} if maps hold no colours.
    channels: "one", or "equal": several channels that are equal are read as one.
    """

    colours: Mapping[Colour, int] = field(default_factory=dict)
    channels: Literal["one", "equal"] = "one"

    def __post_init__(self) -> None:
        if self.channels not in ("one", "equal"):
            raise UsageError(f"channels: one or equal was expected, not {self.channels!r}")


PLAIN = LabelForm()
OTHER_COLOURS = 65533
"""The label that colours get which are not evaluated; no class has it."""
_MAX_CLASSES = 65000


def meanings(values: Mapping[Any, int]) -> tuple[tuple[int, ...], dict[int, int]]:
    """(the label of each class, further labels -> class index) of a mapping of all labels to classes.

    Raises UsageError if a class between the first and the last has no label.

    >>> meanings({0: 0, 255: 1, 7: 0})
    ((0, 255), {7: 0})
    """
    try:
        plain = {int(label): int(index) for label, index in values.items()}
    except (TypeError, ValueError, AttributeError):
        raise UsageError(f"values: a mapping of labels to class indices was expected, not {values!r}") from None
    if not plain or min(plain.values()) < 0 or max(plain.values()) >= _MAX_CLASSES:
        raise UsageError(f"values: labels with class indices from 0 were expected, not {values!r}")
    first = {index: label for label, index in reversed(plain.items())}
    absent = next((index for index in range(max(first)) if index not in first), None)
    if absent is not None:
        raise UsageError(f"values: class {absent} has no label; classes run from 0 to {max(first)}")
    ids = tuple(first[index] for index in range(len(first)))
    return ids, {label: index for label, index in plain.items() if label not in ids}


def colours_of(
    palette: Sequence[Sequence[int]] | None, ids: Sequence[int], ignored: Sequence[Sequence[int]], label: int
) -> dict[Colour, int]:
    """The label of each colour.

    palette: a colour for each class, None for none.
    ids: the label of each class.
    ignored: colours that are not evaluated.
    label: of these.

    Raises UsageError for what is no colour, and for a colour with two meanings.
    """
    if palette is None:
        if ignored:
            raise UsageError("ignore_colours are those of a palette: give `palette`, a colour for each class")
        return {}
    if len(palette) != len(ids):
        raise UsageError(f"palette has {len(palette)} colours for {len(ids)} classes")
    found: dict[Colour, int] = {}
    for colour, meaning in [*zip(palette, ids, strict=True), *((one, label) for one in ignored)]:
        whole = isinstance(colour, Sequence) and len(colour) == 3 and all(type(one) is int for one in colour)
        if not whole or not all(0 <= one <= 255 for one in colour):
            raise UsageError(f"palette: {colour!r} is no colour [red, green, blue], each from 0 to 255")
        key = (colour[0], colour[1], colour[2])
        if key in found:
            raise UsageError(f"palette: the colour {list(key)} is given two meanings, so that it cannot be read")
        found[key] = meaning
    return found


def single(pixels: np.ndarray, form: LabelForm) -> np.ndarray:
    """(H, W) uint8 or uint16 labels of (H, W, C) uint8 pixels, C being 2 (grey, alpha), 3 or 4.

    Raises LabelsError, with a message that begins with a verb and names the option, if they cannot be read so.
    """
    colour, alpha = (pixels[..., :-1], pixels[..., -1]) if pixels.shape[2] in (2, 4) else (pixels, None)
    if alpha is not None and not bool((alpha == 255).all()):
        raise LabelsError(
            "is transparent in parts, of which no option says what they are: save it without transparency"
        )
    equal = all(bool((colour[..., 0] == colour[..., channel]).all()) for channel in range(1, colour.shape[2]))
    if colour.shape[2] == 1 or (equal and form.channels == "equal"):
        if form.channels != "equal":
            raise LabelsError(
                "holds grey and transparency; option channels: equal reads the grey values as labels", "channels: equal"
            )
        return np.ascontiguousarray(colour[..., 0])
    if form.colours:
        return _labels(colour, form.colours)
    if equal:
        raise LabelsError(
            f"holds {colour.shape[2]} channels, which are equal; option channels: equal reads them as one, option "
            "palette: [[red, green, blue], ...] as colours of the classes (a data set needs `colours: true` as well)",
            "channels: equal",
        )
    more = "; its channels are not equal" if form.channels == "equal" else ""
    raise LabelsError(
        f"holds colours{more}; option palette: [[red, green, blue], ...] gives that of each class; a data set needs "
        f"`colours: true` as well, also where it has a palette; this file has {_some(colour)}",
        "palette",
    )


def _labels(colour: np.ndarray, colours: Mapping[Colour, int]) -> np.ndarray:
    codes = _codes(colour)
    known = np.array(sorted((red << 16) + (green << 8) + blue for red, green, blue in colours), np.uint32)
    labels = np.array([colours[(int(c) >> 16, (int(c) >> 8) & 255, int(c) & 255)] for c in known], np.int64)
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    strange = known[place] != codes
    if strange.any():
        y, x = np.unravel_index(int(np.argmax(strange)), strange.shape)
        raise LabelsError(
            f"holds the colour {colour[y, x].tolist()} at ({x}, {y}), which is not in the palette"
            f"{_nearest(colour[y, x], colours)}; {np.count_nonzero(strange)} of {strange.size} pixels are of none of "
            "its colours; if it is that of a class, correct option palette; option ignore_colours leaves colours out",
            "ignore_colours",
        )
    return labels[place].astype(np.uint8 if int(labels.max()) < 256 else np.uint16)


def _nearest(colour: np.ndarray, colours: Mapping[Colour, int]) -> str:
    """The colour of the palette that is meant, if one differs by a little: in words."""
    near = min(colours, key=lambda one: max(abs(int(a) - int(b)) for a, b in zip(one, colour, strict=True)))
    far = max(abs(int(a) - int(b)) for a, b in zip(near, colour, strict=True))
    return f" (near {list(near)}, which is)" if far <= _NEAR else ""


def _codes(colour: np.ndarray) -> np.ndarray:
    wide = colour.astype(np.uint32)
    return (wide[..., 0] << 16) + (wide[..., 1] << 8) + wide[..., 2]


def _some(colour: np.ndarray) -> str:
    codes, many = np.unique(_codes(colour), return_counts=True)
    order = np.argsort(-many, kind="stable")[:_FEW]
    shown = ", ".join(str([int(c) >> 16, (int(c) >> 8) & 255, int(c) & 255]) for c in codes[order])
    return shown + (f" and {len(codes) - _FEW} more" if len(codes) > _FEW else "")


def from_array(data: bytes) -> np.ndarray:
    """(H, W) uint8 or uint16 labels of a `.npy` file. Raises ValueError, with a message, for any other content."""
    try:
        values = read_npy(data)
    except ValueError as error:
        raise ValueError(f"is no NumPy array that can be read ({error})") from None
    if values.ndim != 2 or not values.size or values.dtype.kind not in "iub":
        shape = "x".join(map(str, values.shape)) or "one number"
        raise ValueError(f"holds {shape} of {values.dtype}; whole numbers (height, width) are needed, one a pixel")
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"holds labels from {values.min()} to {values.max()}; they run from 0 to 65535")
    return values.astype(np.uint8 if values.max() < 256 else np.uint16)
