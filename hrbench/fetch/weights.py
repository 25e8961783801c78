"""Finds, downloads and checks the weights of a catalog row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hrbench.core.digests import sha256
from hrbench.core.units import with_unit
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.fetch.download import fetch
from hrbench.models.weights.sources import Source, WeightsFile, find_weights, stated_source
from hrbench.types import Variant


@dataclass(frozen=True, slots=True)
class WeightsDownload:
    """A file of weights of a network.

    name: of the network.
    target: path for the download.
    here: path of the file if it exists already, else None.
    """

    name: str
    source: Source
    target: Path
    here: Path | None


def choose(row: Variant, source: str, folder: Path, again: bool = False) -> WeightsDownload:
    """The weights file of a catalog row.

    source: one of the row's; "" for the one on this disk, else the first that can be downloaded.
    folder: of weights.
    again: whether to ignore files on this disk.

    Raises UsageError for a source that the row does not have, MissingError if the user has to get the file
    (the message says how).
    """
    if row.absent:
        raise MissingError(f"{row.name} has no weights, since it cannot be built: {row.absent}")
    if not row.weights:
        raise MissingError(f"no weights of {row.name} have been published that hrbench knows of")
    if source and source not in row.weights:
        raise UsageError(f"{row.name} has no weights from {source!r}; its sources: {', '.join(row.weights)}")
    found = None if again else find_weights(row, source or None, folder)
    if isinstance(found, WeightsFile):
        stated = stated_source(row, found.source)
        return WeightsDownload(row.name, stated, stated.target(folder), found.path)
    sources = [stated_source(row, name) for name in ([source] if source else row.weights)]
    for one in sources:
        if one.address:
            return WeightsDownload(row.name, one, one.target(folder), None)
    ways = "; ".join(f"{one.file} from {one.home} ({one.name})" for one in sources)
    raise MissingError(f"the weights of {row.name} have no address to download: get {ways}, and put it into {folder}")


def check(file: WeightsDownload) -> str:
    """Whether the digest of a file on this disk is known, in a few words. Raises InputError if it is wrong."""
    assert file.here is not None
    if file.here.name != file.target.name:
        return "converted from what was published"
    if not file.source.sha256:
        return "no digest of it is published"
    found = sha256(file.here)
    if not found.startswith(file.source.sha256):
        raise InputError(
            f"{file.here} exists, but its SHA-256 is {found}, not {shortened(file.source.sha256)}; "
            "--force downloads it again"
        )
    return "its digest is right"


def obtain(file: WeightsDownload, progress: Callable[[int, int], object], note: Callable[[str], object]) -> str:
    """Downloads a file. Returns its path, size and digest in one line. Raises what `fetch` raises."""
    done = fetch(file.source.address, file.target, sha256=file.source.sha256, progress=progress, note=note)
    proof = {
        "given": "as published",
        "server": f"as sent by {file.source.name}",
        "": "no digest is known to compare it with",
    }
    size = with_unit(done.path.stat().st_size, "bytes")
    return f"{done.path}, {size}, SHA-256 {done.sha256} ({proof[done.proof]})"


def shortened(sha256: str) -> str:
    """A digest, with "..." if only its beginning is known."""
    return sha256 if len(sha256) == 64 else f"{sha256}..."
