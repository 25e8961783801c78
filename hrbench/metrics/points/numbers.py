"""The numbers that PCK gives: names, units and what each means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hrbench.metrics.points.counts import Curve
from hrbench.types import Quantity

WORDS: Mapping[str, str] = {
    "box": "the longer side of the person's box",
    "torso": "the distance from left shoulder to right hip",
    "head": "0.6 diagonals of the head box",
    "head_segment": "the distance from the top of the head to its lower end",
}
EPE = "epe"


def quantities(reference: str, thresholds: Sequence[float], curve: Curve) -> tuple[Quantity, ...]:
    """The numbers that there are without those of single joints, in the order of `counts.numbers`."""
    of = WORDS[reference]
    near = f"nearer to their annotation than {{:g}} x {of}"
    note = "; n is visible joints."
    means = [
        Quantity(
            f"pck@{one:g}",
            f"PCK@{one:g}",
            "fraction",
            "higher",
            f"Mean over joints of the share {near.format(one)}{note}",
            convention="mean over joints",
        )
        for one in thresholds
    ]
    together = [
        Quantity(
            f"pck_points@{one:g}",
            f"PCK@{one:g} (points)",
            "fraction",
            "higher",
            f"Share of all visible joints together {near.format(one)}{note}",
            convention="all joints together",
        )
        for one in thresholds
    ]
    size = of if curve.size == "reference" else f"{curve.size:g} px"
    text = f"Mean of PCK at 0, 1/{curve.steps}, ..., {curve.steps - 1}/{curve.steps} of {size}{note}"
    error = "Mean distance in px of the visible joints of people with a prediction; n is these joints."
    return (
        *means,
        *together,
        Quantity("auc", "AUC", "fraction", "higher", text),
        Quantity(EPE, "EPE", "pixels", "lower", error, heading="EPE (px)"),
    )


def joint_quantities(reference: str, thresholds: Sequence[float], joints: Sequence[str]) -> tuple[Quantity, ...]:
    """Those of single joints, in the order of `counts.numbers`."""
    near = f"nearer to their annotation than {{:g}} x {WORDS[reference]}; n is visible joints."
    parts = [
        Quantity(
            f"pck@{one:g}/{joint}", f"PCK@{one:g} {joint}", "fraction", "higher", f"Share of {joint} {near.format(one)}"
        )
        for one in thresholds
        for joint in joints
    ]
    text = "Mean distance in px of {}; n is those visible of people with a prediction."
    own = [Quantity(f"{EPE}/{joint}", f"EPE {joint}", "pixels", "lower", text.format(joint)) for joint in joints]
    return (*parts, *own)
