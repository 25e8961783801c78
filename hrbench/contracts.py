"""What plug-ins offer: Protocols, from which nothing inherits.

One file and one entry-point line make a new plug-in (CONTRIBUTING.md); tests/laws hold the built-in ones to these.

- What hrbench requires is a contract: `DataSet`, `Task`, `Metric`, `CostProbe`, `Runtime`, `Network`.
- What a plug-in may offer in addition is a capability, a small Protocol for one purpose: `Submits`, `Inspectable`,
  `Renders` and others. A plug-in has a capability if it has all of its members; hrbench checks with `isinstance`.

`REQUIRED` and `OPTIONAL` list both by entry-point group. `hrbench check` and `hrbench run` report a missing member of
the contract, an incomplete capability, and a member that looks like a misspelt one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from hrbench.types import (
    ByImage,
    ClassScheme,
    Conditions,
    Item,
    KeypointScheme,
    Measurement,
    Note,
    Prediction,
    Quantity,
    Reason,
    Remark,
    RuntimeSettings,
    Sample,
    State,
    Variant,
)

if TYPE_CHECKING:  # annotations only: a contract imports no framework
    import torch

SchemeT_co = TypeVar("SchemeT_co", KeypointScheme, ClassScheme, covariant=True)


LATER: Mapping[str, bool] = {"later": True}
"""Metadata of a field that a protocol got after results had been stored: an entry has it only where it is not the
default, so that results and keys from before it hold."""

# --- data sets -------------------------------------------------------------------------------------------------------


@runtime_checkable
class DataSet(Protocol):
    """Files on disk as samples. Constructed as `use(root, **args)`; construction reads nothing.

    Optional capabilities: `HasScheme`, `HasFolder`, `Submits`, `Inspectable`, `ShowsTruth`, `HasPersonBoxes`.
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
class ShowsTruth(Protocol):
    """A data set whose ground truth can be rendered by its task (`Renders.draw`), beside predictions."""

    def truth(self, samples: Sequence[Sample]) -> Mapping[int | str, Any]:
        """Sample id -> what is annotated, in the form of `Renders.rows`; what is annotated has no score."""
        ...


@runtime_checkable
class HasPersonBoxes(HasScheme[KeypointScheme], Protocol):
    """A pose data set that reads detected people from a box file whose published quality is known."""

    def published_box_ap(self, protocol: Mapping[str, Any]) -> float | None:
        """Box AP on people, in [0, 1], that the boxes in use should reach; None if none is published."""
        ...

    def box_file(self, boxes: str) -> Path | None:
        """The file of detected boxes that the protocol's `boxes` names; None for ground truth."""
        ...


# --- tasks -----------------------------------------------------------------------------------------------------------


@runtime_checkable
class Task(Protocol):
    """Sample -> items -> raw outputs -> prediction: preprocess, predict, postprocess.

    Constructed as `use(variant, dataset, protocol)`; picklable. Optional capabilities: `OffersProtocols`,
    `ChoosesProtocol`, `ChecksOutput`, `HasNotes`, `Renders`, `ForwardsAhead`, `FinishesBeside`.
    """

    Protocol: ClassVar[type]
    """A frozen dataclass: the settings of the protocol, with `name` and `version` among them."""

    def work(self, sample: Sample) -> int:
        """How many forward passes of one item the sample needs."""
        ...

    def prepare(self, sample: Sample) -> list[Item]:
        """Preprocesses one image to the network's inputs, possibly none. NumPy only: runs in a worker."""
        ...

    def forward(self, net: Network, items: Sequence[Item]) -> list[Any]:
        """Runs the network: one raw output for each item of a batch of equal shapes. Does flip, scales and windows."""
        ...

    def finish(self, sample: Sample, pairs: Sequence[tuple[Item, Any]]) -> Prediction:
        """Postprocesses all items of one image to its prediction, in the original image's frame, with suppression."""
        ...


@runtime_checkable
class ChecksOutput(Protocol):
    """A task that can tell whether a network's output is what it needs before anything is run (`hrbench check`)."""

    def check_output(self, output: Any, inputs: Sequence[tuple[int, int]]) -> None:
        """Raises EntryError if the output cannot be that of a network for this data set.

        output: what the network returned; its tensors may be on the meta device, with shapes and types alone.
        inputs: (height, width) of each image that went in.
        """
        ...


@runtime_checkable
class OffersProtocols(Protocol):
    """A task with several named protocols. Checked on the class."""

    protocols: tuple[Any, ...]
    """Instances of the task's `Protocol` that differ in name."""


@runtime_checkable
class ChoosesProtocol(Protocol):
    """A task that knows which of its protocols is usual for a network. Checked on the class."""

    @staticmethod
    def usual(use: str) -> str:
        """Name of the protocol for a network of this `use`."""
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A task with notes on the score after all images; a runtime, or a network in a file, with some on the network."""

    def notes(self) -> Sequence[Remark]:
        """One for each."""
        ...


@runtime_checkable
class Renders(Protocol):
    """A task that can render its predictions as images."""

    def rows(self, predictions: Path, samples: Sequence[Sample]) -> Mapping[int | str, Any]:
        """Sample id -> what the first metric's prediction file holds for it, for `draw`."""
        ...

    def draw(self, sample: Sample, rows: Any, path: Path) -> None:
        """Renders one sample with its predictions to `path`, whose suffix says the image format."""
        ...


@runtime_checkable
class ForwardsAhead(Protocol):
    """A task whose `forward` can be split where it waits for a device: the next batch is sent before it is waited for.

    `forward(net, items)` is `launch(net, items)()`.
    """

    def launch(self, net: Network, items: Sequence[Item]) -> Callable[[], list[Any]]:
        """Sends a batch to the device; returns what waits for its outputs and gives them back."""
        ...


@dataclass(frozen=True, slots=True)
class Deferred:
    """The heavy part of postprocessing an image, for a worker process.

    function: of a module, which knows only its arguments, and changes none of them.
    arguments: arrays and plain values.
    complete: called with its result in the process that has the task; gives the prediction.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    complete: Callable[[Any], Prediction]


@runtime_checkable
class FinishesBeside(Protocol):
    """A task whose `finish` may have a heavy part, which is run in worker processes where there are some."""

    def begin_finish(self, sample: Sample, pairs: Sequence[tuple[Item, Any]]) -> Prediction | Deferred:
        """As `finish`, up to its heavy part; the prediction if there is none."""
        ...


# --- metrics ---------------------------------------------------------------------------------------------------------


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
class NotesInput(Protocol):
    """A metric that says what about its input changes its numbers, or may."""

    def input_notes(self, predictions: Any, target: Any, state: State) -> Sequence[Note]:
        """What was found in what `read_predictions` and `read_target` gave.

        state: what `measure` made of them; its images are those that are judged.
        """
        ...


# --- networks --------------------------------------------------------------------------------------------------------


class Network(Protocol):
    """What a task calls: a torch module, or any callable that takes and returns what the task expects.

    Optional capabilities: `HasParameters`, which every torch module has; `FixedPrecision`, `FixedBatch`,
    `DescribesCount`, `CountedByPart`, `TakesScales`; and of a backbone `HasLevels`.
    """

    def __call__(self, *inputs: Any, **options: Any) -> Any: ...


@runtime_checkable
class HasParameters(Protocol):
    """A network whose parameters tell its device and dtype."""

    def parameters(self) -> Iterator[torch.Tensor]: ...


@runtime_checkable
class FixedPrecision(Protocol):
    """A network that computes only in the dtype of its file."""

    precision: torch.dtype


@runtime_checkable
class OwnEngine(Protocol):
    """A network that another library than torch computes."""

    engine: str
    """Its name."""


@runtime_checkable
class FixedBatch(Protocol):
    """A network that takes only a fixed number of images at once: that of its file."""

    fixed_batch: int | None
    """None for any number."""


@runtime_checkable
class DescribesCount(Protocol):
    """A network whose parameter count does not cover all its parameters, or is otherwise special."""

    counted: str
    """What was counted, in words."""


@runtime_checkable
class CountedByPart(Protocol):
    """A detector: how many boxes it processes depends on values, so its operations are counted part by part."""

    def count_parts(self, images: Any, proposals: int, masks: int) -> Mapping[str, Any]:
        """Runs backbone, neck and dense heads on the images, and the other heads on a fixed number of boxes.

        images: (N, 3, H, W), on the meta device.
        proposals: boxes per image that the box head is run on.
        masks: boxes per image that the mask head is run on.
        Returns the conditions under which the count holds.
        """
        ...


@runtime_checkable
class TakesScales(Protocol):
    """A detector whose detections depend on the size of the original image."""

    takes_scales: bool
    """If true it is called as net(images, scales=[...]): for each image, side of the input / side of the original."""


@runtime_checkable
class HasLevels(Protocol):
    """A backbone: what a head needs to know about its feature maps, finest first."""

    channels: Sequence[int]
    strides: Sequence[int]


@runtime_checkable
class Runtime(Protocol):
    """Turns a network into a callable: eager PyTorch, a compiler, another library.

    Constructed with those of "mode" and "provider" that it takes, or without arguments; its module imports without
    torch. The constructor raises UsageError for a mode that there is not. Optional capabilities: `HasNotes`, on what
    became of the network; `CountsCompilations`; `Foresees`.

    name: its name in results.
    version: raised by hand when a number measured with it can change.
    takes: fields of `types.RuntimeSettings` that it honours: "mode" and "provider" by itself; "channels_last",
        "fused_bn", "tf32" and "threads" if it may be given a network to which they were applied.
    """

    name: str
    version: int
    takes: tuple[str, ...]

    def prepare(self, net: Any, input: Any) -> Callable[..., Any]:
        """The network ready to be called, in eval mode.

        net: a torch module on the input's device, which may be moved or changed.
        input: an example of what it will be called with, (N, 3, H, W), or a list of images (3, H, W) for a detector;
            it may be called with others.

        Returns a callable, which shows its device and dtype by `HasParameters`. Raises UnavailableError, with the
        reason, if this machine or this network cannot be run so.
        """
        ...


@runtime_checkable
class HasSettings(Protocol):
    """A runtime with what is applied to a network before it prepares it.

    checked: seconds that preparing the last network spent on checking its outputs.
    """

    settings: RuntimeSettings
    checked: float


@runtime_checkable
class CountsCompilations(Protocol):
    """A runtime that compiles when it is called with something new: a pass in which it did so is no sample."""

    def compilations(self) -> int:
        """How often it has compiled in this process."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """A runtime that knows without a network whether this machine can run one: `hrbench check` asks it."""

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """Why no network can be run, in the words that `prepare` raises UnavailableError with; "" if one may be.

        device: its kind, "cpu" or "cuda".
        dtype: of the images: "float32".
        is_detector: whether a network takes a list of images.

        Raises UsageError for a setting that is wrong on every machine.
        """
        ...


# --- costs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An entry as it is evaluated, for a probe whose numbers depend on images (`FedImages`).

    task: preprocesses, predicts and postprocesses, by the entry's protocol.
    samples: all of the data set, in the official order.
    dataset, digest: its name, and the SHA-256 of what decides predictions on it.
    weights: where those of the network come from: one of its sources, "file", "own", or "random".
    dtype: in which the entry is evaluated.
    build: a new network with these weights, on the CPU, in eval mode.
    """

    task: Task
    samples: Sequence[Sample]
    dataset: str
    digest: str
    weights: str
    dtype: str
    build: Callable[[], Any]


class CostSubject(Protocol):
    """The network whose cost a probe measures. It has random weights, except in what `evaluated` returns."""

    variant: Variant
    device: str
    """As torch names it: "cpu", "cuda", "cuda:1"."""
    runtime: Runtime

    def on_meta(self) -> Any:
        """The torch module without values, on the meta device; built once. A probe must not change it."""
        ...

    def on_device(self) -> Any:
        """The torch module on `device`, in float32 unless the network has a fixed precision; built once."""
        ...

    def build(self) -> Any:
        """A new torch module on the CPU, which the probe may change."""
        ...

    def evaluated(self) -> Evaluated | Reason:
        """The entry as it is evaluated; or why it cannot be: no data set, or its data or weights are missing.

        Only for a probe that is `FedImages`: only its keys hold data and weights.
        """
        ...

    def progress(self, unit: str, done: int, total: int) -> None:
        """Reports the progress of a cell: "seconds", 3, 10."""
        ...


@runtime_checkable
class CostProbe(Protocol):
    """Measures one kind of cost of a network. Constructed without arguments; its module imports without torch.

    Optional capabilities: `MeasuresInProcesses`, `NeedsOwnProcess`, `FedImages`.

    name: key under `cost:` of a suite, the same as that of its entry point.
    version: raised by hand when one of its numbers can change; such a number is then measured again.
    quantities: all that it may measure. Tables use their labels, headings and conventions.
    depends: what, in addition to network, options and version, affects its numbers and is part of their key: any of
        "device", "driver", "torch", "threads".
    Options: a frozen dataclass with defaults: what a suite may set under the probe's name. A field that is a tuple also
        takes a single value.
    """

    name: str
    version: int
    quantities: tuple[Quantity, ...]
    depends: tuple[str, ...]
    Options: type

    def cells(self, options: Any) -> Sequence[Conditions]:
        """The conditions to measure under, in order; `(Conditions(),)` if there is only one.

        If the network is missing, there is a row for each quantity and cell, with the reason why it has no value.
        """
        ...

    def measure(self, subject: CostSubject, cell: Conditions, options: Any) -> list[Measurement]:
        """The numbers of one cell. A missing number has no value and a reason. Raises EntryError if all fail."""
        ...


@runtime_checkable
class MeasuresInProcesses(Protocol):
    """A cost probe each of whose cells is measured in several processes, one after the other. Checked on the class."""

    def processes(self, options: Any) -> int:
        """How many processes measure a cell; each calls `measure`."""
        ...

    def merge(self, parts: Sequence[Sequence[Measurement]]) -> list[Measurement]:
        """The numbers of a cell, of what each of its processes measured."""
        ...


@runtime_checkable
class NeedsOwnProcess(Protocol):
    """A cost probe whose numbers are wrong in a process that has run anything before. Checked on the class."""

    own_process: str
    """Why, in words; the reason for an empty cell where everything runs in one process."""


@runtime_checkable
class FedImages(Protocol):
    """A cost probe whose numbers may depend on the images that a network is fed, and on its weights.

    Weights, data and protocol are then part of their key. Checked on the class.
    """

    def fed_images(self, variant: Variant, options: Any) -> Literal["never", "if there", "always"]:
        """Whether it measures a network on images of the entry's data set, with the entry's weights.

        never: it does not.
        if there: it does if the data set and the weights are there, and there is a number without them, too.
        always: without them there is no number.
        """
        ...


# --- executors -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """One call for an `Executor`, described by names and plain values that JSON can hold.

    target: "package.module:function", called as `function(emit, **arguments)`. It returns what JSON can hold, and
        `emit(event)` sends a dictionary of such values to the caller.
    arguments: of the function.
    log: path of the file to which the output of the call is appended (a long output without its middle); "" for none.
    timeout: seconds after which it is ended; None for never.
    device: "cpu", "cuda" or "cuda:N".
    quiet: whether it measures times, so that nothing else may run at the same time.
    modules: dotted names of modules that compute nothing on import, imported once for all jobs that name them.
    path: `sys.path` of the job; None for the caller's.
    folder: working folder of the job; "" for the caller's.
    environment: all environment variables of the job; None for the caller's. Libraries that are imported already do not
        see a change.
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
    """The outcome of a `Job`.

    value: what its function returned, as JSON gives it back; None if it failed.
    failure: why there is no value, in a line: an exception, a signal, an exit, its timeout; "" if there is one.
    error: the class name of the exception that it raised, "" for none.
    foreseen: whether that was an error of hrbench, whose message is sufficient.
    traceback: of the exception.
    changes: what it changed in its process, each in a few words.
    output: the last lines of what it printed.
    output_bytes: how much it printed in all.
    left_out: how many bytes of that are not in its log either.
    threads: CPU threads in use at its end; None if it did not reach it.
    fresh: whether it ran in a new interpreter and not in a fork.
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
    """Runs jobs, each isolated from the others: in this process, in separate processes, or elsewhere."""

    def submit(self, job: Job, on_event: Callable[[Mapping[str, Any]], object] = ..., /) -> Outcome:
        """Runs a job to its end.

        on_event: called with each event of the job.

        Returns the outcome; an error of the job's code is part of it and is not raised.
        """
        ...

    def close(self) -> None:
        """Ends running jobs and releases all resources."""
        ...


# --- which of these belong to which plug-ins -------------------------------------------------------------------------

REQUIRED: Mapping[str, type] = {
    "hrbench.datasets": DataSet,
    "hrbench.tasks": Task,
    "hrbench.metrics": Metric,
    "hrbench.costs": CostProbe,
    "hrbench.runtimes": Runtime,
}
"""Entry-point group -> the contract of what is constructed by it."""

OPTIONAL: Mapping[str, tuple[type, ...]] = {
    "hrbench.datasets": (HasScheme, HasFolder, Submits, Inspectable, ShowsTruth, HasPersonBoxes),
    "hrbench.tasks": (
        OffersProtocols,
        ChoosesProtocol,
        ChecksOutput,
        HasNotes,
        Renders,
        ForwardsAhead,
        FinishesBeside,
    ),
    "hrbench.metrics": (JudgedByImage, NotesInput),
    "hrbench.costs": (MeasuresInProcesses, NeedsOwnProcess, FedImages),
    "hrbench.runtimes": (HasNotes, CountsCompilations, Foresees),
    "hrbench.models": (FixedPrecision, FixedBatch, OwnEngine, DescribesCount, CountedByPart, TakesScales),
}
"""Entry-point group -> the capabilities that hrbench uses. (`HasLevels` is used for backbones only.)"""


def members(contract: type) -> tuple[str, ...]:
    """Names of all members of a Protocol of this module, those of its bases included, sorted.

    >>> members(Submits), members(HasFolder)
    (('server', 'submit'), ('folder',))
    """
    found: set[str] = set()
    for base in contract.__mro__:
        if base.__module__ == contract.__module__:
            found |= {*vars(base), *vars(base).get("__annotations__", {})}
    return tuple(sorted(name for name in found if not name.startswith("_")))
