"""States of every format of their file are read as one form."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from random_matches import random_matches

from hrbench.core.npz import read_npz
from hrbench.errors import InputError
from hrbench.metrics.coco.curves import Accumulator
from hrbench.metrics.coco.instances import INSTANCES, NUMBERS
from hrbench.metrics.coco.states import matches_of, state_of
from hrbench.store.states import read_state, write_state
from hrbench.types import State

STORED = sorted(
    path for path in (Path(__file__).parents[2] / "data").rglob("states*.npz") if "positives" in read_npz(path)
)


def dense(state: State, categories: int) -> np.ndarray:
    """(I, C, A) the positives of all pairs, as formats 1 and 2 had them."""
    image = np.repeat(np.arange(len(state.arrays["image"])), np.diff(state.arrays["object_offsets"]))
    table = np.zeros((len(state.arrays["image"]), categories, state.arrays["positives"].shape[1]), np.int32)
    table[image, state.arrays["object_category"]] = state.arrays["positives"]
    return table


def write_format_2(state: State, path: Path, **changed: np.ndarray) -> None:
    head = {"format": 2, "metric": state.metric, "version": state.version, "params": state.params}
    arrays = {name: array for name, array in state.arrays.items() if not name.startswith("object_")} | changed
    np.savez_compressed(path, __head__=np.frombuffer(msgspec.json.encode(head), np.uint8), **arrays)


def some_state() -> State:
    matches = random_matches(3, 30, 5, 4)
    params = {"categories": list(range(5)), "names": list("abcde")}
    return state_of(matches, "coco-boxes", 1, params, np.arange(30, dtype=np.uint64))


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_stored_states_of_former_formats(path: Path) -> None:
    former, state = read_npz(path), read_state(path)
    assert np.array_equal(dense(state, len(state.params["categories"])), former["positives"])
    assert state.arrays["positives"].any(axis=1).all()
    assert {"object_offsets", "object_category"} == set(state.arrays) - set(former)


def test_there_are_stored_states_of_all_three_metrics() -> None:
    assert {read_state(path).metric for path in STORED} == {"coco-boxes", "coco-masks", "coco-keypoints"}


def test_a_state_of_format_2_is_that_of_format_3_to_the_bit(tmp_path: Path) -> None:
    state = some_state()
    write_state(state, tmp_path / "new.npz")
    write_format_2(state, tmp_path / "old.npz", positives=dense(state, 5))
    new, old = read_state(tmp_path / "new.npz"), read_state(tmp_path / "old.npz")
    assert list(new.arrays) == list(old.arrays) == list(state.arrays)
    for name, array in state.arrays.items():
        for other in (new.arrays[name], old.arrays[name]):
            assert other.dtype == array.dtype and other.tobytes() == array.tobytes(), name
    one, other = (Accumulator(matches_of(each, "coco-boxes", 1), INSTANCES, NUMBERS).at() for each in (state, old))
    assert one.tobytes() == other.tobytes()


def test_another_metric_s_array_of_that_name_stays(tmp_path: Path) -> None:
    state = State("mine", 1, {}, {"positives": np.arange(24).reshape(2, 3, 4)})
    write_format_2(state, tmp_path / "states.npz")
    assert read_state(tmp_path / "states.npz").arrays["positives"].shape == (2, 3, 4)


def test_a_damaged_table_of_format_2_is_told(tmp_path: Path) -> None:
    write_format_2(some_state(), tmp_path / "states.npz", positives=np.zeros(7, np.int32))
    with pytest.raises(InputError, match="not a state of hrbench"):
        read_state(tmp_path / "states.npz")
