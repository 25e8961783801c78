"""SHA-256 of files and of plain values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hrbench.errors import InputError, MissingError


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits; read in blocks. Raises MissingError, InputError."""
    return _digest(path, "sha256")


def md5(path: Path) -> str:
    """MD5 of a file's bytes, 32 hexadecimal digits, as publishers of older data sets give it.

    It protects against damaged files, not against an attack. Raises MissingError, InputError.
    """
    return _digest(path, "md5")


def _digest(path: Path, algorithm: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        raise MissingError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have, with a null character in it
        raise InputError(f"{str(path)!r}: cannot be read: {getattr(error, 'strerror', '') or error}") from None


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples become lists, so a value read back from JSON has the same digest.

    >>> canonical({"b": (1, 2), "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a plain value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
