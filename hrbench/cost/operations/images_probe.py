"""The operations of a network on images, as a cost: their mean, and how far images differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from hrbench.contracts import CostSubject
from hrbench.cost.operations.images_quantities import ON_IMAGES
from hrbench.errors import EntryError
from hrbench.types import Conditions, Measurement, Reason, Variant

IMAGES = 8
"""Images to count on if the suite says nothing."""


@dataclass(frozen=True, slots=True)
class OnImagesOptions:
    """On how many images operations are counted."""

    images: Annotated[int, Field(ge=1, description="Images to count on, spread over the data set.")] = IMAGES


class OperationsOnImages:
    """Counts a forward pass for each of some images, with the entry's weights, on the CPU (contracts.CostProbe).

    What a detector computes depends on what it finds, so it is counted here as it runs, and not by part.
    """

    name = "operations_on_images"
    version = 1
    quantities = tuple(ON_IMAGES.values())
    depends = ("torch",)  # its operators are counted
    Options = OnImagesOptions

    def cells(self, options: OnImagesOptions) -> Sequence[Conditions]:
        """One cell: a pass is of one image."""
        return (Conditions(images=options.images),)

    def fed_images(self, variant: Variant, options: OnImagesOptions) -> Literal["always"]:
        """There is no count on images without them."""
        return "always"

    def measure(self, subject: CostSubject, cell: Conditions, options: OnImagesOptions) -> list[Measurement]:
        """The mean by every convention, with the count of each image; or why there is none."""
        found = subject.evaluated()
        if not isinstance(found, Reason):
            from hrbench.cost.operations.on_images import image_costs

            try:
                return image_costs(found, options.images, lambda *done: subject.progress("images", *done))
            except EntryError as error:
                found = Reason(str(error))
        return [Measurement(one, None, conditions=cell, reason=found) for one in self.quantities]
