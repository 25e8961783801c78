"""Predictions that were given: what judging needs, which file is whose, what the data are called by."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hrbench.errors import InputError, UsageError
from hrbench.runner import precomputed
from hrbench.types import DatasetRow, Entry, Reason, Sample, Variant


class Data:
    """A data set whose images may be missing, and which knows one protocol."""

    def __init__(self, folder: Path, images: bool = True) -> None:
        self.target, self.images = folder / "truth.json", images

    def missing(self, protocol: Any) -> list[str]:
        if protocol.get("boxes") == "detector":
            raise UsageError("no detector's boxes")
        return [*([] if self.target.is_file() else ["no truth"]), *([] if self.images else ["no images"])]

    def digest(self, protocol: Any) -> str:
        return f"of {protocol.get('boxes', 'any')}"

    def samples(self, protocol: Any) -> list[Sample]:
        if not self.images:
            raise InputError("no list of images")
        return [Sample(1, Path("1.png")), Sample(2, Path("2.png"))]


class Lines:
    """A metric that reads lines of text, in two formats."""

    prediction_file = "predictions.txt"

    def read_target(self, path: Path) -> str:
        return path.read_text()

    def read_predictions(self, path: Path, target: str) -> list[str]:
        if "bad" in path.read_text():
            raise InputError(f"{path}: line 1 is bad")
        return path.read_text().splitlines()


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    (tmp_path / "truth.json").write_text("truth")
    (tmp_path / "mine.txt").write_text("one")
    row = DatasetRow("d", "d", "pose", ("lines",))
    variant = Variant("mine", "", "pose", (0, 0))
    return Entry("mine", variant, row, {}, ("lines",), {}, predictions=str(tmp_path / "mine.txt"))


def test_images_are_not_needed_and_the_rest_is_told(entry: Entry, tmp_path: Path):
    assert precomputed.missing_inputs(entry, Data(tmp_path, images=False)) == []
    gone = replace(entry, predictions=str(tmp_path / "gone.txt"))
    assert precomputed.missing_inputs(gone, Data(tmp_path)) == [
        Reason(f"the predictions {tmp_path / 'gone.txt'} are not there")
    ]
    (tmp_path / "truth.json").unlink()
    assert precomputed.missing_inputs(entry, Data(tmp_path)) == [Reason("no truth")]


def test_the_data_go_by_the_digest_of_a_run_of_the_same_protocol(entry: Entry, tmp_path: Path):
    assert precomputed.dataset_digest(replace(entry, protocol={"boxes": "mine"}), Data(tmp_path)) == "of mine"
    assert precomputed.dataset_digest(replace(entry, protocol={"boxes": "detector"}), Data(tmp_path)) == "of any"
    assert len(precomputed.dataset_digest(entry, Data(tmp_path, images=False))) == 64


def test_samples_that_cannot_be_told_matter_to_a_limited_entry_only(entry: Entry, tmp_path: Path):
    assert len(precomputed.samples(entry, Data(tmp_path))) == 2
    assert precomputed.samples(entry, Data(tmp_path, images=False)) == []
    with pytest.raises(InputError, match="no list of images"):
        precomputed.samples(replace(entry, limit=1), Data(tmp_path, images=False))


def test_a_file_is_taken_under_its_format_s_name_once_it_can_be_read(entry: Entry, tmp_path: Path):
    place: Path = tmp_path / "place"
    metric: Any = Lines()
    precomputed.take(entry, [metric], tmp_path / "truth.json", place)
    assert precomputed.prediction_file(metric, place).read_text() == "one"
    assert precomputed.prediction_file(metric, place).name == "predictions.txt"
    shutil.rmtree(place)
    (tmp_path / "mine.mat").write_text("two")
    precomputed.take(replace(entry, predictions=str(tmp_path / "mine.mat")), [metric], tmp_path / "truth.json", place)
    assert precomputed.prediction_file(metric, place).name == "predictions.mat"
    shutil.rmtree(place)
    (tmp_path / "mine.txt").write_text("bad")
    with pytest.raises(InputError, match=r"mine\.txt: line 1 is bad"):
        precomputed.take(entry, [metric], tmp_path / "truth.json", place)
    assert not place.exists()
