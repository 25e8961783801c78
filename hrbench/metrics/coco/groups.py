"""Groups of rows: all rows of one image and one category. Only groups that have rows take time or memory.

A group has a key, its image's position times the number of categories plus its category's position, so that groups are
numbered by image first, as in the official order. Nothing here has a place for a key that does not occur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.core.native.calls import NOT_MINE, In, NativeCall, Out
from hrbench.core.native.loader import library

_ORDER = NativeCall("hrb_order", In(np.int64), In(np.float64), Out(np.int64))
TABLE_SHARE = 4  # ids are looked up in a table of all numbers between them if it is at most so many times longer


def group_keys(image: np.ndarray, category: np.ndarray, images: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """(P,) int64: the key of each row's group, or -1 for a row that is not evaluated.

    image, category: (P,) ids of the rows.
    images, categories: (I,), (C,) ids that are evaluated, rising.
    """
    key, place = positions(image, images), positions(category, categories)
    outside = (key < 0) | (place < 0)
    key *= len(categories)
    key += place
    key[outside] = -1
    return key


def positions(ids: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(P,) int64: the position of each id among rising ones, or -1 if it is not there.

    >>> positions(np.array([7, 5, 6]), np.array([5, 7]))
    array([ 1,  0, -1])
    """
    if not len(among):
        return np.full(len(ids), -1, np.int64)
    low, high = int(among[0]), int(among[-1])
    if high - low < TABLE_SHARE * (len(ids) + len(among)):
        table = np.full(high - low + 2, -1, np.int64)  # the last entry is for ids beyond both ends
        table[among - low] = np.arange(len(among))
        return table.take(np.where((ids >= low) & (ids <= high), ids - low, high - low + 1))
    place = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    return np.where(among[place] == ids, place, -1)


def starts_of(keys: np.ndarray) -> np.ndarray:
    """(U + 1,) int64: where each of U runs of equal keys begins, and the end of the last. keys: (P,), 0 or more."""
    return np.append(np.flatnonzero(np.diff(keys, prepend=-1)), len(keys))


def ranks(starts: np.ndarray) -> np.ndarray:
    """(P,) int64: the position of each row in its run."""
    return np.arange(starts[-1]) - np.repeat(starts[:-1], np.diff(starts))


@dataclass(frozen=True)
class RowGroups:
    """Rows sorted by group.

    rows: (P,) int64, numbers of the rows; those that are not evaluated are left out.
    keys: (U,) int64, rising: the groups that have rows.
    starts: (U + 1,) int64: the rows of group u are rows[starts[u]:starts[u + 1]].
    """

    rows: np.ndarray
    keys: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray, score: np.ndarray | None = None, limit: int | None = None) -> RowGroups:
        """Of rows with these keys (-1: not evaluated).

        score: (P,) float64; the rows of a group are then by falling score, equal scores in the given order.
        limit: how many rows of a group are kept, its first.
        """
        rows = order_of(keys, score)
        mine = keys[rows]
        starts = starts_of(mine)
        if limit is not None and np.diff(starts).max(initial=0) > limit:
            some = ranks(starts) < limit
            rows, mine = rows[some], mine[some]
            starts = starts_of(mine)
        return cls(rows, mine[starts[:-1]], starts)

    def only(self, some: np.ndarray) -> RowGroups:
        """Some of the groups with their rows. some: (U,) bool."""
        many = np.diff(self.starts)
        starts = np.append(0, np.cumsum(many[some]))
        return RowGroups(self.rows[np.repeat(some, many)], self.keys[some], starts)

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(first, number): where the rows of the groups with these rising keys begin, and how many there are, or 0."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        first = self.starts[place]
        return first, np.where(self.keys[place] == keys, self.starts[place + 1] - first, 0)


def order_of(keys: np.ndarray, score: np.ndarray | None = None) -> np.ndarray:
    """(n,) int64: the rows whose key is 0 or more, by key, in it by falling score, equal scores in the given order.

    keys: (P,) int64.
    score: (P,) float64, finite; None: rows of a key stay in the given order.
    """
    if library() is not None:
        order = np.empty(len(keys), np.int64)
        many = _ORDER(np.ascontiguousarray(keys), np.zeros(0) if score is None else np.ascontiguousarray(score), order)
        if many != NOT_MINE:
            return order[:many]
    rows = np.flatnonzero(keys >= 0)
    if score is None:
        return rows[np.argsort(keys[rows], kind="stable")]
    return rows[np.lexsort((-score[rows], keys[rows]))]
