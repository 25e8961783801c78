"""Which classes a COCO metric evaluates, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.errors import UsageError
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.json_faults import is_integer
from hrbench.metrics.coco.notes import unknown_category

NO_CLASSES = "per_class: true and class_agnostic: true: there are no single classes if all are one"


@dataclass(frozen=True)
class CategorySelection:
    """Which classes are evaluated.

    ids: category ids, rising, None for all of the annotation file.
    names: one for each id, () for those of the file.
    each: also tell the numbers of every single one.
    odd: what was asked for and is no id, such as a name; no file has it.
    """

    ids: tuple[int, ...] | None
    names: tuple[str, ...]
    each: bool
    odd: tuple[Any, ...] = ()

    @classmethod
    def of(cls, categories: Sequence[int] | None, names: Sequence[str] | None, per_class: bool) -> CategorySelection:
        """From arguments of a metric. Raises UsageError if they do not fit together."""
        if categories is None:
            if names is not None:
                raise UsageError("names of classes need the category ids they belong to: give categories as well")
            return cls(None, (), per_class)
        if isinstance(categories, str) or not isinstance(categories, Sequence):
            raise UsageError(f"categories {categories!r}: give a list of category ids")
        odd = tuple(one for one in categories if not is_integer(one))
        if odd:
            return cls(None, (), per_class, odd)
        if not len(categories) or len(set(categories)) != len(categories):
            raise UsageError(f"categories {list(categories)[:20]}: give at least one category id, and each once")
        if names is not None and len(names) != len(categories):
            raise UsageError(f"{len(names)} names for {len(categories)} categories; give one for each, in their order")
        order = sorted(range(len(categories)), key=lambda place: categories[place])
        ids = tuple(int(categories[place]) for place in order)
        return cls(ids, () if names is None else tuple(names[place] for place in order), per_class)

    def known(self, target: InstanceTruth) -> InstanceTruth:
        """Returns the target. Raises InputError for a category that it does not have."""
        listed = target.categories.tolist()
        for category in self.odd or self.ids or ():
            if category not in listed:
                raise unknown_category(target.path, category, listed, target.names)
        return target

    def labels(self, target: InstanceTruth) -> tuple[list[int], list[str]]:
        """Category ids, rising, and a label for each: its name, or its id if it has no name or shares it."""
        listed = target.categories.tolist()
        ids = listed if self.ids is None else list(self.ids)
        named = dict(zip(listed, target.names, strict=True))
        return ids, unique_labels(ids, self.names or [named[category] for category in ids])

    def known_labels(self) -> list[str]:
        """Labels of the classes whose single numbers are told, as far as they are known without the annotation file."""
        return unique_labels(self.ids, self.names or [""] * len(self.ids)) if self.each and self.ids else []


def unique_labels(ids: Sequence[int], names: Sequence[str]) -> list[str]:
    """A label for each class: its name, or its id if it has no name or shares it."""
    count = Counter(names)
    return [name if name and count[name] == 1 else str(i) for i, name in zip(ids, names, strict=True)]
