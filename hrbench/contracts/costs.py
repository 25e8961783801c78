"""What measures a cost, what it is given, and what else it may offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from hrbench.contracts.runtimes import Runtime
from hrbench.contracts.tasks import Task
from hrbench.types import Conditions, Measurement, Quantity, Reason, Sample, Variant


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
