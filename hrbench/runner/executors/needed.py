"""Which modules an entry's jobs will import, so that the server imports them once for all entries.

Modules of hrbench and its own dependencies alone: what a user or another library wrote may compute on import.
"""

from __future__ import annotations

from hrbench.core.plugins import built_in_module, networks
from hrbench.types import Entry

_USES_TORCHVISION = ("timm", "torchvision", "smp")
"""Sources of networks whose libraries import torchvision, which takes longer than torch itself."""

_ALWAYS = ("hrbench.models.weights.load", "hrbench.runner.gallery", "PIL.Image", "numpy.ma", "safetensors.torch")


def modules_for(entry: Entry) -> tuple[str, ...]:
    """Dotted names, each once, of what `Job.modules` of an entry may say. Imports nothing."""
    found = [*_ALWAYS]
    for ref in networks(entry.variant.use, entry.variant.args):
        found.append(built_in_module("sources", ref.source) if ref.source else built_in_module("models", ref.target))
        found += ["torchvision"] if ref.source in _USES_TORCHVISION else []
    found += [built_in_module("costs", name) for name in entry.cost]
    if entry.dataset is not None:
        found += [built_in_module("datasets", entry.dataset.use), built_in_module("tasks", entry.dataset.task)]
        found += [built_in_module("metrics", name) for name in entry.metrics]
    return tuple(dict.fromkeys(filter(None, found)))
