"""Files on disk as samples, and what else a data set may offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from hrbench.types import ClassScheme, KeypointScheme, Remark, Sample

SchemeT_co = TypeVar("SchemeT_co", KeypointScheme, ClassScheme, covariant=True)


@runtime_checkable
class DataSet(Protocol):
    """Files on disk as samples. Constructed as `use(root, **args)`; construction reads nothing.

    Optional capabilities: `HasScheme`, `HasFolder`, `Submits`, `Inspectable`, `ShowsTruth`, `HasPersonBoxes`,
        `HasMetricArgs`, `TruthInSeveralFiles`.
    """

    task: str

    @property
    def target(self) -> Path:
        """The ground truth that the data set's metrics read."""
        ...

    def metric_options(self) -> dict[str, Any]:
        """Keyword arguments with which a metric of this data set is constructed (sigmas, category)."""
        ...

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each missing part: what, where it was looked for, how to get it. Empty if all is there."""
        ...

    def digest(self, protocol: Mapping[str, Any]) -> str:
        """SHA-256 over annotations, the box file in use, and the list of image names and sizes."""
        ...

    def samples(self, protocol: Mapping[str, Any]) -> Iterable[Sample]:
        """All samples in the official order, with what the protocol needs."""
        ...

    def notes(self, protocol: Mapping[str, Any]) -> Sequence[Remark]:
        """Warnings to show with the score (a box file that is not the official one)."""
        ...


@runtime_checkable
class HasScheme(Protocol[SchemeT_co]):
    """A data set with classes or joints: what a network's outputs are, in their order."""

    @property
    def scheme(self) -> SchemeT_co:
        """A KeypointScheme for pose; a ClassScheme for segmentation, detection and classification."""
        ...


@runtime_checkable
class HasFolder(Protocol):
    """A data set in one folder. Generated data sets need it: they are generated there."""

    folder: Path


@runtime_checkable
class Submits(Protocol):
    """A data set whose ground truth may not be public: a server evaluates the predictions."""

    @property
    def server(self) -> str:
        """One sentence: which server evaluates; "" if the ground truth is public. Reads nothing."""
        ...

    def submit(self, predictions: Mapping[str, Path], folder: Path) -> Path:
        """Writes the archive that the server takes.

        predictions: name of a metric -> its prediction file.
        folder: where the archive is written.
        Returns the archive's path.
        """
        ...


@runtime_checkable
class Inspectable(Protocol):
    """A data set that `hrbench datasets NAME --check` can check sample by sample."""

    def facts(self) -> Mapping[str, int]:
        """Counts by name: {"images": 5000}."""
        ...

    def look(self, sample: Sample) -> Sequence[str]:
        """Decodes one sample with its annotation; returns a sentence for each fault. Called from several threads."""
        ...


@runtime_checkable
class TruthInSeveralFiles(Protocol):
    """A data set whose `target` is not all of its ground truth, such as a JSON file with a folder of PNGs."""

    def ground_truth_sha256(self) -> str:
        """SHA-256 (hex) over all files of the ground truth, for scores of predictions from files."""
        ...


@runtime_checkable
class ShowsTruth(Protocol):
    """A data set whose ground truth can be rendered by its task (`Renders.draw`), beside predictions."""

    def truth(self, samples: Sequence[Sample]) -> Mapping[int | str, Any]:
        """Sample id -> what is annotated, in the form of `Renders.rows`; what is annotated has no score."""
        ...


@runtime_checkable
class HasMetricArgs(Protocol):
    """A data set that tells single metrics more than all of them."""

    metric_args: Mapping[str, Mapping[str, Any]]
    """Name of a metric -> further keyword arguments of it: {"miou": {"dice": "one"}}."""


@runtime_checkable
class HasPersonBoxes(HasScheme[KeypointScheme], Protocol):
    """A pose data set that reads detected people from a box file whose published quality is known."""

    def published_box_ap(self, protocol: Mapping[str, Any]) -> float | None:
        """Box AP on people, in [0, 1], that the boxes in use should reach; None if none is published."""
        ...

    def box_file(self, boxes: str) -> Path | None:
        """The file of detected boxes that the protocol's `boxes` names; None for ground truth."""
        ...
