"""The files of external data that an ONNX file names, read from its protocol buffer message without the onnx package.

Only fields that may hold a tensor are read: graphs, the bodies of nodes (If, Loop, Scan), functions, sparse tensors.
Field numbers are those of onnx.proto. Everything else is skipped by its length, even gigabytes of raw data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hrbench.core.files import reading
from hrbench.errors import InputError

TENSOR = "tensor"
_EXTERNAL = 1  # TensorProto.DataLocation
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}  # wire type -> bytes
_MAX_DEPTH = 100  # nested messages; the protocol buffer libraries have the same limit

# Type of message -> field number -> type of the messages in it.
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: TENSOR, 6: "graph", 10: TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: TENSOR, 2: TENSOR},
}


def external_files(path: Path) -> list[Path]:
    """The files that hold tensors of the ONNX file at `path`, sorted, whether or not they are there.

    Raises MissingError if there is no such file; InputError if it is not a complete ONNX file, or if a tensor is
    stored outside the file's folder, which onnxruntime refuses as well.
    """
    path = Path(path)
    with reading(path, "an ONNX file") as stream:
        end = os.fstat(stream.fileno()).st_size
        try:
            names = set(_locations(stream, end, "model", _MAX_DEPTH))
        except _MalformedError as error:
            raise InputError(f"{path}: not a whole ONNX file: {error} at byte {stream.tell():,}") from None
    for name in sorted(names):
        if not name or name.startswith(os.sep) or Path(os.path.normpath(name)).parts[:1] == (os.pardir,):
            raise InputError(
                f"{path}: the data of a tensor lie at {name!r}; they must lie in the folder of the file or below it: "
                "save the network again with its data beside it"
            )
    return [path.parent / name for name in sorted(names)]


class _MalformedError(Exception):
    """What is wrong with a message, in words."""


def _locations(stream: BinaryIO, end: int, message: str, depth: int) -> Iterator[str]:
    """Locations of external data in a message of type `message`, from the stream's position to `end` (bytes)."""
    if not depth:
        raise _MalformedError(f"messages are nested more than {_MAX_DEPTH} deep")
    inner = _FIELDS[message]
    while (field := _field(stream, end)) is not None:
        content = inner.get(field.number) if field.wire == _BYTES else None
        if content == TENSOR:
            yield from _location(stream, field.end)
        elif content is not None:
            yield from _locations(stream, field.end, content, depth - 1)
        stream.seek(field.end)


def _location(stream: BinaryIO, end: int) -> Iterator[str]:
    """The file that holds the tensor from the stream's position to `end`; nothing if that is the ONNX file itself."""
    external, location = False, None
    while (field := _field(stream, end)) is not None:
        if field.number == 14 and field.wire == _VARINT:
            external = field.value == _EXTERNAL
        elif field.number == 13 and field.wire == _BYTES:
            key, value = _entry(stream, field.end)
            if key == b"location":
                location = value  # of several entries with one key the last counts, as in onnx and onnxruntime
        stream.seek(field.end)
    if external and location is not None:
        yield os.fsdecode(location)


def _entry(stream: BinaryIO, end: int) -> tuple[bytes, bytes]:
    """Key and value of a StringStringEntryProto."""
    found = {1: b"", 2: b""}
    while (field := _field(stream, end)) is not None:
        if field.wire == _BYTES and field.number in found:
            found[field.number] = stream.read(field.end - stream.tell())
        stream.seek(field.end)
    return found[1], found[2]


class _Field(NamedTuple):
    """number, wire type, the value of a varint (0 of other types), and the position after the field."""

    number: int
    wire: int
    value: int
    end: int


def _field(stream: BinaryIO, end: int) -> _Field | None:
    """The next field of a message that ends at `end`, or None; the stream is then at the content of the field."""
    if stream.tell() == end:
        return None
    tag = _varint(stream, end)
    number, wire = tag >> 3, tag & 7
    if not number:
        raise _MalformedError("a field has number 0")
    if wire == _VARINT:
        return _Field(number, wire, _varint(stream, end), stream.tell())
    if wire not in (_BYTES, *_FIXED):
        raise _MalformedError(f"a field has wire type {wire}")
    length = _varint(stream, end) if wire == _BYTES else _FIXED[wire]
    if stream.tell() + length > end:
        raise _MalformedError("a field reaches beyond its message")
    return _Field(number, wire, 0, stream.tell() + length)


def _varint(stream: BinaryIO, end: int) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1) if stream.tell() < end else b""
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _MalformedError("a number does not end")
