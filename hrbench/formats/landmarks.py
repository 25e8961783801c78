"""Annotated landmarks of faces on disk: HRNet's CSV files, WFLW's own list; other files by `cofw`, `pts`; predictions.

HRNet's CSV (HRNet/HRNet-Facial-Landmark-Detection, lib/datasets/{wflw,face300w,aflw}.py) has a heading and a line a
face, read by position: the image's name below images/, the scale (a side over 200 px), the centre x and y, then x and y
of each landmark; AFLW's has the size of the face's box after the scale, which makes the number of columns odd. A file
{name}_{subset}.csv beside {name}.csv lists a part of its faces again, line for line: a subset (largepose, common,
frontal).

WFLW's own list (list_98pt_rect_attr_test.txt) has 207 fields a line: x and y of 98 landmarks; a box, x and y of two
corners; whether pose, expression, illumination, make-up, occlusion and blur are of the hard kind; the image's name.

Coordinates are those of the files: HRNet's code compares them with its own without a shift, and so do predictions here:
`.npy` (N, L, 2 or more), row n for face n, NaN for faces without a prediction (a limited run).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hrbench.core.files import MAX_COORDINATE, reading, write_whole
from hrbench.core.npz import read_npy
from hrbench.errors import InputError, UsageError
from hrbench.formats import cofw, pts
from hrbench.formats.face_list import MOST_POINTS, FaceList
from hrbench.types import Prediction

ATTRIBUTES = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur")
"""WFLW's six, in the order of its list, by the names that HRNet's files have for them."""

WFLW_POINTS = 98


def read_faces(path: Path, origin: int | None = None) -> FaceList:
    """HRNet's CSV with the subsets beside it, COFW's .mat, a folder of .pts files, or else WFLW's list.

    origin: what .pts files count the top left pixel as, 0 or 1; None: 1. Coordinates of other files are taken as they
        are, and it is an error to say.

    Raises InputError naming the line or the face, MissingError, UsageError.
    """
    path = Path(path)
    if path.is_dir():
        return pts.read_pts_folder(path, origin)
    if origin is not None:
        raise UsageError(f"origin: is for folders of .pts files; coordinates of {path} are compared as they are")
    if path.suffix == cofw.SUFFIX:
        return cofw.read_cofw(path)
    if path.suffix.lower() not in (".csv", ".txt"):
        raise InputError(
            f"{path}: is no list of faces; HRNet's .csv, WFLW's .txt, COFW's .mat or a folder of .pts files is read"
        )
    if path.suffix.lower() != ".csv":
        return _wflw_list(path)
    lines = _lines(path)
    faces = _of_csv(path, lines)
    for beside in sorted(path.parent.glob(f"{path.stem}_*.csv")):
        name = beside.stem.removeprefix(f"{path.stem}_")
        faces.subsets[name] = _members(beside, path, lines)
    return faces


def _lines(path: Path) -> list[list[str]]:
    """The fields of each line below the heading, as many in each."""
    with reading(path, "annotated landmarks (CSV)") as stream:
        try:
            rows = list(csv.reader(io.StringIO(stream.read().decode("utf-8-sig"), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: is no CSV file: {error}") from None
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise InputError(f"{path}: lists no face; a heading and a line for each are expected")
    width = len(rows[0])
    if not 6 <= width <= 5 + 2 * MOST_POINTS:
        raise InputError(f"{path}: has {width} columns; name, scale, centre and two of each landmark are expected")
    counted = [str(place) for place in range(width)]  # the heading of a table without names, by pandas
    if rows[0] != counted and all(_is_number(field) for field in rows[0][1:]):
        raise InputError(f"{path}:1: is a face and no heading; write the names of the columns above it")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != width:
            raise InputError(f"{path}:{number}: has {len(row)} fields, the heading {width}")
    return rows[1:]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _of_csv(path: Path, lines: Sequence[Sequence[str]]) -> FaceList:
    sized = len(lines[0]) % 2  # name, scale, box size, centre, and pairs: odd
    table = _numbers(path, [line[1:] for line in lines], 2)
    head, points = table[:, : 3 + sized], table[:, 3 + sized :].reshape(len(lines), -1, 2)
    box_size = head[:, 1] if sized else None
    for number, (scale, size) in enumerate(
        zip(head[:, 0], head[:, 0] if box_size is None else box_size, strict=True), 2
    ):
        if scale <= 0 or size <= 0:
            raise InputError(f"{path}:{number}: scale {scale:g}, box size {size:g}; both must be positive")
    return FaceList(path, _names(path, [line[0] for line in lines], 2), points, head[:, 0], head[:, -2:], box_size, {})


def _members(beside: Path, path: Path, lines: Sequence[Sequence[str]]) -> np.ndarray:
    """(N,) bool: which lines of `path` stand in a file of a subset."""
    wanted = {tuple(line) for line in _lines(beside)}
    member = np.array([tuple(line) in wanted for line in lines])
    if len({tuple(line) for line in lines} & wanted) != len(wanted):
        raise InputError(f"{beside}: lists a face that is not in {path.name}; a subset repeats its lines")
    return member


def _wflw_list(path: Path) -> FaceList:
    with reading(path, "WFLW's list of landmarks") as stream:
        try:
            rows = [line.split() for line in stream.read().decode("utf-8").splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is no text: {error}") from None
    fields = 2 * WFLW_POINTS + 4 + len(ATTRIBUTES) + 1
    for number, row in enumerate(rows, 1):
        if len(row) != fields:
            raise InputError(f"{path}:{number}: has {len(row)} fields; WFLW's list has {fields}")
    if not rows:
        raise InputError(f"{path}: lists no face")
    table = _numbers(path, [row[:-1] for row in rows], 1)
    points, rest = table[:, : 2 * WFLW_POINTS].reshape(len(rows), WFLW_POINTS, 2), table[:, 2 * WFLW_POINTS :]
    marks = rest[:, 4:]
    odd = np.flatnonzero(~np.isin(marks, (0, 1)).all(axis=1))
    if len(odd):
        raise InputError(f"{path}:{odd[0] + 1}: an attribute is neither 0 nor 1")
    low, high = rest[:, :2], rest[:, 2:4]
    scale = (high - low).max(axis=1) / 200
    bad = np.flatnonzero(scale <= 0)
    if len(bad):
        raise InputError(f"{path}:{bad[0] + 1}: the box has no area; it is x and y of two corners")
    subsets = {name: marks[:, place] == 1 for place, name in enumerate(ATTRIBUTES)}
    return FaceList(path, _names(path, [row[-1] for row in rows], 1), points, scale, (low + high) / 2, None, subsets)


def _numbers(path: Path, rows: Sequence[Sequence[str]], first: int) -> np.ndarray:
    """(N, F) float64. first: the number of the first line."""
    table = np.empty((len(rows), len(rows[0])))
    for number, row in enumerate(rows):
        try:
            table[number] = [float(field) for field in row]
        except ValueError:
            raise InputError(f"{path}:{number + first}: a field is no number") from None
        if not (np.abs(table[number]) <= MAX_COORDINATE).all():
            raise InputError(f"{path}:{number + first}: a number is not finite, or beyond {MAX_COORDINATE:.0e}")
    return table


def _names(path: Path, names: Sequence[str], first: int) -> np.ndarray:
    for number, name in enumerate(names, first):
        parts = name.split("/")
        if not name.strip() or ".." in parts or name.startswith("/") or "\\" in name or "\0" in name:
            raise InputError(f"{path}:{number}: {name!r:.80} is no name of a file below the folder of images")
    return np.array(names)


def read_points(path: Path, faces: int, points: int) -> np.ndarray:
    """(N, L, 2) float64, px, NaN for faces without a prediction. Raises InputError, MissingError.

    A file may hold fewer faces, as after a limited run.
    """
    path = Path(path)
    with reading(path, "predicted landmarks (N, L, 2)") as stream:
        try:
            found = read_npy(stream.read())
        except ValueError as error:
            raise InputError(
                f"{path}: cannot be read as a NumPy file of numbers: {error}; write it by numpy.save"
            ) from None
    if found.ndim != 3 or found.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds no array of numbers (faces, landmarks, 2)")
    if found.shape[0] > faces or found.shape[1] != points or found.shape[2] < 2:
        raise InputError(f"{path}: shape {found.shape}; the annotation asks for ({faces}, {points}, 2)")
    with np.errstate(invalid="ignore"):  # a signalling NaN of a damaged file is just NaN
        table = found[..., :2].astype(np.float64)
        far = np.argwhere((np.abs(table) > MAX_COORDINATE).any(axis=2))
    if len(far):
        raise InputError(f"{path}: face {far[0][0]}, landmark {far[0][1]}: infinite, or beyond {MAX_COORDINATE:.0e} px")
    return np.concatenate((table, np.full((faces - len(table), points, 2), np.nan)))


def write_points(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes (N, L, 2) float32 as .npy, all or nothing, up to the largest index; NaN for faces not predicted.

    A prediction's value is a list of rows with `index` (of the face in its file) and `keypoints`, flat [x, y,
    confidence] of each landmark. Raises InputError for a face predicted twice or NaN; UsageError if it cannot be
    written.
    """
    rows: dict[int, np.ndarray] = {}
    for prediction in predictions:
        for row in prediction.value:
            index, points = int(row["index"]), np.asarray(row["keypoints"], np.float32)
            if index < 0 or index in rows:
                raise InputError(f"image {prediction.sample}, face {index}: predicted twice, or not a row number")
            if points.size % 3 or not np.isfinite(points).all():
                raise InputError(f"image {prediction.sample}, face {index}: not finite; does the network diverge?")
            rows[index] = points.reshape(-1, 3)[:, :2]
    points = max((len(one) for one in rows.values()), default=0)
    table = np.full((max(rows, default=-1) + 1, points, 2), np.nan, np.float32)
    for index, one in rows.items():
        table[index, : len(one)] = one
    content = io.BytesIO()
    np.save(content, table, allow_pickle=False)
    write_whole(path, lambda stream: stream.write(content.getvalue()))
