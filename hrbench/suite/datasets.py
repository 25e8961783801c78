"""Names data sets defined in a suite so that two different data sets never share a name.

Tables compare results on one data set, and show published figures beside them, by that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hrbench.core.digests import canonical
from hrbench.core.yaml import Node
from hrbench.types import DatasetRow, Entry

ROW_KEYS = ("base", "use", "name", "title", "task", "metrics", "home")  # all other keys are arguments of `use`
PATH_KEYS = (
    "annotations",
    "images",
    "labels",
    "list",
    "segments",
)  # those relative to the suite file; `folder` is relative to that of --data
ALL_PATH_KEYS = (*PATH_KEYS, "folder")
TOLD = {"coco-instances": ("per_class",)}
"""Arguments of a reader that decide which numbers are told, and not which data they are of."""


def dataset_name(use: str, args: Mapping[str, Any]) -> str:
    """A name for a data set without one: of its reader, annotation file, list or split, and folder.

    >>> dataset_name("coco-keypoints", {"split": "train2017", "folder": "other/crops"})
    'coco-keypoints-train2017-crops'
    >>> dataset_name("ourpkg.data:hands", {"split": "val", "annotations": "hands/test.json"})
    'hands-test'
    """
    name = use.rpartition(":")[2].rpartition(".")[2]
    file, folder = args.get("annotations", args.get("list")), args.get("folder")
    further = Path(file).stem if isinstance(file, str) else args.get("split")
    place = Path(folder).name if isinstance(folder, str) else ""
    words = [further if isinstance(further, str) else "", "" if place == name else place]
    return "-".join([name, *filter(None, words)])


def override_row(base: DatasetRow, fields: Mapping[str, Any], args: Mapping[str, Any]) -> DatasetRow:
    """A data set with the fields and arguments of `base`, overridden by `fields` and `args`.

    Arguments are merged with the base's, unless `fields` has another `use`, which takes other arguments. Other data get
    another name and title. So do data in another folder, which need not be the official set.
    """
    base_args = dict(base.args) if fields.get("use", base.use) == base.use else {}
    row = replace(base, **fields, args={**base_args, **args})
    if _content(row) == _content(base):
        return row
    return replace(row, name=fields.get("name", dataset_name(row.use, row.args)), title=fields.get("title", ""))


def drop_name_if_changed(under: Node, over: Node) -> Node:
    """A data set's fields before others override them: without name and title if that changes which data it is."""
    below = under.value
    apart = (*ROW_KEYS, *(name for told in TOLD.values() for name in told))
    arguments = {key: node for key, node in over.value.items() if key not in apart}
    if all(key in below and below[key].plain() == node.plain() for key, node in arguments.items()):
        return under
    return under.having({"name": None, "title": None})


def disambiguate(
    entries: Sequence[Entry], catalog: Mapping[str, DatasetRow], refuse: Callable[[Entry, str], None]
) -> list[Entry]:
    """The entries with data sets renamed so that one name means the same data in all of them and in the catalog.

    entries: with their data sets.
    catalog: name -> row.
    refuse: called with the entry and a message if a name that the suite gives is taken by other data.

    A name from `dataset_name` gets a suffix if it needs one; a name that the suite gives is never changed.
    """
    taken = {name: (_content(row), "the catalog's") for name, row in catalog.items()}
    generated: dict[str, dict[str, DatasetRow]] = {}
    for one in entries:
        if one.dataset is None:
            continue
        name, content = one.dataset.name, _content(one.dataset)
        if name == dataset_name(one.dataset.use, one.dataset.args) and (
            name not in catalog or taken[name][0] != content
        ):
            generated.setdefault(name, {})[content] = one.dataset
        elif taken.setdefault(name, (content, f"that at {one.where}"))[0] != content:
            refuse(one, f"the data set's name {name!r} is taken by {taken[name][1]}, which is of other data")
    names: dict[str, str] = {}
    used = {*taken, *generated}
    for name, rows in generated.items():
        if name not in taken:
            used.discard(name)
        chosen = _distinct_names(name, list(rows.values()), used)
        used.update(chosen)
        names.update(zip(rows, chosen, strict=True))
    return [_renamed(one, names) for one in entries]


def _renamed(entry: Entry, names: Mapping[str, str]) -> Entry:
    row = entry.dataset
    if row is None or row.name != dataset_name(row.use, row.args):
        return entry
    name = names.get(_content(row), row.name)
    return entry if name == row.name else replace(entry, dataset=replace(row, name=name))


def _content(row: DatasetRow) -> str:
    """What decides which data a row means."""
    told = TOLD.get(row.use, ())
    return canonical([row.use, {key: value for key, value in row.args.items() if key not in told}])


def _distinct_names(name: str, rows: Sequence[DatasetRow], used: set[str]) -> list[str]:
    """A separate name for each of several data sets that would all be called `name`; none of them in `used`."""
    if len(rows) == 1 and name not in used:
        return [name]
    for words in zip(*(_suffixes(row) for row in rows), strict=True):
        names = [f"{name}-{word}" if word else name for word in words]
        if len(set(names)) == len(names) and not used.intersection(names):
            return names
    free = (each for number in range(1, len(rows) + len(used) + 2) if (each := f"{name}-{number}") not in used)
    return [next(free) for _ in rows]


def _suffixes(row: DatasetRow) -> Iterator[str]:
    """Suffixes that may distinguish data sets of one name, the best first; equally many for each, "" for none."""
    paths = {key: Path(path) for key in ALL_PATH_KEYS if isinstance(path := row.args.get(key), str)}
    images, labels, folder = (paths.get(key, Path()) for key in ("images", "labels", "folder"))
    file = paths.get("annotations", paths.get("list", Path()))
    yield from (file.parent.name, images.name, folder.parent.name)
    yield from (images.parent.name, labels.name)
    told = TOLD.get(row.use, ())
    yield "-".join(sorted(key for key in row.args if key not in ("split", *ALL_PATH_KEYS, *told)))
    for depth in (2, 3, 4):
        yield "-".join(part for part in file.parent.parts[-depth:] if part != file.anchor)
