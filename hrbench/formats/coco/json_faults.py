"""Checks that say what is wrong with a COCO file: the first fault by position and ids, and what to do about it.

Slow, and used only for files that are known to have a fault. Python's own parser is used: only it accepts the NaN and
Infinity that Python's json writes, on which evaluation engines disagree silently.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from hrbench.core.files import MAX_COORDINATE
from hrbench.errors import InputError
from hrbench.formats.labelme import LABELME, TO_COCO, first_labelme, is_labelme


@dataclass(frozen=True, slots=True)
class Remedy:
    """An option that allows a fault.

    option: as a suite writes it; "" if there is none.
    text: the end of the message.
    again: the end of the message if the option was given, and the fault is still there.
    """

    option: str = ""
    text: str = ""
    again: str = ""

    def __bool__(self) -> bool:
        return bool(self.option)


class Fault(Protocol):
    """Raises InputError with a text after the file, the row and its ids."""

    def __call__(self, text: str, option: str | Remedy = "") -> NoReturn:
        """option: as InputError has it, if the text names one; or with what is said of it."""
        ...


def remedy(option: str, more: str, again: str = "") -> Remedy:
    """An option that allows a fault. more: what is said of it; again: as `Remedy` has it."""
    name = option.partition(":")[0]
    return Remedy(option, f"; option {option}{more}", again or f"; `{name}` was given, and does not help here")


NO_REMEDY = Remedy()
REMEDIES = {
    "id": remedy("renumber: true", " numbers the annotations in the order of the file"),
    "area": remedy(
        "truth_area: box", ", box*0.53 (CrowdPose's and AI Challenger's rule) or segmentation takes it from there"
    ),
    "iscrowd": remedy("iscrowd: 0", " takes rows that do not say for no crowds"),
    "num_keypoints": remedy("num_keypoints: joints", " counts them"),
}
"""Key of an annotation that exports leave out -> the option that does without it."""


_SHOWN = 3
"""Names of files that a message lists."""


def refuse_folder(path: Path) -> None:
    """Raises InputError if a folder is given for a file of annotations, and names the JSON files that lie in it.

    A path without a file is taken: what is missing is told apart from what is wrong.
    """
    if not path.is_dir():
        return
    labelme = first_labelme(path)
    if labelme is not None:
        raise InputError(f"{path}: is a folder, and {labelme.name} in it {LABELME}; {TO_COCO}")
    found = sorted((file.name for file in path.glob("*.json")), key=lambda name: ("annotations" not in name, name))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    there = f"name the file in it: {', '.join(found[:_SHOWN])}{more}" if found else "no JSON file lies in it"
    raise InputError(f"{path}: is a folder; COCO annotations are one JSON file; {there}")


def refuse_labelme(path: Path, data: bytes) -> None:
    """Raises InputError for a file of labelme's, which is not COCO's. data: the file."""
    try:
        _refuse_labelme(path, json.loads(data))
    except (ValueError, RecursionError):
        return


def _refuse_labelme(path: Path, content: Any) -> None:
    if is_labelme(content):
        raise InputError(f"{path}: {LABELME}; {TO_COCO}")


def annotation_file(
    path: Path, data: bytes, given: Collection[str] = ()
) -> tuple[dict[str, Any], set[int], dict[int, str]]:
    """(content, ids of images, ids of categories with their names). Raises InputError if these have a fault.

    given: names of options that were given.
    """
    content = parsed(path, data)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds {kind(content)}; COCO annotations are an object with images, annotations, "
            "categories" + (" (is this a results file?)" if isinstance(content, list) else "")
        )
    _refuse_labelme(path, content)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise InputError(
                f"{path}: {key!r} is {'missing' if key not in content else kind(content[key])}; "
                "COCO annotations need a list of it"
            )
    images = named(path, content["images"], "images", "image", given)
    categories = named(path, content["categories"], "categories", "category", given)
    if not categories:
        raise InputError(f'{path}: \'categories\' is empty; list at least one, e.g. {{"id": 1, "name": "person"}}')
    return content, images, {row["id"]: name_in(row) for row in content["categories"]}


def name_in(row: Mapping[str, Any]) -> str:
    """The name of a category, "" if it has none."""
    name = row.get("name")
    return name if isinstance(name, str) else ""


def categories_in_words(categories: Iterable[tuple[int, str]], most: int = 10) -> str:
    """Ids of categories with their names, the first `most`.

    >>> categories_in_words([(1, "cat"), (2, "dog"), (3, "")], 2), categories_in_words([(3, "")])
    ('1 (cat), 2 (dog), ...', '3')
    """
    listed = list(categories)
    some = [f"{number} ({_short(name)})" if name else str(number) for number, name in listed[:most]]
    return ", ".join([*some, *(["..."] if len(listed) > most else [])])


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 30 else name[:27] + "..."


def parsed(path: Path, data: bytes) -> Any:
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        asked = "was it written completely?"
        if error.msg == "Extra data" and error.lineno > 1 and error.colno == 1:
            asked = "a file of one object a line has to become one list: [..., ...]"
        raise InputError(
            f"{path}: not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}; {asked}"
        ) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of thousands of digits, endless nesting
        raise InputError(f"{path}: not valid JSON: {str(error).splitlines()[0]}") from None


def named(path: Path, rows: list[Any], key: str, what: str, given: Collection[str] = ()) -> set[int]:
    """The ids of images or categories."""
    seen: dict[int, int] = {}
    for index, row in enumerate(rows):
        fault = fault_of(path, f"{what} {index}", row, (), given)
        need_keys(fault, row, ("id",))
        if not is_integer(row["id"]):
            text = what == "image" and isinstance(row["id"], str)
            more = remedy("match: file_name", " numbers the images") if text else whole_remedy(row["id"])
            fault(f"id is {shown(row['id'])}; ids must be whole numbers", more)
        if row["id"] in seen:
            fault(f"id {row['id']} is already that of {what} {seen[row['id']]}; ids in {key!r} must differ")
        seen[row["id"]] = index
    return set(seen)


def fault_of(path: Path, where: str, row: Any, ids: tuple[str, ...], given: Collection[str] = ()) -> Fault:
    """A function that raises InputError.

    path: of the file.
    where: which row.
    row: its content.
    ids: keys of it that are shown.
    given: names of options that were given: they are not advised again.
    """

    def fault(text: str, option: str | Remedy = "") -> NoReturn:
        known = isinstance(row, dict) and ", ".join(f"{key} {shown(row[key])}" for key in ids if key in row)
        if isinstance(option, Remedy):
            again = option.option.partition(":")[0] in given
            text, option = text + (option.again if again else option.text), "" if again else option.option
        raise InputError(f"{path}: {where}{f' ({known})' if known else ''}: {text}", option)

    return fault


def need_keys(fault: Fault, row: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(row, dict):
        fault(f"is {kind(row)}; it must be an object")
    for key in keys:
        if key not in row:
            more = REMEDIES.get(key, NO_REMEDY) if "image_id" in row else NO_REMEDY
            fault(f"{key!r} is missing", more)


def check_box(fault: Fault, box: Any) -> None:
    if not isinstance(box, list) or len(box) != 4:
        fault(f"bbox is {shown(box)}; it must be [x, y, width, height]")
    check_finite(fault, "bbox", box)


def check_finite(fault: Fault, key: str, values: list[Any], largest: float = MAX_COORDINATE) -> None:
    for place, value in enumerate(values):
        if not is_number(value) or abs(value) > largest:
            fault(
                f"{key}[{place}] is {shown(value)}; it must be a finite number of at most {largest:.0e}",
                text_remedy(value),
            )


def whole_remedy(value: Any) -> Remedy:
    """The option that takes 3.0 for 3, or "3", if a value is such a number."""
    if isinstance(value, float) and value.is_integer():
        return remedy("whole_ids: true", " takes it for one")
    return text_remedy(value)


def text_remedy(value: Any) -> Remedy:
    """The option that takes "10.5" for 10.5, if a value is such a text."""
    return remedy("text_numbers: true", " takes it for one") if number_of(value) is not None else NO_REMEDY


def number_of(text: Any) -> int | float | None:
    """The number that a text is, in decimal digits as JSON writes it; None for all else.

    >>> number_of("10.5"), number_of("-3"), number_of("1,5"), number_of(2)
    (10.5, -3, None, None)
    """
    if not isinstance(text, str) or len(text) > 40 or not _NUMBER.fullmatch(text):
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        return False


def shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def kind(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return names.get(type(value), "a number")
