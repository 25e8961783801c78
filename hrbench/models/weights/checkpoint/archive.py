"""The files that `torch.save` writes: a zip archive, or one pickle after another before PyTorch 1.6 ("legacy").

    with opened(path) as file:
        file.content                # the pickled object, in the values of `values.py`
        file.numbers(storage)       # the bytes of a storage, mapped from the disk

Only what is asked for is read: numbers stay on the disk until then, those of an optimiser for ever. Every size in the
file is compared with the file's own before anything is allocated.
"""

from __future__ import annotations

import mmap
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hrbench.models.weights.checkpoint import rebuild
from hrbench.models.weights.checkpoint.pickle_steps import interpret
from hrbench.models.weights.checkpoint.values import ITEM_SIZES, BadPickle, Storage

MAGIC = 0x1950A86A20F9469CFC6C  # of legacy files; `torch/serialization.py`
PROTOCOL = 1001
LARGEST_PICKLE = 2**28
"""Bytes. A state dict's own pickle is far below: its numbers lie elsewhere."""
INFLATED = 16
"""How many times the file's size compressed records may take. torch writes none; re-zipped files have some."""
SPARE = 2**24
TORCHSCRIPT = ("constants.pkl", "code/")


class NotACheckpoint(ValueError):
    """A file that no `torch.save` wrote, or one that is damaged. The text says in what way."""


class TorchScript(NotACheckpoint):
    """An archive of `torch.jit.save`."""


class OldTar(NotACheckpoint):
    """A file of PyTorch before 0.1.10, in the tar format, which torch itself reads only by running its pickles."""


@dataclass(slots=True)
class CheckpointFile:
    """An opened checkpoint.

    path: of the file.
    content: the pickled object.
    data: the whole file, mapped; changes of it reach neither the disk nor other processes.
    places: key of a storage -> (first byte, bytes) of those that lie in the file as they are.
    records: the same for those in a zip archive -> their entries.
    swapped: whether numbers have the other byte order than this machine's.
    unchecked: whether the file has no checksums.
    """

    path: Path
    content: Any
    data: mmap.mmap
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    records: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    swapped: bool = False
    unchecked: bool = True
    read: dict[str, bytes] = field(default_factory=dict)

    def numbers(self, storage: Storage) -> tuple[Any, int, int]:
        """What holds the bytes of a storage, where they begin there, and how many they are.

        Raises NotACheckpoint if they are not all in the file, or do not match their checksum.
        """
        if storage.key not in self.places:
            self._locate(storage.key)
        place, size = self.places[storage.key]
        item = ITEM_SIZES[storage.dtype]
        wanted = (storage.start + storage.count) * item
        if wanted > size:
            raise NotACheckpoint(f"storage {storage.key} has {size:,} bytes in the file, and {wanted:,} are asked for")
        return self.read.get(storage.key, self.data), place + storage.start * item, storage.count * item

    def _locate(self, key: str) -> None:
        info = self.records.get(key)
        if info is None:
            raise NotACheckpoint(f"storage {key} is not in the file")
        if info.compress_type == zipfile.ZIP_STORED:
            self.places[key] = _stored_at(self.data, info, not self.unchecked)
            return
        self.read[key] = _inflated(self.data, info, not self.unchecked)
        self.places[key] = (0, len(self.read[key]))
        if sum(map(len, self.read.values())) > INFLATED * len(self.data) + SPARE:
            raise NotACheckpoint("its compressed records take far more than the file")


@contextmanager
def opened(path: Path) -> Iterator[CheckpointFile]:
    """The checkpoint at `path`, its pickle interpreted. Raises NotACheckpoint, and OSError if it cannot be read.

    The mapped file lives as long as a tensor that shows a part of it. It is never closed by hand: torch keeps no lock
    on what it shows.
    """
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except ValueError:  # of an empty file
            raise NotACheckpoint("the file is empty") from None
        try:
            yield _zip(path, data, file) if data[:2] == b"PK" else _legacy(path, data)
        except BadPickle as error:
            raise NotACheckpoint(f"its pickle cannot be read: {error}") from error
        # what zipfile raises for damaged heads, streams and names, and for a compression that it does not know
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, struct.error, EOFError, UnicodeError) as error:
            raise NotACheckpoint(str(error) or type(error).__name__) from error


# --- zip archives ----------------------------------------------------------------------------------------------------


def _zip(path: Path, data: mmap.mmap, file: Any) -> CheckpointFile:
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in entries if name.rpartition("/")[2] == "data.pkl"]
    if not pickles:
        raise NotACheckpoint("a zip archive without data.pkl, which torch.save writes")
    top = min(pickles, key=len).removesuffix("data.pkl")
    if any(name.removeprefix(top).startswith(TORCHSCRIPT) for name in entries):
        raise TorchScript("a TorchScript archive")
    within = f"{top}data/"
    records = {name.removeprefix(within): info for name, info in entries.items() if name.startswith(within)}
    unchecked = not any(info.CRC for info in entries.values())
    found = CheckpointFile(path, None, data, {}, records, unchecked=unchecked)
    pickle = _record(data, entries[f"{top}data.pkl"], not unchecked, LARGEST_PICKLE)
    order = entries.get(f"{top}byteorder")
    if order is not None:
        found.swapped = _record(data, order, not unchecked, 16).decode() != sys.byteorder
    found.content, _ = interpret(pickle, 0, rebuild.storage)
    return found


def _record(data: mmap.mmap, info: zipfile.ZipInfo, check: bool, most: int) -> bytes:
    """The bytes of a small record."""
    if info.file_size > most:
        raise NotACheckpoint(f"{info.filename} has {info.file_size:,} bytes; at most {most:,} are read")
    if info.compress_type != zipfile.ZIP_STORED:
        return _inflated(data, info, check)
    start, size = _stored_at(data, info, check)
    return data[start : start + size]


def _stored_at(data: mmap.mmap, info: zipfile.ZipInfo, check: bool) -> tuple[int, int]:
    """Where a record's bytes begin in the file, and how many they are; compared with its checksum if `check`."""
    start = _begin(data, info)
    if info.compress_size != info.file_size:
        raise NotACheckpoint(f"{info.filename} is not compressed and has two sizes")
    if check:
        with memoryview(data) as whole, whole[start : start + info.file_size] as part:
            _compare(info, zlib.crc32(part))
    return start, info.file_size


def _inflated(data: mmap.mmap, info: zipfile.ZipInfo, check: bool) -> bytes:
    """The bytes of a compressed record."""
    if info.compress_type != zipfile.ZIP_DEFLATED:
        raise NotACheckpoint(f"{info.filename} is compressed in a way that torch does not read")
    if info.file_size > INFLATED * len(data) + SPARE:
        raise NotACheckpoint(f"{info.filename} takes {info.file_size:,} bytes, far more than the file")
    start, opener = _begin(data, info), zlib.decompressobj(-15)
    found = opener.decompress(data[start : start + info.compress_size], info.file_size + 1)
    if len(found) != info.file_size:
        raise NotACheckpoint(f"{info.filename} is not as long as the archive says")
    if check:
        _compare(info, zlib.crc32(found))
    return found


def _begin(data: mmap.mmap, info: zipfile.ZipInfo) -> int:
    """The first byte of a record, behind its local header (APPNOTE 4.3.7)."""
    header = data[info.header_offset : info.header_offset + 30]
    if info.header_offset < 0 or len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise NotACheckpoint(f"{info.filename} is not where the archive says")
    if info.flag_bits & 1:
        raise NotACheckpoint(f"{info.filename} is encrypted")
    start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    if start + info.compress_size > len(data):
        raise NotACheckpoint(f"{info.filename} reaches beyond the end of the file")
    return start


def _compare(info: zipfile.ZipInfo, found: int) -> None:
    if found != info.CRC:
        raise NotACheckpoint(f"damaged: {info.filename} does not match its checksum; get it again")


# --- legacy files ----------------------------------------------------------------------------------------------------


def _legacy(path: Path, data: mmap.mmap) -> CheckpointFile:
    """Five pickles (a magic number, the protocol, the machine, the object, keys of storages), then the numbers of each
    storage behind their count, in the order of the keys.
    """
    if data[257:262] == b"ustar":
        raise OldTar("a tar archive of PyTorch before 0.1.10")
    storages: dict[str, int] = {}

    def persistent(told: Any) -> Any:
        found = rebuild.storage(told)
        if isinstance(found, Storage):
            storages[found.key] = ITEM_SIZES[found.dtype]
        return found

    with memoryview(data) as whole:
        try:
            magic, at = interpret(whole, 0, _nothing)
        except BadPickle:
            magic, at = None, 0
        if magic != MAGIC:
            raise NotACheckpoint("neither a zip archive nor a legacy file of torch.save")
        protocol, at = interpret(whole, at, _nothing)
        if protocol != PROTOCOL:
            raise NotACheckpoint(f"a legacy file of the protocol {protocol!r}"[:200])
        machine, at = interpret(whole, at, _nothing)
        content, at = interpret(whole, at, persistent)
        keys, at = interpret(whole, at, _nothing)
    little = machine.get("little_endian", True) if isinstance(machine, dict) else True
    order: Literal["little", "big"] = "little" if little else "big"
    if not isinstance(keys, list):
        raise NotACheckpoint("a legacy file without its list of storages")
    places = {}
    for key in map(str, keys):
        if key not in storages:
            raise NotACheckpoint(f"storage {key[:40]} belongs to no tensor")
        size = int.from_bytes(data[at : at + 8], order) * storages[key]
        if at + 8 + size > len(data):
            raise NotACheckpoint(
                f"storage {key} is to have {size:,} bytes, and {max(0, len(data) - at - 8):,} are left"
            )
        places[key] = (at + 8, size)
        at += 8 + size
    return CheckpointFile(path, content, data, places, swapped=order != sys.byteorder)


def _nothing(told: Any) -> Any:
    raise BadPickle("a storage where none can be")
