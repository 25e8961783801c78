"""result.json: a result as JSON and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.errors import InputError
from hrbench.types import Result

FORMAT = 1
"""Version of result.json, raised whenever an older hrbench could misread a newer file."""


class _Stored(msgspec.Struct):
    result: Result
    format: int = FORMAT


def _enc_hook(value: Any) -> Any:
    """Numbers of NumPy as Python's; JSON knows no other."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a result holds {type(value).__name__}, which JSON cannot carry")


def to_json(result: Result) -> bytes:
    """The result as indented JSON; `from_json` gives back an equal one, folder aside."""
    encoded = msgspec.json.encode(_Stored(replace(result, folder="")), enc_hook=_enc_hook)
    return msgspec.json.format(encoded, indent=1) + b"\n"


def from_json(data: bytes, path: Path) -> Result:
    """The result in a file's content. Raises InputError naming `path` where it is damaged or of another version."""
    try:
        data.decode()  # of fields that it does not know msgspec passes over bytes that are no text
        version = msgspec.json.decode(data, type=_Version).format
        if version > FORMAT:
            raise InputError(f"{path} has format {version}, this hrbench reads {FORMAT}: use a newer hrbench")
        return replace(msgspec.json.decode(data, type=_Stored).result, folder=str(path.parent))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # ValueError: not UTF-8
        raise InputError(f"{path} is not a result of hrbench ({error}): delete its folder and run again") from None


class _Version(msgspec.Struct):
    format: int
