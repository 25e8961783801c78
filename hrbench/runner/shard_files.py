"""The file of a shard: its predictions, and how they were made; whole, or known not to be.

    write_shard(path, shard, predictions, record)
    record = read_record(path, shard)               # raises InputError if a byte of the file has changed
    for prediction in read_predictions(path): ...

A file is a line that names the format, frames of predictions, an empty frame, a frame with the record, and the SHA-256
of all before it. A frame is its length (4 bytes, little-endian) and its values (`shard_values`), compressed by zlib. So
memory holds a frame, never a file.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hrbench.core.files import reading, write_whole
from hrbench.errors import InputError
from hrbench.runner.shard_values import packed, unpacked
from hrbench.runner.shards import FORMAT
from hrbench.types import Prediction, Provenance, Remark, Shard

HEAD = b"hrbench shard %d\n" % FORMAT
FRAME_BYTES = 1 << 20
"""Bytes of predictions, before they are compressed, after which a frame ends."""
LEVEL = 1
"""Of zlib, the fastest: a label map shrinks to a few per cent at any level."""

_DIGEST_BYTES = 32
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """How the predictions of a shard were made.

    shard: which images they are of.
    provenance: the network, its weights, device, libraries and environment.
    conditions: of these, what decides how sums are rounded: name -> value. Shards that are merged have the same.
    network_notes: from loading the network and running it in batches.
    task_notes: of the task, if it has no `tally`.
    runtime_notes: of the runtime, once the network had run.
    tally: what the task counted (`contracts.TalliesNotes`); None if it counts nothing.
    seconds: that predicting took.
    """

    shard: Shard
    provenance: Provenance = field(default_factory=Provenance)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    network_notes: tuple[Remark, ...] = ()
    task_notes: tuple[Remark, ...] = ()
    runtime_notes: tuple[Remark, ...] = ()
    tally: Any = None
    seconds: float = 0.0


def write_shard(
    path: Path, shard: Shard, predictions: Iterable[Prediction], record: Callable[[], ShardRecord]
) -> ShardRecord:
    """Writes the file of a shard, whole or not at all; returns what it says of itself.

    predictions: of every image of the shard, in order.
    record: called when all predictions have come.

    Raises UsageError naming `path` if it cannot be written, EntryError for a value that cannot be stored.
    """
    made: list[ShardRecord] = []

    def write(stream: BinaryIO) -> None:
        hashed = _Hashed(stream)
        hashed.write(HEAD)
        for frame in _frames(predictions):
            hashed.frame(frame)
        hashed.write(_LENGTH.pack(0))
        made.append(record())
        hashed.frame(packed({**_plain(made[0]), "tally": made[0].tally}))
        stream.write(hashed.digest())

    write_whole(path, write)
    return made[0]


def _plain(record: ShardRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in ShardRecord.__dataclass_fields__ if name != "tally"}
    return msgspec.to_builtins(fields)


def _frames(predictions: Iterable[Prediction]) -> Iterator[bytes]:
    """Predictions packed one by one, and joined until there are enough."""
    parts: list[bytes] = []
    size = 0
    for prediction in predictions:
        parts.append(packed([prediction.sample, prediction.value]))
        size += len(parts[-1])
        if size >= FRAME_BYTES:
            yield msgspec.msgpack.encode(parts)
            parts, size = [], 0
    if parts:
        yield msgspec.msgpack.encode(parts)


class _Hashed:
    """A stream whose bytes are hashed as they are written."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.hash = stream, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.hash.update(data)
        self.stream.write(data)

    def frame(self, data: bytes) -> None:
        squeezed = zlib.compress(data, LEVEL)
        self.write(_LENGTH.pack(len(squeezed)))
        self.write(squeezed)

    def digest(self) -> bytes:
        return self.hash.digest()


# --- reading ---------------------------------------------------------------------------------------------------------


def read_record(path: Path, key: str = "") -> ShardRecord:
    """The record of a shard's file, all of whose bytes were compared with its digest.

    key: that the shard must have; "" for any.

    Raises MissingError if there is no file, InputError if a byte is not as it was written, or the shard is another.
    """
    with _open(path) as stream:
        _check_digest(path, stream)
        for _ in _raw_frames(path, stream):
            pass
        record = _record(path, stream)
    if key and record.shard.key != key:
        raise InputError(f"{path} holds other predictions than its name says: delete it")
    return record


def read_predictions(path: Path) -> Iterator[Prediction]:
    """The predictions of a shard's file, in order. Raises MissingError or InputError."""
    with _open(path) as stream:
        for frame in _raw_frames(path, stream):
            for one in msgspec.msgpack.decode(_squeezed(path, frame)):
                sample, value = _value(path, one)
                yield Prediction(sample, value)


def _open(path: Path) -> Any:
    return reading(path, "the predictions of a shard")


def _check_digest(path: Path, stream: BinaryIO) -> None:
    size = stream.seek(0, 2)
    left = size - _DIGEST_BYTES
    stream.seek(0)
    found = hashlib.sha256()
    while left > 0 and (data := stream.read(min(left, FRAME_BYTES))):
        found.update(data)
        left -= len(data)
    if size <= _DIGEST_BYTES or left or stream.read() != found.digest():
        raise _damaged(path)
    stream.seek(0)


def _raw_frames(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Frames of predictions as they are in the file, up to the empty one."""
    if stream.read(len(HEAD)) != HEAD:
        raise _damaged(path)
    while data := _frame(path, stream):
        yield data


def _frame(path: Path, stream: BinaryIO) -> bytes:
    length = stream.read(_LENGTH.size)
    if len(length) != _LENGTH.size:
        raise _damaged(path)
    (size,) = _LENGTH.unpack(length)
    data = stream.read(size)
    if len(data) != size:
        raise _damaged(path)
    return data


def _record(path: Path, stream: BinaryIO) -> ShardRecord:
    content = _value(path, _squeezed(path, _frame(path, stream)))
    try:
        tally = content.pop("tally")
        return ShardRecord(**msgspec.convert(content, _Fields).known(), tally=tally)
    except (msgspec.MsgspecError, AttributeError, KeyError, TypeError):
        raise _damaged(path) from None


class _Fields(msgspec.Struct):
    """The fields of a record but its tally, which holds arrays."""

    shard: Shard
    provenance: Provenance
    conditions: dict[str, Any]
    network_notes: tuple[Remark, ...]
    task_notes: tuple[Remark, ...]
    runtime_notes: tuple[Remark, ...]
    seconds: float

    def known(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__struct_fields__}


def _squeezed(path: Path, frame: bytes) -> bytes:
    try:
        return zlib.decompress(frame)
    except zlib.error:
        raise _damaged(path) from None


def _value(path: Path, data: bytes) -> Any:
    try:
        return unpacked(data)
    except ValueError:
        raise _damaged(path) from None


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged: it is not the file that was written for its shard")
