"""Counts a network's operations on images: a real forward pass for each, on the CPU, with the entry's weights.

How many boxes a detector proposes, refines and masks depends on the image and on the weights. Counted by part
(`count.py`), it has a fixed number of them; here it has those that it finds. detectron2 (`tools/analyze_model.py`) and
mmdet (`tools/analysis_tools/get_flops.py`, without weights) report such means.

A pass is the first call that the entry's task makes of the network for an image, at the size at which the task prepares
the image, with one input: further crops, the mirrored input and other scales are left out. So the number is that of
`operations`, of other inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import pstdev
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.contracts import Evaluated, TakesScales
from hrbench.core.units import amount
from hrbench.cost.latency.images import with_work
from hrbench.cost.operations.conventions import CONVENTIONS
from hrbench.cost.operations.count import composite_attention
from hrbench.cost.operations.images_quantities import COUNTED_BY, ON_IMAGES
from hrbench.cost.operations.ledger import Ledger, enter
from hrbench.cost.operations.recorder import Recorder
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Conditions, Item, Measurement, Quantity

COUNTED_ON = "the CPU"


def image_costs(
    evaluated: Evaluated, most: int, progress: Callable[[int, int], object] = lambda done, total: None
) -> list[Measurement]:
    """The mean of each of `ON_IMAGES` over images, with the counts of all of them as samples, in their order.

    evaluated: the entry, with its weights.
    most: so many images, spread over the data set, of those in which there is something to do.
    progress: called with the images counted so far, and all of them.

    The conditions hold the standard deviation over these images (`spread`, of the population, as detectron2 has it),
    their sizes, and what was not counted in all of them together. Raises EntryError if an image cannot be counted.
    """
    samples = with_work(evaluated.task, evaluated.samples, most)
    net = evaluated.build().eval()
    counts = [_Counting(net) for _ in samples]
    for done, (sample, counting) in enumerate(zip(samples, counts, strict=True)):
        if items := evaluated.task.prepare(sample):
            counting.run(evaluated, items[0])
        progress(done + 1, len(samples))
    ledgers = [counting.ledger for counting in counts if counting.ledger is not None]
    if not ledgers:
        raise EntryError(f"no image of {evaluated.dataset} gives the network an input")
    if _is_unseen(net, ledgers):
        raise EntryError("operations are not counted: another library than torch runs the network, which is not seen")
    conditions = _conditions(evaluated, net, ledgers)
    found = [
        _mean(
            ON_IMAGES[name],
            [ledger.total(name) for ledger in ledgers],
            replace(conditions, convention=name, divisor=CONVENTIONS[name].divisor, uncounted=_left_out(ledgers, name)),
        )
        for name in COUNTED_BY
    ]
    return [*found, _mean(ON_IMAGES["activations"], [ledger.activations for ledger in ledgers], conditions)]


class _Counted(Exception):
    """Ends a task's forward pass when the network was counted."""


class _Counting:
    """In place of a network: the first image that it is called with goes through the network and is counted."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.takes_scales = isinstance(net, TakesScales) and net.takes_scales
        self.ledger: Ledger | None = None

    def parameters(self) -> Iterator[Tensor]:
        return self.net.parameters()

    def run(self, evaluated: Evaluated, item: Item) -> None:
        """Counts what the entry's task makes of an item."""
        try:
            evaluated.task.forward(self, [item])
        except _Counted:
            return
        raise EntryError("the task does not call the network, so no operations are counted on images")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Counts a pass of the first image alone: (N, 3, h, w) or a list of (3, h, w), and of options that are lists
        with a member for each image, that image's.
        """
        images = inputs[0]
        image = images[0] if isinstance(images, list | tuple | Tensor) and len(images) else None
        if not isinstance(image, Tensor) or image.ndim != 3:
            raise EntryError("the task calls its network with no images (3, h, w), so no operations are counted")
        first = {name: value[:1] if isinstance(value, list | tuple) else value for name, value in options.items()}
        recorder = Recorder()
        try:
            with recorder.following(self.net), composite_attention(), torch.inference_mode(), recorder:
                self.net(images[:1], *inputs[1:], **first)
        except HrbenchError:  # its message explains already why it cannot be counted
            raise
        except Exception as error:
            raise recorder.failure(error, "cpu") from error
        channels, height, width = image.shape
        self.ledger = enter(recorder.calls, (1, channels, height, width), {})
        raise _Counted


def _is_unseen(net: nn.Module, ledgers: Sequence[Ledger]) -> bool:
    """Whether a network with weights to multiply with multiplied nothing that torch could see."""
    return any(weight.ndim > 1 for weight in net.parameters()) and not any(one.total("macs") for one in ledgers)


def _left_out(ledgers: Sequence[Ledger], convention: str) -> dict[str, int]:
    """Operator that a convention has no rule for -> its calls in all passes, most calls first."""
    calls: Counter[str] = Counter()
    for ledger in ledgers:
        calls.update({item.operator: item.calls for item in ledger.uncounted[convention]})
    return dict(sorted(calls.items(), key=lambda item: (-item[1], item[0])))


def _mean(quantity: Quantity, counts: Sequence[int | float], conditions: Conditions) -> Measurement:
    conditions = replace(conditions, spread=pstdev(counts))
    mean = sum(counts) / len(counts)
    return Measurement(quantity, mean, n=len(counts), samples=tuple(map(float, counts)), conditions=conditions)


def _conditions(evaluated: Evaluated, net: nn.Module, ledgers: Sequence[Ledger]) -> Conditions:
    """What all counts of these passes have in common."""
    sizes = sorted({ledger.input[2:] for ledger in ledgers}, key=lambda size: (size[0] * size[1], size))
    dtype = next((each.dtype for each in net.parameters() if each.is_floating_point()), torch.float32)
    return Conditions(
        batch=1,
        input=sizes[0] if len(sizes) == 1 else None,
        sizes=() if len(sizes) == 1 else tuple(f"{height}x{width}" for height, width in (sizes[0], sizes[-1])),
        dtype=str(dtype).removeprefix("torch."),
        images=len(ledgers),
        inputs=f"{amount(len(ledgers), 'image')} of {evaluated.dataset}",
        data=evaluated.digest[:12],
        weights=evaluated.weights,
        counted_on=COUNTED_ON,
    )
