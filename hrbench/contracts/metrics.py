"""Predictions and a target -> state -> scores, and what else a metric may offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hrbench.types import ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, State


@runtime_checkable
class Metric(Protocol):
    """Predictions and a target -> state -> scores.

    prediction_file: name in an entry's folder; one without an ending is a folder of files.
    oracle: the reference implementation that `verify` runs, in words.
    main: name of the quantity to show if there is room for only one.

    `merge([merge(a), merge(b)]) == merge(a +
        b)` bit for bit, for any split, in any order.
    """

    name: str
    version: int
    quantities: tuple[Quantity, ...]
    prediction_file: str
    oracle: str
    main: str

    def read_target(self, path: Path) -> Any: ...

    def read_predictions(self, path: Path, target: Any) -> Any: ...

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None: ...

    def measure(self, predictions: Any, target: Any, images: Sequence[int | str] | None = None) -> State: ...

    def merge(self, states: Sequence[State]) -> State: ...

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]: ...

    def qualities(self, state: State) -> dict[int | str, float]: ...

    def verify(
        self, target: Path, predictions: Path, images: Sequence[int | str] | None = None
    ) -> dict[str, float]: ...


@runtime_checkable
class JudgedByImage(Protocol):
    """A metric two states of which can be judged against each other, image by image. Checked on the class."""

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The state's numbers as a function of image weights. A state tells all that is needed for it.

        classes: whether the numbers of single classes are among them, for a metric that has them.
        Raises InputError for a state that is damaged, or of another metric or version.
        """
        ...


@runtime_checkable
class HasCriteria(Protocol):
    """A metric that can judge by other criteria than the official evaluation."""

    def own_criteria(self) -> Mapping[str, Any]:
        """The options by which it judges otherwise; {} if its numbers are the official ones.

        Scores by other criteria are compared with those by the same only, and with no published figure.
        """
        ...


@runtime_checkable
class JudgesAtMost(Protocol):
    """A metric that judges no more than a number of an image's detections, or of those of each of its classes."""

    most_judged: int


@runtime_checkable
class NotesInput(Protocol):
    """A metric that says what about its input changes its numbers, or may."""

    def input_notes(self, predictions: Any, target: Any, state: State) -> Sequence[Note]:
        """What was found in what `read_predictions` and `read_target` gave.

        state: what `measure` made of them; its images are those that are judged.
        """
        ...


@runtime_checkable
class DescribesPredictions(Protocol):
    """A metric that says what its file of predictions looks like, for `hrbench metrics NAME`. Checked on the class."""

    prediction_form: PredictionForm


@runtime_checkable
class DescribesQuality(Protocol):
    """A metric that says what its `qualities` are, for a reader of pictures. Checked on the class."""

    quality_is: str
    """What the quality of an image is, in words that follow "quality: "; it lies in [0, 1], and 1 is best."""


@runtime_checkable
class GainedNumbers(Protocol):
    """A metric that gives numbers which results stored under its version may lack. Checked on the class."""

    gained: tuple[str, ...]
