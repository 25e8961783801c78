"""Verbs, hosts and tokens of the site, and what every answer tells a browser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asked import Answer, ask
from starlette.responses import HTMLResponse

from hrbench.errors import UsageError
from hrbench.serve import access
from hrbench.serve.access import Access, checked_token, guarded, kept, new_token

TOKEN = "a-token-of-twenty-one"
LOCAL = guarded(HTMLResponse("<p>shown</p>"), Access())
BEHIND = guarded(HTMLResponse("<p>shown</p>"), Access(TOKEN, any_host=True, cookie="hrbench-8000"))


def told(answer: Answer) -> dict[str, str]:
    names = ("x-content-type-options", "referrer-policy", "cache-control", "content-security-policy")
    return {name: answer.headers.get(name, "") for name in names}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"])
@pytest.mark.parametrize("app", [LOCAL, BEHIND])
def test_no_other_verb_exists(app: Any, method: str):
    answer = ask(app, f"/?token={TOKEN}", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_head_has_the_length_and_no_content():
    answer = ask(LOCAL, "/", "HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "12")


@pytest.mark.parametrize("app", [LOCAL, BEHIND])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_answer_keeps_browsers_from_guessing_telling_and_keeping(app: Any, method: str):
    shown = told(ask(app, "/", method))
    policy = shown.pop("content-security-policy")
    assert shown == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:9999", "LOCALHOST", "[::1]:8000", "127.8.8.8"]
)
def test_this_machine_is_let_through_by_any_of_its_names(host: str):
    assert ask(LOCAL, "/", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("example.org", "127.0.0.1.example.org", "localhost.example.org:8000", "", None, "10.0.0.1", "0.0.0.0"),
        *("127.0.0.1@example.org", "example.org#127.0.0.1", "127.0.0.1:8000:8000", "[::2]", "::1", "localhost "),
    ],
)
def test_a_page_elsewhere_whose_name_leads_here_is_refused(host: str | None):
    answer = ask(LOCAL, "/", host=host)
    assert answer.status == 400 and b"shown" not in answer.body
    assert ask(LOCAL, "/", "POST", host=host).status == 400


def test_two_hosts_are_refused():
    seen: list[Any] = []

    async def send(message: Any) -> None:
        seen.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"Host", b"127.0.0.1")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    asyncio.run(LOCAL(scope, None, send))
    assert seen[0]["status"] == 400


def test_a_token_is_given_once_and_then_kept_where_no_script_sees_it():
    answer = ask(BEHIND, f"/runs/a%20b/?token={TOKEN}&q=x%26y")
    assert (answer.status, answer.headers["location"]) == (303, "/runs/a%20b/?q=x%26y")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie and "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert ask(BEHIND, "/", cookie=f"other=1; {cookie.partition(';')[0]}").status == 200


def test_a_token_may_be_sent_as_a_header():
    assert ask(BEHIND, "/", authorization=f"Bearer {TOKEN}").status == 200
    assert ask(BEHIND, "/", authorization=f"bearer  {TOKEN} ").status == 200


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/", {}),
        ("/?token=", {}),
        (f"/?token={TOKEN[:-1]}", {}),
        (f"/?token={TOKEN}x", {}),
        (f"/?token={TOKEN}&token={TOKEN}", {}),
        ("/?token=%ff%00", {}),
        ("/", {"authorization": f"Basic {TOKEN}"}),
        ("/", {"authorization": "Bearer"}),
        ("/", {"authorization": "Bearer caf\xe9"}),
        ("/", {"cookie": f"hrbench-8000={TOKEN}"}),
        ("/", {"cookie": f"hrbench-9000={kept(Access(TOKEN))}"}),
        ("/", {"cookie": f"hrbench-8000={kept(Access('another-token-here'))}"}),
    ],
)
def test_nothing_is_shown_without_the_token(address: str, headers: dict[str, str]):
    answer = ask(BEHIND, address, **headers)
    assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Bearer")
    assert b"shown" not in answer.body and "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["//example.org/", "/\\example.org", "/%2f%2fexample.org"])
def test_the_way_to_the_page_without_the_token_leads_nowhere_else(path: str):
    location = ask(BEHIND, f"{path}?token={TOKEN}").headers["location"]
    assert location == "/example.org" or location == "/example.org/"


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch):
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(access.hmac, "compare_digest", lambda one, two: compared.append((one, two)) or one == two)
    ask(BEHIND, "/?token=wrong")
    ask(BEHIND, "/", authorization="Bearer wrong")
    ask(BEHIND, "/", cookie="hrbench-8000=wrong")
    assert [one for one, _ in compared] == [b"wrong"] * 3


def test_tokens_that_are_short_or_fit_no_header_are_refused():
    assert checked_token(TOKEN) == TOKEN
    made = new_token()
    assert checked_token(made) == made != new_token()
    for bad in ("short", "", "a token with blanks", "tøken-tøken-tøken", "a" * 15, "line\nbreak-in-a-token"):
        with pytest.raises(UsageError, match="a token has"):
            checked_token(bad)


def test_web_sockets_and_others_get_nothing():
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(LOCAL({"type": "websocket", "headers": []}, receive, send))
    asyncio.run(LOCAL({"type": "lifespan"}, receive, send))
    assert said == [{"type": "websocket.close", "code": 1008}]
