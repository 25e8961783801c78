"""Names of entries that the suite does not name: the network's name, and how an entry differs from the first of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hrbench.types import Entry, RuntimeSettings


def name_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Entries with names: the suite's, or else the variant's, with its runtime unless that is eager PyTorch.

    Of several entries of one variant the first gets the plain name, so that adding another renames none; the names of
    the others say how they differ from it.
    """
    taken = {one.name.casefold() for one in entries if one.name}
    first: dict[str, Entry] = {}
    named = []
    for one in entries:
        if one.name:
            named.append(one)
            continue
        plain = _safe("-".join([one.variant.name, *_of_runtime(one.runtime)]))
        reference = first.setdefault(plain, one)
        name = plain if reference is one else _safe("-".join([plain, *_differences(one, reference)]))
        number = 2
        unique = name
        while unique.casefold() in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique.casefold())
        named.append(replace(one, name=unique))
    return named


def _of_runtime(settings: RuntimeSettings) -> Iterator[str]:
    """What a name says of a runtime: nothing of eager PyTorch."""
    for key, value in settings.stated().items():
        yield str(value) if isinstance(value, str) else key if value is True else f"{key}-{str(value).lower()}"


def _differences(one: Entry, other: Entry) -> Iterator[str]:
    """How an entry differs from another of the same variant, the most important difference first."""
    if one.dataset != other.dataset:
        yield one.dataset.name if one.dataset is not None else "costs"
    same_protocol = one.protocol.get("name") == other.protocol.get("name")
    if not same_protocol:
        yield str(one.protocol.get("name"))
    for key, value in one.protocol.items():
        # the names of another protocol or data set stand there already, and imply most of their settings
        types = (bool, str, int, float, list) if same_protocol and one.dataset == other.dataset else (bool,)
        if key not in ("name", "version") and isinstance(value, types) and value != other.protocol.get(key):
            yield f"{len(value)}-{key}" if isinstance(value, list) else f"{key}-{str(value).lower()}"
    if one.weights != other.weights:
        yield Path(one.weights or "found").stem
    if one.weights_key != other.weights_key:
        yield one.weights_key or "checkpoint"
    if one.weights_drop != other.weights_drop:
        yield f"without-{one.weights_drop}" if one.weights_drop else "all-prefixes"
    if one.metrics != other.metrics:
        yield "-".join(one.metrics)
    for key in ("dtype", "seed"):
        if getattr(one, key) != getattr(other, key):
            yield f"{key}-{getattr(one, key)}"


def _safe(name: str) -> str:
    """A name that is valid on any file system."""
    kept = re.sub(r"[^A-Za-z0-9._+-]+", "_", name).strip("._+-")
    return kept[:110] or "entry"
