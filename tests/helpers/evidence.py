"""Evidence as literal numbers: what verdicts are tried on."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

from hrbench.judge.evidence import Evidence
from hrbench.types import Quantity

AP = Quantity("AP", "AP", "fraction", "higher")
LATENCY = Quantity("latency", "Latency", "seconds", "lower")
PARAMETERS = Quantity("parameters", "Parameters", "count", "lower")


def points(difference: float, error: float, **more: Any) -> Evidence:
    """An AP of 70 points that changed by so many, with a normal error in points."""
    normal = NormalDist(difference / 100, error / 100)
    given: dict[str, Any] = {
        "entry": "net",
        "former": "net",
        "metric": "coco-boxes",
        "quantity": AP,
        "first": 0.7,
        "second": 0.7 + difference / 100,
        "difference": difference / 100,
        "interval": (normal.inv_cdf(0.025), normal.inv_cdf(0.975)),
        "error": error / 100,
        "means": "bootstrap",
        "units": 1000,
        "replicates": 2000,
        "p": lambda bound: 1 - normal.cdf(bound),
    }
    return Evidence(**{**given, **more})


def parameters(before: float, after: float) -> Evidence:
    """A count, which is exact."""
    difference = before - after
    return Evidence(
        "net", "net", "", PARAMETERS, first=before, second=after, difference=difference,
        interval=(difference, difference), means="exact", p=lambda bound: float(difference >= bound),
    )  # fmt: skip
