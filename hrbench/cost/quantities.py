"""The quantities of all cost probes that are installed, by name: what a table says of a cost that no result has yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from hrbench.core import plugins
from hrbench.errors import HrbenchError
from hrbench.types import Quantity


@cache
def known_quantities() -> Mapping[str, Quantity]:
    """Name of a quantity -> the quantity. A probe that does not import has none here; using it says why."""
    found: dict[str, Quantity] = {}
    for name in plugins.names("hrbench.costs"):
        try:
            found |= {one.name: one for one in plugins.resolve("hrbench.costs", name).quantities}
        except HrbenchError:
            continue
    return found


def described(quantity: Quantity) -> Quantity:
    """A cost's quantity with its heading, group, convention and divisor.

    Results of earlier versions were stored without these: they are then as the probe of today has them.
    """
    today = known_quantities().get(quantity.name)
    if today is None or quantity.heading or quantity.convention:
        return quantity
    kept = {name: getattr(today, name) for name in ("heading", "group", "convention", "divisor")}
    return replace(quantity, **kept)
