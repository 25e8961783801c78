"""From a row of the catalog to its weights on this disk: which source, what it is called, whether it is right."""

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
class Wanted:
    """A file of weights that a network needs. here: where it lies already, None where it is still to be fetched."""

    name: str
    source: Source
    target: Path
    here: Path | None


def choose(row: Variant, source: str, folder: Path, again: bool = False) -> Wanted:
    """The weights file of a catalog row. source: one of the row's, or "" for the one that is here, else the first that
    can be downloaded. again: what is here does not count.

    Raises UsageError for a source that the row has not, MissingError where a person has to get the file: it says how.
    """
    if row.absent:
        raise MissingError(f"{row.name} has no weights, since it cannot be built: {row.absent}")
    if not row.weights:
        raise MissingError(f"no weights of {row.name} have been published that hrbench knows of")
    if source and source not in row.weights:
        raise UsageError(f"{row.name} has no weights from {source!r}; its sources: {', '.join(row.weights)}")
    found = None if again else find_weights(row, source or None, folder)
    if isinstance(found, WeightsFile):
        told = stated_source(row, found.source)
        return Wanted(row.name, told, told.target(folder), found.path)
    told = [stated_source(row, name) for name in ([source] if source else row.weights)]
    for one in told:
        if one.address:
            return Wanted(row.name, one, one.target(folder), None)
    ways = "; ".join(f"{one.file} from {one.home} ({one.name})" for one in told)
    raise MissingError(f"the weights of {row.name} have no address to download: get {ways}, and put it into {folder}")


def check(want: Wanted) -> str:
    """What is known of a file that is here, in a few words. Raises InputError where its digest is another."""
    assert want.here is not None
    if want.here.name != want.target.name:
        return "converted from what was published"
    if not want.source.sha256:
        return "no digest of it is published"
    found = sha256(want.here)
    if not found.startswith(want.source.sha256):
        raise InputError(
            f"{want.here} is there, but its SHA-256 is {found}, not {shortened(want.source.sha256)}; "
            "--force fetches it again"
        )
    return "its digest is right"


def obtain(want: Wanted, progress: Callable[[int, int], object], note: Callable[[str], object]) -> str:
    """Downloads a file and says what came, in one line. Raises what `fetch` raises."""
    done = fetch(want.source.address, want.target, sha256=want.source.sha256, progress=progress, note=note)
    proof = {
        "given": "as published",
        "server": f"as {want.source.name} says",
        "": "nothing is known to compare it with",
    }
    size = with_unit(done.path.stat().st_size, "bytes")
    return f"{done.path}, {size}, SHA-256 {done.sha256} ({proof[done.proof]})"


def shortened(sha256: str) -> str:
    """A digest as far as it is known."""
    return sha256 if len(sha256) == 64 else f"{sha256}..."
