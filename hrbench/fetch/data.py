"""Downloads, checks and unpacks the data of a catalog row, as far as they are free to download.

An archive is downloaded into `.fetch` below the data set's folder, unpacked and deleted. An archive that the user has
put beside the data is used instead if its digest is right, and is kept. `.fetched.json` in the folder records the
addresses whose content is complete, so that the same command resumes; several rows may share it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hrbench.core.digests import md5, sha256
from hrbench.core.files import write_whole
from hrbench.core.plugins import resolve
from hrbench.core.units import amount, with_unit
from hrbench.errors import EntryError, InputError
from hrbench.fetch.download import fetch
from hrbench.fetch.unpack import is_archive, unpack
from hrbench.types import DatasetRow

RECORD = ".fetched.json"
DOWNLOADS = ".fetch"

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, slots=True)
class Download:
    """One file of a data set.

    goal: path of a plain file, or for an archive the folder that its members go to.
    folder: of the data set.
    inner: the folder of the archive whose members are unpacked, "." for all, "" for a plain file.
    sha256, md5: published digest, "" for unknown.
    size: bytes, 0 for unknown.
    """

    address: str
    goal: Path
    folder: Path
    inner: str = ""
    sha256: str = ""
    md5: str = ""
    size: int = 0

    @property
    def file(self) -> str:
        """The name of the file at the address."""
        return unquote(urlsplit(self.address).path).rpartition("/")[2]


def downloads(row: DatasetRow, data: Path) -> list[Download]:
    """The files of a data set that are free to download. Raises InputError for a malformed row."""
    folder = folder_of(row, data)
    return [_parse(row.name, one, folder) for one in row.downloads]


def folder_of(row: DatasetRow, data: Path) -> Path:
    """The folder of a data set, according to its reader."""
    return resolve("hrbench.datasets", row.use)(data, **row.args).folder


def _parse(name: str, fields: Mapping[str, Any], folder: Path) -> Download:
    unknown = set(fields) - {"address", "unpack", "into", "digest", "bytes"}
    algorithm, _, digits = str(fields.get("digest", "")).partition(":")
    inner = str(fields.get("unpack", ""))
    length = {"": 0, "sha256": 64, "md5": 32}.get(algorithm)
    if unknown or not fields.get("address") or not fields.get("into") or length != len(digits):
        raise InputError(
            f"data set {name}: a download needs address and into, digest as sha256:... or md5:...: {fields}"
        )
    parsed = Download(
        str(fields["address"]), folder / str(fields["into"]), folder, inner, size=int(fields.get("bytes", 0)),
        **({algorithm: digits} if algorithm else {}),
    )  # fmt: skip
    if bool(inner) != is_archive(parsed.file):
        raise InputError(f"data set {name}: {parsed.file} {'cannot be unpacked' if inner else 'needs unpack'}")
    return parsed


def closed(row: DatasetRow, data: Path) -> str:
    """One line on how to get data that are not free to download."""
    return f"{row.name} is not free to download: get {row.home}; put it into {folder_of(row, data)}"


def fetched(folder: Path) -> dict[str, str]:
    """Address -> SHA-256 of the files that were downloaded into a folder."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def obtain(download: Download, progress: Progress, note: Callable[[str], object], keep: bool = False) -> str:
    """Downloads a file, and unpacks it if it is an archive. Returns what was downloaded, in one line.

    progress: called with (phase: "download" or "unpack", bytes done, bytes in all).
    note: called with sentences for the user.
    keep: whether to keep the archive beside the data.

    Raises what `fetch` and `unpack` raise.
    """
    _clear_way(download)
    here = download.folder / download.file
    if not download.inner:
        digits, proof = _fetched(download, download.goal, progress, note)
        _note(download, digits)
        return f"{download.goal}, {with_unit(download.goal.stat().st_size, 'bytes')}, SHA-256 {digits} ({proof})"
    existing = here.is_file()  # the user's, or one that was kept
    archive = here if existing else download.folder / DOWNLOADS / download.file
    try:
        digits, proof = _checked(download, here) if existing else _fetched(download, archive, progress, note)
        count = unpack(
            archive, download.goal, inner=download.inner, progress=lambda done, all: progress("unpack", done, all)
        )
        _note(download, digits)
        size = with_unit(archive.stat().st_size, "bytes")
        if not existing and keep:
            archive.replace(here)
        elif not existing:
            archive.unlink()
    except InputError:  # damaged, or with a forbidden member: the same file would fail again
        if not existing:
            archive.unlink(missing_ok=True)
        raise
    finally:
        _remove_empty(download.folder / DOWNLOADS)
    return f"{download.goal}, {amount(count, 'file')} of {download.file} ({size}, SHA-256 {digits}, {proof})"


def _clear_way(download: Download) -> None:
    if download.goal.is_file() and download.inner:
        raise EntryError(f"{download.goal} is in the way: a folder is needed there")
    if not download.file:
        raise InputError(f"{download.address} names no file")


def _fetched(download: Download, target: Path, progress: Progress, note: Callable[[str], object]) -> tuple[str, str]:
    """Downloads a file. Returns its SHA-256, and in words whether that is the published one.

    A complete archive of an earlier call is not downloaded again.
    """
    if download.inner and target.is_file() and (download.sha256 or download.md5):
        return _checked(download, target)
    done = fetch(
        download.address, target, sha256=download.sha256, md5=download.md5, note=note,
        progress=lambda bytes_, total: progress("download", bytes_, total or download.size),
    )  # fmt: skip
    return done.sha256, "as published" if done.proof else "no digest is known to compare it with"


def _checked(download: Download, path: Path) -> tuple[str, str]:
    """Digest of an existing archive. Raises InputError if another digest is published."""
    for digest_of, digits in ((sha256, download.sha256), (md5, download.md5)):
        if digits and (found := digest_of(path)) != digits:
            raise InputError(
                f"{path} exists, but its {digest_of.__name__} is {found}, not {digits}: delete it, then run this again"
            )
    known = bool(download.sha256 or download.md5)
    return sha256(path), "as published" if known else "no digest is known to compare it with"


def _note(download: Download, digits: str) -> None:
    path = download.folder / RECORD
    text = json.dumps({**fetched(download.folder), download.address: digits}, indent=1) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
