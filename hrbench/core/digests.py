"""SHA-256 of files and of plain values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def file_digest(path: Path, kind: str = "sha256") -> str:
    """Digest of a file in hexadecimal digits. kind: "sha256" or "md5" (against mishap; it proves nothing of intent)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples are lists, so a value read back from JSON hashes alike.

    >>> canonical({"b": (1, 2), "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a plain value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
