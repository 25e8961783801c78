"""analysis.npz: why the scores of an entry are what they are, by each metric that says so; read without pickle.

The form of the file has a number of its own (`FORMAT`), and so has each analysis (`Analysis.version`). Neither has to
do with the version of a metric, so that a new analysis leaves stored scores valid.

A file has three arrays: `head`, JSON as bytes, with everything but numbers, and `numbers` (float64) and `counts`
(int64), those of all sections one after the other, so that a page of a hundred entries reads them quickly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.core.files import write_whole
from hrbench.core.npz import read_npz
from hrbench.errors import InputError, MissingError
from hrbench.store.integrity import changed_files
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable, Result

FILE = "analysis.npz"
FORMAT = 1
"""Of the file; raised if an older hrbench could misread a newer one."""

REMEDY = "`hrbench run SUITE --rescore` makes it anew from the stored predictions"

Reasons = list[tuple[int, int, str]]


class _Table(msgspec.Struct, frozen=True, tag="table", tag_field="type"):
    key: str
    title: str
    definition: str
    source: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    units: tuple[str, ...]
    reasons: Reasons
    main: int | None


class _Curves(msgspec.Struct, frozen=True, tag="curves", tag_field="type"):
    key: str
    title: str
    definition: str
    source: str
    x_label: str
    y_label: str
    names: tuple[str, ...]
    points: int
    diagonal: bool


class _Matrix(msgspec.Struct, frozen=True, tag="matrix", tag_field="type"):
    key: str
    title: str
    definition: str
    source: str
    row_label: str
    column_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]


class _Analysis(msgspec.Struct, frozen=True):
    metric: str
    version: int
    params: dict[str, Any]
    sections: tuple[_Table | _Curves | _Matrix, ...]


class _Head(msgspec.Struct, frozen=True):
    format: int
    analyses: tuple[_Analysis, ...]


class _Format(msgspec.Struct):
    format: int


def write_analyses(analyses: Sequence[Analysis], path: Path) -> None:
    """Writes analysis.npz. Raises ValueError, naming the section, for one that is not what its type says."""
    for one in analyses:
        if fault := fault_of(one):
            raise ValueError(f"the analysis of {one.metric}: {fault}")
    sections = [section for one in analyses for section in one.sections]
    numbers = [np.ravel(part).astype("<f8") for section in sections for part in _numbers(section)]
    counts = [np.ravel(one.counts).astype("<i8") for one in sections if isinstance(one, AnalysisMatrix)]
    heads = tuple(_Analysis(one.metric, one.version, dict(one.params), _heads(one)) for one in analyses)
    arrays: dict[str, Any] = {
        "head": np.frombuffer(msgspec.json.encode(_Head(FORMAT, heads)), np.uint8),
        "numbers": np.concatenate([np.zeros(0, "<f8"), *numbers]),
        "counts": np.concatenate([np.zeros(0, "<i8"), *counts]),
    }
    write_whole(path, lambda stream: np.savez_compressed(stream, **arrays))


def read_analyses(path: Path) -> tuple[Analysis, ...]:
    """What `write_analyses` wrote, bit for bit.

    Raises MissingError if there is no such file, InputError with a remedy if it is damaged or of a newer format.
    """
    try:
        arrays = read_npz(path)
        data = arrays["head"].tobytes()
        if (number := msgspec.json.decode(data, type=_Format).format) > FORMAT:
            raise InputError(f"{path} has format {number}, this hrbench reads {FORMAT}: use a newer hrbench")
        head = msgspec.json.decode(data, type=_Head)
        numbers = _Cut(arrays["numbers"], np.dtype("<f8"))
        counts = _Cut(arrays["counts"], np.dtype("<i8"))
        found = tuple(
            Analysis(
                one.metric, one.version, one.params, tuple(_section(part, numbers, counts) for part in one.sections)
            )
            for one in head.analyses
        )
        if numbers.left or counts.left or len({one.metric for one in found}) < len(found):
            raise ValueError("it holds more than its head says, or a metric twice")
        for one in found:
            if fault := fault_of(one):
                raise ValueError(fault)
    except FileNotFoundError:
        raise MissingError(f"no file {path}: {REMEDY}") from None
    except (MemoryError, InputError):
        raise
    except Exception as error:  # zip, header and JSON errors alike mean a damaged file
        raise InputError(f"{path} is no error analysis of hrbench ({_short(error)}): {REMEDY}") from None
    return found


def analyses_of(result: Result) -> tuple[Analysis, ...]:
    """The stored analyses of a result; none if there are none.

    Raises InputError with a remedy if their file is damaged, or is not the one that was stored with the result.
    """
    digest = result.files.get(FILE)
    if digest is None or not result.folder:
        return ()
    if changed_files(Path(result.folder), {FILE: digest}):
        raise InputError(f"{Path(result.folder) / FILE} is not the file that was stored with the result: {REMEDY}")
    return read_analyses(Path(result.folder) / FILE)


def fault_of(analysis: Analysis) -> str:
    """What in an analysis is not as its types say, in words; "" if nothing is.

    >>> table = AnalysisTable("a", "A", "", "", ("x",), ("n",), ("count",), np.full((1, 1), np.nan))
    >>> fault_of(Analysis("topk", 1, {}, (table,)))
    'section a: row 0, column 0 has neither a number nor a reason'
    """
    keys = [one.key for one in analysis.sections]
    if not analysis.metric or len(set(keys)) < len(keys) or "" in keys:
        return f"sections need keys of their own, these have {', '.join(map(repr, keys))}"
    for one in analysis.sections:
        if isinstance(one, AnalysisTable):
            fault = _table_fault(one)
        elif isinstance(one, AnalysisCurves):
            fault = _curves_fault(one)
        else:
            fault = _matrix_fault(one)
        if fault or not one.title:
            return f"section {one.key}: {fault or 'it has no title'}"
    return ""


def _table_fault(one: AnalysisTable) -> str:
    shape = len(one.rows), len(one.columns)
    if one.values.shape != shape or one.values.dtype != np.float64:
        return f"values are {one.values.dtype} of shape {one.values.shape}, not float64 of {shape}"
    if len(one.units) != len(one.columns) or not set(one.units) <= {"fraction", "count", "px", ""}:
        return f"units of {len(one.columns)} columns cannot be {one.units}"
    if one.main is not None and not 0 <= one.main < len(one.columns):
        return f"main is {one.main}, of {len(one.columns)} columns"
    if np.isinf(one.values).any():
        return "a number is infinite"
    absent = {(int(row), int(column)) for row, column in np.argwhere(np.isnan(one.values))}
    if unexplained := absent - {place for place, reason in one.reasons.items() if reason}:
        row, column = min(unexplained)
        return f"row {row}, column {column} has neither a number nor a reason"
    if other := set(one.reasons) - absent:
        row, column = min(other)
        return f"row {row}, column {column} has a reason, and a number or no place"
    return ""


def _curves_fault(one: AnalysisCurves) -> str:
    if one.x.ndim != 1 or one.y.shape != (len(one.names), len(one.x)):
        return f"y has the shape {one.y.shape}, x {one.x.shape}, for {len(one.names)} lines"
    if one.x.dtype != np.float64 or one.y.dtype != np.float64:
        return f"x and y are {one.x.dtype} and {one.y.dtype}, not float64"
    if not np.isfinite(one.x).all() or not (np.diff(one.x) > 0).all():
        return "x does not rise"
    return "a number is infinite" if np.isinf(one.y).any() else ""


def _matrix_fault(one: AnalysisMatrix) -> str:
    shape = len(one.rows), len(one.columns)
    if one.counts.shape != shape or one.counts.dtype != np.int64:
        return f"counts are {one.counts.dtype} of shape {one.counts.shape}, not int64 of {shape}"
    return "a count is negative" if (one.counts < 0).any() else ""


def _numbers(section: AnalysisSection) -> Iterator[np.ndarray]:
    if isinstance(section, AnalysisTable):
        yield section.values
    elif isinstance(section, AnalysisCurves):
        yield section.x
        yield section.y


def _heads(analysis: Analysis) -> tuple[_Table | _Curves | _Matrix, ...]:
    return tuple(_head(section) for section in analysis.sections)


def _head(one: AnalysisSection) -> _Table | _Curves | _Matrix:
    said = one.key, one.title, one.definition, one.source
    if isinstance(one, AnalysisTable):
        reasons = [(row, column, text) for (row, column), text in sorted(one.reasons.items())]
        return _Table(*said, one.rows, one.columns, one.units, reasons, one.main)
    if isinstance(one, AnalysisCurves):
        return _Curves(*said, one.x_label, one.y_label, one.names, len(one.x), one.diagonal)
    return _Matrix(*said, one.row_label, one.column_label, one.rows, one.columns)


def _section(head: _Table | _Curves | _Matrix, numbers: _Cut, counts: _Cut) -> AnalysisSection:
    said = head.key, head.title, head.definition, head.source
    if isinstance(head, _Table):
        values = numbers.take(len(head.rows), len(head.columns))
        reasons = {(row, column): text for row, column, text in head.reasons}
        return AnalysisTable(*said, head.rows, head.columns, head.units, values, reasons, head.main)
    if isinstance(head, _Curves):
        x, y = numbers.take(head.points), numbers.take(len(head.names), head.points)
        return AnalysisCurves(*said, head.x_label, head.y_label, head.names, x, y, head.diagonal)
    taken = counts.take(len(head.rows), len(head.columns))
    return AnalysisMatrix(*said, head.row_label, head.column_label, head.rows, head.columns, taken)


class _Cut:
    """An array of which one part after another is taken."""

    def __init__(self, array: np.ndarray, dtype: np.dtype) -> None:
        if array.ndim != 1 or array.dtype != dtype:
            raise ValueError(f"an array is {array.dtype} of {array.ndim} dimensions")
        self.array, self.at = array.astype(dtype.newbyteorder("="), copy=False), 0

    @property
    def left(self) -> int:
        return len(self.array) - self.at

    def take(self, *shape: int) -> np.ndarray:
        size = math.prod(shape)
        if min(shape) < 0 or size > self.left:
            raise ValueError(f"it holds fewer numbers than the {size} of a section")
        self.at += size
        return self.array[self.at - size : self.at].reshape(shape)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
