"""Archives of label maps for evaluation servers; the same members give the same bytes."""

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
"""The first date a zip archive can hold, used for every member, so that an archive depends only on its content."""


def stored_kind(folder: Path, default: str) -> str:
    """What the numbers of predicted label maps are, "ids" or "indices"; `default` if the folder does not say."""
    try:
        word = (folder / KIND_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return default
    if word not in ("ids", "indices", "trainIds"):
        raise InputError(
            f"{folder / KIND_FILE}: holds {word[:40]!r}; it should hold ids or indices (trainIds of Cityscapes)"
        )
    return "ids" if word == "ids" else "indices"


def recode(path: Path, labels: Sequence[int], colours: Sequence[Sequence[int]] = (), coded: bool = False) -> bytes:
    """A PNG of labels, made from a PNG of class indices.

    path: the PNG to read.
    labels: label of each class.
    colours: colour of each class, for a palette; () for grey values.
    coded: whether the PNG holds labels already; its values are then kept.

    Raises InputError for an index that is no class.
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
    """Writes members (name, content) to a .zip or .tgz, completely or not at all. Returns the path.

    A zip is not compressed: its members are PNGs, which are compressed already.
    """

    def zipped(stream: BinaryIO) -> None:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name, EARLIEST_DATE), content)

    def tarred(stream: BinaryIO) -> None:
        # by default gzip stores the time and the name of the file in its header
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
