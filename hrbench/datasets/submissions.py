"""Archives as evaluation servers take them, the same bytes for the same members."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first date a zip archive can hold; told of every member, so that an archive depends on its content alone."""


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """Writes members (name, content) to a .zip or .tgz beside `path`, then renames it. Returns the path.

    Nothing is compressed in a zip, since the members are PNGs, which are compressed already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
                for name, content in members:
                    archive.writestr(zipfile.ZipInfo(name, EARLIEST), content)
        else:
            with tarfile.open(beside, "w:gz") as archive:
                for name, content in members:
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
