"""Notes where fewer detections of an image reach a metric than it judges, so that its numbers may be too low."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hrbench.contracts import JudgesAtMost, KeepsAtMost, Metric
from hrbench.types import Note

KIND = "fewer_than_judged"


def protocol_limit_notes(protocol: Mapping[str, Any], metrics: Iterable[Metric]) -> list[Note]:
    """A note if a detection protocol keeps fewer detections of an image (`most`) than one of the metrics judges."""
    kept = protocol.get("most")
    name, judged = _most(metrics)
    if not isinstance(kept, int) or kept >= judged:
        return []
    return [_note(f"protocol {protocol.get('name')} keeps", kept, name, judged, f"protocol.most: {judged}")]


def network_limit_notes(network: Any, protocol: Mapping[str, Any], metrics: Iterable[Metric]) -> list[Note]:
    """The same of a network that tells how many it keeps, where it keeps fewer than the protocol does."""
    kept = network.most_detections if isinstance(network, KeepsAtMost) else None
    name, judged = _most(metrics)
    if kept is None or kept >= judged or kept > (protocol.get("most") or judged):
        return []
    option = network.most_option
    return [_note("the network finds", kept, name, judged, f"model.args.{option}: {judged}" if option else "")]


def _most(metrics: Iterable[Metric]) -> tuple[str, int]:
    """The metric that judges most detections of an image, and how many; 0 if none says."""
    told = {metric.name: metric.most_judged if isinstance(metric, JudgesAtMost) else 0 for metric in metrics}
    return max(told.items(), key=lambda one: one[1], default=("", 0))


def _note(who: str, kept: int, metric: str, judged: int, option: str) -> Note:
    what = f"{who} at most {kept} detections of an image, of which {metric} judges {judged}"
    remedy = "" if option else f"; a detector that keeps {judged} can reach more"
    return Note(KIND, what, effect=f"AP and AR may be lower than they could be{remedy}", option=option)
