"""MPII ground truth and predictions on disk.

Ground truth: `gt_valid.mat` as the HRNet code reads it: `dataset_joints` (16 names), `jnt_missing` (16, N),
`pos_gt_src` (16, 2, N) in px, the top-left pixel at (1, 1), `headboxes_src` (2, 2, N): corner, xy, person. If
`valid.json` next to it lists as many people, it gives the image of each; otherwise every person counts as an image. For
another split the files are `gt_{split}.mat` and `{split}.json`.

Predictions: `.npy` (N, 16, 2 or 3), x, y and perhaps a confidence, the top-left pixel at (0, 0), NaN for people who
were not predicted (a limited run); or `.json`, a list of rows {"index": row in the official order, "keypoints": flat
[x, y, confidence] x 16}, top-left at (0, 0); or the `pred.mat` of the HRNet and SimpleBaseline code, key `preds`,
(N, 16, 2), top-left at (1, 1) (`lib/dataset/mpii.py` adds one before it saves).
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from hrbench.core.files import MAX_COORDINATE, reading, write_whole
from hrbench.core.npz import read_npy
from hrbench.errors import InputError, MissingError
from hrbench.formats.mat import read_mat
from hrbench.types import Prediction

JOINTS = 16
JOINT_NAMES = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip
"""What gt_valid.mat calls them; parts such as "Knee" are means over joints by these names."""


@dataclass(frozen=True)
class MpiiTruth:
    """Ground truth of N people.

    joints: 16 names in the file's order.
    position: (N, 16, 2) float64, px, top-left pixel at (1, 1).
    visible: (N, 16) bool.
    head: (N,) float64, diagonal of the head box in px.
    image: (N,) names, or None.
    """

    path: Path
    joints: tuple[str, ...]
    position: np.ndarray
    visible: np.ndarray
    head: np.ndarray
    image: np.ndarray | None


def read_truth(path: Path) -> MpiiTruth:
    """`path` is gt_valid.mat, or a folder that holds it or annot/gt_valid.mat. Raises InputError, MissingError."""
    path = _found(Path(path))
    names = ("dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src")
    content = _mat(path, "MPII's gt_valid.mat", names)
    for key in names:
        if key not in content:
            raise InputError(
                f"{path}: {key!r} is missing; is it the gt_valid.mat of the HRNet code's MPII annotations?"
            )
    positions = content["pos_gt_src"]
    people = positions.shape[-1] if isinstance(positions, np.ndarray) and positions.ndim == 3 else 0
    missing = _array(path, content, "jnt_missing", (JOINTS, people))
    position = _array(path, content, "pos_gt_src", (JOINTS, 2, people))
    heads = _array(path, content, "headboxes_src", (2, 2, people))
    odd = np.argwhere(~np.isin(missing.T, (0, 1)))
    if len(odd):
        raise InputError(f"{path}: person {odd[0][0]}, joint {odd[0][1]}: jnt_missing is neither 0 nor 1")
    visible = missing.T == 0
    with np.errstate(over="ignore", invalid="ignore"):  # the check below handles these
        head = np.linalg.norm(heads[1] - heads[0], axis=0)
    wrong = np.flatnonzero(~((head > 0) & (head <= MAX_COORDINATE)))
    if len(wrong):
        raise InputError(
            f"{path}: person {wrong[0]}: the head box has diagonal {head[wrong[0]]} px; it must be positive"
        )
    position = position.transpose(2, 0, 1)
    odd = np.argwhere(~(np.abs(position) <= MAX_COORDINATE).all(axis=2) & visible)
    if len(odd):
        raise InputError(
            f"{path}: person {odd[0][0]}, joint {odd[0][1]}: pos_gt_src is not finite, or beyond "
            f"{MAX_COORDINATE:.0e} px"
        )
    return MpiiTruth(
        path, _joint_names(path, content["dataset_joints"]), position, visible, head, _images(path, people)
    )


def _found(path: Path) -> Path:
    if not path.is_dir():
        return path
    for candidate in (path / "gt_valid.mat", path / "annot" / "gt_valid.mat"):
        if candidate.is_file():
            return candidate
    raise MissingError(
        f"{path}: holds neither gt_valid.mat nor annot/gt_valid.mat; it comes with the HRNet code's data"
    )


def _mat(path: Path, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    with reading(path, what) as stream:
        try:
            return read_mat(stream.read(), names)
        except ValueError as error:
            raise InputError(f"{path}: cannot be read as {what}: {error}") from None


def _array(path: Path, content: dict[str, Any], key: str, shape: tuple[int, ...]) -> np.ndarray:
    array = content[key]
    if not isinstance(array, np.ndarray) or array.shape != shape or shape[-1] == 0:
        found = f"has shape {array.shape}" if isinstance(array, np.ndarray) else "is no array of numbers"
        wanted = ", ".join(map(str, shape[:-1])) + ", people"
        raise InputError(f"{path}: {key} {found}; it should be ({wanted})")
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64)


def _joint_names(path: Path, cell: Any) -> tuple[str, ...]:
    names = [one for one in cell if isinstance(one, str)] if isinstance(cell, list) else []
    if len(set(names)) != JOINTS:
        raise InputError(f"{path}: dataset_joints should be {JOINTS} different names; found {len(set(names))}")
    unknown = sorted(set(names) - {*JOINT_NAMES})
    if unknown:
        raise InputError(
            f"{path}: dataset_joints has {unknown[0]!r}; MPII's are {', '.join(JOINT_NAMES)}, and the numbers "
            "are means over joints by these names"
        )
    return tuple(names)


def _images(path: Path, people: int) -> np.ndarray | None:
    """(N,) image names from the split's list in the same folder; None if there is none, or of another length."""
    beside = _list_of(path)
    if not beside.exists():
        return None
    rows = _json(beside, "the list of MPII people")
    if not isinstance(rows, list):
        raise InputError(f"{beside}: holds no list; it should list the {people} people of {path.name}")
    if len(rows) != people:
        return None  # a list of other people: it cannot give the images of these
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("image"), str):
            raise InputError(f"{beside}: person {index}: 'image' is missing or not a file name")
    return np.array([row["image"] for row in rows])


def _list_of(path: Path) -> Path:
    """The split's list of people beside its ground truth."""
    split = path.stem[3:] if path.stem.startswith("gt_") else "valid"
    return path.with_name(f"{split}.json")


def _json(path: Path, content: str) -> Any:
    with reading(path, content) as stream:
        try:
            return json.loads(stream.read())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not valid JSON: {str(error).splitlines()[0]}") from None


def read_scales(path: Path, people: int) -> np.ndarray:
    """(N,) float64, positive: the height of each person over 200 px, of the split's list beside its ground truth.

    path: of gt_{split}.mat.
    people: how many it lists.

    Raises MissingError if there is no list, InputError if it is of other people or has no scale.
    """
    beside = _list_of(path)
    rows = _json(beside, "the list of MPII people, which has their scales")
    if not isinstance(rows, list) or len(rows) != people:
        raise InputError(f"{beside}: should list the {people} people of {path.name}, in the same order")
    scales = [row.get("scale") if isinstance(row, dict) else None for row in rows]
    for index, scale in enumerate(scales):
        right = isinstance(scale, (int, float)) and not isinstance(scale, bool) and 0 < scale <= MAX_COORDINATE
        if not right:
            raise InputError(f"{beside}: person {index}: 'scale' is no positive number, a person's height / 200")
    return np.array(scales, np.float64)


def read_predictions(path: Path, people: int, origin: Literal[0, 1] | None = None) -> np.ndarray:
    """(N, 16, 2), float32 or float64 as in the file, px with the top-left pixel at (1, 1).

    origin: where the file has its top-left pixel, in x and in y; None: 1 in a .mat, as the official code writes it, and
        0 in a .npy.

    A file may hold fewer people, as after a limited run: the others get NaN, and the metric's `measure` checks whether
    they are needed. Raises InputError for another shape or an infinite value, MissingError.
    """
    path = Path(path)
    if path.suffix == ".mat":
        content = _mat(path, "the pred.mat of the HRNet code", ("preds",))
        if "preds" not in content:
            raise InputError(f"{path}: 'preds' is missing; the HRNet code's pred.mat holds it")
        preds, offset = content["preds"], 0
    elif path.suffix == ".json":
        preds, offset = _json_rows(path, people), 1
    else:
        with reading(path, "predictions of MPII people (N, 16, 3)") as stream:
            try:
                preds, offset = read_npy(stream.read()), 1
            except ValueError as error:
                raise InputError(f"{path}: cannot be read as a NumPy file of numbers: {error}") from None
    if not isinstance(preds, np.ndarray) or preds.ndim != 3 or preds.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds no array of numbers (people, 16, 2 or 3)")
    if preds.shape[0] > people or preds.shape[1] != JOINTS or preds.shape[2] not in (2, 3):
        raise InputError(f"{path}: shape {preds.shape}; the ground truth asks for ({people}, {JOINTS}, 2 or 3)")
    precision = np.float32 if preds.dtype.itemsize < 8 else np.float64
    with np.errstate(invalid="ignore"):  # a signalling NaN of a damaged file is just NaN
        points = preds[..., :2].astype(precision)
        far = np.argwhere((np.abs(points) > MAX_COORDINATE).any(axis=2))
        if len(far):
            raise InputError(
                f"{path}: person {far[0][0]}, joint {far[0][1]}: a coordinate is infinite or beyond "
                f"{MAX_COORDINATE:.0e} px"
            )
        # one is added in the precision of the file, as in the official code: float32 rounds here
        points = points + precision(offset if origin is None else 1 - origin)
    rest = np.full((people - len(points), JOINTS, 2), np.nan, precision)
    return np.concatenate((points, rest))


class _IndexedRow(msgspec.Struct):
    index: int
    keypoints: list[float]


HEAD_BYTES = 1 << 16
"""Of a file, within which its first row ends."""


def indexed_rows(path: Path) -> dict[int, list[float]] | None:
    """Row in the official order -> its numbers, of a .json of this module; None for one of another kind."""
    try:
        with path.open("rb") as stream:  # files of other kinds may be large: their first row tells them
            if b'"index"' not in stream.read(HEAD_BYTES).partition(b"}")[0]:
                return None
        rows = msgspec.json.decode(path.read_bytes(), type=list[_IndexedRow])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return {row.index: row.keypoints for row in rows} if rows else None


def _json_rows(path: Path, people: int) -> np.ndarray:
    """(people, 16, 3) float64, NaN for people without a row. Raises InputError, MissingError."""
    with reading(path, "predictions of MPII people (JSON)") as stream:
        try:
            rows = msgspec.json.decode(stream.read(), type=list[_IndexedRow])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}: is no list of rows with index and keypoints: {error}") from None
    table = np.full((people, JOINTS, 3), np.nan)
    given: set[int] = set()
    for row in rows:
        if not 0 <= row.index < people or row.index in given:
            raise InputError(f"{path}: index {row.index} occurs twice, or is no row of the {people} people")
        if len(row.keypoints) != 3 * JOINTS:
            raise InputError(
                f"{path}: person {row.index} has {len(row.keypoints)} numbers in keypoints; {JOINTS} joints need "
                f"{3 * JOINTS}"
            )
        given.add(row.index)
        table[row.index] = np.array(row.keypoints).reshape(JOINTS, 3)
    return table


def write_predictions(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes (N, 16, 3) float32 as .npy, all or nothing, up to the largest index; NaN for people not predicted. To a
    .json it writes the rows of those predicted, float32, too.

    A prediction's value is a list of dicts with `index` (row in the official order) and `keypoints`, flat
    [x, y, confidence] x 16 in px with the top-left pixel at (0, 0).
    Raises InputError for a person predicted twice, a wrong length or NaN; UsageError if it cannot be written.
    """
    rows: dict[int, np.ndarray] = {}
    for prediction in predictions:
        for row in prediction.value:
            for key in ("index", "keypoints"):
                if key not in row:
                    raise InputError(f"image {prediction.sample}: {key!r} is missing from a prediction")
            index, points = int(row["index"]), np.asarray(row["keypoints"], np.float32)
            if points.shape != (3 * JOINTS,) or not np.isfinite(points).all():
                raise InputError(
                    f"image {prediction.sample}, person {index}: keypoints must be {3 * JOINTS} finite numbers; "
                    "does the network diverge?"
                )
            if index < 0 or index in rows:
                raise InputError(f"image {prediction.sample}, person {index}: predicted twice, or not a row number")
            rows[index] = points.reshape(JOINTS, 3)
    if path.suffix == ".json":
        listed = [{"index": index, "keypoints": points.ravel().tolist()} for index, points in sorted(rows.items())]
        text = msgspec.json.encode(listed)
        write_whole(path, lambda stream: stream.write(text))
        return
    table = np.full((max(rows, default=-1) + 1, JOINTS, 3), math.nan, np.float32)
    for index, points in rows.items():
        table[index] = points
    content = io.BytesIO()  # NumPy would write to the descriptor directly, and errors would not name the file
    np.save(content, table, allow_pickle=False)
    write_whole(path, lambda stream: stream.write(content.getvalue()))
