"""The criteria of box and mask AP that a result from before hrbench recorded criteria was judged by.

Such a result has `max_detections` among the arguments of its data set alone, `coco-instances`, which gave it to both of
its metrics. It could be judged by no other criteria, so that what is left out is certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hrbench.types import Result

_USE, _METRICS = "coco-instances", ("coco-boxes", "coco-masks")
_OFFICIAL = (1, 10, 100)


def former_criteria(metric: str, use: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The criteria of a metric whose record names none; {} for the official ones.

    use, args: of the data set.

    >>> former_criteria("coco-boxes", "coco-instances", {"max_detections": 300})
    {'max_detections': [1, 10, 300]}
    """
    given = args.get("max_detections")
    if metric not in _METRICS or use != _USE or given is None:
        return {}
    limits = [*(each for each in _OFFICIAL[:-1] if each < given), given] if isinstance(given, int) else list(given)
    return {} if limits == [*_OFFICIAL] else {"max_detections": limits}


def with_former_criteria(result: Result) -> Result:
    """The result with the criteria of its metrics; itself where all are recorded."""
    dataset, metrics = result.entry.dataset, result.provenance.metrics
    if dataset is None or "max_detections" not in dataset.args:
        return result
    stated = {
        name: record if record.criteria else replace(record, criteria=former_criteria(name, dataset.use, dataset.args))
        for name, record in metrics.items()
    }
    return result if stated == metrics else replace(result, provenance=replace(result.provenance, metrics=stated))
