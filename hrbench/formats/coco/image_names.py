"""Images of COCO files by the names of their files: which image a name means, and the ids that names stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrbench.formats.coco.json_faults import fault_of, is_integer, shown
from hrbench.formats.paths import name_forms


def name_images(path: Path, images: list[Any], rows: list[Any]) -> None:
    """Gives images the ids that `match: file_name` means, and annotations the ids of their images."""
    taken: dict[int, str] = {}
    new: dict[Any, int] = {}
    spare = 1 + max((int(number) for row in images if (number := name_number(_file(row))) is not None), default=0)
    spare = max([spare, *(row["id"] + 1 for row in images if isinstance(row, dict) and is_integer(row.get("id")))])
    for index, row in enumerate(images):
        fault = fault_of(path, f"image {index}", row, ("id",))
        file = _file(row)
        if not file:
            fault("file_name is missing; match: file_name needs it", "match")
        number, own = name_number(file), row.get("id")
        if number is not None:
            chosen = int(number)
        elif is_integer(own):
            chosen = own
        else:
            chosen, spare = spare, spare + 1
        if chosen in taken:
            fault(
                f"file {file!r} and {taken[chosen]!r} would both be image {chosen}; rename one, or leave out `match`",
                "match",
            )
        taken[chosen] = file
        if can_be_id(own):
            if own in new:
                fault(f"id {shown(own)} is that of two images")
            new[own] = chosen
        row["id"] = chosen
    by_name = file_ids(images)
    for index, row in enumerate(rows):
        if isinstance(row, dict) and can_be_id(image := row.get("image_id")):
            found = new.get(image, image_found(image, by_name) if isinstance(image, str) else None)
            if found is None and isinstance(image, str):
                fault = fault_of(path, f"annotation {index}", row, ("id", "image_id"))
                fault(f"image_id {shown(image)} is the id of no image, and {no_image(image, by_name)}")
            row["image_id"] = image if found is None else found


def _file(row: Any) -> str:
    return file_of(row.get("file_name"), row.get("coco_url")) if isinstance(row, dict) else ""


def file_of(name: Any, address: Any) -> str:
    """The file of an image as its list names it; "" if it does not. LVIS has COCO's address of it in place of a name.

    name: its `file_name`, with folders or without.
    address: its `coco_url`, whose last folder and name are taken if there is no name.

    >>> file_of("a.jpg", None), file_of("", "http://images.cocodataset.org/train2017/000000391895.jpg")
    ('a.jpg', 'train2017/000000391895.jpg')
    """
    if isinstance(name, str) and name:
        return name
    return "/".join(address.split("/")[-2:]) if isinstance(address, str) else ""


def name_number(file: str) -> str | None:
    """The number that a file's name is, without its ending."""
    stem = name_forms(file)[-1]
    return stem if stem.isascii() and stem.isdigit() and len(stem) < 19 else None


def file_ids(images: list[Any]) -> dict[str, int | None]:
    """Each name that an image's file may be called -> the image's id; None if two images share the name."""
    found: dict[str, int | None] = {}
    for row in images:
        for name in dict.fromkeys(name_forms(_file(row))):
            found[name] = row["id"] if found.get(name, row["id"]) == row["id"] else None
    return found


def image_found(name: str, by_name: Mapping[str, int | None]) -> int | None:
    """The id of the image that a name means, with folders and ending or without; None if none or two do."""
    return next((by_name[form] for form in name_forms(name) if form in by_name), None)


def no_image(name: str, by_name: Mapping[str, int | None]) -> str:
    """Why `image_found` gives none, in words."""
    if any(one in by_name for one in name_forms(name)):
        return "is the name of two images; write its folder, too"
    some = ", ".join(sorted(by_name)[:3]) + (", ..." if len(by_name) > 3 else "")
    return f"is the file of no image ({some})"


def can_be_id(value: Any) -> bool:
    """Whether a value of a row can be looked up among ids."""
    return isinstance(value, (int, float, str)) or value is None
