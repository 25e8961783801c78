"""Sample -> items -> raw outputs -> prediction, and what else a task may offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from hrbench.contracts.networks import Network
from hrbench.types import Item, Prediction, Remark, Sample

LATER: Mapping[str, bool] = {"later": True}
"""Metadata of a field that a protocol got after results had been stored: an entry has it only where it is not the
default, so that results and keys from before it hold."""

PREPARES: Mapping[str, bool] = {"prepares": True}
"""Metadata of a field of a protocol that decides how images are prepared for a network, which must be as in its
training: where nothing states it, the default is told beside the score."""

AT_INPUT = "at_input"
"""Key of the metadata of a field of a protocol that is the network's input, [height, width], where nothing states it.
Its value is a function of the protocol's settings by name, which says whether they make use of the field."""


@runtime_checkable
class Task(Protocol):
    """Sample -> items -> raw outputs -> prediction: preprocess, predict, postprocess.

    Constructed as `use(variant, dataset, protocol)`; picklable. Optional capabilities: `OffersProtocols`,
    `ChoosesProtocol`, `ChecksOutput`, `TellsInput`, `HasNotes`, `TalliesNotes`, `Renders`, `TellsClasses`,
    `ForwardsAhead`, `FinishesBeside`.
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
class TellsInput(Protocol):
    """A task that says in words at which size its protocols feed an image. Checked on the class."""

    @staticmethod
    def fed_size(protocol: Mapping[str, Any], input: tuple[int, int]) -> str:
        """Such as "to its input of 64x48".

        protocol: the settings by name.
        input: (height, width) of the network's input.
        """
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A task with notes on the score after all images; a runtime, or a network in a file, with some on the network."""

    def notes(self) -> Sequence[Remark]:
        """One for each."""
        ...


@runtime_checkable
class TalliesNotes(Protocol):
    """A task whose notes are of what it counted, so that those of an entry can be told from those of its shards.

    Without it, notes that differ from shard to shard are all told.
    """

    def tally(self) -> Mapping[str, Any]:
        """What it has counted by now: numbers, strings, arrays, lists and mappings of them, by name."""
        ...

    def add_tally(self, tally: Mapping[str, Any], /) -> None:
        """Adds what another task of the same kind has counted, on other images that come after those counted by now."""
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
class TellsClasses(Protocol):
    """A task that can tell which classes are in an image, by which pictures of a report can be chosen."""

    def classes_in(self, sample: Sample, rows: Any) -> Sequence[str]:
        """Their names, each once. rows: as `Renders.draw` takes them, of what is annotated where that is known."""
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
