"""What numbers were called and said to be by earlier versions, in the words of this one.

Names of quantities, which policies and tables ask for, have never changed; labels and descriptions are read by people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hrbench.types import Measurement, Quantity, Result

_PCKH = "mpii-pckh"
_LABELS: Mapping[str, str] = {  # said "Mean" and "Head" where nothing else named the metric
    "pckh@0.5/mean": "PCKh@0.5 mean",
    "pckh@0.11/mean": "PCKh@0.11 mean",
    "pckh@0.10/mean": "PCKh@0.10 mean",
    **{f"pckh@0.5/{part}": f"PCKh@0.5 {part}" for part in
       ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
}  # fmt: skip


def with_present_words(result: Result) -> Result:
    """The result with labels and descriptions as this version has them; itself where nothing is older."""
    if not any(_is_older(one) for one in result.scores):
        return result
    return replace(result, scores=tuple(_reworded(one) if _is_older(one) else one for one in result.scores))


def with_present_label(metric: str, quantity: Quantity) -> Quantity:
    """The quantity of a score of this metric with its label; itself if it has it already."""
    label = _LABELS.get(quantity.name, quantity.label) if metric == _PCKH else quantity.label
    return quantity if label == quantity.label else replace(quantity, label=label)


def _is_older(one: Measurement) -> bool:
    return with_present_label(one.metric, one.quantity) is not one.quantity or "^2" in one.quantity.description


def _reworded(one: Measurement) -> Measurement:
    description = one.quantity.description.replace("^2", "²")
    return replace(one, quantity=replace(with_present_label(one.metric, one.quantity), description=description))
