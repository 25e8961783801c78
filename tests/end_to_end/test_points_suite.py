"""Metrics of points from predictions to a report, a comparison with slices and a gate."""

from __future__ import annotations

import csv
from pathlib import Path

import drawn_suites
import pytest
from drawn import points

import hrbench
from hrbench.cli.command_line import main
from hrbench.types import Measurement


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """One suite with the same annotations twice: `run` and, with worse predictions, `worse`."""
    folder = tmp_path_factory.mktemp("points")
    for name, worse in (("run", False), ("worse", True)):
        assert drawn_suites.run(drawn_suites.written(folder, points.draw(folder, worse), resamples=200), name) == 0
    return folder


def scores(folder: Path, entry: str) -> dict[str, Measurement]:
    (result,) = [one for one in hrbench.load(folder) if one.name == entry]
    return {f"{one.metric} {one.quantity.name}": one for one in result.scores}


def test_a_report_has_the_numbers(runs: Path) -> None:
    coco, mpii = scores(runs / "run", "pck_coco"), scores(runs / "run", "pck_mpii")
    assert next(iter(coco)) == "pck pck@0.2" and {"pck auc", "pck epe", "pck pck@0.5"} <= set(coco)
    for one in (*coco.values(), *mpii.values()):
        assert one.interval is not None and one.value is not None and one.interval[0] <= one.value <= one.interval[1]
    assert (mpii["pck pck@0.5"].value or 0) > 0.5 and (mpii["mpii-pckh pckh@0.5/mean"].value or 0) > 0.5
    faces = scores(runs / "run", "nme_wflw")
    assert {"nme nme", "nme nme/largepose", "nme nme/blur", "nme auc@0.1", "nme fr@0.08"} <= set(faces)
    text = (runs / "run/report.md").read_text()
    assert "PCK@0.2" in text and "EPE" in text


def test_worse_predictions_are_a_regression_of_each_number(runs: Path, capsys) -> None:
    code = main(["compare", str(runs / "run"), str(runs / "worse"), "--format", "csv", "--classes"])
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    found = {(row["entry"], row["metric"], row["quantity"]): row["verdict"] for row in rows}
    assert found["pck_coco", "pck", "epe"] == found["pck_coco", "pck", "pck@0.2"] == "regressed"
    assert found["pck_mpii", "pck", "pck@0.5"] == "regressed" and code == 0
    assert {found[f"nme_{name}", "nme", "nme"] for name in ("wflw", "300w", "aflw")} == {"regressed"}
    assert found["nme_300w", "nme", "nme/common"] == "regressed"


def test_why_they_are_what_they_are_is_told_and_in_the_page(runs: Path, capsys) -> None:
    page = (runs / "run/report.html").read_text()
    for entry, parts in (
        ("pck_coco", ("Parts of the body", "Left and right", "PCK by threshold", "Worst images")),
        ("nme_wflw", ("Regions of the face", "Faces by their error", "largepose", "pupils")),
    ):
        assert main(["explain", f"{runs / 'run'}:{entry}"]) == 0
        told = capsys.readouterr().out
        assert all(part in told for part in parts), entry
    assert "Regions of the face" in page and "lowest PCK@0.2: " in page and "largest mean error (%): " in page


def test_slices_and_a_gate_take_them(runs: Path, capsys) -> None:
    lines = ["image,slice", *(f"{image},even" for image in range(2, 41, 2))]
    (runs / "slices.csv").write_text("\n".join(lines) + "\n")
    main(["compare", str(runs / "run"), str(runs / "worse"), "--format", "csv", "--slices", str(runs / "slices.csv")])
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    sliced = {row["quantity"]: row for row in rows if row["slice"] == "even" and row["entry"] == "pck_coco"}
    assert {"pck@0.2:even", "epe:even"} <= set(sliced) and float(sliced["epe:even"]["change"]) > 0
    assert main(["gate", str(runs / "run"), "--against", str(runs / "run")]) == 0
    assert main(["gate", str(runs / "worse"), "--against", str(runs / "run")]) == 1
