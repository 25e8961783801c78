"""What is wrong with the ids and numbers that rows of annotations and results share, and which way on fits all rows.

An id that a ground truth does not list is most often one of many, all wrong in one way: counted from 0 where the
annotation file counts from 1, the number in a file's name, a name. A way on is told only if it fits all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.errors import HrbenchError
from hrbench.formats.coco.forms import in_utf8
from hrbench.formats.coco.image_names import file_ids, file_of, name_number
from hrbench.formats.coco.json_faults import (
    REMEDIES,
    Fault,
    Remedy,
    categories_in_words,
    is_integer,
    is_number,
    number_of,
    parsed,
    remedy,
    shown,
    text_remedy,
    whole_remedy,
)
from hrbench.formats.paths import name_forms


@dataclass(frozen=True)
class ListedIds:
    """What a ground truth lists, and the rows that must name of it.

    images: ids.
    categories: id -> name.
    rows: all rows of the file at fault, which may be anything.
    files: gives the names of the images' files where they are known; called only for a fault.
    given: names of options by which the file was read.
    """

    images: Collection[int]
    categories: Mapping[int, str]
    rows: Sequence[Any]
    files: Callable[[], Sequence[str]]
    given: Collection[str] = ()


def file_names(images: Iterable[Any]) -> list[str]:
    """The names of files in an annotation file's list of images."""
    names = (file_of(row.get("file_name"), row.get("coco_url")) for row in images if isinstance(row, dict))
    return [name for name in names if name]


def file_names_in(path: Path) -> list[str]:
    """The names of the images' files in an annotation file; [] if it cannot be read again."""
    try:
        with path.open("rb") as stream:
            content = parsed(path, in_utf8(stream).read())
    except (OSError, HrbenchError):
        return []
    images = content.get("images") if isinstance(content, dict) else None
    return file_names(images) if isinstance(images, list) else []


def check_object(fault: Fault, index: int, row: dict[str, Any], listed: ListedIds, seen: dict[int, int]) -> None:
    """Checks what all annotated objects have: id (not in `seen`; it is added there), other ids, area, iscrowd."""
    if not is_integer(row["id"]) or row["id"] < 1:
        fault(
            f"id is {shown(row['id'])}; ids must be whole numbers from 1 on (pycocotools takes 0 for 'no match')",
            whole_remedy(row["id"]) or REMEDIES["id"],
        )
    if row["id"] in seen:
        fault(f"id is already that of annotation {seen[row['id']]}; ids must differ", REMEDIES["id"])
    seen[row["id"]] = index
    check_ids(fault, row, listed)
    if not is_number(row["area"]) or row["area"] < 0:
        fault(
            f"area is {shown(row['area'])}; it must be a finite number of square pixels, zero or more",
            text_remedy(row["area"]) or REMEDIES["area"],
        )
    crowd = row.get("iscrowd", 0)  # which not every kind of file needs
    if crowd not in (0, 1) or isinstance(crowd, float):
        fault(f"iscrowd is {shown(crowd)}; it must be 0 or 1", whole_remedy(crowd))


def check_detection(fault: Fault, row: dict[str, Any], listed: ListedIds) -> None:
    """Checks what all results have: ids and a score."""
    check_ids(fault, row, listed)
    if not is_number(row["score"]):
        fault(f"score is {shown(row['score'])}; scores must be finite numbers", text_remedy(row["score"]))


def check_ids(fault: Fault, row: dict[str, Any], listed: ListedIds) -> None:
    """Checks that the ids of a row's image and category are whole numbers that the ground truth lists."""
    image, category = row["image_id"], row["category_id"]
    if not is_integer(image):
        fault(
            f"image_id is {shown(image)}; it must be a whole number",
            _text_of_an_image(image, listed) if isinstance(image, str) else whole_remedy(image),
        )
    if image not in listed.images:
        some = ", ".join(str(one) for one in sorted(listed.images)[:5]) + (", ..." if len(listed.images) > 5 else "")
        fault(
            f"image_id {image} is not among the images of the ground truth ({some or 'it has none'})",
            _other_images(listed),
        )
    if not is_integer(category):
        fault(
            f"category_id is {shown(category)}; it must be a whole number{_id_of(category, listed.categories)}",
            whole_remedy(category),
        )
    if category not in listed.categories:
        some = categories_in_words(sorted(listed.categories.items()))
        fault(
            f"category_id {category} is not among the categories of the ground truth ({some})",
            Remedy("", _other_categories(listed)),
        )


# --- images -----------------------------------------------------------------------------------------------------------


def _text_of_an_image(text: str, listed: ListedIds) -> Remedy:
    """What takes a text for an image's id: the name of its file, a number, or both."""
    number, files = number_of(text), listed.files()
    names = file_ids([{"id": index, "file_name": name} for index, name in enumerate(files)])
    named = any(names.get(form) is not None for form in name_forms(text))
    if named and number in listed.images:
        more = " takes it for the name of the image's file, option text_numbers: true for a number"
        return remedy("match: file_name", more)
    if named:
        return remedy("match: file_name", " takes it for the name of the image's file")
    if number is not None:
        return text_remedy(text)
    some = f" ({', '.join(files[:2])}{', ...' if len(files) > 2 else ''})" if files else ""
    return Remedy("", f"; no image's file is called so{some}: write the id of the image in the annotation file")


def _other_images(listed: ListedIds) -> Remedy:
    """What to do about ids of images that are not listed, the ways on that fit all rows first."""
    ids = _ids(listed.rows, "image_id")
    shift = _shift("image ids", ids, listed.images)
    if "match" in listed.given:
        return Remedy("", shift or _MATCHED)
    numbers = {int(number) for name in listed.files() if (number := name_number(name)) is not None}
    if ids and ids <= numbers:
        found = remedy("match: file_name", ", if each is the number in the image's file name")
        return Remedy(found.option, shift + found.text)
    if shift:
        return Remedy("", shift)
    absent = len(ids - set(listed.images))
    return Remedy(
        "",
        f"; {absent:,} of {len(ids):,} images with rows are not: if these are of another split, name the annotations "
        "of that one",
    )


_MATCHED = (
    "; match: file_name took it for the number in the name of an image's file, and no file has it: leave out `match` "
    "if it is the id in the annotation file, write the names of the files as image_id, or name the annotations of the "
    "split that the results are of"
)


def _ids(rows: Sequence[Any], key: str) -> set[int]:
    return {row[key] for row in rows if isinstance(row, dict) and is_integer(row.get(key))}


def _shift(what: str, ids: set[int], known: Collection[int]) -> str:
    """That all ids are one too small, or too large, in words; "" unless all of them are known once that is mended."""
    for by, wrong, mend in ((1, "small", "add 1 to each"), (-1, "large", "take 1 from each")):
        if ids and all(number + by in known for number in ids):
            return f"; all {what} look one too {wrong}: {mend}, as the annotation file counts them"
    return ""


# --- categories -------------------------------------------------------------------------------------------------------


def _other_categories(listed: ListedIds) -> str:
    """What to do about ids of categories that are not listed, in words; "" if nothing fits all rows."""
    ids, known = _ids(listed.rows, "category_id"), sorted(listed.categories)
    if shift := _shift("category ids", ids, known):
        return shift
    for first in (0, 1):
        if len(ids) > 1 and all(first <= number < first + len(known) for number in ids):
            return f"; they look like places of the classes, counted from {first}: write the ids of the annotation file"
    return ""


def _id_of(name: Any, categories: Mapping[int, str]) -> str:
    """What to write for a category that is given by its name, in words; "" if it is no text or a number."""
    if not isinstance(name, str) or number_of(name) is not None:
        return ""
    if list(categories.values()).count(name) == 1:
        some = categories_in_words(sorted(categories.items()))
        number = next(number for number, known in categories.items() if known == name)
        return f", and that of this category is {number}: write the id in place of each name: {some}"
    return f", the id of one of the categories: {categories_in_words(sorted(categories.items()))}"
