"""How the images of an entry are cut: into blocks that no batch crosses, and into shards of whole blocks.

    wanted = shards_of(count, entry.batch, 7, prediction_key)
    kept, missing = fitted(wanted, stored, entry.batch, prediction_key)     # stored ones used, and what they lack

A network's output for an image depends, in its last digits, on how many images share its batch: libraries choose
another kernel, and sum in another order. So what a batch holds must not depend on the shard. It depends on its block
alone: batches never cross the end of a block, in a run without shards either, and a shard is a range of whole blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from hrbench.core.digests import digest
from hrbench.types import Shard

BLOCK_BATCHES = 4
"""Images of a block, in batches. With one item an image every batch but the very last is full, as without blocks. Where
an image has several items, or a shape of its own, the last batch of each shape in a block may be smaller: the longer
the block, the fewer; the shorter, the more shards a small set can have."""

FORMAT = 1
"""Of the files of shards (`shard_files.py`), in their keys."""


def block_of(batch: int | Literal["auto"]) -> int | None:
    """Images of a block; None for a batch that is found by time, which has no blocks: all images are one.

    >>> block_of(16), block_of(1), block_of("auto")
    (64, 4, None)
    """
    return None if batch == "auto" else BLOCK_BATCHES * batch


def shards_of(count: int, batch: int | Literal["auto"], wanted: int, prediction_key: str) -> list[Shard]:
    """The shards of `count` images, in order: as many as wanted, or as there are blocks; in blocks alike to within one.

    batch: of the entry.
    wanted: how many; at least 1.
    prediction_key: of the entry's predictions.

    >>> [(one.first, one.last) for one in shards_of(100, 4, 3, "")]
    [(0, 32), (32, 64), (64, 100)]
    >>> [(one.first, one.last) for one in shards_of(100, "auto", 3, "")]
    [(0, 100)]
    """
    block = block_of(batch) or max(count, 1)
    blocks = -(-count // block)
    parts = max(1, min(wanted, blocks))
    ends = [min(count, number * blocks // parts * block) for number in range(parts + 1)]
    return [shard_of(first, last, batch, prediction_key) for first, last in pairwise(ends) if last > first or not count]


def shard_of(first: int, last: int, batch: int | Literal["auto"], prediction_key: str) -> Shard:
    """The shard of a range of images, with its key."""
    key = digest({"predictions": prediction_key, "batch": batch, "first": first, "last": last, "format": FORMAT})
    return Shard(first, last, key)


def fitted(
    wanted: Sequence[Shard], stored: Sequence[Shard], batch: int | Literal["auto"], prediction_key: str
) -> tuple[list[Shard], list[Shard]]:
    """What of stored shards is used, and what is still to be predicted: together they hold every image once.

    wanted: the shards of the entry, in order.
    stored: whole shards of the same predictions, of this number of shards or of any other; their ends are ends of
        blocks.
    batch, prediction_key: for the keys of those to be predicted.

    Those used are of all sets without a common image the one with the most images. Both lists are in order.
    """
    count = wanted[-1].last if wanted else 0
    kept = _most([one for one in stored if one.last <= count])
    ends = [0, *(end for one in kept for end in (one.first, one.last)), count]
    missing = []
    for start, stop in zip(ends[::2], ends[1::2], strict=True):
        for one in wanted:
            first, last = max(one.first, start), min(one.last, stop)
            if first < last:
                missing.append(shard_of(first, last, batch, prediction_key))
    return kept, missing


def _most(shards: Sequence[Shard]) -> list[Shard]:
    """Shards without a common image that have the most images together, in order (weighted interval scheduling)."""
    best: list[tuple[int, tuple[Shard, ...]]] = [(0, ())]  # of the first shards by their ends: images, and which
    ordered = sorted(shards, key=lambda one: (one.last, one.first))
    for number, one in enumerate(ordered):
        before = sum(other.last <= one.first for other in ordered[:number])
        images, chosen = best[before]
        best.append(max((best[-1], (images + one.images, (*chosen, one))), key=lambda found: found[0]))
    return list(best[-1][1])
