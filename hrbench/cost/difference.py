"""How far the outputs of a network differ from those of eager PyTorch in float32, on the same images.

What a runtime or a dtype costs in accuracy is in the scores; this tells of what changed before anything is decided on
it. The network has the entry's weights; the images are preprocessed by its task and go in one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hrbench.contracts import CostSubject, Evaluated, HasSettings, Runtime
from hrbench.core.tensors import differences, shapes_of
from hrbench.types import Conditions, Measurement, Quantity, Reason, RuntimeSettings, Variant

if TYPE_CHECKING:
    import torch

DIFFERENCE = Quantity(
    "output_difference",
    "Difference",
    "number",
    "neither",
    "Largest absolute difference of an output from that of eager PyTorch in float32, on the same images, in the unit "
    "of the output (logits, heights of heatmaps).",
    heading="Difference",
)
RELATIVE = Quantity(
    "relative_difference",
    "Relative difference",
    "number",
    "neither",
    "The same, as a share of the largest absolute value of that output.",
    heading="Relative difference",
)
NO_VALUE = Reason(
    "a detector's boxes differ in number from one runtime to another, so their difference is not defined",
    "compare its AP",
)

IN_A_FILE = Reason(
    "a network in a file has no eager PyTorch to be compared with",
    "compare the scores of the network that it was exported from",
)


@dataclass(frozen=True, slots=True)
class DifferenceOptions:
    """On how many images outputs are compared."""

    images: Annotated[int, Field(ge=1, description="Images to compare outputs on, spread over the data set.")] = 8


class OutputDifference:
    """Compares outputs at the entry's runtime and dtype with eager float32 (contracts.CostProbe)."""

    name = "difference"
    version = 1
    quantities = (DIFFERENCE, RELATIVE)
    depends = ("device", "driver", "torch", "threads")
    Options = DifferenceOptions

    def cells(self, options: DifferenceOptions) -> Sequence[Conditions]:
        """One cell."""
        return (Conditions(images=options.images),)

    def fed_images(self, variant: Variant, options: DifferenceOptions) -> Literal["always"]:
        """Outputs are those of images."""
        return "always"

    def measure(self, subject: CostSubject, cell: Conditions, options: DifferenceOptions) -> list[Measurement]:
        """Both differences, or why there are none."""
        settings = subject.runtime.settings if isinstance(subject.runtime, HasSettings) else RuntimeSettings()
        missing = NO_VALUE if subject.variant.task == "detection" else IN_A_FILE if settings.name == "own" else None
        found = missing or subject.evaluated()
        if isinstance(found, Reason):
            return [Measurement(one, None, conditions=cell, reason=found) for one in self.quantities]
        return _compared(subject, found, options.images)


def _compared(subject: CostSubject, evaluated: Evaluated, most: int) -> list[Measurement]:
    import torch

    from hrbench.cost import forward
    from hrbench.cost.latency.images import with_work

    device = torch.device(subject.device)
    net = evaluated.build()
    dtype = forward.dtype_of(net, evaluated.dtype)
    example = torch.zeros(1, 3, *subject.variant.input, device=device)
    reference = _Listening(evaluated.build().to(device).eval())
    call = subject.runtime.prepare(net, example.to(dtype))
    samples = with_work(evaluated.task, evaluated.samples, most)
    absolute = relative = 0.0
    with torch.inference_mode():
        for done, sample in enumerate(samples):
            reference.heard.clear()
            with exactly(device):
                evaluated.task.forward(reference, evaluated.task.prepare(sample)[:1])
            for images, outputs in reference.heard:
                found = largest_differences(outputs, call(images.to(dtype)))
                absolute, relative = max(absolute, found[0]), max(relative, found[1])
            subject.progress("images", done + 1, len(samples))
    conditions = replace(
        _conditions(evaluated, len(samples), device, dtype, subject.runtime),
        device=forward.device_name(device),
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
    )
    return [_measurement(DIFFERENCE, absolute, conditions), _measurement(RELATIVE, relative, conditions)]


def _measurement(quantity: Quantity, value: float, conditions: Conditions) -> Measurement:
    images = conditions.images or 0
    if math.isfinite(value):
        return Measurement(quantity, value, n=images, conditions=conditions)
    why = Reason("outputs are not finite, or are other than 0 where those of eager PyTorch are 0 throughout")
    return Measurement(quantity, None, n=images, conditions=conditions, reason=why)


def _conditions(
    evaluated: Evaluated, images: int, device: torch.device, dtype: torch.dtype, runtime: Runtime
) -> Conditions:
    from hrbench.cost import forward

    return Conditions(
        dtype=str(dtype).removeprefix("torch."),
        device_type=device.type,
        images=images,
        inputs=f"{images} images of {evaluated.dataset}",
        data=evaluated.digest[:12],
        weights=evaluated.weights,
        **forward.run_as(runtime, device, dtype)._asdict(),
    )


@contextmanager
def exactly(device: torch.device) -> Iterator[None]:
    """On a GPU without TF32: what is compared with may not round as the runtime does."""
    import torch

    with ExitStack() as undo:
        places: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn) if device.type == "cuda" else ()
        for place in places:
            undo.callback(setattr, place, "allow_tf32", place.allow_tf32)
            place.allow_tf32 = False
        yield


class _Listening:
    """A network that keeps what it is called with, and what it returns."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.heard: list[tuple[Any, Any]] = []

    def parameters(self) -> Iterator[torch.Tensor]:
        return self.net.parameters()

    def __call__(self, images: Any, **options: Any) -> Any:
        output = self.net(images, **options)
        self.heard.append((images, output))
        return output


def largest_differences(reference: Any, other: Any) -> tuple[float, float]:
    """The largest absolute difference of two outputs, and the largest as a share of an output's largest value.

    reference, other: tensors, or lists and mappings of them, of one form. Infinite where one of them is no number, or
    infinite where the other is not.

    Raises EntryError if they differ in form.
    """
    from torch.utils._pytree import tree_structure

    from hrbench.errors import EntryError

    ours, theirs = shapes_of(reference), shapes_of(other)
    if str(tree_structure(reference)) != str(tree_structure(other)) or ours != theirs:
        raise EntryError(f"outputs of other shapes than those of eager PyTorch: {theirs} and not {ours}")
    absolute = relative = 0.0
    for apart, scale in differences(reference, other):
        absolute = max(absolute, apart)
        relative = max(relative, apart / scale if scale else (math.inf if apart else 0.0))
    return absolute, relative
