"""One sentence for a fault that many images have, with their number and the first few names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hrbench.core.units import amount
from hrbench.types import Sample

LISTED = 3
"""Names that are written out, and kinds of one fault that differ in numbers alone before they are put together."""

_MEASURES = re.compile(r"\(-?[\d.]+, -?[\d.]+\)|\d+x\d+|[\d,]+ of [\d,]+|[\d,]+ bytes")
"""What differs from file to file: places, sizes, how many pixels."""
_NUMBERS = re.compile(r"-?\d[\d.,]*")


def told_once(faults: Sequence[tuple[Sample, str]]) -> list[str]:
    """Sentences on the faults of images, in the order in which each was first found.

    Faults are alike if their sentences differ only in names of files, places and sizes; and where they also differ in
    other numbers (a label, a colour), if there are more than a few such numbers.

    >>> from pathlib import Path
    >>> told_once([(Sample(name, Path(name)), f"{name} is empty") for name in ("a", "b", "c")])
    ['a is empty (3 alike, in 3 images: a, b, c)']
    >>> told_once([(Sample(name, Path(name)), f"{name} holds {label}") for name, label in (("a", 7), ("b", 9))])
    ['a holds 7', 'b holds 9']
    """
    kinds: dict[str, dict[str, list[tuple[Sample, str]]]] = {}
    for sample, text in faults:
        narrow = _MEASURES.sub("#", _without_names(sample, text))
        kinds.setdefault(_NUMBERS.sub("#", narrow), {}).setdefault(narrow, []).append((sample, text))
    said = []
    for narrower in kinds.values():
        if len(narrower) > LISTED:
            said.append(_sentence([fault for alike in narrower.values() for fault in alike]))
        else:
            said += map(_sentence, narrower.values())
    return said


def _without_names(sample: Sample, text: str) -> str:
    """The sentence without the names of the image and of files that are called like it.

    A name that is a number is one only in the name of a file ("0012.png"), since other numbers may be the same.
    """
    names = {str(sample.path), sample.path.name, sample.path.stem, str(sample.id)}
    for name in sorted(names, key=len, reverse=True):
        end = r"(?=[._-][A-Za-z])" if name.isdigit() else r"(?![A-Za-z0-9])"
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}{end}", "@", text)
    return text


def _sentence(alike: Sequence[tuple[Sample, str]]) -> str:
    (_, text), images = alike[0], list(dict.fromkeys(str(sample.id) for sample, _ in alike))
    if len(alike) == 1:
        return text
    more = f" and {len(images) - LISTED:,} more" if len(images) > LISTED else ""
    return f"{text} ({len(alike):,} alike, in {amount(len(images), 'image')}: {', '.join(images[:LISTED])}{more})"
