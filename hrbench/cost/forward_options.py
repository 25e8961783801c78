"""Batches and dtypes that a suite may ask a cost probe for; each pair is a cell. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from hrbench.types import Conditions

Dtype = Literal["float32", "float16", "bfloat16", "float64"]
Batch = Annotated[int, Field(ge=1)]
Batches = Annotated[
    tuple[Batch, ...], Field(min_length=1, description="Images per forward pass, one number or several.")
]
Dtypes = Annotated[
    tuple[Dtype, ...],
    Field(min_length=1, description="Precision of the forward pass, one or several; left out, that of the entry."),
]
"""A probe's field `dtype` of this type has the default (), in whose place `cells` and `measure` get the entry's."""


def every_cell(batches: Iterable[int], dtypes: Iterable[str]) -> list[Conditions]:
    """Every batch in every dtype."""
    return [Conditions(batch=batch, dtype=dtype) for dtype in dtypes for batch in batches]


def check_times(mode: str, budget: float | None, cap: float | None) -> None:
    """Raises ValueError for the time of another mode than the chosen one, which would have no effect.

    mode: "quick", "gate" or "smoke".
    budget: seconds that a suite gives to mode quick; None for the default.
    cap: the same of mode gate.
    """
    if budget is not None and mode != "quick":
        raise ValueError(f"budget is the time of mode quick, not of mode {mode}; mode gate has cap")
    if cap is not None and mode != "gate":
        raise ValueError(f"cap is the time of mode gate, not of mode {mode}; mode quick has budget")
