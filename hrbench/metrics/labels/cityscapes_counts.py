"""What is counted in one Cityscapes image: pairs of labels, and how much of each instance was found.

In addition to the pairs (`labels.states`) there is a block of instances: `things` (I,) int64, rows of each image;
`instance` (M,) uint16, its id, rising; `size` (M,) int64, its pixels; `hits` (M,) int64, pixels predicted with its
label; `category_hits` (M,) int64, pixels predicted with any label of its category. Only instances of evaluated labels
are kept.
"""

from __future__ import annotations

import numpy as np

from hrbench.errors import InputError
from hrbench.formats.label_runs import histogram, runs
from hrbench.metrics.labels.cityscapes_labels import CATEGORY_OF, LABELS
from hrbench.metrics.labels.states import CELLS, cells_of, form_of

COUNT = len(LABELS)
THINGS = ("instance", "size", "hits", "category_hits")
FORM = form_of("cityscapes", 1, cells=CELLS, things=THINGS)
KINDS: dict[str, type] = {
    **{"truth": np.uint16, "predicted": np.uint16, "pixels": np.int64},
    **{"instance": np.uint16, "size": np.int64, "hits": np.int64, "category_hits": np.int64},
}
_PER_LABEL = 1000  # an instance's id is 1000 x its label + a number; smaller ids are regions without instances
_KEPT = np.array([bool(label.size) and label.evaluated for label in LABELS])
_KNOWN = np.array([bool(label.size) or not label.evaluated for label in LABELS])
OUTSIDE = np.iinfo(np.uint16).max


def count(
    truth: np.ndarray, instances: np.ndarray, predicted: np.ndarray, table: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Rows of both blocks for one image.

    truth, instances, predicted: (H, W) label ids, instance ids and predictions.
    table: what each predicted number stands for, OUTSIDE for nothing; None if predictions are label ids.

    Raises UnknownLabelError for a number that stands for no label.
    """
    (own, thing, found), lengths = runs((truth, instances, predicted))
    if len(own) and int(own.max()) >= COUNT:
        raise UnknownLabelError("truth", int(own.max()))
    if table is not None:
        found = _looked_up(table, found)
    elif len(found) and int(found.max()) >= COUNT:
        raise UnknownLabelError("prediction", int(found.max()))
    rows = cells_of(histogram(own, found, lengths, (COUNT, COUNT)))
    at = np.flatnonzero(thing > _PER_LABEL)
    return rows | _things(thing.take(at), found.take(at), lengths.take(at))


class UnknownLabelError(InputError):
    """A number that stands for no label. which: the map it is in, "truth", "instances" or "prediction"."""

    def __init__(self, which: str, number: int) -> None:
        super().__init__(f"{number} in {which} stands for no label")
        self.which, self.number = which, number


def _looked_up(table: np.ndarray, found: np.ndarray) -> np.ndarray:
    beyond = found[found >= len(table)]
    labels = table[np.minimum(found, len(table) - 1)]
    odd = beyond if len(beyond) else found[labels == OUTSIDE]
    if len(odd):
        raise UnknownLabelError("prediction", int(odd.max()))
    return labels


def _things(thing: np.ndarray, found: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """The block of instances, from the runs (R,) that belong to instances."""
    label = thing // _PER_LABEL
    if len(label) and (int(label.max()) >= COUNT or not _KNOWN[label].all()):
        raise UnknownLabelError("instances", int(thing[(label >= COUNT) | ~_KNOWN[np.minimum(label, COUNT - 1)]][0]))
    hit, near = label == found, CATEGORY_OF[label] == CATEGORY_OF[found]
    counts = [np.bincount(thing, weights) for weights in (lengths, lengths * hit, lengths * near)]
    ids = np.flatnonzero(counts[0])
    ids = ids[_KEPT[ids // _PER_LABEL]]
    columns = (ids, *(column[ids] for column in counts))
    return {name: column.astype(KINDS[name]) for name, column in zip(THINGS, columns, strict=True)}
