"""What energy is measured as. No torch."""

from __future__ import annotations

from hrbench.types import Quantity

ENERGY = Quantity(
    "energy",
    "Energy",
    "joules",
    "lower",
    "Joules for each image during forward passes, of all that the device's counter covers; the power at rest is in it.",
    heading="Energy (J/img)",
)
