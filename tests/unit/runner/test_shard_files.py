"""A shard's file gives back what was written, of every type, or is known to be damaged."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from hrbench.core import files
from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.runner.shard_files import ShardRecord, read_predictions, read_record, write_shard
from hrbench.runner.shard_merge import difference, notes_of, read_all, read_records
from hrbench.runner.shard_values import packed, unpacked
from hrbench.runner.shards import shard_of
from hrbench.types import Note, Prediction, Provenance, Sample, Shard, WeightsRecord

ARRAYS = numbers.arrays(
    st.sampled_from(["u1", "<u2", "<i4", "<i8", "<f2", "<f4", "<f8", "?", "<c8", "<U3", "S2"]),
    numbers.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), st.text(max_size=4), st.binary(max_size=4)
)  # fmt: skip
SCALARS = st.one_of(st.floats(width=32).map(np.float32), st.integers(0, 255).map(np.uint8), st.booleans().map(np.bool_))
VALUES = st.recursive(
    st.one_of(PLAIN, ARRAYS, SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(-9, 9)), inner, max_size=4),
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are of the same types and bits; numbers that are none are told by their bits, too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return np.float64(one).tobytes() == np.float64(other).tobytes() if isinstance(one, float) else one == other


@settings(max_examples=120)
@given(VALUES)
def test_values_come_back_with_their_types_and_bits(value):
    assert same(unpacked(packed(value)), value)


def test_arrays_can_be_written_to_and_may_lie_in_any_order():
    turned = np.arange(6, dtype=np.int16).reshape(2, 3).T
    again = unpacked(packed(turned))
    assert same(again, turned.copy()) and again.flags.writeable
    assert same(unpacked(packed({np.int64(3): np.array(2.5)})), {3: np.array(2.5)})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1, 2}, "a value of type builtins.set"),
        ([object()], "a value of type builtins.object"),
        (np.array([None]), "an array of dtype object"),
        ({(1, 2): 3}, "a key of type tuple"),
        (np.array(["2020-01-01"], "datetime64[D]"), "an array of dtype datetime64"),
    ],
)
def test_what_would_not_come_back_is_refused(value, said):
    with pytest.raises(EntryError, match=said):
        packed(value)


@pytest.mark.parametrize("data", [b"", b"\xc1", packed([1])[:-1], b"\xd4\x09\x00", b"\xd4\x01\xc0", b"\xd4\x02\xc0"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError):
        unpacked(data)


# --- files -----------------------------------------------------------------------------------------------------------

SHARD = shard_of(2, 6, 1, "key")
RECORD = ShardRecord(
    SHARD,
    Provenance(weights=WeightsRecord("official", "0" * 64), libraries={"timm": "1.0"}, device="cpu"),
    {"threads": 2, "torch": "2.9", "cudnn": None},
    ("batch halved to 8", Note("whole_numbers", "the network returned whole numbers (int8)")),
    runtime_notes=("runtime eager: nothing",),
    tally={"first": np.arange(3.0), "scores": {0.5: 3}},
    seconds=1.5,
)


def predictions(first: int = 2, last: int = 6) -> list[Prediction]:
    rng = np.random.default_rng(first)
    return [
        Prediction(number, [{"image_id": number, "score": rng.uniform(), "keypoints": rng.uniform(size=6).tolist()}])
        for number in range(first, last)
    ]


def written(folder: Path, record: ShardRecord = RECORD) -> Path:
    path = folder / record.shard.file
    made = predictions(record.shard.first, record.shard.last)
    assert write_shard(path, record.shard, iter(made), lambda: record) is record
    return path


def test_a_file_gives_back_predictions_and_record(tmp_path, monkeypatch):
    monkeypatch.setattr("hrbench.runner.shard_files.FRAME_BYTES", 200)  # several frames
    path = written(tmp_path)
    found = read_record(path, SHARD.key)
    assert replace(found, tally=None) == replace(RECORD, tally=None) and same(found.tally, RECORD.tally)
    assert list(read_predictions(path)) == predictions()
    with pytest.raises(InputError, match=r"2-6\.shard holds other predictions"):
        read_record(path, "another")
    with pytest.raises(MissingError, match="the predictions of a shard"):
        read_record(tmp_path / "0-2.shard")


def test_damage_of_any_byte_is_noticed(tmp_path):
    path = written(tmp_path, ShardRecord(Shard(5, 6, "")))
    data = path.read_bytes()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 + at % 255
        path.write_bytes(changed)
        with pytest.raises(InputError, match="is damaged"):
            read_record(path)
    for other in (data[:-1], data + b"\0", data[:40], b"", data[:-32] * 2, data + data):
        path.write_bytes(other)
        with pytest.raises(InputError, match="is damaged"):
            read_record(path)


def test_a_full_disk_is_told_in_a_line_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "dup", lambda descriptor: os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(UsageError) as told:
        written(tmp_path / "shards")
    path = tmp_path / "shards" / "2-6.shard"
    assert str(told.value) == (
        f"{path}: cannot be written (No space left on device); make room, or name a folder that can be written"
    )
    assert not list((tmp_path / "shards").iterdir())


def test_an_error_while_predicting_leaves_nothing(tmp_path):
    def failing():
        yield predictions()[0]
        raise EntryError("the network failed")

    with pytest.raises(EntryError, match="the network failed"):
        write_shard(tmp_path / SHARD.file, SHARD, failing(), lambda: RECORD)
    assert not list(tmp_path.iterdir())


# --- merging ---------------------------------------------------------------------------------------------------------

SAMPLES = [Sample(number, Path(f"{number}.png")) for number in range(14)]


def record(first: int, last: int, **more: Any) -> ShardRecord:
    return replace(RECORD, shard=Shard(first, last, f"{first}"), **more)


def test_shards_are_merged_in_the_order_of_their_images(tmp_path):
    paths = [written(tmp_path, record(first, last)) for first, last in ((8, 14), (0, 4), (4, 8))]
    found = read_records(paths, 14)
    assert [one.shard.first for _, one in found] == [0, 4, 8]
    merged = list(read_all(found, SAMPLES))
    assert merged == [one for first, last in ((0, 4), (4, 8), (8, 14)) for one in predictions(first, last)]


@pytest.mark.parametrize("ranges", [((0, 4), (8, 14)), ((0, 8), (4, 14)), ((0, 4), (4, 13)), ((1, 14),)])
def test_shards_that_lack_an_image_or_have_one_twice_are_refused(tmp_path, ranges):
    paths = [written(tmp_path, record(first, last)) for first, last in ranges]
    with pytest.raises(EntryError, match="do not hold each of 14 images once"):
        read_records(paths, 14)


def test_shards_of_other_conditions_are_refused(tmp_path):
    paths = [written(tmp_path, record(0, 4)), written(tmp_path, record(4, 14, conditions={"threads": 4}))]
    with pytest.raises(EntryError, match="under conditions that round differently: threads 2 and 4"):
        read_records(paths, 14)
    assert difference([{"a": 1}, {"a": 1}]) == ""


@pytest.mark.parametrize("samples", [SAMPLES[1:], SAMPLES[:3] + SAMPLES[4:], [*SAMPLES[:4], SAMPLES[9]]])
def test_predictions_of_other_images_are_refused(tmp_path, samples):
    found = [(written(tmp_path, record(0, 5)), record(0, len(samples)))]
    with pytest.raises(InputError, match=r"0-5\.shard (lacks|holds) the image"):
        list(read_all(found, samples))


def test_notes_are_told_once_and_counts_are_added():
    class Counting:
        def __init__(self):
            self.count = 0

        def tally(self):
            return {"count": self.count}

        def add_tally(self, tally):
            self.count += tally["count"]

        def notes(self):
            return [f"{self.count} counted"]

    records = [record(0, 4, tally={"count": 3}), record(4, 8, tally={"count": 4}, task_notes=("alone",))]
    assert notes_of(records, Counting()) == [*RECORD.network_notes, "7 counted", "alone", "runtime eager: nothing"]
    assert notes_of(records, object()) == [*RECORD.network_notes, "alone", "runtime eager: nothing"]
