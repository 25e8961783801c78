"""Which modules an entry's jobs will import, so that the server imports them once for all entries.

Modules of hrbench and its own dependencies alone: what a user or another library wrote may compute on import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hrbench.core.plugins import built_in_module, source_of
from hrbench.types import Entry

_USES_TORCHVISION = ("timm", "torchvision", "smp")
"""Sources of networks whose libraries import torchvision, which takes longer than torch itself."""

_ALWAYS = ("hrbench.models.weights.load", "hrbench.runner.gallery", "PIL.Image", "numpy.ma", "safetensors.torch")


def modules_for(entry: Entry) -> tuple[str, ...]:
    """Dotted names, each once, of what `Job.modules` of an entry may say. Imports nothing."""
    found = [*_ALWAYS]
    for use in _uses(entry.variant.use, entry.variant.args):
        source = source_of(use)
        if source is not None:
            found.append(built_in_module("sources", source[0]))
            found += ["torchvision"] if source[0] in _USES_TORCHVISION else []
        found.append(built_in_module("models", use))
    if entry.dataset is not None:
        found += [built_in_module("datasets", entry.dataset.use), built_in_module("tasks", entry.dataset.task)]
        found += [built_in_module("metrics", name) for name in entry.metrics]
    return tuple(dict.fromkeys(filter(None, found)))


def _uses(use: str, args: Mapping[str, Any]) -> Iterator[str]:
    """A network's `use`, and those of the networks among its arguments."""
    yield use
    for value in args.values():
        if isinstance(value, Mapping) and "use" in value:
            yield from _uses(value["use"], value.get("args") or {})
