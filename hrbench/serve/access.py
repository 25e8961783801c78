"""Who may ask for what: the name of the host, the verb, the token; and what every answer tells a browser.

- Only GET and HEAD exist.
- On loopback without a token the request must name the host as this machine: a page elsewhere whose name was made to
  lead here (DNS rebinding) names its own.
- With a token nothing is shown without it: given once as `?token=`, kept in a cookie that no script sees, or sent as
  `Authorization: Bearer`. It is compared in constant time. The cookie is derived from the token and does not hold it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from hrbench.errors import UsageError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SHORTEST = 16
"""Letters of a token at least."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What may stand in a header, an address and a cookie."""

COOKIE_SECONDS = 30 * 24 * 3600

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),  # no stale number, and nobody else's copy of a page behind a token
    (b"cross-origin-resource-policy", b"same-origin"),
)
POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of an answer that has none of its own."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must bring.

    token: "" for none.
    any_host: whether a request may name any host; else a loopback address, "localhost" or `host`.
    host: as the server was told to listen on.
    cookie: the name of the cookie: servers on several ports of one host share a browser's cookies.
    """

    token: str = ""
    any_host: bool = False
    host: str = "127.0.0.1"
    cookie: str = "hrbench"


def new_token() -> str:
    """A random token: 32 letters, 192 bits."""
    return secrets.token_urlsafe(24)


def checked_token(token: str) -> str:
    """The token. Raises UsageError for one that is short, or that no header can hold."""
    if len(token) < SHORTEST:
        raise UsageError(f"a token has {SHORTEST} letters at least, this one {len(token)}; without one it is made")
    if not _TOKEN.fullmatch(token):
        raise UsageError("a token has letters, digits and . _ ~ + / = - only")
    return token


def guarded(app: App, access: Access) -> App:
    """The application behind these rules; every answer has the headers above."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            return
        answer = refusal(scope, access)
        await (app if answer is None else answer)(scope, receive, _with_headers(send, scope["method"]))

    return guard


def _with_headers(send: Send, method: str) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message["headers"]}
            more = [*HEADERS, (b"content-security-policy", POLICY)]
            message["headers"] = [*message["headers"], *(one for one in more if one[0] not in known)]
        elif message["type"] == "http.response.body" and method == "HEAD":
            message = {**message, "body": b""}
        await send(message)

    return sending


def refusal(scope: Scope, access: Access) -> Response | None:
    """The answer to a request that is not let through, or that brings the token; None for all others."""
    headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    hosts = [value for name, value in headers if name == b"host"]
    if not access.any_host and not (len(hosts) == 1 and names_this_machine(hosts[0], access.host)):
        return PlainTextResponse("the request names another host\n", 400)
    if scope["method"] not in ("GET", "HEAD"):
        return PlainTextResponse("this site is read only\n", 405, headers={"Allow": "GET, HEAD"})
    return _without_token(scope, headers, access) if access.token else None


def _without_token(scope: Scope, headers: list[tuple[bytes, str]], access: Access) -> Response | None:
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = [value for name, value in query if name == "token"]
    if given:
        if len(given) > 1 or not _same(given[0], access.token):
            return _unauthorised()
        return _welcome(scope, [pair for pair in query if pair[0] != "token"], access)
    for name, value in headers:
        scheme, _, sent = value.partition(" ")
        if name == b"authorization" and scheme.lower() == "bearer" and _same(sent.strip(), access.token):
            return None
        if name == b"cookie" and any(_same(one, kept(access)) for one in _cookies(value, access.cookie)):
            return None
    return _unauthorised()


def _welcome(scope: Scope, query: list[tuple[str, str]], access: Access) -> Response:
    """To the same page without the token in its address, which histories and logs would keep."""
    path = "/" + quote(scope["path"].lstrip("/\\"))  # "//name" would lead to another host
    answer = RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), 303)
    answer.set_cookie(access.cookie, kept(access), max_age=COOKIE_SECONDS, path="/", httponly=True, samesite="lax")
    return answer


def _unauthorised() -> Response:
    said = "this site needs its token: open the address with ?token=... once\n"
    return PlainTextResponse(said, 401, headers={"WWW-Authenticate": 'Bearer realm="hrbench"'})


def kept(access: Access) -> str:
    """The value of the cookie."""
    return hmac.new(access.token.encode(), b"hrbench serve: cookie", hashlib.sha256).hexdigest()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _cookies(header: str, wanted: str) -> list[str]:
    pairs = (one.strip().partition("=") for one in header.split(";"))
    return [value for name, _, value in pairs if name == wanted]


def names_this_machine(host: str, also: str) -> bool:
    """Whether a Host header names this machine by a loopback address or name, or as the server was told.

    >>> names_this_machine("localhost:8000", ""), names_this_machine("[::1]:8000", ""), names_this_machine("a.b", "")
    (True, True, False)
    """
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?", host)
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    return name in ("localhost", also.lower()) or is_loopback(name)


def is_loopback(address: str) -> bool:
    """Whether it is an address of the loopback network: 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
