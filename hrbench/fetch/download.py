"""One address to one file on this disk: resumed where it stopped, checked, put in place whole.

    fetch("https://models.example/net-c78dce93.pth", Path("weights/net-c78dce93.pth"), sha256="c78dce93")

What has come so far lies in `<target>.part`, and `<target>.part.json` says which content it is the beginning of, so
that the same call goes on after a cut connection, an interrupt or a kill (range requests: RFC 9110, sections 13.1.5
and 14). A server that sends no ranges, or whose file is another by now, makes it start anew. The target appears by
renaming, after its digest was found right. Needs the standard library alone; proxies are taken from the environment.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hrbench.core.digests import md5 as md5_of
from hrbench.core.digests import sha256 as sha256_of
from hrbench.core.files import open_private_file, write_whole
from hrbench.core.units import with_unit
from hrbench.errors import EntryError, UsageError
from hrbench.version import __version__

TRIES = 5
"""Attempts in a row that bring nothing new before a download is given up."""
PIECE = 1 << 18
"""Bytes read at once."""
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers (HTTP status) after which the same request may succeed."""
LONGEST_WAIT = 60.0
"""Seconds; what a server asks for beyond that (Retry-After) is not waited for."""

Progress = Callable[[int, int], object]
Note = Callable[[str], object]


class Unreachable(EntryError):
    """The server of an address does not answer at all: no other file of it comes either. host: with its port."""

    def __init__(self, message: str, host: str) -> None:
        super().__init__(message)
        self.host = host


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that came whole. sha256: its digest, 64 hexadecimal digits. proof: what that was found equal to, "given"
    or "server" (a hub that tells the digests of its files); "" where nothing is known of it.
    """

    path: Path
    sha256: str
    proof: str


def fetch(
    address: str,
    target: Path,
    *,
    sha256: str = "",
    md5: str = "",
    progress: Progress = lambda done, total: None,
    note: Note = lambda text: None,
    sleep: Callable[[float], object] = time.sleep,
    timeout: float = 30.0,
) -> Fetched:
    """Downloads `address` to `target`, which is replaced where it is there.

    sha256: hexadecimal digits that the digest begins with (all 64, or what is known of them), "" for unknown. md5: all
    32 digits of an MD5, which is what publishers of older data sets tell; "" for unknown.
    progress: told bytes that are here and bytes in all (0 where the server does not say), first when bytes begin to
    come. note: told what else a person may want to know. timeout: seconds without any byte.

    Raises UsageError for an address that is no http(s) address, and EntryError for everything that stops a download
    (Unreachable where no server answers): the message says whether the same command goes on later. After a wrong digest
    nothing is left of what came.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{address!r} is no address that can be downloaded: it should begin with https:// or http://")
    with _locked(target) as part:
        try:
            told = _collect(_Download(address, part, progress, note, timeout), sleep)
            found = sha256_of(part.path)
            wanted = [("SHA-256", found, want) for want in (sha256, told) if want]
            wanted += [("MD5", md5_of(part.path), md5)] if md5 else []
            wrong = next((check for check in wanted if not check[1].startswith(check[2].lower())), None)
            if wrong:
                part.clear()
                name, came, want = wrong
                raise EntryError(
                    f"{address}: what came has {name} {came}, not {want}{'' if len(want) == len(came) else '...'}: "
                    "nothing of it was kept; if a second try ends so too, the file there is another by now"
                )
            part.finish(target)
        finally:
            part.tidy()
    return Fetched(target, found, "given" if sha256 or md5 else "server" if told else "")


# --- what is here already --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Head:
    """Which content a .part file is the beginning of.

    validator: a strong ETag or a Last-Modified date, "" where the server gives none, and then nothing is resumed.
    size: bytes in all, 0 for unknown. told: the SHA-256 that the server tells of, or "".
    """

    address: str
    validator: str = ""
    size: int = 0
    told: str = ""


class _Part:
    """`<target>.part`, open and locked, and the note beside it."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.beside = path, stream, path.with_name(path.name + ".json")

    @property
    def size(self) -> int:
        return os.fstat(self.stream.fileno()).st_size

    def head(self, address: str) -> _Head:
        """What the note says; of another address, or unreadable, it says nothing."""
        try:
            head = _Head(**json.loads(self.beside.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return _Head(address)
        return head if head.address == address else _Head(address)

    def begin(self, head: _Head) -> None:
        """Empties the file, then says what will be in it: never a note to content that it does not belong to."""
        self.clear()
        write_whole(self.beside, lambda stream: stream.write(json.dumps(asdict(head)).encode()))

    def clear(self) -> None:
        if self.size:
            self.stream.truncate(0)
        self.beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.stream.write(rest) :]

    def finish(self, target: Path) -> None:
        self.path.replace(target)
        self.beside.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Leaves no empty file behind; must be called while the lock is held."""
        if not self.size and self.path.is_file():
            self.path.unlink(missing_ok=True)
            self.beside.unlink(missing_ok=True)


@contextmanager
def _locked(target: Path) -> Iterator[_Part]:
    """The .part file of a target, kept from other processes. The lock dies with its process; a file remains."""
    path = target.with_name(target.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(open_private_file(path, os.O_WRONLY | os.O_APPEND), "ab", buffering=0) as stream:  # noqa: PTH123
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"{target} is being downloaded by another process: wait for it") from None
            # whoever held the lock before may have renamed the file that was opened: then its name is free again
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                continue
            yield _Part(path, stream)
            return


# --- what comes ------------------------------------------------------------------------------------------------------


class _Passing(Exception):
    """A fault after which another try may go further. wait: seconds that the server asked for, or 0."""

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Download:
    """One content on its way into its .part file."""

    address: str
    part: _Part
    progress: Progress
    note: Note
    timeout: float


def _collect(job: _Download, sleep: Callable[[float], object]) -> str:
    """Fills the .part file, in as many tries as it takes. Returns the SHA-256 that the server tells of, or ""."""
    furthest, tries = -1, 0
    while True:
        head, have = job.part.head(job.address), job.part.size
        if head.size and have == head.size:  # killed between the last byte and the renaming
            return head.told
        try:
            return _attempt(job, head, have)
        except _Passing as fault:
            tries = 1 if job.part.size > furthest else tries + 1
            furthest = max(furthest, job.part.size)
            if tries >= TRIES:
                kept = f"; {with_unit(job.part.size, 'bytes')} are kept" if job.part.size else ""
                raise EntryError(
                    f"{job.address}: {fault}, {tries} times in a row{kept}: the same command goes on from here"
                ) from None
            wait = min(fault.wait or 2.0 ** (tries - 1), LONGEST_WAIT)
            job.note(f"{fault}; trying again in {wait:.0f} s")
            sleep(wait)


def _attempt(job: _Download, head: _Head, have: int) -> str:
    """One request and all that comes of it. Raises _Passing where it ended early."""
    headers = {"User-Agent": f"hrbench/{__version__}", "Accept-Encoding": "identity"}
    resuming = bool(have and head.validator)
    if resuming:
        headers |= {"Range": f"bytes={have}-", "If-Range": head.validator}
    redirects, url = _Redirects(), quote(job.address, safe="!#$%&'()*+,/:;=?@[]~")
    try:
        with build_opener(redirects).open(Request(url, headers=headers), timeout=job.timeout) as answer:
            head = _accept(job, answer, head, have, redirects.told)
            _copy(job, answer, head)
            return head.told
    except HTTPError as error:
        with error:
            if error.code == 416 and resuming:  # more is here than there is: it is no beginning of what is there
                job.part.clear()
                raise _Passing("the file there is another by now, so it starts anew") from None
            raise _refused(job, error) from None
    except http.client.InvalidURL as error:
        raise UsageError(f"{job.address!r} is no address: {error}") from None
    except URLError as error:
        raise _unreachable(job, error.reason) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Passing(_words(error)) from None


def _accept(job: _Download, answer: Any, head: _Head, have: int, told: str) -> _Head:
    """Reads an answer's heading: goes on in the .part file, or empties it for a content that starts anew."""
    headers: Message = answer.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise EntryError(f"{job.address} is sent compressed though it was not asked for so: get it with a browser")
    if headers.get_content_type() == "text/html":
        raise EntryError(f"{job.address} is a page, not a file: open it in a browser and put the file at {_goal(job)}")
    length = int(headers.get("Content-Length") or 0)
    if answer.status == 206:
        start, size = _range(headers.get("Content-Range", ""))
        if start != have or size != head.size:
            job.part.clear()
            raise _Passing("the server sent another part than was asked for, so it starts anew")
    else:
        validator = _validator(headers)
        if have:
            changed = validator != head.validator or (length and length != head.size)
            why = "the file there is another by now" if changed else "the server sends no parts of files"
            job.note(
                f"starts anew: {why}" if head.validator else "starts anew: what came before cannot be gone on with"
            )
        head = _Head(job.address, validator, length, told)
        with _disk(job):
            job.part.begin(head)
    free = shutil.disk_usage(job.part.path.parent).free
    if length > free:
        need, left = with_unit(length, "bytes"), with_unit(free, "bytes")
        raise EntryError(f"{_goal(job)} needs {need} more, and {left} are free there: make room, then run this again")
    return head


def _copy(job: _Download, answer: Any, head: _Head) -> None:
    done = job.part.size
    job.progress(done, head.size)
    while piece := answer.read1(PIECE):
        with _disk(job):
            job.part.write(piece)
        done += len(piece)
        job.progress(done, head.size)
    if head.size and done < head.size:
        raise _Passing(f"the connection ended after {with_unit(done, 'bytes')} of {with_unit(head.size, 'bytes')}")


@contextmanager
def _disk(job: _Download) -> Iterator[None]:
    """Faults in writing are not faults of the connection."""
    try:
        yield
    except OSError as error:
        kept = "what came is kept, the same command goes on from here"
        raise EntryError(f"{_goal(job)} cannot be written: {error.strerror}; {kept}") from None


def _goal(job: _Download) -> Path:
    return job.part.path.with_suffix("")


def _validator(headers: Message) -> str:
    """What tells this content from another: a strong ETag (a weak one may not be used for ranges), or a date."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _range(text: str) -> tuple[int, int]:
    """First byte and size of the whole of "bytes 100-199/200"; -1 for what is not said."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


class _Redirects(HTTPRedirectHandler):
    """Follows redirections (urllib lets itself be taught by a class of one's own only), but not from https to http.

    told: the SHA-256 that a hub tells of on the way to where the file lies: the header X-Linked-Etag of
    huggingface.co, which holds it for large files.
    """

    told = ""

    def http_response(self, request: Request, response: Any) -> Any:
        tag = response.headers.get("X-Linked-Etag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", tag):
            self.told = tag
        return response

    https_response = http_response

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            fp.close()
            raise EntryError(f"{req.full_url} leads to {newurl}, which is not encrypted: get the file with a browser")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


# --- what goes wrong -------------------------------------------------------------------------------------------------


def _refused(job: _Download, error: HTTPError) -> Exception:
    if error.code in PASSING:
        wait = error.headers.get("Retry-After", "")
        said = f"the server answers {error.code} ({error.reason})"
        return _Passing(said, float(wait) if wait.isdigit() else 0.0)
    if error.code in (401, 403):
        why = f"is refused ({error.code}); it may ask for a login: get it with a browser and put it at {_goal(job)}"
    elif error.code in (404, 410):
        why = f"there is no such file ({error.code}); if you find it elsewhere, put it at {_goal(job)}"
    else:
        why = f"the server answers {error.code} ({' '.join(str(error.reason).split())})"
    return EntryError(f"{job.address}: {why}")


def _unreachable(job: _Download, reason: Any) -> Exception:
    """No answer at all. What waiting does not mend is said at once."""
    host = urlsplit(job.address).hostname
    if isinstance(reason, ssl.SSLCertVerificationError):
        return EntryError(f"{job.address}: the certificate of {host} is not to be trusted: {reason.verify_message}")
    if isinstance(reason, (socket.gaierror, ConnectionRefusedError)):
        hint = "is there a network? Proxies are set with HTTPS_PROXY"
        return Unreachable(
            f"{job.address}: {host} cannot be reached ({_words(reason)}): {hint}", urlsplit(job.address).netloc
        )
    return _Passing(_words(reason))


def _words(error: Any) -> str:
    """What went wrong with a connection, in a few words."""
    if isinstance(error, TimeoutError):
        return "the server has gone silent"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return " ".join(str(error).split()) or type(error).__name__
