"""Whether a prepared network computes what the network itself does: on a batch of 1 and of 3 random images.

What traces a network keeps one way through its code, for one batch; what folds norms takes layers for what they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.core.tensors import differences, shapes_of
from hrbench.errors import UnavailableError

BATCHES = (1, 3)
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 1e-1}
"""Largest difference of an output as a share of its largest value; rounding makes a small part of it."""

Reference = list[tuple[Tensor, Any]]


def reference(net: nn.Module, input: Tensor) -> Reference:
    """Random images and what a copy of the network makes of them, in the input's dtype.

    net: on the input's device, in any dtype; it is not changed.
    input: (N, 3, H, W), an example.
    """
    net = copy.deepcopy(net).to(input.dtype)
    found: Reference = []
    with torch.no_grad():
        for number, batch in enumerate(BATCHES):
            image = torch.randn((batch, *input.shape[1:]), generator=torch.Generator().manual_seed(number))
            image = image.to(input.device, input.dtype)
            found.append((image, net(image)))
    return found


def check(call: Callable[..., Any], expected: Reference, runtime: str) -> None:
    """Raises UnavailableError if a prepared network gives other outputs. runtime: in words."""
    for image, outputs in expected:
        what = f"{runtime} does not compute what the network does, seen on {len(image)} random images"
        try:
            with torch.no_grad():
                found = call(image)
        except Exception as error:
            told = " ".join(str(error).split())[:200]
            raise UnavailableError(f"{what}: {type(error).__name__}: {told}") from error
        apart = largest_share(outputs, found)
        if apart is None:
            raise UnavailableError(f"{what}: its outputs are of another form")
        if apart > TOLERANCE.get(image.dtype, 1e-3):
            raise UnavailableError(f"{what}: outputs differ by {apart:.2g} of the largest")


def largest_share(one: Any, other: Any) -> float | None:
    """The largest difference of two outputs, as a share of an output's largest value; None if they differ in form.

    What is not finite in both counts as equal.
    """
    if shapes_of(one) != shapes_of(other):
        return None
    found = differences(one, other, not_finite_alike=True)
    return max((apart / (scale or 1.0) for apart, scale in found), default=0.0)
