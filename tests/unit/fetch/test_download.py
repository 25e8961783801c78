"""Downloads against a server on loopback that does what servers do: ranges or none, cuts, redirects, faults."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from hrbench.errors import EntryError, UsageError
from hrbench.fetch import download as module
from hrbench.fetch.download import Fetched, fetch

BODY = random.Random(0).randbytes(1_000_000)
OTHER = random.Random(1).randbytes(1_000_000)
SHA = hashlib.sha256(BODY).hexdigest()


class Site(ThreadingHTTPServer):
    """What lies where is decided by the path; every request is noted as (path, its Range header)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.body, self.tag = BODY, '"one"'
        self.go_on = threading.Event()  # what /slow waits for
        self.faults = 1  # how many requests of /flaky and /cut go wrong

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is killed, or has read enough, is no fault of the server."""

    def at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path, range_ = self.path.partition("?")[0], self.headers.get("Range")
        self.server.asked.append((path, range_))
        route = getattr(self, "get_" + path.strip("/").partition("/")[0].replace("-", "_"), None)
        if route is None:
            self.send_error(404)
        else:
            route()

    def answer(self, code: int, body: bytes, promise: int | None = None, **headers: str) -> None:
        """promise: the length the heading names, where it is not that of the body."""
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if promise is None else promise))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def ranged(self, stop: int | None = None, **headers: str) -> None:
        """The file or, where it is still the one asked for, its end; `stop` cuts the connection at that byte."""
        body, tag, start = self.server.body, self.server.tag, 0
        range_ = self.headers.get("Range")
        if range_ and self.headers.get("If-Range") == tag:
            start = int(range_.removeprefix("bytes=").rstrip("-"))
            headers["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.answer(206 if start else 200, body[start:stop], len(body) - start, ETag=tag, **headers)

    def get_range(self) -> None:
        self.ranged()

    def get_plain(self) -> None:
        self.answer(200, self.server.body)

    def get_no_range(self) -> None:
        self.answer(200, self.server.body, ETag=self.server.tag)

    def get_cut(self) -> None:
        """Every connection ends after another 300,000 bytes."""
        begun = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.ranged(stop=begun + 300_000)

    def get_wall(self) -> None:
        """No connection gets beyond byte 400,000."""
        self.ranged(stop=400_000)

    def get_plain_cut(self) -> None:
        """Cut the first time, without a validator: what came cannot be gone on with."""
        self.server.faults -= 1
        self.answer(200, BODY[: 500_000 if self.server.faults >= 0 else None], len(BODY))

    def get_flaky(self) -> None:
        self.server.faults -= 1
        if self.server.faults >= 0:
            self.answer(503, b"", Retry_After="7")
        else:
            self.ranged()

    def get_moved(self) -> None:
        self.answer(302, b"", Location="/range/net.pth", X_Linked_Etag=f'"{SHA}"')

    def get_lies(self) -> None:
        self.answer(302, b"", Location="/range/net.pth", X_Linked_Etag=f'"{"0" * 64}"')

    def get_round(self) -> None:
        self.answer(302, b"", Location="/round")

    def get_page(self) -> None:
        self.answer(200, b"<html>", Content_Type="text/html; charset=utf-8")

    def get_zipped(self) -> None:
        self.answer(200, b"...", Content_Encoding="gzip")

    def get_login(self) -> None:
        self.send_error(403)

    def get_wrong_part(self) -> None:
        if self.headers.get("Range"):
            self.answer(206, b"x" * 10, Content_Range="bytes 5-14/1000000")
        else:
            self.ranged()

    def get_slow(self) -> None:
        """Ranged, some 100,000 bytes at a time; from the start no more than 300,000 until the test says so."""
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        resumed = {"Content_Range": f"bytes {start}-999999/1000000"} if start else {}
        self.answer(206 if start else 200, b"", len(BODY) - start, ETag=self.server.tag, **resumed)
        for at in range(start, len(BODY), 100_000):
            if not start and at == 300_000:
                self.server.go_on.wait(600)
            self.wfile.write(BODY[at : at + 100_000])

    def get_open_end(self) -> None:
        """Says no length: the end of the connection is the end of the file."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "net.pth"


def get(address: str, target: Path, **options) -> tuple[Fetched, list[str], list[tuple[int, int]]]:
    """The download, what it said, what it told of its progress; nothing is waited for."""
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    options = {"sleep": lambda seconds: None, **options}
    done = fetch(address, target, note=said.append, progress=lambda done, total: steps.append((done, total)), **options)
    assert done.path.read_bytes() == BODY and done.sha256 == SHA
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    return done, said, steps


def half(site: Site, target: Path, route: str = "/range") -> None:
    """What a download that was killed half way leaves: 400,000 bytes and the note to them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_name("net.pth.part").write_bytes(BODY[:400_000])
    head = {"address": site.at(route), "validator": '"one"', "size": 1_000_000, "told": ""}
    target.with_name("net.pth.part.json").write_text(json.dumps(head))


@pytest.mark.parametrize("route", ["/plain", "/range", "/no-range", "/open-end"])
def test_a_file_comes_whole_with_its_progress(site: Site, target: Path, route: str) -> None:
    done, said, steps = get(site.at(route), target, sha256=SHA[:8])
    assert (done.path, done.proof, said) == (target, "given", [])
    total = 0 if route == "/open-end" else 1_000_000
    assert steps[0] == (0, total) and steps[-1] == (1_000_000, total)
    assert [step for step, _ in steps] == sorted(step for step, _ in steps)


def test_without_a_digest_it_says_that_it_knows_none(site: Site, target: Path) -> None:
    assert get(site.at("/plain"), target)[0].proof == ""


def test_what_is_there_is_replaced_only_at_the_end(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"old")
    with pytest.raises(EntryError, match="5 times in a row"):
        fetch(site.at("/wall"), target, sleep=lambda seconds: None)
    assert target.read_bytes() == b"old"
    target.with_name("net.pth.part").unlink()
    get(site.at("/range"), target)


def test_half_a_file_is_gone_on_with(site: Site, target: Path) -> None:
    half(site, target)
    _, said, steps = get(site.at("/range"), target, sha256=SHA)
    assert site.asked == [("/range", "bytes=400000-")]
    assert steps[0] == (400_000, 1_000_000) and not said


def test_a_file_that_changed_between_starts_anew(site: Site, target: Path) -> None:
    half(site, target)
    target.with_name("net.pth.part").write_bytes(OTHER[:400_000])  # the beginning of what lay there yesterday
    site.tag = '"two"'
    _, said, steps = get(site.at("/range"), target, sha256=SHA)
    assert said == ["starts again: the file on the server has changed"] and steps[0] == (0, 1_000_000)


def test_a_server_without_ranges_starts_anew(site: Site, target: Path) -> None:
    half(site, target, "/no-range")
    assert get(site.at("/no-range"), target)[1] == ["starts again: the server sends no parts of files"]


@pytest.mark.parametrize("note", ['{"address": "https://elsewhere/net.pth", "validator": "x", "size": 9}', "{", "[1]"])
def test_half_of_something_else_is_not_gone_on_with(site: Site, target: Path, note: str) -> None:
    half(site, target)
    target.with_name("net.pth.part").write_bytes(OTHER[:400_000])
    target.with_name("net.pth.part.json").write_text(note)
    assert get(site.at("/range"), target)[1] == ["starts again: the stored part cannot be resumed"]
    assert site.asked == [("/range", None)]


def test_what_was_killed_just_before_the_renaming_needs_no_request(site: Site, target: Path) -> None:
    half(site, target)
    target.with_name("net.pth.part").write_bytes(BODY)
    get(site.at("/range"), target, sha256=SHA)
    assert site.asked == []


def test_more_than_there_is_or_another_part_starts_anew(site: Site, target: Path) -> None:
    half(site, target, "/wrong-part")
    _, said, _ = get(site.at("/wrong-part"), target)
    assert said == [
        "the server sent another part than was requested, so the download starts again; trying again in 1 s"
    ]


def test_cut_connections_are_gone_on_with_as_long_as_bytes_come(site: Site, target: Path) -> None:
    _, said, _ = get(site.at("/cut"), target, sha256=SHA)
    assert [range_ for _, range_ in site.asked] == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    assert len(said) == 3 and all("the connection ended after" in text for text in said)


def test_a_cut_without_a_validator_starts_anew(site: Site, target: Path) -> None:
    get(site.at("/plain-cut"), target, sha256=SHA)
    assert [range_ for _, range_ in site.asked] == [None, None]


def test_a_connection_that_always_ends_at_one_place_is_given_up_and_kept(site: Site, target: Path) -> None:
    waits: list[float] = []
    with pytest.raises(EntryError) as error:
        fetch(site.at("/wall"), target, sleep=waits.append)
    assert "5 times in a row" in str(error.value) and "the same command goes on from here" in str(error.value)
    assert len(site.asked) == 5 and waits == [1, 2, 4, 8] and not target.exists()
    assert target.with_name("net.pth.part").read_bytes() == BODY[:400_000]


def test_a_server_that_is_busy_is_asked_again_when_it_says(site: Site, target: Path) -> None:
    waits: list[float] = []
    _, said, _ = get(site.at("/flaky"), target, sleep=waits.append)
    assert waits == [7.0] and said == ["the server answers 503 (Service Unavailable); trying again in 7 s"]
    site.faults = 99
    with pytest.raises(EntryError, match="503"):
        fetch(site.at("/flaky"), target, sleep=lambda seconds: None)


def test_a_wrong_digest_leaves_nothing_behind(site: Site, target: Path) -> None:
    with pytest.raises(EntryError) as error:
        fetch(site.at("/plain"), target, sha256="00000000")
    assert f"the downloaded file has SHA-256 {SHA}, not 00000000..." in str(error.value)
    assert list(target.parent.iterdir()) == []


def test_a_hub_tells_the_digest_on_the_way(site: Site, target: Path) -> None:
    assert get(site.at("/moved"), target)[0].proof == "server"
    assert [path for path, _ in site.asked] == ["/moved", "/range/net.pth"]
    target.unlink()
    with pytest.raises(EntryError, match=f"SHA-256 {SHA}, not {'0' * 64}"):
        fetch(site.at("/lies"), target, sha256=SHA[:8])
    assert list(target.parent.iterdir()) == []


def test_redirected_downloads_are_gone_on_with_too(site: Site, target: Path) -> None:
    half(site, target, "/moved")
    get(site.at("/moved"), target)
    assert site.asked == [("/moved", "bytes=400000-"), ("/range/net.pth", "bytes=400000-")]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("/nowhere", r"there is no such file \(404\); if you find it elsewhere, put it at .*net\.pth"),
        ("/login", r"is refused \(403\); it may ask for a login: get it with a browser and put it at .*net\.pth"),
        ("/round", r"the server answers 302 \(The HTTP server returned a redirect error"),
        ("/page", "is a page, not a file"),
        ("/zipped", "compressed"),
    ],
)
def test_what_no_second_try_mends_is_said_at_once(site: Site, target: Path, route: str, said: str) -> None:
    with pytest.raises(EntryError, match=said) as error:
        fetch(site.at(route), target, sleep=lambda seconds: pytest.fail("waited"))
    assert "\n" not in str(error.value) and list(target.parent.iterdir()) == []


def test_encryption_is_not_given_up_on_the_way() -> None:
    redirects = module._Redirects()
    request = module.Request("https://models.example/a.pth")
    with Path(os.devnull).open("rb") as body:
        assert redirects.redirect_request(request, body, 302, "", module.Message(), "https://cdn.example/a.pth")
        with pytest.raises(EntryError, match="not encrypted"):
            redirects.redirect_request(request, body, 302, "", module.Message(), "http://cdn.example/a.pth")


@pytest.mark.parametrize("address", ["file:///etc/hosts", "ftp://models.example/a.pth", "net.pth", "https://"])
def test_only_web_addresses_are_downloaded(target: Path, address: str) -> None:
    with pytest.raises(UsageError, match="not an address that can be downloaded"):
        fetch(address, target)
    assert not target.parent.exists()


def test_nobody_there(target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/net.pth"
    with pytest.raises(EntryError, match=r"127\.0\.0\.1 cannot be reached \(connection refused\): is there a network"):
        fetch(address, target, sleep=lambda seconds: pytest.fail("waited"))


def test_a_certificate_that_nobody_vouches_for_is_refused(site: Site, target: Path) -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = "self-signed certificate"
    job = module._Transfer("https://models.example/a.pth", None, None, None, 1.0)
    told = module._unreachable(job, error)
    assert isinstance(told, EntryError) and "the certificate of models.example is not trusted" in str(told)


def test_a_server_that_says_nothing_is_given_up(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/net.pth"
        with pytest.raises(EntryError, match="the server does not answer, 5 times in a row: the same command"):
            fetch(address, target, sleep=lambda seconds: None, timeout=0.05)
    assert list(target.parent.iterdir()) == []


def test_too_little_room_is_seen_before_anything_is_written(site: Site, target: Path, monkeypatch) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**19))
    with pytest.raises(EntryError, match=r"needs 0\.954 MiB more, and 0\.500 MiB are free there"):
        fetch(site.at("/plain"), target)
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_is_one_line(site: Site, target: Path, monkeypatch) -> None:
    def full(self: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.Part, "write", full)
    with pytest.raises(
        EntryError, match=r"net\.pth cannot be written: No space left on device; the received part is kept"
    ):
        fetch(site.at("/plain"), target)


def test_a_link_in_place_of_a_part_is_not_followed(site: Site, target: Path) -> None:
    target.parent.mkdir()
    other = target.with_name("precious")
    other.write_text("precious")
    target.with_name("net.pth.part").symlink_to(other)
    with pytest.raises(UsageError, match=r"net\.pth\.part is a link, and is not followed: delete it"):
        fetch(site.at("/plain"), target)
    assert other.read_text() == "precious" and not target.exists()


def test_two_at_once_do_not_mix(site: Site, target: Path) -> None:
    with module.locked(target), pytest.raises(UsageError, match="being downloaded by another process"):
        fetch(site.at("/plain"), target)


def test_an_interrupt_keeps_what_came(site: Site, target: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(site.at("/range"), target, progress=interrupt)
    assert not target.exists() and target.with_name("net.pth.part").stat().st_size >= 500_000
    get(site.at("/range"), target, sha256=SHA)
    assert site.asked[1][1] is not None


def test_killed_in_the_middle_the_same_command_ends_with_the_right_file(site: Site, target: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hrbench.fetch.download import fetch\n"
        "fetch(sys.argv[1], Path(sys.argv[2]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, site.at("/slow"), str(target)])
    part = target.with_name("net.pth.part")
    while not (part.is_file() and part.stat().st_size >= 200_000):
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and not target.exists()
    site.go_on.set()
    get(site.at("/slow"), target, sha256=SHA)
    (_, first), (_, second) = site.asked
    assert first is None and second is not None and int(second[6:-1]) >= 200_000


def test_addresses_may_hold_what_people_type(site: Site, target: Path) -> None:
    get(site.at("/plain/a name with ümlauts.pth"), target)
    assert site.asked[0][0] == "/plain/a%20name%20with%20%C3%BCmlauts.pth"


def test_proxies_of_the_environment_are_used(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", site.at(""))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(Handler, "get_http:", Handler.get_plain, raising=False)
    get("http://models.invalid/net.pth", target)
    assert site.asked[0][0] == "http://models.invalid/net.pth"


def test_an_md5_is_compared_as_well(site: Site, target: Path) -> None:
    md5 = hashlib.md5(BODY).hexdigest()
    assert get(site.at("/plain"), target, md5=md5)[0].proof == "given"
    with pytest.raises(EntryError, match=f"the downloaded file has MD5 {md5}, not {'0' * 32}: it was deleted"):
        fetch(site.at("/plain"), target.with_name("other"), md5="0" * 32)
    assert [path.name for path in target.parent.iterdir()] == [target.name]
