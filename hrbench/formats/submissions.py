"""Archives of label maps as evaluation servers take them: the same bytes for the same members."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from hrbench.core.files import write_whole
from hrbench.errors import InputError
from hrbench.formats.labels import read_labels

KIND_FILE = "labels.txt"
"""A file in a folder of predicted label maps that says what their numbers are: "ids" or "indices"."""

EARLIEST_DATE = (1980, 1, 1, 0, 0, 0)
"""The first date a zip archive can hold; told of every member, so that an archive depends on its content alone."""


def stored_kind(place: Path, usual: str) -> str:
    """What the numbers of predicted label maps are, "ids" or "indices"; `usual` if the folder does not say."""
    try:
        word = (place / KIND_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return usual
    if word not in ("ids", "indices", "trainIds"):
        raise InputError(
            f"{place / KIND_FILE}: holds {word[:40]!r}; it should hold ids or indices (trainIds of Cityscapes)"
        )
    return "ids" if word == "ids" else "indices"


def recode(path: Path, labels: Sequence[int], colours: Sequence[Sequence[int]] = (), coded: bool = False) -> bytes:
    """A PNG of class indices as one of labels; of labels, where `coded`, with its values as they are.

    labels: of each class. colours: of each class, for a palette; () for grey values. Raises InputError for an index
    that is no class.
    """
    values = read_labels(path, "a predicted label map")
    if not coded:
        if values.max(initial=0) >= len(labels):
            raise InputError(f"{path} holds class index {values.max()}; there are {len(labels)} classes")
        values = np.array(labels)[values]
    small = max(labels) < 256
    picture = Image.fromarray(values.astype(np.uint8 if small else np.uint16))
    if colours and small:
        palette = np.zeros((256, 3), np.uint8)
        palette[list(labels)] = colours
        picture = picture.copy()
        picture.putpalette(palette.tobytes())
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """Writes members (name, content) to a .zip or .tgz, whole or not at all. Returns the path.

    Nothing is compressed in a zip, since the members are PNGs, which are compressed already.
    """

    def zipped(stream: BinaryIO) -> None:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name, EARLIEST_DATE), content)

    def tarred(stream: BinaryIO) -> None:
        # gzip would note the time and the name of the file in its head
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    write_whole(path, zipped if path.suffix == ".zip" else tarred)
    return path
