"""result.json: a result as JSON and back.

Format 2. What does not exist (no interval, no samples, conditions that do not apply) is not written. The file contains
the SHA-256 of its own content, so that a number changed by hand or by accident is detected, and last the SHA-256 of the
bytes before, which is checked in a tenth of the time; where only the bytes differ (another indentation), the content
counts. `format_1.py` reads format 1, which has neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.core.digests import digest
from hrbench.errors import InputError
from hrbench.store import format_1
from hrbench.store.former_criteria import with_former_criteria
from hrbench.store.former_words import with_present_words
from hrbench.types import (
    Conditions,
    Drawing,
    Measurement,
    MetricRecord,
    Provenance,
    Quantity,
    Reason,
    Result,
    RuntimeSettings,
    WeightsRecord,
)

FORMAT = 2
"""Version of result.json; raised if an older hrbench could misread a newer file."""

_SPARSE = (Conditions, Drawing, Measurement, MetricRecord, Provenance, Quantity, Reason, RuntimeSettings, WeightsRecord)
"""Classes whose defaults mean that something does not exist; of all other classes every field is written."""


_END = b"\n}"
_LAST = b',\n "bytes": "'
_TAIL = len(_LAST) + 64 + len(b'"\n}\n')


class _StoredResult(msgspec.Struct):
    result: Result
    format: int


class _Version(msgspec.Struct):
    format: int


class ChangedResultError(InputError):
    """A result.json that is whole but not as hrbench wrote it.

    result: the entry it is of, failed for this reason, without anything that was changed or may have been.
    """

    def __init__(self, path: Path, changed: Result) -> None:
        reason = Reason(f"{path} was changed after it was written", "delete its folder and run again")
        super().__init__(f"{reason.what}: {reason.remedy}")
        entry = changed.entry
        self.result = Result(changed.name, entry, "failed", (reason,), limited=changed.limited, folder=str(path.parent))


def to_json(result: Result) -> bytes:
    """The result as indented JSON; `from_json` gives back an equal one, folder aside."""
    plain = msgspec.json.decode(msgspec.json.encode(_plain(replace(result, folder=""))))  # as a reader will decode it
    plain["reason"] = result.reason  # in a line, for people and their scripts; `reasons` is what is read back
    content = {"result": plain, "format": FORMAT, "digest": digest(plain)}
    body = msgspec.json.format(msgspec.json.encode(content), indent=1)[: -len(_END)]
    return body + _LAST + hashlib.sha256(body).hexdigest().encode() + b'"' + _END + b"\n"


def from_json(data: bytes, path: Path) -> Result:
    """The result in a file's content, of this format or an older one.

    Raises InputError naming `path` if it is damaged or of a newer format, ChangedResultError if it was changed after it
    was written.
    """
    try:
        data.decode()  # msgspec skips unknown fields without checking that they are UTF-8
        version = msgspec.json.decode(data, type=_Version).format
        if version > FORMAT:
            raise InputError(f"{path} has format {version}, this hrbench reads {FORMAT}: use a newer hrbench")
        if version == 1:
            result = format_1.result_of(msgspec.json.decode(data))
        else:
            result = msgspec.json.decode(data, type=_StoredResult).result
            if not has_its_bytes(data) and not _is_as_written(msgspec.json.decode(data)):
                raise ChangedResultError(path, result)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError) as error:  # ValueError: not UTF-8
        raise InputError(f"{path} is not a result of hrbench ({error}): delete its folder and run again") from None
    return with_present_words(with_former_criteria(replace(result, folder=str(path.parent))))


def checked(data: bytes, path: Path) -> bytes:
    """A file's content in this format, held to the digests in it: what `from_json` reads, and faster.

    Raises as `from_json`.
    """
    return data if has_its_bytes(data) else to_json(from_json(data, path))


def has_its_bytes(data: bytes) -> bool:
    """Whether the file is, to the byte, as it was written in this format."""
    body, last, end = data[:-_TAIL], data[-_TAIL : -_TAIL + len(_LAST)], data[-_TAIL + len(_LAST) :]
    return (
        last == _LAST
        and _is_of_this_format(body)
        and end == hashlib.sha256(body).hexdigest().encode() + b'"' + _END + b"\n"
    )


def _is_of_this_format(body: bytes) -> bool:
    return f'\n "format": {FORMAT},\n "digest": "'.encode() in body[-110:]


def _is_as_written(plain: Mapping[str, Any]) -> bool:
    """Whether a file's content has the digest that stands in it.

    msgspec writes the same canonical JSON several times as fast, except for numbers with an exponent; where its digest
    is another, that of Python's JSON decides.
    """
    fast = msgspec.json.encode(plain["result"], order="sorted")
    stored = plain.get("digest")
    return hashlib.sha256(fast).hexdigest() == stored or digest(plain["result"]) == stored


def _plain(value: Any) -> Any:
    """A value as JSON values: dataclasses as dictionaries, numbers of NumPy as Python's."""
    if is_dataclass(value) and not isinstance(value, type):
        sparse = isinstance(value, _SPARSE)
        items = {
            one.name: getattr(value, one.name) for one in fields(value) if not (sparse and _is_default(value, one))
        }
        return {name: _plain(item) for name, item in items.items()}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a result holds {type(value).__name__}, which JSON cannot carry")


def _is_default(value: Any, one: Field[Any]) -> bool:
    default = one.default if one.default_factory is MISSING else one.default_factory()
    held = getattr(value, one.name)
    return default is not MISSING and type(held) is type(default) and held == default
