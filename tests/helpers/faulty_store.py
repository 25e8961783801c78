"""A file system of fsspec whose calls fail as a script says: what a store does on a bad day, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem

from hrbench.core.remote import Remote, RetryPolicy

Fault = BaseException | str | None
"""An error to raise; "half" for half of the bytes without an error; "lost" for a call that is done and then fails as if
its answer were lost; None for a call that works."""


class Answered(OSError):
    """An error with a store's answer, as clients of S3 raise it."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(5, code or str(status))
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code or str(status)}}


class ScriptedStore(MemoryFileSystem):
    """The files of memory://; each call of `names` takes the next fault of the script, and none when it is used up."""

    cachable = False
    protocol = "scripted"

    def __init__(self, script: Iterable[Fault] = (), names: tuple[str, ...] = ("cat_file", "get_file", "pipe_file")):
        super().__init__()
        self.script, self.names = list(script), names
        self.calls: list[str] = []

    def _do(self, name: str, call: Callable[[], Any], half: Callable[[Any], Any] = lambda result: result) -> Any:
        self.calls.append(name)
        fault = self.script.pop(0) if name in self.names and self.script else None
        if isinstance(fault, BaseException):
            raise fault
        result = call()
        if fault == "lost":
            raise ConnectionResetError(104, "Connection reset by peer")
        return half(result) if fault == "half" else result

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return MemoryFileSystem._strip_protocol(str(path).replace("scripted://", "memory://"))

    def cat_file(self, path: str, **options: Any) -> bytes:
        return self._do("cat_file", lambda: MemoryFileSystem.cat_file(self, path), lambda data: data[: len(data) // 2])

    def get_file(self, rpath: str, lpath: str, **options: Any) -> None:
        def cut(_: Any) -> None:
            content = Path(lpath).read_bytes()
            Path(lpath).write_bytes(content[: len(content) // 2])

        self._do("get_file", lambda: MemoryFileSystem.get_file(self, rpath, lpath, **options), cut)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        self._do("pipe_file", lambda: MemoryFileSystem.pipe_file(self, path, value, mode=mode))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return self._do("info", lambda: MemoryFileSystem.info(self, path))

    def find(self, path: str, **options: Any) -> Any:
        return self._do("find", lambda: MemoryFileSystem.find(self, path, **options))


FAILING = ("cat_file", "get_file", "pipe_file")


def scripted(
    root: str, *script: Fault, attempts: int = 5, names: tuple[str, ...] = FAILING
) -> tuple[Remote, list[float]]:
    """A Remote on memory://`root` that fails by a script, without waiting, and the waits that it would have made."""
    waits: list[float] = []
    policy = RetryPolicy(attempts=attempts, sleep=waits.append, clock=lambda: float(len(waits)), spread=lambda: 1.0)
    return Remote(f"memory://{root}", f"/{root}", ScriptedStore(script, names), policy), waits
