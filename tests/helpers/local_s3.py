"""An object store like S3 on loopback (moto's server, in a thread), whose answers fail as a test says.

with local_s3() as s3:
    s3.fill("bucket", folder)
    s3.fail(lambda request: "half" if request.path.endswith(".pth") else "")
    subprocess.run(..., env={**os.environ, **s3.environment})
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

KEY, SECRET = "AKIALOOPBACKTESTKEY1", "loopback/SECRET+of+tests/0123456789abcdef"


@dataclass(frozen=True)
class S3Request:
    """A request that arrived: method, path without query ("/bucket/key"), query, and the fault that it met."""

    method: str
    path: str
    query: str
    fault: str = ""


@dataclass
class LocalS3:
    """A running server.

    address: http://127.0.0.1:PORT.
    requests: all that arrived since the start or `forget`, in their order.
    """

    address: str
    requests: list[S3Request] = field(default_factory=list)
    _fails: Callable[[S3Request], str] = lambda request: ""

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find this store under s3://."""
        return {
            "AWS_ENDPOINT_URL_S3": self.address,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def fail(self, fails: Callable[[S3Request], str]) -> None:
        """Which fault a request meets from now on, called for each: "" for none, a status such as "503"; "cut" for a
        connection that closes before the answer; "half" for one that closes after half of the body; "lost" for a call
        that is done, and whose connection then closes before the answer; "slow:0.3" for an answer 0.3 s later.
        """
        self._fails = fails

    def forget(self) -> None:
        """No faults from now on, and no requests yet."""
        self._fails = lambda request: ""
        self.requests.clear()

    def fill(self, bucket: str, folder: Path | None = None, below: str = "") -> None:
        """Creates a bucket and uploads all files of a folder, under their relative paths below `below`."""
        client = self._client
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=bucket)
        for path in sorted(folder.rglob("*")) if folder else ():
            if path.is_file():
                key = f"{below}/{path.relative_to(folder)}" if below else str(path.relative_to(folder))
                client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    @cached_property
    def _client(self) -> Any:
        import boto3

        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.address, **keys)

    def application(self, inner: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """moto's WSGI application with faults around it."""

        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            request = S3Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
            fault = self._fails(request)
            self.requests.append(S3Request(request.method, request.path, request.query, fault))
            if fault.startswith("slow:"):
                time.sleep(float(fault.partition(":")[2]))
            if fault.isdigit():
                _drain(environ)
                start(f"{fault} Fault", [("Content-Type", "application/xml"), ("Content-Length", "0")])
                return [b""]
            if fault == "cut":
                return _closed(environ)
            if fault == "lost":
                b"".join(inner(environ, lambda *_: None))
                return _closed(environ)
            if fault == "half":
                return _half(inner(environ, start), environ)
            return inner(environ, start)

        return answer


@contextlib.contextmanager
def local_s3() -> Iterator[LocalS3]:
    """A store on a free port of loopback. Its files are in memory, and gone at the end."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    store = LocalS3("")
    application = store.application(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    store.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield store
    finally:
        if "_client" in vars(store):
            store._client.close()
        server.shutdown()
        thread.join()
        server.server_close()


def _drain(environ: dict[str, Any]) -> None:
    """Reads what a request sends, so that its client reads our answer."""
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", ""):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def _closed(environ: dict[str, Any]) -> Iterable[bytes]:
    with contextlib.suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def _half(blocks: Iterable[bytes], environ: dict[str, Any]) -> Iterator[bytes]:
    """The first half of a body, of whose whole length the headers have spoken."""
    body = b"".join(blocks)
    yield body[: max(1, len(body) // 2)]
    yield from _closed(environ)
