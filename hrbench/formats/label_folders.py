"""A folder of predicted label maps: which file belongs to which image, and what its numbers stand for.

The numbers are either label ids, as in the files of the ground truth, or class indices, as networks output them (for
Cityscapes: train ids). Both are small numbers, so `detect_kind` finds out which they are:

1. A file `labels.txt` in the folder holds the word "ids" or "indices". `write_label_maps` writes it.
2. Without it, the first file with a number that only ids, or only indices, can have decides. Another file that
   contradicts it cannot be measured.
3. If no file has such a number, a number that is a class index, but not a label that networks predict, means indices.
4. Otherwise it is an error.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from hrbench.core.files import reading, whole_folder, write_whole
from hrbench.errors import InputError, MissingError
from hrbench.formats.label_colours import PLAIN, LabelForm
from hrbench.formats.label_runs import runs
from hrbench.formats.labels import ranges, read_labels, write_labels
from hrbench.formats.paths import hidden
from hrbench.types import Prediction

Kind = Literal["ids", "indices"]
KINDS: tuple[Kind, ...] = ("ids", "indices")
KIND_FILE = "labels.txt"
_LISTED = 6

Job = TypeVar("Job")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class LabelFolder:
    """Predicted label maps. files: image id -> its map, if there is one. kind: what their numbers stand for."""

    path: Path
    files: Mapping[str, Path]
    kind: Kind


@dataclass(frozen=True)
class Values:
    """The numbers that files of one kind may contain, and those that predictions of a network are likely to contain."""

    every: frozenset[int]
    likely: frozenset[int]


def map_files(path: Path, content: str) -> list[Path]:
    """All label maps in and below a folder, sorted: its PNGs; its .npy files if it has no PNG. Hidden files are none.

    content: what the folder should hold, in words, for errors.

    Raises MissingError, InputError.
    """
    path = Path(path)
    if not path.exists():
        raise MissingError(f"{path}: there is no such folder; it should hold {content}")
    if not path.is_dir():
        raise InputError(f"{path}: is a file; it should be a folder of {content}")
    found = [Path(place) / name for place, _, names in os.walk(path) for name in names if not hidden(name)]
    maps = ([file for file in found if file.suffix.lower() == ending] for ending in (".png", ".npy"))
    return sorted(next(filter(None, maps), []))


def by_prefix(files: Sequence[Path], prefixes: Mapping[str, str]) -> dict[str, Path]:
    """Image id -> the one file whose name begins with its prefix; ids without a file are left out.

    Raises InputError if there are two such files.
    """
    named = sorted((file.name, file) for file in files)
    names = [name for name, _ in named]
    found = {}
    for key, prefix in prefixes.items():
        at = bisect_left(names, prefix)
        if at < len(names) and names[at].startswith(prefix):
            if at + 1 < len(names) and names[at + 1].startswith(prefix):
                raise InputError(f"{named[at][1]} and {named[at + 1][1]}: both are predictions of {key}; keep one")
            found[key] = named[at][1]
    return found


def by_path(folder: Path, files: Sequence[Path], ids: Iterable[str]) -> dict[str, Path]:
    """Image id -> the file below `folder` with that path or, if there is none, with that name in any folder.

    Raises InputError if two images or two files share a name, so that files cannot be assigned.
    """
    paths = {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}
    ids = list(ids)
    found = {key: paths[key] for key in ids if key in paths}
    if len(found) == len(ids):
        return found
    alone = Counter(key.rpartition("/")[2] for key in ids)
    stems: dict[str, list[Path]] = {}
    for file in files:
        stems.setdefault(file.stem, []).append(file)
    for key in ids:
        name = key.rpartition("/")[2]
        if key in found or name not in stems:
            continue
        if alone[name] > 1 or len(stems[name]) > 1:
            raise InputError(
                f"{stems[name][0]}: several images or predictions are called {name}; lay predictions out like the "
                f"labels, {folder / key}.png"
            )
        found[key] = stems[name][0]
    return found


def refuse_unknown_files(
    files: Iterable[Path], found: Mapping[str, Path], truth: Path, known: Callable[[Path], bool]
) -> None:
    """Raises InputError for the first file that belongs to no image below `truth`, evaluated or not.

    found: files of the images to evaluate.
    known: whether any other file belongs to an image that is not evaluated.
    """
    taken = set(found.values())
    for file in files:
        if file not in taken and not known(file):
            some = f", such as {min(found)}" if found else ""
            raise InputError(
                f"{file}: has the name of no image in {truth}{some}; rename it, or remove it from the folder"
            )


def detect_kind(
    path: Path,
    files: Iterable[Path],
    values: Mapping[Kind, Values],
    asked: str,
    words: Mapping[Kind, str],
    form: LabelForm = PLAIN,
) -> Kind:
    """What the numbers of a folder's files stand for, by the rules at the top of this module.

    path: the folder.
    files: the label maps in it.
    values: the numbers that each kind may contain.
    asked: the word of the kind that the user asked for; "" to find out.
    words: the user's word for each kind.
    form: how the maps are stored.

    Raises InputError if it cannot be found out, or if a number is of no kind and none tells which kind the others are.
    """
    if asked:
        return "ids" if asked == words["ids"] else "indices"
    mark = path / KIND_FILE
    if mark.is_file():
        with reading(mark, "one word, ids or indices") as stream:
            word = stream.read(64).decode(errors="replace").strip()
        for kind in KINDS:
            if word in (kind, words[kind]):
                return kind
        raise InputError(f"{mark}: holds {word[:40]!r}; it should hold {words['ids']} or {words['indices']}")
    ids, indices = values["ids"], values["indices"]
    if ids.every == indices.every:
        return "indices"
    files, fits_indices, odd = list(files), False, ""
    for file, seen in zip(files, in_order(partial(_values, form=form), files), strict=True):
        strange = sorted(seen - ids.every - indices.every)
        if strange and not odd:
            more = f" and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
            odd = f"{file}: holds {ranges(strange[:_LISTED])}{more}"
        if seen & (ids.every - indices.every):
            return "ids"
        if seen & (indices.every - ids.every):
            return "indices"
        fits_indices = fits_indices or bool(seen & (indices.every - ids.likely))
    if fits_indices:
        return "indices"
    if not files:
        return "ids"
    if odd:
        known = [f"{words[kind]} ({ranges(values[kind].likely)})" for kind in KINDS]
        raise InputError(
            f"{odd}, which are neither {known[0]} nor {known[1]} of the classes; write the number of its class for "
            "every pixel (a map of probabilities needs a threshold first)"
        )
    raise InputError(
        f"{path}: the numbers in its {len(files)} label maps fit {words['ids']} and {words['indices']} alike; "
        f"say which they are: labels={words['ids']} or labels={words['indices']}",
        "labels",
    )


def _values(file: Path, form: LabelForm) -> frozenset[int]:
    (values,), _ = runs([read_labels(file, "a predicted label map", form)])
    return frozenset(np.flatnonzero(np.bincount(values)).tolist())


def write_label_maps(
    predictions: Iterable[Prediction], path: Path, table: np.ndarray | None, classes: int, kind: Kind
) -> None:
    """Writes one PNG for each prediction, `path`/{sample}.png, and their kind in labels.txt; all or nothing.

    predictions: values are class indices (H, W), 0 to `classes` - 1.
    path: the new folder.
    table: (classes,) the number to write for each class index, None to write the index.
    classes: how many there are.
    kind: what the written numbers are.

    Raises InputError naming the image for another value, for an image predicted twice, or for a name that leads out of
    the folder; UsageError if the disk refuses.
    """
    seen: set[str] = set()
    with whole_folder(path) as place:
        for prediction in predictions:
            name = str(prediction.sample)
            if name in seen:
                raise InputError(f"image {name}: predicted twice")
            seen.add(name)
            file = place / f"{name}.png"
            if not name or ".." in Path(name).parts or Path(name).is_absolute():
                raise InputError(f"image {name!r}: its name is no path within a folder")
            labels = np.asarray(prediction.value)
            if labels.ndim != 2 or labels.dtype.kind not in "iu" or not labels.size:
                raise InputError(f"image {name}: a prediction is a map of class indices (H, W), this is {labels.shape}")
            if labels.min() < 0 or labels.max() >= classes:
                raise InputError(
                    f"image {name}: predicted classes run from {labels.min()} to {labels.max()}; "
                    f"there are {classes}, from 0"
                )
            values = labels if table is None else table[labels]
            write_labels(file, values.astype(np.uint8 if int(values.max()) < 256 else np.uint16))
        write_whole(place / KIND_FILE, lambda stream: stream.write(f"{kind}\n".encode()))


def in_order(work: Callable[[Job], Answer], jobs: Iterable[Job], threads: int | None = None) -> Iterator[Answer]:
    """`work(job)` for each job, in order, a few at a time; the first error ends it. Memory use does not grow.

    threads: None for the number of processors of this process, up to 8. Decoding a PNG releases Python's lock.
    """
    threads = min(8, _processors()) if threads is None else threads
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Answer]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
