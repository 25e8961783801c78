"""Which images a limit takes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hrbench.core.limit import limited


@given(st.integers(0, 300), st.integers(1, 400))
def test_as_many_as_asked_for_in_order_and_evenly_spread(count: int, limit: int):
    found = limited(range(count), limit)
    assert len(found) == min(count, limit) and found == sorted(set(found))
    steps = {b - a for a, b in pairwise(found)}
    assert not steps or max(steps) - min(steps) <= 1
    if found and limit <= count:
        assert found[0] == 0 and count - found[-1] in (count // limit, -(-count // limit))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_class_folders_of_one_size_are_taken_alike(classes: int, images: int, each: int):
    samples = [kind for kind in range(classes) for _ in range(images)]
    found = limited(samples, classes * min(each, images))
    assert [found.count(kind) for kind in range(classes)] == [min(each, images)] * classes


def test_without_a_limit_all_are_taken():
    assert limited("abc", None) == limited("abc", 3) == limited("abc", 9) == ["a", "b", "c"]
