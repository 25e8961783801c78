"""Listens on an address and serves a site there until it is interrupted."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

import uvicorn

from hrbench.errors import UsageError
from hrbench.serve.access import Access, App, guarded, is_loopback, new_token

CONNECTIONS = 256
"""At one time; further ones are told to come later."""

SECONDS_TO_END = 2
"""How long answers that were begun may take once the server is told to end."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that listens.

    socket: the caller closes it.
    address: of the site, with its token if that was made here.
    access: what a request must bring.
    """

    socket: socket.socket
    address: str
    access: Access


def listen(host: str, port: int, token: str) -> Listening:
    """Takes a port.

    host: a name or an address of this machine; any but a loopback address needs a token.
    port: 0 for a free one.
    token: "" for none, or to have one made where it is needed.

    Raises UsageError if the host is not this machine's, or if the port is taken.
    """
    family, at = _address(host, port)
    local = is_loopback(at)
    given, token = token, token or ("" if local else new_token())
    try:
        listening = socket.create_server((at, port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(_why(error, host, port)) from None
    port = listening.getsockname()[1]
    name = socket.gethostname() if at in ("0.0.0.0", "::") else host
    shown = f"[{name}]" if ":" in name else name
    address = f"http://{shown}:{port}/" + (f"?token={token}" if token and not given else "")
    return Listening(listening, address, Access(token, not local, host, f"hrbench-{port}"))


def _address(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    """The family and address of a host's name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"there is no host {host!r}: {getattr(error, 'strerror', '') or error}") from None
    family, _, _, _, address = found[0]
    return socket.AddressFamily(family), str(address[0])


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken: choose another with --port, 0 for a free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine"
    if error.errno == errno.EACCES:
        return f"port {port} is not for this user: choose one of 1024 or more with --port, 0 for a free one"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def serve(listening: Listening, app: App) -> None:
    """Serves until a signal ends it; Ctrl-C then raises KeyboardInterrupt."""
    config = uvicorn.Config(
        guarded(app, listening.access),
        log_config=None,  # only the command line prints
        log_level="critical",
        access_log=False,  # it would hold the token
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    uvicorn.Server(config).run(sockets=[listening.socket])
