"""Requests to an application without a server or a client, which would tidy addresses before they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Answer:
    """What came back. headers: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(app: Any, address: str, method: str = "GET", host: str | None = "127.0.0.1:8000", **headers: str) -> Answer:
    """The answer to a request. address: to the letter, as a client that tidies nothing would send it."""
    raw, _, query = address.partition("?")
    sent = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),  # as uvicorn does
        "raw_path": raw.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value is not None],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
    }
    messages: list[Any] = []

    async def talk() -> None:
        sent = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            return next(sent, None) or await asyncio.Event().wait()  # then the client stays and says nothing

        async def send(message: Any) -> None:
            messages.append(message)

        await app(scope, receive, send)

    asyncio.run(talk())
    assert [one["type"] for one in messages].count("http.response.start") == 1
    heads = {name.decode().lower(): value.decode("latin-1") for name, value in messages[0]["headers"]}
    return Answer(messages[0]["status"], heads, b"".join(one.get("body", b"") for one in messages[1:]))
