"""What is told of operations on images: means by several conventions, and of activations. No torch."""

from __future__ import annotations

from dataclasses import replace

from hrbench.cost.operations.conventions import ACTIVATIONS, CONVENTIONS
from hrbench.types import Quantity

COUNTED_BY = ("macs", "flops", "fvcore", "mmengine")
"""Conventions: the HRNet papers' is for one fixed input."""


def _on_images(quantity: Quantity, heading: str) -> Quantity:
    """The same count, as the mean over images."""
    return replace(
        quantity,
        name=f"{quantity.name}-on-images",
        label=f"{quantity.label} on images",
        description=f"Mean over images of the data set, each at its own size. {quantity.description}",
        heading=heading,
        group="",
        convention=f"{quantity.convention}, mean over images" if quantity.convention else "",
    )


ON_IMAGES: dict[str, Quantity] = {
    **{name: _on_images(CONVENTIONS[name].quantity, f"{CONVENTIONS[name].heading} on images") for name in COUNTED_BY},
    "activations": _on_images(ACTIVATIONS, "Activations on images (M)"),
}
"""Convention, or "activations" -> the quantity of its mean over images."""
