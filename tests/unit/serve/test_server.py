"""Listening: on loopback without a token, elsewhere with one; what cannot be taken is told in a line."""

from __future__ import annotations

import socket
import sys

import pytest

from hrbench.cli.command_line import main
from hrbench.errors import UsageError
from hrbench.serve import server
from hrbench.serve.server import listen


def test_loopback_needs_no_token_and_a_free_port_is_told():
    found = listen("127.0.0.1", 0, "")
    with found.socket:
        port = found.socket.getsockname()[1]
        assert found.address == f"http://127.0.0.1:{port}/" and port != 0
        assert not found.access.token and not found.access.any_host and found.access.cookie == f"hrbench-{port}"


def test_any_other_host_has_a_token_that_is_made_and_told():
    found = listen("0.0.0.0", 0, "")
    with found.socket:
        assert len(found.access.token) == 32 and found.access.any_host
        assert found.address.endswith(f"/?token={found.access.token}") and socket.gethostname() in found.address


def test_a_token_that_was_given_is_not_told():
    for host in ("127.0.0.1", "0.0.0.0"):
        found = listen(host, 0, "a-token-that-was-given")
        with found.socket:
            assert found.access.token == "a-token-that-was-given" and "token" not in found.address


def test_a_port_that_is_taken_is_told_in_a_line():
    with listen("127.0.0.1", 0, "").socket as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"^port {port} of 127.0.0.1 is taken: .* --port, 0 for a free one$"):
            listen("127.0.0.1", port, "")


@pytest.mark.parametrize(("host", "said"), [("192.0.2.1", "no address of this machine"), ("no such host", "no host")])
def test_a_host_that_is_not_here_is_told_in_a_line(host: str, said: str):
    with pytest.raises(UsageError, match=said):
        listen(host, 0, "")


def test_the_address_of_ipv6_has_brackets():
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        found = listen("::1", 0, "")
    except UsageError as error:
        pytest.skip(str(error))
    with found.socket:
        assert found.address.startswith("http://[::1]:") and not found.access.token


def test_the_command_says_what_is_wrong_before_it_listens(capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch):
    monkeypatch.setattr(server, "serve", None)
    assert main(["serve", "s3://bucket/runs"]) == 2
    assert "shows folders of this machine, not s3://bucket/runs" in capsys.readouterr().err
    assert main(["serve", str(tmp_path / "none")]) == 2
    assert main(["serve", str(tmp_path), "--token", "short"]) == 2
    monkeypatch.setenv("HRBENCH_TOKEN", "short, too")
    assert main(["serve", str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and "there is no folder" in said[0] and all("16 letters" in line for line in said[1:])
    with pytest.raises(SystemExit):
        main(["serve", "--port", "70000"])
    assert "'70000' is not a port" in capsys.readouterr().err


def test_without_the_extra_the_command_names_it(capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch):
    for name in (
        "hrbench.serve.access",
        "hrbench.serve.server",
        "hrbench.serve.site",
        "starlette",
        "starlette.responses",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr("hrbench.serve.access")
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["serve", str(tmp_path)]) == 2
    assert "pip install 'hrbench[serve]'" in capsys.readouterr().err
