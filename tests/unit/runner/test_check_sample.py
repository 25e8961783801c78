"""What a check reads of images and predictions, and what it leaves to a run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hrbench.errors import InputError
from hrbench.formats.label_folders import LabelFolder
from hrbench.runner.check_sample import FEW, check_predictions, refused_samples
from hrbench.types import DatasetRow, Sample

SAMPLES = [Sample(str(number), Path(f"{number}.png")) for number in range(1000)]
CLASSIFIED = DatasetRow("made", "mine:Images", "classification", ("topk",))


class Recorded:
    """A task, and a metric, that take all but some images and note which they were given."""

    def __init__(self, refused: tuple[str, ...] = (), error: type[Exception] = InputError) -> None:
        self.given: list[str] = []
        self.refused, self.error = refused, error

    def prepare(self, sample: Sample) -> list[Any]:
        self.given.append(str(sample.id))
        if sample.id in self.refused:
            raise self.error(f"{sample.path} cannot be read")
        return []

    def measure(self, predictions: Any, target: Any, images: list[str]) -> None:
        self.given += images


def test_the_first_and_the_last_image_are_prepared_as_in_a_run() -> None:
    task: Any = Recorded()
    nothing: Any = SimpleNamespace()
    assert refused_samples(CLASSIFIED, nothing, task, SAMPLES) == []
    assert task.given == ["0", "999"] and len(task.given) == FEW
    assert refused_samples(CLASSIFIED, nothing, task, []) == []


@pytest.mark.parametrize(("error", "said"), [(InputError, "999.png cannot"), (KeyError, "KeyError: ")])
def test_what_the_task_raises_is_what_a_run_would_refuse(error: type[Exception], said: str) -> None:
    task: Any = Recorded(("999",), error)
    nothing: Any = SimpleNamespace()
    (fault,) = refused_samples(CLASSIFIED, nothing, task, SAMPLES)
    assert fault.startswith(said)


def test_predictions_are_scored_on_two_images_and_on_all_names_where_one_has_no_file(tmp_path: Path) -> None:
    metric: Any = Recorded()
    whole = LabelFolder(tmp_path, {str(each.id): each.path for each in SAMPLES}, "ids")
    check_predictions(metric, whole, None, SAMPLES)
    check_predictions(metric, object(), None, SAMPLES[:1])
    check_predictions(metric, object(), None, [])
    assert metric.given == ["0", "999", "0"]
    short, metric.given = LabelFolder(tmp_path, {"0": Path("0.png"), "999": Path("999.png")}, "ids"), []
    check_predictions(metric, short, None, SAMPLES)
    assert len(metric.given) == len(SAMPLES)
