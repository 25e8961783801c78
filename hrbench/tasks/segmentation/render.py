"""Pictures of a segmentation: the image, and beside it the same in the colours of its predicted classes, with names."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from hrbench.errors import InputError, MissingError
from hrbench.formats.label_colours import PLAIN, LabelForm
from hrbench.formats.labels import NO_CLASS, class_map, read_labels
from hrbench.types import ClassScheme, Sample

PANEL = 480
"""Long side of each of the two pictures, in pixels."""

LABELS_FILE = "labels.txt"
"""The file in a folder of predictions that says whether its numbers are label "ids" or class "indices"."""

OPACITY = 0.65
NOTHING = (96, 96, 96)
FONT, SCALE, LINE, SWATCH = cv2.FONT_HERSHEY_SIMPLEX, 0.4, 18, 12


# --- class maps from a folder of predictions -------------------------------------------------------------------------


def read_maps(
    folder: Path, samples: Sequence[Sample], scheme: ClassScheme, form: LabelForm = PLAIN
) -> dict[int | str, np.ndarray]:
    """Sample id -> class indices (H, W) uint16, NO_CLASS where a label is none, from a folder of PNGs.

    folder: a sample's file in it is {id}.png, or the one PNG whose name begins with the last part of the id.
    samples: those that are read.
    scheme: the classes.
    form: how maps are stored that are not one number a pixel; colours stand for label ids.

    Numbers are label ids or class indices: `labels.txt` in the folder says which, else the numbers themselves, as far
    as they tell. Raises MissingError for a sample without a file, InputError for a file that is no PNG of labels.
    """
    classes = len(scheme.names)
    read = {sample.id: _numbers(_file(folder, str(sample.id)), form) for sample in samples}
    raw = {key: numbers for key, (numbers, _) in read.items()}
    mark = folder / LABELS_FILE
    word = mark.read_text(errors="replace").strip() if mark.is_file() else ""
    ids = scheme.ids or tuple(range(classes))
    told = any(coloured or int(numbers.max()) >= classes for numbers, coloured in read.values())
    if word == "ids" or (word != "indices" and told):
        indices = {label: index for index, label in enumerate(ids)}
        return {key: class_map(numbers, indices) for key, numbers in raw.items()}
    return {key: np.where(numbers < classes, numbers, np.uint16(NO_CLASS)) for key, numbers in raw.items()}


def _file(folder: Path, name: str) -> Path:
    path = folder / f"{name}.png"
    if path.is_file():
        return path
    last = name.rpartition("/")[2]
    found = sorted(each for each in folder.rglob("*.png") if each.name.startswith(last))
    if len(found) != 1:
        raise MissingError(f"{folder} holds {len(found)} predictions of image {name}: one is drawn")
    return found[0]


def _numbers(path: Path, form: LabelForm) -> tuple[np.ndarray, bool]:
    """(H, W) uint16: grey values, indices of a palette, or the ids that colours stand for; and whether it is these."""
    what = "a predicted label map"
    if form.colours:
        with suppress(InputError):
            return read_labels(path, what).astype(np.uint16), False
    return read_labels(path, what, form).astype(np.uint16), bool(form.colours)


# --- the picture -----------------------------------------------------------------------------------------------------


def render_class_map(
    image: np.ndarray, classes: np.ndarray, scheme: ClassScheme, borders: np.ndarray | None = None
) -> np.ndarray:
    """The image beside itself in grey, tinted by class, above the names of the classes there; uint8 (h, w, 3) BGR.

    image: uint8 (H, W, 3) BGR.
    classes: (H, W) class indices, larger ones for no class; of another size than the image (a prediction that was
        given), they are stretched to it.
    scheme: the classes.
    borders: (H, W) numbers of segments, between which white lines are drawn; None for no lines.
    """
    factor = PANEL / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    panel = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    small = cv2.resize(classes.astype(np.uint16), size, interpolation=cv2.INTER_NEAREST)
    colours = np.array([*palette(scheme), NOTHING], np.float32)[:, ::-1]
    tint = colours[np.minimum(small, len(scheme.names))]
    grey = cv2.cvtColor(cv2.cvtColor(panel, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)  # so that only classes have hues
    tinted = np.rint(grey * (1 - OPACITY) + tint * OPACITY).astype(np.uint8)
    if borders is not None:
        small = cv2.resize(borders.astype(np.float64), size, interpolation=cv2.INTER_NEAREST)
        tinted[:, 1:][small[:, 1:] != small[:, :-1]] = 255
        tinted[1:][small[1:] != small[:-1]] = 255
    wide = size[0] > size[1]
    picture = np.concatenate([panel, tinted], axis=0 if wide else 1)
    return np.concatenate([picture, _legend(classes, scheme, picture.shape[1])])


def palette(scheme: ClassScheme) -> list[tuple[int, int, int]]:
    """A colour (red, green, blue) for each class: the scheme's own, or hues that neighbours do not share."""
    if scheme.palette:
        return list(scheme.palette)
    made = []
    for number in range(len(scheme.names)):
        hue = number * 0.618034 % 1  # by the golden ratio, whose multiples keep apart
        red, green, blue = colorsys.hsv_to_rgb(hue, (0.85, 0.55)[number // 2 % 2], (0.95, 0.7)[number % 2])
        made.append((round(255 * red), round(255 * green), round(255 * blue)))
    return made


def _legend(classes: np.ndarray, scheme: ClassScheme, width: int) -> np.ndarray:
    """Names of the classes in the map, those of most pixels first, each behind its colour; white, `width` wide."""
    count = np.bincount(np.minimum(classes, len(scheme.names)).ravel(), minlength=len(scheme.names) + 1)
    order = [int(number) for number in np.argsort(-count, kind="stable") if count[number]]
    colours, names = [*palette(scheme), NOTHING], [*scheme.names, "none of the classes"]
    places, x, y = [], 6, 4
    for number in order:
        long = SWATCH + 5 + cv2.getTextSize(names[number], FONT, SCALE, 1)[0][0]
        if x > 6 and x + long > width - 6:
            x, y = 6, y + LINE
        places.append((number, x, y))
        x += long + 12
    strip = np.full((y + LINE, width, 3), 255, np.uint8)
    for number, x, y in places:
        cv2.rectangle(strip, (x, y), (x + SWATCH, y + SWATCH), colours[number][::-1], -1)
        at = (x + SWATCH + 5, y + SWATCH - 2)
        cv2.putText(strip, names[number], at, FONT, SCALE, (40, 40, 40), 1, cv2.LINE_AA)
    return strip
