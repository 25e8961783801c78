"""A folder in an object store: its files are read, written and listed, each call with bounded retries."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from hrbench.core.files import write_whole
from hrbench.core.modules import module_file
from hrbench.core.remote.addresses import KEYS_ADVICE, SCHEMES, joined, scrubbed, split_url
from hrbench.core.remote.retries import RetryPolicy, ShortRead, TriedOften, status_of
from hrbench.errors import MissingError, StorageError, UsageError

T = TypeVar("T")

CONNECT_SECONDS = 10
"""How long a connection may take to open before the try counts as failed."""
READ_SECONDS = 60
"""How long a store may send nothing."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk says, and no store, if a file cannot be written."""

_TAGS = ("ETag", "etag", "md5Hash", "generation", "mtime", "last_modified", "LastModified", "created")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a listing.

    name: relative to the folder that was listed, with slashes; a folder's ends with one.
    size: bytes; 0 for a folder.
    tag: what changes with the content, as the store says it (an ETag, a time of change); "" if it says nothing.
    """

    name: str
    size: int
    tag: str

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Remote:
    """A folder at an address. Paths are relative to it, with slashes; "" is the folder itself.

    url: the address, without secrets.
    root: its path in the store.
    files: the file system of fsspec.
    policy: how often calls are tried.

    Every method raises StorageError in one line: for a fault that cannot pass at once, for one that could pass after
    the last try. It raises MissingError if something does not exist.
    """

    url: str
    root: str
    files: Any
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    @classmethod
    def open(cls, url: str, policy: RetryPolicy | None = None) -> Remote:
        """The folder at an address. Nothing is read, so it need not exist.

        Raises UsageError for an address that is not understood, MissingError if a library is not installed.
        """
        scheme, _ = split_url(url)
        protocol, module, extra = SCHEMES[scheme]
        for needed in ("fsspec", module):
            if module_file(needed) is None:
                raise MissingError(f"{url} needs {needed}, which is not installed: pip install 'hrbench[{extra}]'")
        kind = _file_system(protocol, url)
        try:
            root = str(kind._strip_protocol(url)).rstrip("/")
            files = kind(**{**kind._get_kwargs_from_urls(url), **_options(protocol)}, skip_instance_cache=True)
        except Exception as error:
            raise StorageError(f"{url}: cannot be opened: {cause(error)}{_remedy(module, error)}") from None
        if protocol == "s3":
            files.retries = 1  # its own repeats would multiply ours
        return cls(url.rstrip("/"), root, files, policy or RetryPolicy())

    def address(self, path: str = "") -> str:
        """The address of a file or folder, for messages."""
        return joined(self.url, path)

    def info(self, path: str) -> RemoteFile:
        """Size and tag of one file, named by its path."""

        def once(_: int) -> dict[str, Any]:
            self.files.invalidate_cache()  # what others wrote meanwhile is seen
            return self.files.info(self._full(path))

        found = self._call("read", path, once)
        if found.get("type") == "directory":
            raise MissingError(f"{self.address(path)}: there is a folder, and no file")
        return RemoteFile(path, int(found.get("size") or 0), _tag(found))

    def exists(self, path: str) -> bool:
        """Whether there is a file, or anything below a folder."""

        def once(_: int) -> bool:
            self.files.invalidate_cache()
            return bool(self.files.exists(self._full(path)))

        return self._call("read", path, once)

    def read(self, path: str, size: int | None = None) -> bytes:
        """The bytes of a file. size: of a listing; None to ask the store, so that lost bytes are seen."""
        wanted = self.info(path).size if size is None else size

        def once(_: int) -> bytes:
            content = self.files.cat_file(self._full(path))
            if len(content) != wanted:
                raise ShortRead(f"{len(content)} of {wanted} bytes arrived")
            return content

        return self._call("read", path, once)

    def get(
        self, path: str, to: Path, size: int | None = None, on_bytes: Callable[[int], object] = lambda count: None
    ) -> None:
        """Downloads a file; `to` is written whole or not at all, its parents are created.

        size: bytes of a listing; None to ask the store.
        on_bytes: called with 0 before each try, and with counts of bytes as they arrive; a count is negative if they
            are fetched again. If it raises, that ends the download.
        """
        from fsspec.callbacks import Callback

        wanted = self.info(path).size if size is None else size
        to = Path(to)
        part = to.with_name(f".{to.name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{to}: cannot be written ({error.strerror})") from None

        class Counted(Callback):
            def relative_update(self, inc: int = 1) -> None:
                super().relative_update(inc)
                on_bytes(inc)

        def once(_: int) -> None:
            counted = Counted()
            on_bytes(0)
            try:
                self.files.get_file(self._full(path), str(part), callback=counted)
                arrived = part.stat().st_size
                if arrived != wanted:
                    raise ShortRead(f"{arrived} of {wanted} bytes arrived")
            except BaseException as error:
                if counted.value:
                    on_bytes(-counted.value)
                if isinstance(error, OSError) and error.errno in _DISK:
                    raise UsageError(f"{to.parent}: cannot be written ({error.strerror}); make room there") from None
                raise
            if counted.value != wanted:  # a file system that does not count while it copies
                on_bytes(wanted - counted.value)

        try:
            self._call("read", path, once)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def write(self, path: str, content: bytes) -> None:
        """Writes a file whole: a reader sees the former one, or all of the new one."""
        if self._is_local:
            return write_whole(Path(self._full(path)), lambda stream: stream.write(content))
        return self._call("written", path, lambda _: self.files.pipe_file(self._full(path), content))

    def create(self, path: str, content: bytes) -> bool:
        """Writes a file only if there is none: whether it was written. Of several who try at once, one succeeds.

        content: unlike that of every other writer, such as with a random part: whoever finds his own content there was
            the one who wrote it, though the answer to that was lost.
        """

        def once(_: int) -> bool:
            try:
                if self._is_local:
                    Path(self._full(path)).parent.mkdir(parents=True, exist_ok=True)
                self.files.pipe_file(self._full(path), content, mode="create")
            except Exception as error:
                if not _already_there(error):
                    raise
                return self.files.cat_file(self._full(path)) == content
            return True

        return self._call("written", path, once)

    def put(self, path: str, file: Path) -> None:
        """Uploads a file, whole as `write` does."""
        if self._is_local:
            with Path(file).open("rb") as source:

                def copy(stream: Any) -> None:
                    while block := source.read(1 << 20):
                        stream.write(block)

                return write_whole(Path(self._full(path)), copy)
        return self._call("written", path, lambda _: self.files.put_file(str(file), self._full(path)))

    def list(self, path: str = "", deep: bool = True) -> list[RemoteFile]:
        """The files below a folder, sorted by name; none if there is no such folder, as stores have none.

        deep: whether those of its folders, too. If not, the folders directly below are in the list.
        """
        folder = self._full(path)

        def once(_: int) -> list[dict[str, Any]]:
            self.files.invalidate_cache()
            try:
                found = self.files.find(folder, detail=True).values() if deep else self.files.ls(folder, detail=True)
            except FileNotFoundError as error:
                if status_of(error.__cause__ or error)[1] == "NoSuchBucket":
                    raise MissingError(f"{self.url}: there is no such bucket") from None
                return []
            return [each for each in found if not (deep and str(each["name"]).endswith("/"))]  # marks of folders

        files = [_remote_file(found, self._below(found["name"], folder)) for found in self._call("listed", path, once)]
        return sorted((each for each in files if each.name.strip("/")), key=lambda each: each.name)

    def delete(self, path: str) -> None:
        """Deletes a file; nothing happens if there is none."""

        def once(_: int) -> None:
            with contextlib.suppress(FileNotFoundError):
                self.files.rm_file(self._full(path))

        return self._call("deleted", path, once)

    @property
    def _is_local(self) -> bool:
        return self.url.lower().startswith("file:")

    def _full(self, path: str) -> str:
        return joined(self.root, path)

    def _below(self, name: str, folder: str) -> str:
        """A listed name relative to the folder that was listed."""
        return name.strip("/").removeprefix(self.files._strip_protocol(folder).strip("/")).strip("/")

    def _call(self, done: str, path: str, once: Callable[[int], T]) -> T:
        """What `once` returns, with retries. done: "read", "written", for the message."""
        try:
            return self.policy.call(once)
        except (MissingError, UsageError):
            raise
        except FileNotFoundError:
            raise MissingError(f"{self.address(path)}: there is no such file or folder") from None
        except TriedOften as often:
            fault = often.__cause__ or often
            raise StorageError(f"{self.address(path)}: cannot be {done}: {cause(fault)}; {often}") from None
        except Exception as error:
            module = SCHEMES[self.url.partition(":")[0].lower()][1]
            text = f"{self.address(path)}: cannot be {done}: {cause(error)}{_remedy(module, error)}"
            raise StorageError(text) from None


def cause(error: BaseException) -> str:
    """What went wrong, in a line without secrets."""
    text = " ".join(scrubbed(str(error)).split())
    if isinstance(error, OSError) and error.strerror and not isinstance(error, (ConnectionError, TimeoutError)):
        text = " ".join(scrubbed(error.strerror).split())
    told = text if isinstance(error, (ShortRead, PermissionError)) and text else f"{type(error).__name__}: {text}"
    told = told.rstrip(": ")
    return told if len(told) <= 300 else f"{told[:297]}..."


def _remedy(module: str, error: BaseException) -> str:
    """What to do about keys that are missing or refused."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, PermissionError) or status_of(each)[0] in (401, 403) or "Credential" in type(each).__name__:
            names = KEYS_ADVICE.get(module, "")
            return f"; the keys of this store come from {names}" if names else ""
        each = each.__cause__
    return ""


def _file_system(protocol: str, url: str) -> Any:
    """The class of a protocol's file system."""
    import fsspec

    try:
        return fsspec.get_filesystem_class(protocol)
    except Exception as error:  # a library that is broken or too old
        raise StorageError(f"{url}: {SCHEMES[protocol][1]} cannot be imported: {cause(error)}") from None


def _options(protocol: str) -> dict[str, Any]:
    """Arguments of a file system beside what the user configured for fsspec: timeouts, and no repeats of its own."""
    if protocol != "s3":
        return {}
    from fsspec.config import conf

    own = dict(conf.get("s3", {}).get("config_kwargs", {}))
    limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
    return {"config_kwargs": {**limits, **own, "retries": {"total_max_attempts": 1, "mode": "standard"}}}


def _already_there(error: BaseException) -> bool:
    """Whether an error says that a file exists already."""
    return isinstance(error, FileExistsError) or any(
        status_of(each)[0] == 412 for each in (error, error.__cause__) if each is not None
    )


def _remote_file(found: dict[str, Any], name: str) -> RemoteFile:
    if found.get("type") == "directory":
        return RemoteFile(f"{name}/", 0, "")
    return RemoteFile(name, int(found.get("size") or 0), _tag(found))


def _tag(found: dict[str, Any]) -> str:
    value = next((found[key] for key in _TAGS if found.get(key)), "")
    return str(value.timestamp() if isinstance(value, datetime) else value).strip('"')
