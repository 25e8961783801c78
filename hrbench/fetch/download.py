"""Downloads one address to one file: resumes where it stopped, checks the digest, and renames the complete file.

    fetch("https://models.example/net-c78dce93.pth", Path("weights/net-c78dce93.pth"), sha256="c78dce93")

The bytes received so far are in `<target>.part`; `<target>.part.json` identifies the content. So the same call resumes
after a broken connection, an interrupt or a kill (range requests: RFC 9110, sections 13.1.5 and 14). If the server
sends no ranges, or its file has changed, the download starts again. The part is renamed to the target after its digest
was checked. Needs only the standard library; proxies are taken from the environment.
"""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hrbench.core.digests import md5 as md5_of
from hrbench.core.digests import sha256 as sha256_of
from hrbench.core.units import with_unit
from hrbench.errors import EntryError, UsageError
from hrbench.fetch.part_file import Part, PartHeader, locked
from hrbench.version import __version__

MAX_ATTEMPTS = 5
"""Attempts in a row without new bytes before a download fails."""
CHUNK_BYTES = 1 << 18
"""Bytes read at once."""
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes after which the same request may succeed."""
MAX_WAIT_SECONDS = 60.0
"""The longest wait before another attempt, even if the server asks for more (Retry-After)."""

Progress = Callable[[int, int], object]
Note = Callable[[str], object]


class Unreachable(EntryError):
    """The server of an address does not answer at all, so that its other files need not be tried.

    host: with its port.
    """

    def __init__(self, message: str, host: str) -> None:
        super().__init__(message)
        self.host = host


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete file.

    sha256: its digest, 64 hexadecimal digits.
    proof: what the digest was compared with: "given" (the caller's), "server" (a hub that sends the digests of its
        files), or "" if nothing is known.
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
    """Downloads `address` to `target`; an existing target is replaced.

    address: an http(s) URL.
    sha256: hexadecimal digits that the digest begins with (all 64, or as many as are known), "" for unknown.
    md5: all 32 digits of an MD5, which publishers of older data sets give; "" for unknown.
    progress: called with (bytes received, bytes in all or 0 if unknown), first when bytes begin to arrive.
    note: called with sentences for the user.
    sleep: for tests.
    timeout: seconds without any byte.

    Raises UsageError for an address that is no http(s) address, and EntryError for everything that stops a download
    (Unreachable if no server answers): the message says whether the same command can resume. After a wrong digest
    nothing is kept.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{address!r} is not an address that can be downloaded: it should begin with https:// or http://"
        )
    with locked(target) as part:
        try:
            server_sha256 = _collect(_Transfer(address, part, progress, note, timeout), sleep)
            found = sha256_of(part.path)
            wanted = [("SHA-256", found, want) for want in (sha256, server_sha256) if want]
            wanted += [("MD5", md5_of(part.path), md5)] if md5 else []
            wrong = next((check for check in wanted if not check[1].startswith(check[2].lower())), None)
            if wrong:
                part.clear()
                name, came, want = wrong
                raise EntryError(
                    f"{address}: the downloaded file has {name} {came}, not {want}"
                    f"{'' if len(want) == len(came) else '...'}: "
                    "it was deleted; if a second try ends with the same error, the published file has changed"
                )
            part.finish(target)
        finally:
            part.tidy()
    return Fetched(target, found, "given" if sha256 or md5 else "server" if server_sha256 else "")


class _TransientError(Exception):
    """An error after which another attempt may succeed. wait: seconds that the server asked for, or 0."""

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Transfer:
    """One download into a .part file."""

    address: str
    part: Part
    progress: Progress
    note: Note
    timeout: float


def _collect(job: _Transfer, sleep: Callable[[float], object]) -> str:
    """Fills the .part file in up to `MAX_ATTEMPTS` attempts without progress. Returns the server's SHA-256, or ""."""
    max_size, attempts = -1, 0
    while True:
        head, have = job.part.head(job.address), job.part.size
        if head.size and have == head.size:  # killed between the last byte and the renaming
            return head.told
        try:
            return _attempt(job, head, have)
        except _TransientError as fault:
            attempts = 1 if job.part.size > max_size else attempts + 1
            max_size = max(max_size, job.part.size)
            if attempts >= MAX_ATTEMPTS:
                kept = f"; {with_unit(job.part.size, 'bytes')} are kept" if job.part.size else ""
                raise EntryError(
                    f"{job.address}: {fault}, {attempts} times in a row{kept}: the same command goes on from here"
                ) from None
            wait = min(fault.wait or 2.0 ** (attempts - 1), MAX_WAIT_SECONDS)
            job.note(f"{fault}; trying again in {wait:.0f} s")
            sleep(wait)


def _attempt(job: _Transfer, head: PartHeader, have: int) -> str:
    """One request, and the bytes of its answer. Raises _TransientError if it ended early."""
    headers = {"User-Agent": f"hrbench/{__version__}", "Accept-Encoding": "identity"}
    resuming = bool(have and head.validator)
    if resuming:
        headers |= {"Range": f"bytes={have}-", "If-Range": head.validator}
    redirects, url = _Redirects(), quote(job.address, safe="!#$%&'()*+,/:;=?@[]~")
    try:
        with build_opener(redirects).open(Request(url, headers=headers), timeout=job.timeout) as answer:
            head = _accept(job, answer, head, have, redirects.server_sha256)
            _copy(job, answer, head)
            return head.told
    except HTTPError as error:
        with error:
            if error.code == 416 and resuming:  # the part is larger than the file on the server: it is of other content
                job.part.clear()
                raise _TransientError("the file on the server has changed, so the download starts again") from None
            raise _refused(job, error) from None
    except http.client.InvalidURL as error:
        raise UsageError(f"{job.address!r} is no address, or leads to none: {error}") from None
    except URLError as error:
        raise _unreachable(job, error.reason) from None
    except (OSError, http.client.HTTPException) as error:
        raise _TransientError(_words(error)) from None
    except ValueError as error:  # of an address that the server leads to, such as "http://["
        raise EntryError(f"{job.address} leads to what is no address ({error}): get it with a browser") from None


def _accept(job: _Transfer, answer: Any, head: PartHeader, have: int, server_sha256: str) -> PartHeader:
    """Checks the headers of an answer: resumes the .part file, or empties it to start again."""
    headers: Message = answer.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise EntryError(f"{job.address} is sent compressed although that was not requested: get it with a browser")
    if headers.get_content_type() == "text/html":
        raise EntryError(f"{job.address} is a page, not a file: open it in a browser and put the file at {_goal(job)}")
    length = _length(headers)
    if answer.status == 206:
        start, size = _range(headers.get("Content-Range", ""))
        if start != have or size != head.size:
            job.part.clear()
            raise _TransientError("the server sent another part than was requested, so the download starts again")
    else:
        validator = _validator(headers)
        if have:
            changed = validator != head.validator or (length and length != head.size)
            why = "the file on the server has changed" if changed else "the server sends no parts of files"
            job.note(f"starts again: {why}" if head.validator else "starts again: the stored part cannot be resumed")
        head = PartHeader(job.address, validator, length, server_sha256)
        with _disk(job):
            job.part.begin(head)
    free = shutil.disk_usage(job.part.path.parent).free
    if length > free:
        need, left = with_unit(length, "bytes"), with_unit(free, "bytes")
        raise EntryError(f"{_goal(job)} needs {need} more, and {left} are free there: make room, then run this again")
    return head


def _copy(job: _Transfer, answer: Any, head: PartHeader) -> None:
    done = job.part.size
    job.progress(done, head.size)
    while chunk := answer.read1(CHUNK_BYTES):
        with _disk(job):
            job.part.write(chunk)
        done += len(chunk)
        job.progress(done, head.size)
    if not done:
        raise _TransientError("the server sends an empty file")
    if head.size and done < head.size:
        raise _TransientError(
            f"the connection ended after {with_unit(done, 'bytes')} of {with_unit(head.size, 'bytes')}"
        )


@contextmanager
def _disk(job: _Transfer) -> Iterator[None]:
    """Turns errors in writing into EntryError: they are no errors of the connection."""
    try:
        yield
    except OSError as error:
        kept = "the received part is kept, the same command resumes"
        raise EntryError(f"{_goal(job)} cannot be written: {error.strerror}; {kept}") from None


def _goal(job: _Transfer) -> Path:
    return job.part.path.with_suffix("")


def _validator(headers: Message) -> str:
    """What identifies the content: a strong ETag (a weak one may not be used for ranges), or a date."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _length(headers: Message) -> int:
    """Bytes of an answer; 0 if it does not say. A number said several times, "8, 8", is one number (RFC 9110, 8.6)."""
    stated = {part.strip() for text in headers.get_all("Content-Length", ()) for part in str(text).split(",")} - {""}
    if not stated:
        return 0
    text = " and ".join(sorted(stated))
    if not re.fullmatch("[0-9]{1,18}", text):
        raise _TransientError(f"the server states the length {text[:60]!r}, which is none")
    return int(text)


def _range(text: str) -> tuple[int, int]:
    """First byte and total size in "bytes 100-199/200"; (-1, -1) for anything else."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", text)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


class _Redirects(HTTPRedirectHandler):
    """Follows redirections, except from https to http.

    server_sha256: in the header X-Linked-Etag, which huggingface.co sends for large files while it redirects.
    """

    server_sha256 = ""

    def http_response(self, request: Request, response: Any) -> Any:
        tag = response.headers.get("X-Linked-Etag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", tag):
            self.server_sha256 = tag
        return response

    https_response = http_response

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            fp.close()
            raise EntryError(f"{req.full_url} leads to {newurl}, which is not encrypted: get the file with a browser")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


# --- errors ----------------------------------------------------------------------------------------------------------


def _refused(job: _Transfer, error: HTTPError) -> Exception:
    if error.code in TRANSIENT_STATUS:
        wait = error.headers.get("Retry-After", "")
        text = f"the server answers {error.code} ({error.reason})"
        return _TransientError(text, float(wait) if re.fullmatch("[0-9]{1,9}", wait) else 0.0)
    if error.code in (401, 403):
        why = f"is refused ({error.code}); it may ask for a login: get it with a browser and put it at {_goal(job)}"
    elif error.code in (404, 410):
        why = f"there is no such file ({error.code}); if you find it elsewhere, put it at {_goal(job)}"
    else:
        why = f"the server answers {error.code} ({' '.join(str(error.reason).split())})"
    return EntryError(f"{job.address}: {why}")


def _unreachable(job: _Transfer, reason: Any) -> Exception:
    """The error for no answer at all; a permanent one if another attempt cannot help."""
    host = urlsplit(job.address).hostname
    if isinstance(reason, ssl.SSLCertVerificationError):
        return EntryError(f"{job.address}: the certificate of {host} is not trusted: {reason.verify_message}")
    if isinstance(reason, (socket.gaierror, ConnectionRefusedError)):
        hint = "is there a network? Proxies are set with HTTPS_PROXY"
        return Unreachable(
            f"{job.address}: {host} cannot be reached ({_words(reason)}): {hint}", urlsplit(job.address).netloc
        )
    return _TransientError(_words(reason))


def _words(error: Any) -> str:
    """An error of a connection in a few words."""
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return " ".join(str(error).split()) or type(error).__name__
