"""Data sets of faces in the layout of their distribution: samples, checks, digests, what is missing."""

from __future__ import annotations

from pathlib import Path

import drawn_faces as faces
import numpy as np
import pytest

from hrbench import catalog
from hrbench.core import plugins
from hrbench.runner.check_dataset import check_dataset


def dataset_of(name: str, folder: Path):
    row = catalog.datasets()[name]
    return row, plugins.resolve("hrbench.datasets", row.use)(folder, **row.args)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    faces.cofw(folder / "cofw/COFW_test_color.mat")
    faces.full_300w(folder / "300w")
    faces.own_test_300w(folder / "300w/300W")
    return folder


@pytest.mark.parametrize(("name", "many"), [("cofw-test", 3), ("300w-full-pts", 6), ("300w-test-pts", 4)])
def test_a_set_is_whole_and_its_check_finds_no_fault(data: Path, name: str, many: int) -> None:
    row, dataset = dataset_of(name, data)
    assert dataset.missing({}) == []
    samples = dataset.samples({})
    assert len(samples) == many and all(sample.content[0].scale > 0 for sample in samples)
    assert len(dataset.truth(samples)) == many and dataset.facts()["images"] == many
    assert dataset.ground_truth_sha256() and dataset.digest({}) == dataset_of(name, data)[1].digest({})
    findings = [*check_dataset(row, data, {})]
    assert not [one for one in findings if one.kind == "fault"], findings


def test_squares_of_landmarks_are_told(data: Path) -> None:
    notes = dataset_of("300w-full-pts", data)[1].notes({})
    assert "square of a face is that of its landmarks" in notes[0] and len(notes) == 1
    assert dataset_of("cofw-test", data)[1].notes({}) == []  # so does HRNet's own code


def test_what_is_missing_is_named(data: Path, tmp_path: Path) -> None:
    for name, words in (("cofw-test", "COFW_test_color.mat"), ("300w-full-pts", "ibug.doc.ic.ac.uk")):
        (gap,) = dataset_of(name, tmp_path)[1].missing({})
        assert "annotations are missing" in gap and words in gap
    drawn = faces.full_300w(tmp_path / "300w", each=1)
    (tmp_path / "300w/ibug/000_1.jpg").unlink()
    (gap,) = dataset_of("300w-full-pts", tmp_path)[1].missing({})
    assert "1 of 3 images are missing" in gap and "ibug/000_1.jpg" in gap and len(drawn) == 3


def test_a_digest_is_that_of_what_is_read(tmp_path: Path) -> None:
    faces.full_300w(tmp_path / "300w", each=1)
    digests = []
    for name in ("afw/000_1.pts", "ibug/000_1.pts"):
        digests.append(dataset_of("300w-full-pts", tmp_path)[1].digest({}))
        (tmp_path / "300w" / name).write_text(faces.pts_text(np.arange(136.0).reshape(68, 2)))
    digests.append(dataset_of("300w-full-pts", tmp_path)[1].digest({}))
    assert digests[0] == digests[1] != digests[2]
