"""What a task calls, and what it may say of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:  # annotations only: a contract imports no framework
    import torch


class Network(Protocol):
    """What a task calls: a torch module, or any callable that takes and returns what the task expects.

    Optional capabilities: `HasParameters`, which every torch module has; `FixedPrecision`, `FixedBatch`,
    `DescribesCount`, `CountedByPart`, `TakesScales`, `CountsLabels`, `KeepsAtMost`,
    `NamesLabels`; and of a backbone `HasLevels`.
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
class CountsLabels(Protocol):
    """A detector that knows how many classes it tells apart (`hrbench check` holds them to those of the data set)."""

    label_count: int
    """Labels that it may return are 0 to `label_count` - 1, the background aside."""


@runtime_checkable
class KeepsAtMost(Protocol):
    """A detector that returns no more than a number of detections of an image."""

    most_detections: int
    most_option: str
    """The argument that changes it, as a suite writes it below `args`; "" if none does."""


@runtime_checkable
class NamesLabels(Protocol):
    """A network that names its classes, in the order of its outputs or labels."""

    label_names: Sequence[str]


@runtime_checkable
class HasLevels(Protocol):
    """A backbone: what a head needs to know about its feature maps, finest first."""

    channels: Sequence[int]
    strides: Sequence[int]
