"""The time of a whole pipeline, as a cost: from an image file to its prediction, split into stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from hrbench.contracts import CostSubject
from hrbench.cost.end_to_end.quantities import RATE, STAGE, WHOLE
from hrbench.cost.forward_options import check_times
from hrbench.cost.latency.pace import PROCESSES, Mode
from hrbench.types import Conditions, Measurement, Reason, Variant

IMAGES = 8
"""Images that a pipeline is timed on if the suite says nothing."""


@dataclass(frozen=True, slots=True)
class EndToEndOptions:
    """On how many images a pipeline is timed, and how long."""

    images: Annotated[int, Field(ge=1, description="Images to time, spread over the data set.")] = IMAGES
    mode: Annotated[
        Mode,
        Field(
            description="How long: quick for a look, gate (6 processes) for numbers that are judged, smoke for three "
            "rounds over the images."
        ),
    ] = "quick"
    budget: Annotated[float | None, Field(gt=0, description="Seconds a quick cell may take; left out, 30.")] = None
    cap: Annotated[
        float | None,
        Field(gt=0, description="Seconds that the rounds of a gate cell may take; left out, 120."),
    ] = None

    def __post_init__(self) -> None:
        check_times(self.mode, self.budget, self.cap)


class EndToEnd:
    """Times an entry's pipeline on images of its data set, one at a time (contracts.CostProbe).

    The network has the entry's weights, since what there is to postprocess depends on what it finds.
    """

    name = "end_to_end"
    version = 1
    quantities = (WHOLE, *STAGE.values(), RATE)
    depends = ("device", "driver", "torch", "threads")
    Options = EndToEndOptions

    def cells(self, options: EndToEndOptions) -> Sequence[Conditions]:
        """One cell: a pipeline takes one image at a time."""
        return (Conditions(images=options.images),)

    def fed_images(self, variant: Variant, options: EndToEndOptions) -> Literal["always"]:
        """There is no pipeline without images."""
        return "always"

    def measure(self, subject: CostSubject, cell: Conditions, options: EndToEndOptions) -> list[Measurement]:
        """The whole, each stage, and images per second; or why there is none."""
        found = subject.evaluated()
        if isinstance(found, Reason):
            return [Measurement(one, None, conditions=cell, reason=found) for one in self.quantities]
        from hrbench.cost.end_to_end.measure import measure_pipeline

        return measure_pipeline(
            found,
            images=options.images,
            runtime=subject.runtime,
            device=subject.device,
            variant=subject.variant,
            mode=options.mode,
            budget=options.budget,
            cap=options.cap,
            progress=lambda done, total: subject.progress("seconds", int(done), int(total)),
        )

    def processes(self, options: EndToEndOptions) -> int:
        """As a latency: several in mode gate."""
        return PROCESSES if options.mode == "gate" else 1

    def merge(self, parts: Sequence[Sequence[Measurement]]) -> list[Measurement]:
        """Each quantity of those of all processes."""
        from hrbench.cost.end_to_end.summary import of_processes

        return of_processes(parts)
