"""Which modules an entry's jobs will import, so that the server imports them once for all entries.

Modules of hrbench and its own dependencies alone: what a user or another library wrote may compute on import.
"""

from __future__ import annotations

from hrbench.core.plugins import built_in_module, networks
from hrbench.types import Entry

_USES_TORCHVISION = ("timm", "torchvision", "smp")
"""Sources of networks whose libraries import torchvision, which takes longer than torch itself."""

_ALWAYS = ("hrbench.runner.gallery", "PIL.Image", "numpy.ma")

_NETWORKS = (
    "torch",
    "safetensors.torch",
    "hrbench.models.weights.load",
    "hrbench.runner.costs",
    "hrbench.cost.latency.measure",
    "hrbench.cost.operations.count",
)
"""What a job that runs a network needs besides: torch, and what imports it."""


def modules_for(entry: Entry, network: bool = True) -> tuple[str, ...]:
    """Dotted names, each once, of what `Job.modules` of an entry may say. Imports nothing.

    network: whether the job runs the entry's network; what only scores needs no torch, which takes seconds to import.
    """
    found = [*_ALWAYS]
    for ref in networks(entry.variant.use, entry.variant.args) if network else ():
        found.append(built_in_module("sources", ref.source) if ref.source else built_in_module("models", ref.target))
        found += ["torchvision"] if ref.source in _USES_TORCHVISION else []
    if network:
        found += [*_NETWORKS, *(built_in_module("costs", name) for name in entry.cost)]
    if entry.dataset is not None:
        found += [built_in_module("datasets", entry.dataset.use), built_in_module("tasks", entry.dataset.task)]
        found += [built_in_module("metrics", name) for name in entry.metrics]
    return tuple(dict.fromkeys(filter(None, found)))
