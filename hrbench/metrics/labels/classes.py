"""What the numbers in label maps stand for: classes, ignored labels, and invalid numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.errors import UsageError
from hrbench.formats.label_folders import Kind

UNLABELLED = 255
"""The number that label maps have by custom where there is no class; in predictions it is a miss, asked for or not."""
NOTHING, IGNORED = 65535, 65534  # in a table: an invalid number, and one that is not evaluated
_MAX_CLASSES, _PIXEL_VALUES = 65000, 65536


@dataclass(frozen=True)
class LabelClasses:
    """C classes.

    ids: the label of each in files.
    mapping: further labels -> class index.
    ignore: not judged.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]
    mapping: Mapping[int, int]
    ignore: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def unjudged(self) -> tuple[int, ...]:
        """Labels that a prediction may hold though they are no class: those that are ignored, and 255."""
        taken = len(self) > UNLABELLED or UNLABELLED in self.ids or UNLABELLED in self.mapping
        return self.ignore if taken else tuple(sorted({*self.ignore, UNLABELLED}))

    def truths(self) -> np.ndarray:
        """(65536,) uint16: class index of each number in the ground truth's files, IGNORED or NOTHING."""
        return self._table("ids", IGNORED, self.ignore)

    def guesses(self, kind: Kind) -> np.ndarray:
        """(65536,) uint16: class index of each predicted number; C if it stands for no class, or NOTHING."""
        return self._table(kind, len(self), self.unjudged)

    def _table(self, kind: Kind, ignored: int, ignore: Sequence[int]) -> np.ndarray:
        if not self.names:
            raise UsageError("miou needs to know the classes: give their number (`classes`), their names or their ids")
        table = np.full(_PIXEL_VALUES, NOTHING, np.uint16)
        table[[label for label in ignore if 0 <= label < _PIXEL_VALUES]] = ignored
        labels = self.ids if kind == "ids" else range(len(self))
        table[list(labels)] = np.arange(len(self))
        if kind == "ids":
            for label, index in self.mapping.items():
                table[label] = index
        return table


def classes_of(
    names: Sequence[str] | None,
    ids: Sequence[int] | None,
    count: int | None,
    mapping: Mapping[Any, int] | None,
    ignore: Sequence[int],
) -> LabelClasses:
    """The classes by their names, ids or count; none if all are None.

    A label that is ignored by default is a class if the count includes it. Raises UsageError if the arguments
    contradict one another, a label has two meanings or cannot be in a PNG, or `mapping` leads to no class.
    """
    counts = {what: len(one) for what, one in (("names", names), ("ids", ids)) if one is not None}
    counts |= {"classes": count} if count is not None else {}
    if len(set(counts.values())) > 1:
        stated = ", ".join(f"{what}: {number}" for what, number in counts.items())
        raise UsageError(f"the classes of miou are counted differently ({stated})")
    number = next(iter(counts.values()), 0)
    if number > _MAX_CLASSES or (counts and number < 1):
        raise UsageError(f"miou of {number} classes: give 1 to {_MAX_CLASSES}")
    class_names = tuple(map(str, range(number) if names is None else names))
    if len(set(class_names)) < len(class_names):
        raise UsageError(
            f"names of classes must differ; {next(n for n in class_names if class_names.count(n) > 1)!r} do not"
        )
    class_ids = tuple(range(number)) if ids is None else tuple(map(int, ids))
    class_mapping = {int(label): int(index) for label, index in (mapping or {}).items()}
    ignored = tuple(sorted({int(label) for label in ignore if ids is not None or int(label) not in class_ids}))
    _check(class_ids, class_mapping, ignored)
    return LabelClasses(class_names, class_ids, class_mapping, ignored)


def _check(ids: Sequence[int], mapping: Mapping[int, int], ignore: Sequence[int]) -> None:
    if len(set(ids)) < len(ids):
        raise UsageError(f"ids {list(ids)}: two classes have one label")
    both = sorted(({*ids} & {*mapping}) | (({*ids} | {*mapping}) & {*ignore}))
    if both:
        raise UsageError(f"label {both[0]} is given two meanings among ids, mapping and ignore")
    wrong = [index for index in mapping.values() if not 0 <= index < len(ids)]
    if wrong:
        raise UsageError(f"mapping leads to class {wrong[0]}; there are {len(ids)} classes")
    far = [label for label in (*ids, *mapping) if not 0 <= label < _PIXEL_VALUES]
    if far:
        raise UsageError(f"label {far[0]} cannot be in a PNG; labels run from 0 to {_PIXEL_VALUES - 1}")
