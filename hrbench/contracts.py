"""What a data set, a task and a metric must offer: Protocols, which nothing inherits from.

One file and one entry-point line make a new one (CONTRIBUTING.md); tests/laws hold the built-in ones to these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hrbench.types import Item, Measurement, Prediction, Quantity, Sample, State


class DataSet(Protocol):
    """What lies on disk, as samples. Constructed as `use(root, **args)`; construction reads nothing.

    What may be there beside the members below: `scheme` (a KeypointScheme or ClassScheme); `server`, one sentence on
    who judges predictions where no ground truth is public ("" elsewhere), and with it
    `submit(predictions, folder) -> Path`, which writes the archive that this server takes from
    {metric name: prediction file}; `facts() -> {what: count}` and `look(sample) -> [fault]`, which decodes a sample
    with its annotation, for `hrbench datasets NAME --check`.
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
        """Sentences, one per missing piece: what, where it was looked for, how to get it. Empty: all is there."""
        ...

    def digest(self, protocol: Mapping[str, Any]) -> str:
        """SHA-256 over annotations, the box file in use, and the list of image names and sizes."""
        ...

    def samples(self, protocol: Mapping[str, Any]) -> Iterable[Sample]:
        """All samples in the official order, with what the protocol asks for."""
        ...

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        """Warnings that belong beside the score (a box file that is not the official one)."""
        ...


class Task(Protocol):
    """Sample -> items -> raw outputs -> prediction. Constructed as `use(variant, dataset, protocol)`; picklable.

    The class names its protocol, a frozen dataclass, in the attribute `Protocol`; where there are several of them, in
    `protocols`, a tuple of instances that differ in name, and `usual(use) -> name` may say which one a network of that
    `use` is evaluated by. `notes() -> [sentence]` tells, once all images are finished, what is to be said beside a
    score. A task that can draw also offers `rows(predictions: Path, samples) -> {sample id: rows}`, of
    the first metric's prediction file, and `draw(sample, rows, path)`.
    """

    def work(self, sample: Sample) -> int:
        """How many forward passes of one item the sample takes."""
        ...

    def prepare(self, sample: Sample) -> list[Item]:
        """The network's inputs for one image, possibly none. NumPy only: runs in a worker."""
        ...

    def forward(self, net: Any, items: Sequence[Item]) -> list[Any]:
        """One raw output for each item of a batch of equal shapes; owns flip, scales and windows."""
        ...

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, Any]]) -> Prediction:
        """All items of one image to its prediction, in the original image's frame; suppression is here."""
        ...


class Metric(Protocol):
    """Predictions and a target -> state -> scores.

    prediction_file: name in an entry's folder; one without an ending is a folder of files. oracle: what `verify` runs,
    in words. main: the quantity that stands for the metric where there is room for one.
    `merge([merge(a), merge(b)]) == merge(a + b)` bit for bit, for any split, in any order.
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


@dataclass(frozen=True, slots=True)
class Job:
    """One call that an `Executor` makes elsewhere: a recipe of names and plain values, which JSON can hold.

    target: "package.module:function", called as `function(emit, **arguments)`; it returns what JSON can hold, and
        `emit(event)` sends a dictionary of such values to whoever waits.
    arguments: of the function.
    log: path of the file to which is appended what the call prints, its beginning and its end if it is much; "" for
        none.
    timeout: seconds after which it is ended; None for never.
    device: "cpu", "cuda" or "cuda:N".
    quiet: whether it measures times, so that nothing else may be computed meanwhile.
    modules: dotted names of modules that compute nothing on import, imported once for all jobs that name them.
    path: `sys.path` there; None for the submitter's.
    folder: the working folder there; "" for the submitter's.
    environment: all variables there; None for the submitter's. What libraries read on import has been read before.
    """

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    timeout: float | None = None
    device: str = "cpu"
    quiet: bool = False
    modules: tuple[str, ...] = ()
    path: tuple[str, ...] | None = None
    folder: str = ""
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a `Job` came to.

    value: what its function returned, as JSON gives it back; None if it failed.
    failure: why there is no value, in a line: an exception, a signal, an exit, its timeout; "" if there is one.
    error: the class name of the exception that it raised, "" if none came out.
    foreseen: whether that was an error of hrbench, whose message says all there is to know.
    traceback: of the exception.
    changes: what it changed of its process, each in a few words.
    output: the last lines of what it printed.
    output_bytes: how much it printed in all.
    left_out: how much of that is not in its log either.
    threads: CPU threads that were in force at its end; None if it did not get there.
    fresh: whether it ran in a fresh interpreter rather than in a fork.
    seconds: from its start to its end.
    """

    value: Any = None
    failure: str = ""
    error: str = ""
    foreseen: bool = False
    traceback: str = ""
    changes: tuple[str, ...] = ()
    output: str = ""
    output_bytes: int = 0
    left_out: int = 0
    threads: int | None = None
    fresh: bool = False
    seconds: float = 0.0


class Executor(Protocol):
    """Runs jobs, each apart from all others: here, in processes of their own, or elsewhere."""

    def submit(self, job: Job, listen: Callable[[Mapping[str, Any]], object] = ...) -> Outcome:
        """Runs a job to its end and tells `listen` its events; what its code does is in the outcome, never raised."""
        ...

    def close(self) -> None:
        """Ends what is running and gives back what is held."""
        ...
