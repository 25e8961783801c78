"""analysis.npz: refuses what is not as its types say, and says what to do about a damaged file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hrbench.errors import InputError, MissingError
from hrbench.store import analyses
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisTable

SAID = "Title", "Definition.", "Source"
TABLE = AnalysisTable("t", *SAID, ("r",), ("a", "b"), ("count", ""), np.array([[1.0, np.nan]]), {(0, 1): "none"}, 0)
CURVES = AnalysisCurves("c", *SAID, "x", "y", ("one",), np.array([0.0, 1.0]), np.array([[0.5, np.nan]]), True)
MATRIX = AnalysisMatrix("m", *SAID, "truth", "found", ("a",), ("a", "b"), np.array([[3, 4]]))
WHOLE = Analysis("metric", 7, {"threshold": 0.5, "names": ["a"]}, (TABLE, CURVES, MATRIX))


def test_what_is_written_is_read(tmp_path: Path):
    other = Analysis("other", 1, {}, ())
    analyses.write_analyses([WHOLE, other], tmp_path / "a.npz")
    read, empty = analyses.read_analyses(tmp_path / "a.npz")
    assert (read.metric, read.version, read.params) == ("metric", 7, WHOLE.params) and empty == other
    table, curves, matrix = read.sections
    assert isinstance(table, AnalysisTable) and table.reasons == {(0, 1): "none"} and table.main == 0
    assert isinstance(curves, AnalysisCurves) and curves.diagonal and curves.y.tobytes() == CURVES.y.tobytes()
    assert isinstance(matrix, AnalysisMatrix) and matrix.counts.tolist() == [[3, 4]]


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (replace(TABLE, reasons={}), "row 0, column 1 has neither a number nor a reason"),
        (replace(TABLE, reasons={(0, 1): ""}), "neither"),
        (replace(TABLE, reasons={(0, 1): "none", (0, 0): "why"}), "has a reason, and a number"),
        (replace(TABLE, reasons={(0, 1): "none", (4, 0): "why"}), "or no place"),
        (replace(TABLE, values=np.array([[np.inf, np.nan]])), "infinite"),
        (replace(TABLE, values=TABLE.values.astype(np.float32)), "float32"),
        (replace(TABLE, rows=("r", "s")), r"not float64 of \(2, 2\)"),
        (replace(TABLE, units=("count", "seconds")), "units"),
        (replace(TABLE, main=2), "main"),
        (replace(TABLE, title=""), "no title"),
        (replace(CURVES, x=np.array([1.0, 1.0])), "does not rise"),
        (replace(CURVES, y=np.ones((2, 2))), "for 1 lines"),
        (replace(CURVES, y=np.array([[np.inf, 0]])), "infinite"),
        (replace(CURVES, y=np.ones((1, 2), int)), "not float64"),
        (replace(MATRIX, counts=np.array([[3, -1]])), "negative"),
        (replace(MATRIX, counts=np.array([[3.0, 1.0]])), "not int64"),
        (replace(MATRIX, key="last"), "keys of their own"),
    ],
)
def test_what_does_not_fit_is_not_written(tmp_path: Path, section, says: str):
    with pytest.raises(ValueError, match=says):
        analyses.write_analyses([Analysis("metric", 1, {}, (section, replace(MATRIX, key="last")))], tmp_path / "a.npz")
    assert not (tmp_path / "a.npz").exists()


def changed(path: Path, **arrays: np.ndarray) -> None:
    with np.load(path) as stored:
        np.savez(path, **{**stored, **arrays})


@pytest.mark.parametrize(
    "arrays",
    [
        {"numbers": np.zeros(3)},
        {"numbers": np.zeros(99)},
        {"numbers": np.zeros((2, 3))},
        {"counts": np.zeros(2)},
        {"counts": -np.ones(2, np.int64)},
        {"head": np.frombuffer(b'{"format": 1}', np.uint8)},
        {"head": np.frombuffer(b"\xff", np.uint8)},
    ],
)
def test_a_damaged_file_says_what_to_do(tmp_path: Path, arrays):
    analyses.write_analyses([WHOLE], tmp_path / "a.npz")
    changed(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=r"no error analysis of hrbench \(.+\): `hrbench run SUITE --rescore`"):
        analyses.read_analyses(tmp_path / "a.npz")


def test_other_faults_of_the_file(tmp_path: Path):
    path = tmp_path / "a.npz"
    with pytest.raises(MissingError, match="--rescore"):
        analyses.read_analyses(path)
    analyses.write_analyses([WHOLE], path)
    with np.load(path) as stored:
        head = msgspec.json.decode(stored["head"].tobytes())
    for told, says in (
        ({"format": 2}, "use a newer hrbench"),
        ({"analyses": [*head["analyses"], {**head["analyses"][0], "sections": []}]}, "a metric twice"),
    ):
        analyses.write_analyses([WHOLE], path)
        changed(path, head=np.frombuffer(msgspec.json.encode({**head, **told}), np.uint8))
        with pytest.raises(InputError, match=says):
            analyses.read_analyses(path)
