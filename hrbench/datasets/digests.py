"""One digest for what a result rests on: annotation files by content, images by name and size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path


def digest_of(files: Sequence[Path], images: Mapping[str, int | None]) -> str:
    """SHA-256 (hex) over the bytes of `files` in order and over the sorted (name, bytes) list of `images`.

    Paths do not enter, so the same data in another folder has the same digest.
    """
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    for name in sorted(images):
        whole.update(f"{name}\0{images[name]}\n".encode())
    return whole.hexdigest()
