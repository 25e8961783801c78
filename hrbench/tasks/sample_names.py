"""What files of predictions may call the images of samples, beside their ids."""

from __future__ import annotations

from collections.abc import Sequence

from hrbench.formats.paths import name_forms
from hrbench.types import Sample


def names_of(samples: Sequence[Sample]) -> dict[str, int | str]:
    """Name of an image's file, with or without folders and ending -> its id; names that two of them share are left out.

    samples: those that are rendered.
    """
    found: dict[str, int | str] = {}
    shared: set[str] = set()
    for sample in samples:
        for name in name_forms(sample.path.as_posix())[2:]:
            if found.setdefault(name, sample.id) != sample.id:
                shared.add(name)
    return {name: key for name, key in found.items() if name not in shared}
