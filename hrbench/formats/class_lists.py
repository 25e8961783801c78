"""The class of each image of a classification set, read from the layouts and files of such sets.

    a folder         one folder of images for each class; classes by the sorted names, or in the order of `names`
    name label       a text of lines such as "ILSVRC2012_val_00000001.JPEG 65" (Caffe's val.txt), split by a space or
                     comma; with a heading ("image,label"), or without; a label is an index from 0, or a class's name
    Kaggle's         LOC_val_solution.csv, heading "ImageId,PredictionString": the string begins with the synset
    the devkit's     ILSVRC2012_validation_ground_truth.txt: one ILSVRC2012_ID from 1 on a line for each image in order.
                     These ids are not the networks' class order: meta.mat, next to it in the devkit, says
                     which synset has which id (`class_predictions` reads it)
    lists in JSON    one list of valid labels for each image, by name, or as ImageNet-ReaL's real.json in the order of
                     ILSVRC2012_val_00000001 and so on; an image without a valid label is left out of the score
    iNaturalist's    images, categories and annotations in JSON as COCO has them; classes by rising category id. If the
                     annotations have boxes, classes are the categories of all supercategories that occur

The id of an image is its path without suffix ("n01440764/ILSVRC2012_val_00000293"), for iNaturalist its number. Data
sets and metrics read the same lists by this module.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hrbench.errors import InputError, MissingError
from hrbench.formats.paths import ENDINGS, hidden, inside

ILSVRC_NAME = "ILSVRC2012_val_{:08d}"


@dataclass(frozen=True, slots=True)
class ClassLists:
    """Images with their valid classes.

    ids: N names, or numbers.
    labels: for each image its class indices from 0.
    classes: names in the order of a network's outputs, () if the file does not have them.
    unmapped: whether labels are ids of the devkit, from 1, which meta.mat maps to synsets.
    files: the image's path as the list gives it, if it gives one.
    boxes: (x, y, width, height) in pixels, and sizes: (width, height), by id.
    """

    path: Path
    ids: tuple[int | str, ...]
    labels: tuple[tuple[int, ...], ...]
    classes: tuple[str, ...] = ()
    unmapped: bool = False
    files: Mapping[int | str, str] = field(default_factory=dict)
    boxes: Mapping[int | str, tuple[float, float, float, float]] = field(default_factory=dict)
    sizes: Mapping[int | str, tuple[int, int]] = field(default_factory=dict)


def read(path: Path, names: Sequence[str] = ()) -> ClassLists:
    """Reads a folder or file as listed at the top of this module. names: of the classes, in order, if known.

    Raises MissingError if there is nothing, InputError naming the first fault.
    """
    path = Path(path)
    if path.is_dir():
        return of_folders(path, names)
    if path.suffix.lower() == ".json":
        return _of_json(path, names)
    return _of_text(path, names)


def stem(name: str) -> str:
    """An image's id from its path: with "/" between parts, without the suffix of an image file.

    >>> stem("./a/b.c.JPEG"), stem("n01440764_1.5")
    ('a/b.c', 'n01440764_1.5')
    """
    name = name.replace(os.sep, "/")
    while name.startswith("./"):
        name = name[2:]
    head, dot, ending = name.rpartition(".")
    return head if dot and f".{ending.lower()}" in ENDINGS else name


# --- folders ---------------------------------------------------------------------------------------------------------


def class_folders(root: Path) -> list[str]:
    """Sorted names of the folders in `root`, hidden ones left out."""
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def of_folders(root: Path, names: Sequence[str] = ()) -> ClassLists:
    """One folder for each class, with images at any depth below it.

    names: the expected folders, in the order of the classes. Another folder raises InputError; a missing folder is a
        class without images.
    """
    found = class_folders(root)
    if not found:
        raise InputError(f"{root}: there is no folder of a class in it; images lie in one folder for each class")
    if names:
        extra = [name for name in found if name not in set(names)]
        if extra:
            more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
            raise InputError(f"{root / extra[0]} is a class folder too many{more}: {_known(names)}; take it out")
    classes = tuple(names) or tuple(found)
    ids: list[int | str] = []
    labels: list[tuple[int, ...]] = []
    files: dict[int | str, str] = {}
    present = set(found)
    for label, name in enumerate(classes):
        for file in _images(root, name) if name in present else []:
            key = stem(file)
            if key in files:
                raise InputError(f"{root}: {file} and {files[key]} differ in their endings alone; take one of them out")
            ids.append(key)
            labels.append((label,))
            files[key] = file
    if not ids:
        raise InputError(
            f"{root}: no image is in its {len(found)} folders ({', '.join(sorted(ENDINGS))} are looked for)"
        )
    return ClassLists(root, tuple(ids), tuple(labels), classes, files=files)


def _images(root: Path, name: str) -> list[str]:
    """Images below a class's folder, relative to `root`, sorted."""
    found = []
    for where, folders, files in os.walk(root / name, followlinks=True):
        folders.sort()
        below = Path(where).relative_to(root).as_posix()
        found += [f"{below}/{file}" for file in files if Path(file).suffix.lower() in ENDINGS and not hidden(file)]
    return sorted(found)


def _known(names: Sequence[str]) -> str:
    if len(names) <= 4:
        return f"the classes are {', '.join(names)}"
    return f"there are {len(names)} classes, {names[0]} to {names[-1]}"


# --- text ------------------------------------------------------------------------------------------------------------


def _of_text(path: Path, names: Sequence[str]) -> ClassLists:
    lines = [line.strip() for line in _text(path).splitlines()]
    rows = [(number, line) for number, line in enumerate(lines, 1) if line]
    if not rows:
        raise InputError(f"{path}: it is empty; a line names an image and its class")
    if all(_whole(line) for _, line in rows):
        return _of_devkit(path, [line for _, line in rows])
    if rows[0][1].replace(" ", "").lower() == "imageid,predictionstring":
        rows = [(number, line.split(" ", 1)[0]) for number, line in rows[1:]]  # after the synset there is a box
    elif _heading(rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise InputError(f"{path}: it lists no image; a line names an image and its class")
    pairs = [_pair(path, number, line) for number, line in rows]
    if not names and not all(_whole(label) for _, _, label in pairs):
        names = tuple(sorted({label for _, _, label in pairs}))
    order = {name: index for index, name in enumerate(names)}
    files: dict[int | str, str] = {}
    labels = []
    for number, name, label in pairs:
        key = stem(inside(name, f"{path}, line {number}"))
        if key in files:
            raise InputError(f"{path}, line {number}: image {name} is there twice")
        files[key] = name
        labels.append((_index(f"{path}, line {number}", label, order),))
    return ClassLists(path, tuple(files), tuple(labels), tuple(names), files=files)


def _of_devkit(path: Path, lines: Sequence[str]) -> ClassLists:
    ids = tuple(ILSVRC_NAME.format(number + 1) for number in range(len(lines)))
    return ClassLists(path, ids, tuple((int(line),) for line in lines), unmapped=True)


def _pair(path: Path, number: int, line: str) -> tuple[int, str, str]:
    """Line number, image and label; the label comes after the last comma or space outside quotes."""
    name, label = _fields(line)
    if not name or not label:
        raise InputError(f"{path}, line {number}: {_short(line)} is not an image and its class; as in: a.jpg 65")
    return number, name, label


def _fields(line: str) -> tuple[str, str]:
    """The text before and after the last comma (or space, if there is no comma) outside quotes.

    A name may contain separators, quoted or not. Returns "" and "" for any other line.
    """
    separator = "," if "," in line else " "
    try:
        *name, label = next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration):  # a field of more than 100,000 characters
        return "", ""
    return separator.join(name).strip().strip('"'), label.strip().strip('"')


def _heading(line: str) -> bool:
    name, label = _fields(line)
    return name.lower() in ("image", "name", "file", "filename", "id") and not _whole(label)


def _index(where: str, label: str, order: Mapping[str, int]) -> int:
    if label in order:
        return order[label]
    if not _whole(label):
        raise InputError(f"{where}: there is no class {_short(label)}; {_known(tuple(order))}")
    if order and int(label) >= len(order):
        raise InputError(f"{where}: class {label} of {len(order)}; they are counted from 0")
    return int(label)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingError(
            f"{path}: there is no such file; it should be a list of images and classes, or a folder"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: it is no text in UTF-8 (byte {error.start}); a line names an image and its class"
        ) from None


# --- JSON ------------------------------------------------------------------------------------------------------------


def _of_json(path: Path, names: Sequence[str]) -> ClassLists:
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: it is no JSON: {error}") from None
    if isinstance(content, dict) and "annotations" in content:
        return _of_inaturalist(path, content)
    if isinstance(content, list):
        content = {ILSVRC_NAME.format(number + 1): labels for number, labels in enumerate(content)}
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: neither lists of labels (as real.json) nor iNaturalist's images and annotations")
    ids: dict[int | str, str] = {}
    valid = []
    for name, labels in content.items():
        key = stem(name)
        if key in ids:
            raise InputError(f"{path}: image {name} is there twice")
        ids[key] = name
        labels = [labels] if type(labels) is int else labels
        if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 10**9 for label in labels):
            raise InputError(
                f"{path}: the labels of image {name} are not a list of indices from 0: {_short(str(labels))}"
            )
        if names and any(label >= len(names) for label in labels):
            raise InputError(f"{path}: image {name}: class {max(labels)} of {len(names)}; they are counted from 0")
        valid.append(tuple(dict.fromkeys(labels)))
    return ClassLists(path, tuple(ids), tuple(valid), tuple(names), files=ids)


def _of_inaturalist(path: Path, content: dict[str, Any]) -> ClassLists:
    images, categories, rows = (_rows(path, content, key) for key in ("images", "categories", "annotations"))
    named = {_number(path, row, "id"): row for row in categories}
    if len(named) < len(categories) or not named:
        raise InputError(f"{path}: categories need ids that differ, and at least one of them")
    boxed = any("bbox" in row for row in rows)
    kept = sorted(named)
    if boxed:
        above = {_above(named.get(_number(path, row, "category_id"), {})) for row in rows}
        kept = [number for number in kept if _above(named[number]) in above]
    order = {number: index for index, number in enumerate(kept)}
    known = {_number(path, row, "id"): row for row in images}
    labels: dict[int, tuple[int, ...]] = {}
    boxes: dict[int | str, tuple[float, float, float, float]] = {}
    for row in rows:
        image, category = _number(path, row, "image_id"), _number(path, row, "category_id")
        if image not in known or category not in order:
            raise InputError(
                f"{path}: an annotation is of image {image} and category {category}, which it does not list"
            )
        if image in labels:
            raise InputError(f"{path}: image {image} has two annotations; each image has one class (and one box)")
        labels[image] = (order[category],)
        if boxed:
            boxes[image] = _box(path, image, row.get("bbox"))
    ids = tuple(sorted(labels))
    classes = tuple(str(named[number].get("name", number)) for number in kept)
    files: dict[int | str, str] = {
        image: inside(str(known[image].get("file_name", "")), f"{path}: image {image}") for image in ids
    }
    sizes: dict[int | str, tuple[int, int]] = {
        image: size for image in ids if (size := _size(path, known[image])) is not None
    }
    if not ids:
        raise InputError(f"{path}: it has no annotations")
    return ClassLists(path, ids, tuple(labels[image] for image in ids), classes, False, files, boxes, sizes)


def _above(category: Mapping[str, Any]) -> Any:
    return str(category.get("supercategory", ""))


def _rows(path: Path, content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    rows = content.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: {key!r} is not a list of objects, as in iNaturalist's val2017.json")
    return rows


def _number(path: Path, row: Mapping[str, Any], key: str) -> int:
    value = row.get(key)
    if type(value) is not int or not -(2**62) < value < 2**62:
        raise InputError(
            f"{path}: {key!r} is {_short(str(value))} in {_short(str(dict(row)))}; a whole number is needed"
        )
    return value


def _size(path: Path, row: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) of a row of images; None if it does not say."""
    width, height = row.get("width"), row.get("height")
    if type(width) is not int or type(height) is not int:
        return None
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise InputError(f"{path}: image {row['id']} is {width}x{height} pixels; both sides are above 0")
    return width, height


def _box(path: Path, image: int, box: Any) -> tuple[float, float, float, float]:
    numbers = isinstance(box, list) and len(box) == 4 and all(type(value) in (int, float) for value in box)
    if not numbers or not all(abs(value) < 1e9 for value in box) or box[2] <= 0 or box[3] <= 0:
        raise InputError(f"{path}: image {image} has no box [x, y, width, height]: {_short(str(box))}")
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
