"""Images are cut at ends of blocks, and what is stored of any cut is completed without an image twice."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.runner.shards import block_of, fitted, shard_of, shards_of

COUNTS, BATCHES, WANTED = st.integers(1, 400), st.integers(1, 9), st.integers(1, 40)


@settings(max_examples=80)
@given(COUNTS, BATCHES, WANTED)
def test_shards_are_whole_blocks_of_nearly_the_same_number(count, batch, wanted):
    shards = shards_of(count, batch, wanted, "key")
    ends = [0, *(one.last for one in shards)]
    assert [one.first for one in shards] == ends[:-1] and ends[-1] == count
    block = block_of(batch)
    assert block is not None and block % batch == 0 and all(end % block == 0 for end in ends[:-1])
    blocks = [-(-one.images // block) for one in shards]
    assert max(blocks) - min(blocks) <= 1 and len(shards) == min(wanted, sum(blocks))
    assert len({one.key for one in shards}) == len(shards)


@settings(max_examples=80)
@given(COUNTS, BATCHES, WANTED, st.lists(st.tuples(WANTED, st.integers(0, 39)), max_size=12))
def test_what_is_stored_of_any_number_of_shards_is_completed(count, batch, wanted, pairs):
    shards = shards_of(count, batch, wanted, "key")
    stored = []
    for other, number in pairs:
        cut = shards_of(count, batch, other, "key")
        stored.append(cut[number % len(cut)])
    kept, missing = fitted(shards, stored, batch, "key")
    assert set(kept) <= set(stored) and not set(missing) & set(stored)
    ordered = sorted([*kept, *missing], key=lambda one: one.first)
    assert [one.first for one in ordered] == [0, *(one.last for one in ordered)][:-1] and ordered[-1].last == count
    assert all(one == shard_of(one.first, one.last, batch, "key") for one in missing)
    assert sum(one.images for one in kept) >= max((one.images for one in stored), default=0)
    assert all(one.first % (block_of(batch) or 1) == 0 for one in missing)


def test_of_stored_shards_that_overlap_those_with_most_images_are_used():
    shards = shards_of(48, 1, 4, "key")  # 12 images each
    first, second, third = shard_of(0, 16, 1, "key"), shard_of(12, 24, 1, "key"), shard_of(24, 36, 1, "key")
    kept, missing = fitted(shards, [third, second, first], 1, "key")
    assert kept == [first, third] and [(one.first, one.last) for one in missing] == [(16, 24), (36, 48)]
    assert fitted(shards, shards, 1, "key") == (shards, [])
    too_far = replace(shards[-1], last=60)
    assert fitted(shards, [too_far], 1, "key") == ([], shards)


def test_a_key_holds_what_decides_the_predictions_of_a_shard():
    keys = [shard_of(0, 16, 2, "a"), shard_of(0, 16, 4, "a"), shard_of(0, 32, 2, "a"), shard_of(0, 16, 2, "b")]
    assert len({one.key for one in keys}) == 4
