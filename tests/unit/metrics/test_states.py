"""Merging states over a declared key: the same bits for any split, and refusals that name what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.errors import InputError, UsageError
from hrbench.metrics.states import StateForm, arrays_of, merge
from hrbench.types import State

COUNTED = StateForm(
    "m", 2, "image", ("group",), {"many": ("value",), "none": ()}, unlike={"image": "how images are named"}
)
FORMS = (COUNTED, replace(COUNTED, blocks={"many": ("value",)}, offsets=True))


def state_of(form: StateForm, images: list[int], many: list[int], **params: Any) -> State:
    """Rows whose values say where they belong: 100 x image + place."""
    value = [100 * image + place for image, count in zip(images, many, strict=True) for place in range(count)]
    counts = np.array(many, np.int64)
    arrays = {
        "value": np.array(value, np.int32),
        "image": np.array(images, np.int64),
        "many": np.concatenate(([0], np.cumsum(counts))) if form.offsets else counts,
        "group": np.array([[image, -image] for image in images], np.float64).reshape(-1, 2),
    }
    if "none" in form.blocks:
        arrays["none"] = np.zeros(len(images), np.int64)
    return State(form.metric, form.version, params, arrays)


def same(one: State, other: State) -> bool:
    return list(one.arrays) == list(other.arrays) and all(
        one.arrays[name].dtype == array.dtype and np.array_equal(one.arrays[name], array)
        for name, array in other.arrays.items()
    )


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_split_in_any_order_gives_the_same(form: StateForm, data: st.DataObject) -> None:
    images = data.draw(st.lists(st.integers(0, 90), unique=True, max_size=8))
    many = [data.draw(st.integers(0, 3)) for _ in images]
    shard = [data.draw(st.integers(0, 2)) for _ in images]
    parts = [
        state_of(form, [i for i, s in zip(images, shard, strict=True) if s == part],
                 [n for n, s in zip(many, shard, strict=True) if s == part], seed=1)
        for part in data.draw(st.permutations(range(3)))
    ]  # fmt: skip
    ordered = sorted(zip(images, many, strict=True))
    whole = state_of(form, [image for image, _ in ordered], [count for _, count in ordered], seed=1)
    assert same(merge(parts, form), whole)
    assert same(merge([merge(parts[:2], form), parts[2]], form), whole)
    assert same(merge([whole], form), whole)


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_merged_is_named(form: StateForm) -> None:
    one = state_of(form, [3, 1], [1, 0], sigmas=[1], most=5)
    with pytest.raises(UsageError, match="nothing to merge: give at least one state of m"):
        merge([], form)
    with pytest.raises(InputError, match="image 1 is in more than one of the merged states; merge each image once"):
        merge([one, state_of(form, [5, 1], [0, 0], sigmas=[1], most=5)], form)
    with pytest.raises(InputError, match=r"states of m differ in most: 5 and null; measure all alike"):
        merge([one, state_of(form, [5], [0], sigmas=[1])], form)
    other = state_of(form, [5], [0], sigmas=[1], most=5)
    named = replace(other, arrays={**other.arrays, "image": np.array(["a"])})
    with pytest.raises(InputError, match="states of m differ in how images are named"):
        merge([one, named], form)
    whole = replace(other, arrays={**other.arrays, "group": np.zeros((1, 2), np.int64)})
    with pytest.raises(InputError, match="states of m differ in the kind of group"):
        merge([one, whole], form)


def test_a_state_of_another_metric_or_with_an_array_less_is_refused() -> None:
    one = state_of(COUNTED, [1], [1])
    with pytest.raises(InputError, match="a state of m version 3 was given to m version 2; measure again"):
        arrays_of(replace(one, version=3), COUNTED)
    with pytest.raises(InputError, match="a state of m lacks group, value; measure again"):
        arrays_of(replace(one, arrays={k: v for k, v in one.arrays.items() if k not in ("group", "value")}), COUNTED)
