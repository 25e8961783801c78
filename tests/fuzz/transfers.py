"""What comes over the network: answers of a server on this machine with changed heads, and archives."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import tarfile
import threading
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from hrbench.fetch.download import fetch
from hrbench.fetch.unpack import unpack
from tests.fuzz import damage
from tests.fuzz.case import Case, NonsenseError

BODY = Random(0).randbytes(3000)
HEADS = {
    "Content-Length": (
        "3000", "0", "-1", "-3000", "2999", "3001", "abc", "", " 3000 ", "3000, 3000", "3e3", "+3000", "0x10", "3_000",
        "9" * 30, "9" * 5000, str(2**63), "3000.0", "\u0663", "3000;", "nan", "30 00",
    ),
    "Content-Range": (
        "bytes 0-2999/3000", "bytes 1000-2999/3000", "bytes 1000-2999/*", "bytes 1000-/3000", "bytes */3000", "", "x",
        f"bytes 1000-2999/{'9' * 5000}", f"bytes {'9' * 5000}-2999/3000", "bytes 1000-2999/-1", "bytes 2999-1000/3000",
    ),
    "ETag": ('"one"', 'W/"one"', "", '"', '"\xff"', "one", '"' + "x" * 3000 + '"'),
    "Last-Modified": ("Thu, 32 Foo 2024", "", "x" * 3000, "\xe9"),
    "Content-Type": ("text/html", "application/octet-stream", "", ";", "text/html; charset=\xff", "/"),
    "Content-Encoding": ("identity", "gzip", "", "IDENTITY", "x, y"),
    "Transfer-Encoding": ("chunked", "identity", "", "gzip, chunked"),
    "X-Linked-Etag": ("0" * 64, '"' + hashlib.sha256(BODY).hexdigest() + '"', "abc", ""),
    "Location": ("/again", "//", "http://", "http://[", "http://127.0.0.1:99999/x", "ftp://127.0.0.1/x", "\xe9", ""),
    "Retry-After": ("1", "-1", "9" * 400, "²", "nan", "Thu, 32 Foo"),
}  # fmt: skip
CODES = (200, 200, 200, 200, 206, 206, 204, 301, 302, 304, 404, 416, 429, 500, 503, 999, 99, 100)


def _answers(folder: Path) -> None:
    plain = {"code": 200, "heads": {"Content-Length": "3000", "ETag": '"one"'}, "first": 0, "raw": ""}
    (folder / "answers.json").write_text(json.dumps([plain]))


def _other_answers(data: bytes, random: Random) -> bytes:
    """One to three answers, each with some odd heads; after the last the server answers as it should."""
    answers = []
    for _ in range(random.choice((1, 1, 2, 3))):
        heads = {"Content-Length": "3000", "ETag": '"one"'} if random.random() < 0.7 else {}
        for name in random.sample(sorted(HEADS), random.choice((1, 1, 2, 3))):
            heads[name] = random.choice(HEADS[name])
        if random.random() < 0.05:
            heads = {**heads, **{f"X-{number}": "y" for number in range(random.choice((50, 200)))}}
        raw = random.choice(
            ("", "", "", "", "HTTP/1.1\r\n\r\n", "\r\n", "HTTP/9.9 abc x\r\n\r\n", "x" * 70_000, "HTTP/1.1 200")
        )
        answers.append(
            {"code": random.choice(CODES), "heads": heads, "raw": raw, "first": random.choice((0, 0, 1000, 2999))}
        )
    return json.dumps(answers).encode()


class _Site:
    """A server of one address that gives each request the next answer."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self.answers = answers
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}/net.pth"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                stream, _ = self.socket.accept()
            except OSError:
                return
            with stream:
                try:
                    self._answer(stream)
                except OSError:
                    continue

    def _answer(self, stream: socket.socket) -> None:
        stream.settimeout(5)
        asked = b""
        while b"\r\n\r\n" not in asked:
            data = stream.recv(65536)
            if not data:
                return
            asked += data
        answer = self.answers.pop(0) if self.answers else {"code": 200, "heads": {"Content-Length": "3000"}, "first": 0}
        if answer.get("raw"):
            stream.sendall(answer["raw"].encode("latin-1", "replace"))
            return
        heads = "".join(f"{name}: {value}\r\n" for name, value in answer["heads"].items())
        head = f"HTTP/1.1 {answer['code']} OK\r\n{heads}Connection: close\r\n\r\n".encode()
        stream.sendall(head + BODY[answer["first"] :])

    def close(self) -> None:
        self.socket.close()


def _fetched(folder: Path) -> dict[str, Any]:
    """The file that arrives is that of the server, whatever its heads say; a part of one is never taken for it."""
    site = _Site(json.loads((folder / "answers.json").read_bytes()))
    try:
        waits: list[float] = []
        found = fetch(site.address, folder / "net.pth", sleep=waits.append, timeout=5, sha256="")
        if found.path.read_bytes() != BODY:
            _may_be_short(folder, found.path.read_bytes())
        if any(not 0 <= wait <= 60 for wait in waits):
            raise NonsenseError(f"waits for {waits}")
        return {"proof": found.proof, "bytes": len(found.path.read_bytes())}
    finally:
        site.close()


def _may_be_short(folder: Path, came: bytes) -> None:
    """Raises unless some answer said that so many bytes are all, or none said how many there are."""
    answers = json.loads((folder / "answers.json").read_bytes())
    for answer in answers:
        stated = answer["heads"].get("Content-Length", "").strip()
        body = BODY[answer["first"] :]
        ends = {len(body)} if not (stated.isascii() and stated.isdigit()) or stated == "0" else {int(stated)}
        chunked = answer["heads"].get("Transfer-Encoding", "").endswith("chunked") or answer["code"] in (204, 304)
        if chunked or (len(came) in ends and body.startswith(came)):
            return
    raise NonsenseError(f"{len(came)} bytes were taken for the whole file")


# --- archives --------------------------------------------------------------------------------------------------------

MEMBERS = {"a/one.txt": b"one" * 50, "a/b/two.bin": bytes(range(256)), "three": b"3"}


def _zipped(folder: Path) -> None:
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _tarred(folder: Path) -> None:
    for ending in ("tar", "tar.gz", "tar.bz2", "tar.xz"):
        mode: Any = "w:" + ending.removeprefix("tar").removeprefix(".")
        with tarfile.open(folder / f"set.{ending}", mode) as archive:
            for name, content in MEMBERS.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def _unpacked(folder: Path) -> dict[str, Any]:
    """What was unpacked lies within the folder, all of it, or nothing is left."""
    before = {path.name for path in folder.parent.iterdir()}
    for number, path in enumerate(sorted(folder.glob("set.*"))):
        goal = folder / f"goal{number}"
        try:
            unpack(path, goal)
        except BaseException:
            left = [item for item in goal.rglob("*") if item.is_file()]
            if left:
                raise NonsenseError(f"{left[0]} is left of an archive that was refused") from None
            raise
    if {path.name for path in folder.parent.iterdir()} != before or (folder / "x").exists():
        raise NonsenseError("something was written beside the folder")
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    if links:
        raise NonsenseError(f"{links[0]} is a link")
    return {}


CASES = [
    Case("downloads", _answers, {"answers.json": _other_answers}, _fetched, share=2),
    Case("zip archives", _zipped, {"set.zip": damage.zip_mutant}, _unpacked),
    Case("tar archives", _tarred, {"set.*": damage.mutant}, _unpacked),
]
