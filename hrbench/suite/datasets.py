"""What data sets written in a suite are called: other data never go by an official set's name, nor by one another's.

Tables compare results on one data set, and set published figures beside them, by that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hrbench.core.digests import canonical
from hrbench.core.yaml import Node
from hrbench.types import DatasetRow, Entry

ROW_KEYS = ("base", "use", "name", "title", "task", "metrics", "home")  # the other keys in place are arguments
PATH_KEYS = (
    "annotations",
    "images",
    "labels",
    "list",
)  # those relative to the suite file; `folder` is relative to that of --data
PLACES = (*PATH_KEYS, "folder")


def dataset_name(use: str, args: Mapping[str, Any]) -> str:
    """A name for a data set written in place: of its reader, annotation file, list or split, and folder.

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


def laid_over(base: DatasetRow, given: Mapping[str, Any], args: Mapping[str, Any]) -> DatasetRow:
    """A data set of the given fields and arguments over those of `base`.

    Arguments are laid over the base's unless another `use` is given, which takes arguments of its own. Other data go
    by another name and title: also in another folder, since nothing says that what lies there is the official set.
    """
    own = dict(base.args) if given.get("use", base.use) == base.use else {}
    made = replace(base, **given, args={**own, **args})
    if _content(made) == _content(base):
        return made
    return replace(made, name=given.get("name", dataset_name(made.use, made.args)), title=given.get("title", ""))


def unnamed_if_altered(under: Node, over: Node) -> Node:
    """The data set in place that another is laid over, without its name and title where the data become other data."""
    below = under.value
    arguments = {key: node for key, node in over.value.items() if key not in ROW_KEYS}
    if all(key in below and below[key].plain() == node.plain() for key, node in arguments.items()):
        return under
    return under.having({"name": None, "title": None})


def told_apart(
    entries: Sequence[Entry], catalog: Mapping[str, DatasetRow], refuse: Callable[[Entry, str], None]
) -> list[Entry]:
    """The entries, their data sets called so that one name means the same data in all of them and in the catalog.

    Names that `dataset_name` made get a further word where it needs one. A name that a person gave stays; `refuse` is
    called with the entry and a message where it is that of other data.
    """
    taken = {name: (_content(row), "the catalog's") for name, row in catalog.items()}
    made: dict[str, dict[str, DatasetRow]] = {}
    for one in entries:
        if one.dataset is None:
            continue
        name, content = one.dataset.name, _content(one.dataset)
        if name == dataset_name(one.dataset.use, one.dataset.args) and (
            name not in catalog or taken[name][0] != content
        ):
            made.setdefault(name, {})[content] = one.dataset
        elif taken.setdefault(name, (content, f"that at {one.where}"))[0] != content:
            refuse(one, f"the data set's name {name!r} is taken by {taken[name][1]}, which is of other data")
    names: dict[str, str] = {}
    used = {*taken, *made}
    for name, rows in made.items():
        if name not in taken:
            used.discard(name)
        chosen = _distinct(name, list(rows.values()), used)
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
    """What decides which data a row stands for."""
    return canonical([row.use, row.args])


def _distinct(name: str, rows: Sequence[DatasetRow], used: set[str]) -> list[str]:
    """A name for each of several data sets that would all be called `name`, none of them in `used`."""
    if len(rows) == 1 and name not in used:
        return [name]
    for words in zip(*(_words(row) for row in rows), strict=True):
        names = [f"{name}-{word}" if word else name for word in words]
        if len(set(names)) == len(names) and not used.intersection(names):
            return names
    free = (each for number in range(1, len(rows) + len(used) + 2) if (each := f"{name}-{number}") not in used)
    return [next(free) for _ in rows]


def _words(row: DatasetRow) -> Iterator[str]:
    """What may tell a data set from others of its name, most telling first; as many words for each, "" for none."""
    paths = {key: Path(path) for key in PLACES if isinstance(path := row.args.get(key), str)}
    images, labels, folder = (paths.get(key, Path()) for key in ("images", "labels", "folder"))
    file = paths.get("annotations", paths.get("list", Path()))
    yield from (file.parent.name, images.name, folder.parent.name)
    yield from (images.parent.name, labels.name)
    yield "-".join(sorted(key for key in row.args if key not in ("split", *PLACES)))
    for depth in (2, 3, 4):
        yield "-".join(part for part in file.parent.parts[-depth:] if part != file.anchor)
