"""Whether the classes of a network are those of its data set, as far as the network tells of them.

A network tells how many classes it has (`contracts.CountsLabels`) and what they are called (`NamesLabels`, or
`config.id2label` as transformers writes it). The output of other tasks than detection has a channel for each class, so
its shape tells their number; a detector's output does not, and without these attributes nothing can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hrbench.contracts import CountsLabels, DataSet, HasScheme, NamesLabels
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Entry

LISTED = 3
OFFSETS = {"contiguous": None, "category": 1, "id": 0}
"""`labels` of a detector's protocol -> what is added to a label for a category id; None: it is a position."""


def class_notes(net: Any, dataset: DataSet | None, entry: Entry) -> list[str]:
    """What differs between the classes of a network and those of the data set, and what could not be compared.

    Raises EntryError for a detector that has labels which the data set has no class for, where that ends a run.
    """
    try:
        if not isinstance(dataset, HasScheme):  # asks for it, which may read a file
            return []
        names = [str(name) for name in getattr(dataset.scheme, "names", ())]
        ids = [int(number) for number in getattr(dataset.scheme, "ids", ())] or [*range(len(names))]
    except (HrbenchError, OSError):  # its files are not there, or have a fault: the plan says so
        return []
    theirs = class_names(net)
    meaning = entry.protocol.get("labels", "contiguous")
    if entry.variant.task != "detection" or meaning not in OFFSETS:
        return class_differences(theirs, names) if theirs and len(theirs) == len(names) else []
    count = int(net.label_count) if isinstance(net, CountsLabels) else len(theirs)
    if not count:
        return [
            "the network's classes were not compared with those of the data set: it does not tell how many it has "
            "(attribute label_count, or names in the metadata of an ONNX file)"
        ]
    offset = OFFSETS[meaning]
    labels = [*range(len(names))] if offset is None else [number - offset for number in ids]
    notes = detector_differences(count, labels, names, meaning)
    pairs = [(theirs[label], name) for label, name in zip(labels, names, strict=True) if 0 <= label < len(theirs)]
    return [*notes, *class_differences([one for one, _ in pairs], [name for _, name in pairs])]


def detector_differences(count: int, labels: Sequence[int], names: Sequence[str], meaning: str) -> list[str]:
    """At most one sentence: classes of the data set that a detector has no label for.

    count: its labels are 0 to count - 1.
    labels, names: for each class of the data set the label that stands for it, and its name.
    meaning: the protocol's `labels`.

    Raises EntryError if labels are positions in the list of classes, and there are more of them than classes.

    >>> detector_differences(2, [0, 1], ["cat", "dog"], "contiguous")
    []
    >>> detector_differences(2, [0, 1, 2], ["cat", "dog", "cow"], "contiguous")
    ['of 3 classes of the data set the network, whose labels are 0 to 1, can find all but cow (label 2)']
    """
    if meaning == "contiguous" and count > len(labels):
        raise EntryError(
            f"the network tells {count} classes apart, the data set has {len(labels)}: a run ends at the first label "
            f"above {len(labels) - 1}. Set protocol.labels to category where labels are COCO's category ids less one, "
            "to id where they are the ids, or give the network the data set's classes"
        )
    lacking = [f"{name} (label {label})" for label, name in zip(labels, names, strict=True) if not 0 <= label < count]
    if not lacking:
        return []
    more = f" and {len(lacking) - LISTED} more" if len(lacking) > LISTED else ""
    remedy = "; where labels are positions in the list of classes, set protocol.labels to contiguous"
    remedy = "" if meaning == "contiguous" else remedy
    return [
        f"of {len(names)} classes of the data set the network, whose labels are 0 to {count - 1}, can find all but "
        f"{', '.join(lacking[:LISTED])}{more}{remedy}"
    ]


def class_names(net: Any) -> list[str]:
    """Names of a network's classes in the order of its outputs: those that it says, or those of a configuration as
    transformers writes it (`config.id2label`); none if it has no names of its own.
    """
    if isinstance(net, NamesLabels):
        return [str(name) for name in net.label_names]
    named = getattr(getattr(net, "config", None), "id2label", None)
    if not isinstance(named, dict) or not named or sorted(named) != [*range(len(named))]:
        return []
    names = [str(named[index]) for index in range(len(named))]
    return [] if all(name == f"LABEL_{index}" for index, name in enumerate(names)) else names


def class_differences(theirs: Sequence[str], ours: Sequence[str]) -> list[str]:
    """One sentence, if classes of one number have other names or another order; upper case and spelling aside.

    >>> class_differences(["road", "sky"], ["Road", "sky"])
    []
    >>> class_differences(["cat", "dog"], ["dog", "cat"])[0].partition(":")[0]
    "the network's classes are those of the data set in another order"
    """
    plain = [[_plain(name) for name in names] for names in (theirs, ours)]
    differing = [index for index, pair in enumerate(zip(*plain, strict=True)) if pair[0] != pair[1]]
    if not differing:
        return []
    listed = ", ".join(f"{index} {theirs[index]!r} / {ours[index]!r}" for index in differing[:LISTED])
    more = f" and {len(differing) - LISTED} more" if len(differing) > LISTED else ""
    if sorted(plain[0]) == sorted(plain[1]):
        what = "the network's classes are those of the data set in another order"
    else:
        what = f"{len(differing)} of {len(ours)} classes have another name in the network's configuration"
    return [f"{what}: {listed}{more} (network / data set)"]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.partition(",")[0].lower() if letter.isalnum())
