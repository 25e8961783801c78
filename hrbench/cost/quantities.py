"""The quantities of all installed cost probes, by name: for costs of which there is no result yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from hrbench.core import plugins
from hrbench.errors import HrbenchError
from hrbench.types import Quantity


@cache
def known_quantities() -> Mapping[str, Quantity]:
    """Name of a quantity -> the quantity. A probe that cannot be imported is left out; using it raises the error."""
    found: dict[str, Quantity] = {}
    for name in plugins.names("hrbench.costs"):
        try:
            found |= {one.name: one for one in plugins.resolve("hrbench.costs", name).quantities}
        except HrbenchError:
            continue
    return found


@cache
def probe_of(quantity: str) -> str:
    """The key under `cost:` of the installed probe that measures a quantity; the quantity's name if none does.

    >>> probe_of("macs"), probe_of("end-to-end-decode"), probe_of("mine")
    ('operations', 'end_to_end', 'mine')
    """
    for name in plugins.names("hrbench.costs"):
        try:
            if any(one.name == quantity for one in plugins.resolve("hrbench.costs", name).quantities):
                return name
        except HrbenchError:
            continue
    return quantity


def is_per_batch(quantity: Quantity) -> bool:
    """Whether a cost depends on the batch; the installed probe says it of results of earlier versions, too."""
    return quantity.per_batch and known_quantities().get(quantity.name, quantity).per_batch


def described(quantity: Quantity) -> Quantity:
    """A cost's quantity with its heading, group, convention and divisor.

    Results of earlier versions were stored without these; then those of the installed probe are used.
    """
    installed = known_quantities().get(quantity.name)
    if installed is None or quantity.heading or quantity.convention:
        return quantity
    kept = {name: getattr(installed, name) for name in ("heading", "group", "convention", "divisor")}
    return replace(quantity, **kept)
