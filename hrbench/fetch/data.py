"""From a row of the catalog to its data on this disk: what is free to download comes, checked, and is unpacked.

An archive is downloaded into `.fetch` below the data set's folder, unpacked and deleted. One that a person has put
beside the data already is taken in its place, if its digest is right, and stays. `.fetched.json` in the folder notes
the addresses whose content is there, so that the same command goes on where it stopped; several rows may share it.
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

NOTED = ".fetched.json"
HELD = ".fetch"

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, slots=True)
class Download:
    """One file of a data set. goal: where its content goes: a file, or for an archive the folder of its members.

    inner: the folder of the archive whose members come, "." for all, "" for a plain file. sha256, md5: what is
    published of its digest. size: bytes, 0 for unknown. folder: the data set's.
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
    """What is free to download of a data set. Raises InputError for a row that says it wrongly."""
    folder = folder_of(row, data)
    return [_download(row.name, one, folder) for one in row.downloads]


def folder_of(row: DatasetRow, data: Path) -> Path:
    """The folder of a data set, which its reader decides."""
    return resolve("hrbench.datasets", row.use)(data, **row.args).folder


def _download(name: str, given: Mapping[str, Any], folder: Path) -> Download:
    unknown = set(given) - {"address", "unpack", "into", "digest", "bytes"}
    kind, _, digits = str(given.get("digest", "")).partition(":")
    inner = str(given.get("unpack", ""))
    length = {"": 0, "sha256": 64, "md5": 32}.get(kind)
    if unknown or not given.get("address") or not given.get("into") or length != len(digits):
        raise InputError(
            f"data set {name}: a download needs address and into, digest as sha256:... or md5:...: {given}"
        )
    made = Download(
        str(given["address"]), folder / str(given["into"]), folder, inner, size=int(given.get("bytes", 0)),
        **({kind: digits} if kind else {}),
    )  # fmt: skip
    if bool(inner) != is_archive(made.file):
        raise InputError(f"data set {name}: {made.file} {'cannot be unpacked' if inner else 'needs unpack'}")
    return made


def closed(row: DatasetRow, data: Path) -> str:
    """One line on how a person gets data that nobody may simply download."""
    return f"{row.name} is not free to download: get {row.home}; it belongs into {folder_of(row, data)}"


def noted(folder: Path) -> dict[str, str]:
    """Addresses whose content has come into a folder -> the SHA-256 of what came."""
    try:
        found = json.loads((folder / NOTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def obtain(want: Download, progress: Progress, note: Callable[[str], object], keep: bool = False) -> str:
    """Downloads a file, unpacks it where it is an archive, and says in one line what came.

    progress: told the phase ("download", "unpack"), bytes done and bytes in all. keep: the archive stays beside the
    data. Raises what `fetch` and `unpack` raise.
    """
    _clear_way(want)
    here = want.folder / want.file
    if not want.inner:
        digits, proof = _fetched(want, want.goal, progress, note)
        _note(want, digits)
        return f"{want.goal}, {with_unit(want.goal.stat().st_size, 'bytes')}, SHA-256 {digits} ({proof})"
    own = here.is_file()  # a person's, or one that was kept
    archive = here if own else want.folder / HELD / want.file
    try:
        digits, proof = _checked(want, here) if own else _fetched(want, archive, progress, note)
        count = unpack(archive, want.goal, inner=want.inner, progress=lambda done, all: progress("unpack", done, all))
        _note(want, digits)
        size = with_unit(archive.stat().st_size, "bytes")
        if not own and keep:
            archive.replace(here)
        elif not own:
            archive.unlink()
    except InputError:  # damaged, or it may not be unpacked: the same file would come to the same end
        if not own:
            archive.unlink(missing_ok=True)
        raise
    finally:
        _remove_empty(want.folder / HELD)
    return f"{want.goal}, {amount(count, 'file')} of {want.file} ({size}, SHA-256 {digits}, {proof})"


def _clear_way(want: Download) -> None:
    if want.goal.is_file() and want.inner:
        raise EntryError(f"{want.goal} is in the way: a folder is to be there")
    if not want.file:
        raise InputError(f"{want.address} names no file")


def _fetched(want: Download, target: Path, progress: Progress, note: Callable[[str], object]) -> tuple[str, str]:
    """SHA-256 of what came, and how much is known of it, in words. An archive that had come whole is not asked for."""
    if want.inner and target.is_file() and (want.sha256 or want.md5):
        return _checked(want, target)
    done = fetch(
        want.address, target, sha256=want.sha256, md5=want.md5, note=note,
        progress=lambda bytes_, total: progress("download", bytes_, total or want.size),
    )  # fmt: skip
    return done.sha256, "as published" if done.proof else "nothing is known to compare it with"


def _checked(want: Download, path: Path) -> tuple[str, str]:
    """Digest of an archive that is here. Raises InputError where another is published."""
    for digest_of, digits in ((sha256, want.sha256), (md5, want.md5)):
        if digits and (found := digest_of(path)) != digits:
            raise InputError(
                f"{path} is there, but its {digest_of.__name__} is {found}, not {digits}: "
                "delete it, then run this again"
            )
    known = bool(want.sha256 or want.md5)
    return sha256(path), "as published" if known else "nothing is known to compare it with"


def _note(want: Download, digits: str) -> None:
    path = want.folder / NOTED
    text = json.dumps({**noted(want.folder), want.address: digits}, indent=1) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
