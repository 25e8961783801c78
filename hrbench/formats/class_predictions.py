"""Classes of images on disk: the ground truth, as `class_lists` reads it, and predictions in a CSV file.

Predictions: a heading, then a line for each image, best class first; further columns are not read.

    image,label_1,label_2,label_3,label_4,label_5,score_1,score_2,score_3,score_4,score_5
    n01440764/ILSVRC2012_val_00000293,0,389,391,394,395,0.91,0.04,0.02,0.01,0.005

There may be fewer labels ("image,label": then there is no Top-5), and scores may be omitted. A label is a class index
from 0 in the order of the network's outputs, or a class name if the ground truth has names. An image has the name that
the data set gives it, with or without suffix; its file name alone is enough if no two images share it. Images of
iNaturalist have numbers, and Kaggle's format for them ("id,predicted", five numbers in one column) is read, too.

What timm's inference.py writes with --include-index is read as it is: filename, index and prob or logit, where several
indices stand in brackets; with --results-separate-col filename, index_0, index_1, ..., which are counted from 0.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hrbench.core.files import reading, write_whole
from hrbench.errors import InputError
from hrbench.formats.class_lists import ClassLists, read, stem
from hrbench.formats.mat import read_mat
from hrbench.types import Prediction

LABELS = 5
_FIRST = ("image", "id", "name", "file", "filename", "imageid")


@dataclass(frozen=True)
class ClassTruth:
    """The ground truth of N images, by rising id.

    ids: (N,) int64 or str.
    labels: the valid classes of each.
    classes: their names, () if unknown.
    row: any allowed name of an image -> its row.
    """

    path: Path
    ids: np.ndarray
    labels: tuple[tuple[int, ...], ...]
    classes: tuple[str, ...]
    row: Mapping[str, int]

    def find(self, name: str) -> int | None:
        """The row of an image by its name in a file, or None.

        A list such as real.json has no folders: then only the file name is compared.
        """
        key = stem(name.strip())
        return self.row.get(key, self.row.get(key.rpartition("/")[2]))


@dataclass(frozen=True)
class ClassPredictions:
    """A file of P predictions.

    row: (P,) of the target.
    labels: (P, k) int64, best first.
    confidence: (P,) of it.
    """

    path: Path
    row: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray


# --- ground truth -----------------------------------------------------------------------------------------------------


def read_truth(path: Path, names: Sequence[str] = ()) -> ClassTruth:
    """Reads a folder of class folders, or a list (see `class_lists`). Raises InputError, MissingError."""
    path = Path(path)
    lists = read(path, names)
    if lists.unmapped:
        lists = _mapped(lists, names)
    if not lists.ids:
        raise InputError(f"{path}: it lists no image")
    numbers = all(isinstance(key, int) for key in lists.ids)
    ids = np.array(lists.ids, dtype=np.int64 if numbers else np.str_)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    rows = {str(key): row for row, key in enumerate(ids.tolist())}
    rows |= _short_names([lists.files.get(key, str(key)) for key in ids.tolist()], rows)
    return ClassTruth(path, ids, tuple(lists.labels[place] for place in order.tolist()), lists.classes, rows)


def _short_names(files: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """Paths without suffix, and those file names that no two images share."""
    found: dict[str, int] = {}
    shared: set[str] = set()
    for row, file in enumerate(files):
        for name in {stem(file), stem(file).rpartition("/")[2]}:
            if name not in known and found.setdefault(name, row) != row:
                shared.add(name)
    return {name: row for name, row in found.items() if name and name not in shared}


def _mapped(lists: ClassLists, names: Sequence[str]) -> ClassLists:
    """Ids of the devkit as positions of their synsets in sorted order, by the meta.mat next to the list."""
    meta = lists.path.with_name("meta.mat")
    if not meta.is_file():
        raise InputError(
            f"{lists.path}: its numbers are ids of the ILSVRC devkit, not the networks' order of classes; put the "
            f"devkit's meta.mat beside it ({meta}), or give a list of images and classes (Caffe's val.txt)"
        )
    synsets = _synsets(meta)
    classes = tuple(names) or tuple(sorted(synsets.values()))
    place = {name: index for index, name in enumerate(classes)}
    labels = []
    for number, (id,) in enumerate(lists.labels, 1):
        if synsets.get(id) not in place:
            raise InputError(f"{lists.path}, line {number}: {meta} has no class with the id {id}")
        labels.append((place[synsets[id]],))
    return replace(lists, labels=tuple(labels), classes=classes, unmapped=False)


def _synsets(meta: Path) -> dict[int, str]:
    """ILSVRC2012_ID -> synset, of the classes without subclasses."""
    with reading(meta, "the ILSVRC devkit's meta.mat") as stream:
        data = stream.read()
    try:
        rows = read_mat(data, ("synsets",))["synsets"]
        leaves = [row for row in rows if int(row["num_children"].item()) == 0]
        found = {int(row["ILSVRC2012_ID"].item()): row["WNID"] for row in leaves}
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{meta}: it is not the ILSVRC devkit's meta.mat ({error})") from None
    if not all(isinstance(name, str) for name in found.values()):
        raise InputError(f"{meta}: it is not the ILSVRC devkit's meta.mat (synsets without names)")
    return found


# --- predictions -----------------------------------------------------------------------------------------------------


def read_predictions(path: Path, target: ClassTruth) -> ClassPredictions:
    """A CSV file in the format at the top of this module. Raises InputError naming the line at fault, MissingError."""
    path = Path(path)
    with reading(path, "predictions in CSV: image,label_1,...,label_5,score_1,...,score_5") as stream:
        try:
            text = stream.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: it is no text in UTF-8 (byte {error.start})") from None
    source = _lines(path, text)
    columns = _Columns.of(path, next(source, (1, []))[1])
    order = {name: index for index, name in enumerate(target.classes)}
    rows: dict[int, int] = {}
    labels: list[list[int]] = []
    confidence: list[float] = []
    for number, fields in source:
        where = f"{path}, line {number}"
        if len(fields) < columns.min_fields:
            raise InputError(f"{where}: {len(fields)} fields, but the heading has {columns.min_fields} or more")
        name = fields[columns.first]
        row = target.find(name)
        if row is None:
            raise InputError(f"{where}: image {_short(name)} is not one of the {len(target.ids)} in {target.path}")
        if row in rows:
            raise InputError(f"{where}: image {_short(name)} was there before, in line {rows[row]}")
        rows[row] = number
        labels.append([_label(where, text, order, len(target.classes)) for text in columns.labels_in(fields)])
        if len(labels[-1]) != len(labels[0]):
            raise InputError(f"{where}: {len(labels[-1])} labels, but {len(labels[0])} in the lines before")
        confidence.append(_score(where, _first_of(fields[columns.score])) if columns.score is not None else 0.0)
    wide = len(labels[0]) if labels else len(columns.labels)
    return ClassPredictions(
        path,
        np.fromiter(rows, np.int64, len(rows)),
        np.array(labels, np.int64).reshape(len(rows), wide),
        np.array(confidence, np.float64),
    )


@dataclass(frozen=True)
class _Columns:
    """Positions of the columns that are read.

    labels: best first.
    score: of the first label.
    together: whether all labels are in one column, split by spaces.
    first: the image's.
    """

    labels: tuple[int, ...]
    score: int | None
    together: bool = False
    first: int = 0

    @staticmethod
    def of(path: Path, heading: Sequence[str]) -> _Columns:
        names = [name.strip().lower() for name in heading]
        if names[:2] == ["id", "predicted"]:
            return _Columns((1,), None, together=True)
        if timm := _timm_columns(path, names):
            return timm
        there = sorted(int(name[6:]) for name in names if re.fullmatch(r"label_[1-9][0-9]{0,3}", name))
        twice = next((name for name in names if name.startswith(("label_", "score_")) and names.count(name) > 1), "")
        if twice:
            raise InputError(f"{path}: its heading has {_short(twice)} twice: {_short(','.join(heading))}")
        numbered = [names.index(f"label_{k}") for k in there]
        absent = [k for k in range(1, max(there, default=0)) if k not in there]
        if absent:  # without the best class, the second best would be taken as the best
            raise InputError(
                f"{path}: its heading has label_{there[-1]} and no label_{absent[0]}: {_short(','.join(heading))}"
            )
        labels = numbered or [names.index(name) for name in ("label", "class", "prediction") if name in names][:1]
        if not labels or names[0] not in _FIRST:
            raise InputError(
                f"{path}: its first line is no heading such as image,label_1,label_2,label_3,label_4,label_5 "
                f"or image,label: {_short(','.join(heading))}"
            )
        score = next((names.index(name) for name in ("score_1", "score") if name in names), None)
        return _Columns(tuple(labels), score)

    @property
    def min_fields(self) -> int:
        """The minimum number of fields of a line."""
        return 1 + max(*self.labels, self.score or 0, self.first)

    def labels_in(self, fields: Sequence[str]) -> list[str]:
        return (
            fields[self.labels[0]].strip(" []").split()
            if self.together
            else [fields[place].strip() for place in self.labels]
        )


def _timm_columns(path: Path, names: Sequence[str]) -> _Columns | None:
    """The columns of a file that timm's inference.py wrote; None for any other heading.

    Raises InputError for one without indices of classes, and for the summary that validate.py writes.
    """
    if names[:1] == ["model"] and "top1" in names:
        raise InputError(
            f"{path}: this is the summary that timm's validate.py writes, one line a model, without predictions; "
            "inference.py --include-index --topk 5 writes those of images"
        )
    counted = [name for name in names if re.fullmatch(r"(index|label)_\d+", name)]
    from_zero = "index_0" in counted or "label_0" in counted
    if names[:1] != ["filename"] or not (from_zero or "index" in names or {"prob", "logit"} & {*names}):
        return None
    score = next((names.index(one) for one in ("prob_0", "prob") if one in names), None)
    if "index" in names:
        return _Columns((names.index("index"),), score, together=True)
    places = [f"index_{k}" for k in range(sum(name.startswith("index_") for name in counted))]
    if not places or not all(name in names for name in places):
        raise InputError(
            f"{path}: this file of timm's inference.py has no indices of classes, only names, which are not those of "
            "folders; write it with --include-index"
        )
    return _Columns(tuple(map(names.index, places)), score)


def _first_of(text: str) -> str:
    """The first number of a list in brackets, or the text itself."""
    inner = text.strip()
    return next(iter(inner.strip("[]").split()), "") if inner.startswith("[") else text


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each line that is not blank."""
    source = csv.reader(io.StringIO(text, newline=""))
    try:
        for fields in source:
            if fields:
                yield source.line_num, fields
    except csv.Error as error:
        raise InputError(f"{path}, line {source.line_num}: it cannot be read as CSV: {error}") from None


def _label(where: str, text: str, order: Mapping[str, int], classes: int) -> int:
    if text in order:
        return order[text]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError(f"{where}: {_short(text)} is neither the index of a class, from 0, nor the name of one")
    if classes and int(text) >= classes:
        raise InputError(
            f"{where}: class {text} of {classes}; they are counted from 0 (of a part of the "
            "network's classes, option names: [...] gives all in order, --dataset imagenet-val ImageNet's)",
            "names",
        )
    return int(text)


def _score(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: the score {_short(text)} is no finite number")
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def write_predictions(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes values (class indices, scores), best first, as CSV in the format above, with scores in full precision.

    The heading has as many labels as the first prediction. Raises InputError if another has more or fewer, or a
    score is not finite, and UsageError if the folder cannot be written.
    """

    def fill(stream: BinaryIO) -> None:
        wide: int | None = None
        for prediction in predictions:
            labels, scores = (np.asarray(part).tolist() for part in prediction.value)
            if wide is None:
                wide = len(labels)
                stream.write(_line(_heading(wide)))
            if len(labels) != wide or len(scores) != wide:
                raise InputError(f"image {prediction.sample}: {len(labels)} classes were predicted, {wide} for others")
            if not all(map(math.isfinite, scores)):
                raise InputError(f"image {prediction.sample}: a score is not finite; does the network diverge?")
            stream.write(_line([prediction.sample, *labels, *map(repr, scores)]))
        if wide is None:
            stream.write(_line(_heading(LABELS)))

    write_whole(path, fill)


def _heading(wide: int) -> list[str]:
    return ["image", *(f"label_{k + 1}" for k in range(wide)), *(f"score_{k + 1}" for k in range(wide))]


def _line(fields: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()
