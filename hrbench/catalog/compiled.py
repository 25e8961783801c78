"""The rows of the catalog as JSON, beside the YAML files that they are read from.

    rows.json      {"digest": of the YAML files and of the fields of a row, "models": {...}, "datasets": {...}}

It ships with the package. Where a YAML file was changed since, the digest tells, and the rows are read from the files;
they are then written anew, so that the next start is fast again, or kept in memory if the folder cannot be written. A
file of another digest, or a damaged one, is never used.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec

from hrbench.core.files import write_whole
from hrbench.errors import HrbenchError
from hrbench.types import DatasetRow, Variant

FILE = "rows.json"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Rows by name, in their order."""

    models: dict[str, Variant] = field(default_factory=dict)
    datasets: dict[str, DatasetRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What the file holds. digest: of the sources, as `digest` has it."""

    digest: str
    models: dict[str, Variant]
    datasets: dict[str, DatasetRow]


def load(folder: Path, read: Callable[[], Catalog]) -> Catalog:
    """The catalog of a folder: compiled if that is of these sources, else as `read` reads it, and compiled anew."""
    expected = digest(folder)
    found = _compiled(folder / FILE)
    if found is not None and found.digest == expected:
        return Catalog(found.models, found.datasets)
    catalog = read()
    with contextlib.suppress(HrbenchError):  # a folder that cannot be written: the rows are there all the same
        write(catalog, folder, expected)
    return catalog


def digest(folder: Path) -> str:
    """SHA-256 of the names and contents of the YAML files of a folder, and of the fields that rows have."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.yaml")):
        content = path.read_bytes()
        whole.update(f"{path.name}\0{len(content)}\0".encode() + content)
    for kind in (Variant, DatasetRow):
        whole.update("".join(f"{one.name}\0{one.type}\0" for one in fields(kind)).encode())
    return whole.hexdigest()


def write(catalog: Catalog, folder: Path, of: str) -> None:
    """Writes the compiled file, whole or not at all, a line a row. Raises UsageError if the folder cannot be written.

    of: digest of the sources.
    """
    text = "\n".join(
        [
            f'{{"digest": "{of}", "models": {{',
            ",\n".join(map(_line, catalog.models.values())),
            '}, "datasets": {',
            ",\n".join(map(_line, catalog.datasets.values())),
            "}}",
            "",
        ]
    )
    write_whole(folder / FILE, lambda stream: stream.write(text.encode()))


def _line(row: Variant | DatasetRow) -> str:
    """A row as its name and the fields that have no default value."""
    stated = {one.name: value for one in fields(row) if (value := getattr(row, one.name)) != _default(one)}
    return f"{msgspec.json.encode(row.name).decode()}: {msgspec.json.encode(stated).decode()}"


def _default(one: Any) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _compiled(path: Path) -> _Compiled | None:
    """What a file holds; None if there is none, or if it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Compiled)
    except (OSError, msgspec.DecodeError):
        return None
