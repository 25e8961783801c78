"""What every error analysis promises, built-in or not: numbers or reasons, parts that fit, and the same when read."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from test_metrics import CASES, Case

from hrbench.contracts import Analyses
from hrbench.store.analyses import fault_of, read_analyses, write_analyses
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisTable

OFFERED = [
    point.name
    for point in sorted(entry_points(group="hrbench.metrics"), key=lambda point: point.name)
    if isinstance(point.load(), Analyses)
]


@pytest.fixture(scope="module", params=OFFERED)
def case(request, tmp_path_factory) -> Case:
    (point,) = entry_points(group="hrbench.metrics", name=request.param)
    case = CASES[request.param](point.load()(), tmp_path_factory.mktemp(request.param))
    case.metric.write_predictions(iter(case.samples), case.predictions)
    return case


def made(case: Case, images: list[int | str] | None = None) -> Analysis:
    target = case.metric.read_target(case.truth)
    predictions = case.metric.read_predictions(case.predictions, target)
    return case.metric.analyse(predictions, target, case.metric.measure(predictions, target, images))


def bits(analysis: Analysis) -> list[object]:
    """All that an analysis says, its numbers as bytes."""
    found: list[object] = [analysis.metric, analysis.version, dict(analysis.params)]
    for one in analysis.sections:
        said = {name: getattr(one, name) for name in one.__slots__ if not isinstance(getattr(one, name), np.ndarray)}
        arrays = [getattr(one, name) for name in one.__slots__ if isinstance(getattr(one, name), np.ndarray)]
        found += [type(one), said, [(each.shape, each.dtype.str, each.tobytes()) for each in arrays]]
    return found


def test_it_gives_numbers_or_reasons_and_parts_that_fit(case: Case):
    found = made(case)
    assert (found.metric, found.version) == (case.metric.name, type(case.metric).analysis_version)
    assert found.sections and fault_of(found) == ""
    for one in found.sections:
        assert one.title and one.definition, one.key
        if isinstance(one, AnalysisTable):
            fractions = one.values[:, [unit == "fraction" for unit in one.units]]
            counts = one.values[:, [unit == "count" for unit in one.units]]
            assert (np.abs(fractions[~np.isnan(fractions)]) <= 1).all(), one.key
            assert (counts[~np.isnan(counts)] >= 0).all(), one.key
        elif isinstance(one, AnalysisCurves):
            assert one.x_label and one.y_label and not np.isnan(one.y).all(), one.key
        elif isinstance(one, AnalysisMatrix):
            assert one.row_label and one.column_label and one.counts.sum() > 0, one.key


def test_it_survives_the_store_bit_for_bit(case: Case, tmp_path: Path):
    found = made(case)
    write_analyses([found], tmp_path / "analysis.npz")
    (read,) = read_analyses(tmp_path / "analysis.npz")
    assert bits(read) == bits(found)


def test_it_is_the_same_again_and_whatever_the_order_of_writing(case: Case, tmp_path: Path):
    assert bits(made(case)) == bits(made(case))
    some = case.ids[3:]
    assert bits(made(case, some)) == bits(made(case, some[::-1]))


def test_images_of_which_nothing_is_known_give_an_analysis_too(case: Case):
    """Of any part of the images: numbers that do not exist have reasons there, too."""
    for image in case.ids[:6]:
        assert fault_of(made(case, [image])) == ""
