"""What a check reads of images and predictions, and what it leaves to a run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hrbench.cli.data import findings_text
from hrbench.errors import InputError, UsageError
from hrbench.formats.label_folders import LabelFolder
from hrbench.runner.check_sample import FEW, check_predictions, predictions_findings, refused_samples
from hrbench.types import DatasetRow, Note, Sample

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


class Doubtful(Recorded):
    """A metric that refuses one image, and doubts how its input was read."""

    def read_target(self, path: Path) -> str:
        return "truth"

    def read_predictions(self, path: Path, target: str) -> str:
        return "found"

    def measure(self, predictions: Any, target: Any, images: list[str]) -> Any:
        if set(images) & set(self.refused):
            raise InputError("cannot be scored")
        return images

    def input_notes(self, predictions: str, target: str, state: Any) -> list[Note]:
        self.given += state
        kinds = ("misread_boxes", "binary_masks", "empty_images", "labels_found_out")
        return [Note(kind, f"{kind} of {predictions}") for kind in kinds]


@pytest.mark.parametrize("refused", [(), ("1",)])
def test_notes_that_doubt_how_a_file_is_read_are_told_by_a_deep_check(refused: tuple[str, ...], monkeypatch) -> None:
    metric: Any = Doubtful(refused)
    dataset: Any = SimpleNamespace(target=Path("truth.json"))
    entry: Any = SimpleNamespace(metrics=("made",), predictions="found.json", limit=None)
    monkeypatch.setattr("hrbench.runner.check_sample.metric_of", lambda name, dataset: metric)
    monkeypatch.setattr("hrbench.runner.check_sample.evaluated_images", lambda entry, dataset: SAMPLES[:3])
    findings = list(predictions_findings(entry, dataset))
    doubts = [one.text for one in findings if one.kind == "doubt"]
    assert doubts == ["made: misread_boxes of found", "made: binary_masks of found"]
    assert metric.given == [str(each.id) for each in SAMPLES[:3] if each.id not in refused]
    last = findings_text("found.json", findings).splitlines()[-1]
    said = "1 thing to mend" if refused else "no fault, and 2 doubts whether it is read as it is meant"
    assert last == f"found.json: {said}"


@pytest.mark.parametrize("told", ["a.json has 5 joints", "made: a.json has 5 joints"])
def test_a_fault_of_the_truth_is_not_told_again_of_each_predictions(told: str, monkeypatch) -> None:
    def fails(name: str, dataset: Any) -> Any:
        raise UsageError("a.json has 5 joints")

    dataset: Any = SimpleNamespace(target=Path("a.json"))
    entry: Any = SimpleNamespace(metrics=("made",), predictions="found.json", limit=None)
    monkeypatch.setattr("hrbench.runner.check_sample.metric_of", fails)
    monkeypatch.setattr("hrbench.runner.check_sample.evaluated_images", lambda entry, dataset: SAMPLES[:3])
    (finding,) = predictions_findings(entry, dataset, {told})
    assert (finding.kind, "its ground truth has the fault that is told of it" in finding.text) == ("skipped", True)
    assert findings_text("found.json", [finding]).endswith("found.json: not looked at")
    (finding,) = predictions_findings(entry, dataset, {"another"})
    assert (finding.kind, finding.text) == ("fault", "a.json has 5 joints")
