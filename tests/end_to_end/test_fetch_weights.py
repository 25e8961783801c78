"""`hrbench fetch weights` against a server on loopback: from a name of the catalog to a network that loads."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import hrbench
from hrbench import catalog
from hrbench.cli.command_line import main
from hrbench.models.weights.sources import SHIPPED
from hrbench.types import Variant

CONTENT = (SHIPPED / "pose_hrnet_miniature_coco.safetensors").read_bytes()
SHA = hashlib.sha256(CONTENT).hexdigest()
NAMED = f"mini-{SHA[:8]}.safetensors"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A publisher's server: the miniature's weights under a name with their digest, another's with a wrong one, and a
    repository as the hub has them. Gives its address, without a slash at the end."""
    files = tmp_path / "published"
    hub = files / "timm" / "mini.in1k" / "resolve" / "main"
    hub.mkdir(parents=True)
    for path in (files / NAMED, files / "wrong-00000000.pth", files / "plain.pth", hub / "model.safetensors"):
        path.write_bytes(CONTENT)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


Fetch = Callable[..., int]


@pytest.fixture
def fetch(published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Runs `hrbench fetch weights ...` on a catalog whose rows lie on that server, into tmp_path/w."""
    monkeypatch.setenv("HF_ENDPOINT", published)
    mini = catalog.variants()["pose_hrnet_miniature_coco"]

    def row(name: str, absent: str = "", **weights: str) -> Variant:
        return Variant(name, mini.use, mini.task, mini.input, mini.args, weights=weights, absent=absent)

    rows = [
        row("net_named", official="by_hand.pth", openmmlab=f"{published}/{NAMED}"),
        row("net_stated", keras=f"{published}/plain.pth#sha256={SHA}"),
        row("net_hub", timm="timm/mini.in1k"),
        row("net_wrong", openmmlab=f"{published}/wrong-00000000.pth"),
        row("net_gone", openmmlab=f"{published}/gone.pth"),
        row("hand_only", official="by_hand.pth"),
        row("none_at_all"),
        row("nowhere", absent="No source states it."),
    ]
    monkeypatch.setattr(catalog, "variants", lambda: {row.name: row for row in rows})
    return lambda *words: main(["fetch", "weights", *words, "--weights", str(tmp_path / "w")])


def test_from_a_name_to_a_network_with_its_weights(fetch: Fetch, tmp_path: Path, capsys) -> None:
    from hrbench.models.weights.load import load

    assert fetch("net_named") == 0
    out = capsys.readouterr().out
    assert re.search(r"net_named: download: (\d\.\d+) MiB of \1 MiB", out)
    assert f"net_named: {tmp_path / 'w' / NAMED}, " in out and f"SHA-256 {SHA} (as published)" in out
    load(hrbench.build("net_named"), tmp_path / "w" / NAMED)
    assert [path.name for path in (tmp_path / "w").iterdir()] == [NAMED]
    assert fetch("net_named") == 0
    assert "is there already; its digest is right" in capsys.readouterr().out


def test_a_file_that_is_there_and_wrong_is_replaced_only_by_force(fetch: Fetch, tmp_path: Path, capsys) -> None:
    path = tmp_path / "w" / NAMED
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    assert fetch("net_named") == 2
    assert "--force downloads it again" in capsys.readouterr().err and path.read_bytes() == b"damaged"
    assert fetch("net_named", "--force") == 0
    assert path.read_bytes() == CONTENT


def test_sources(fetch: Fetch, tmp_path: Path, capsys) -> None:
    assert fetch("net_named", "--source", "timm") == 2
    assert "no weights from 'timm'; its sources: official, openmmlab" in capsys.readouterr().err
    assert fetch("net_named", "--source", "official") == 2
    err = capsys.readouterr().err
    assert "get by_hand.pth from the model zoo of github.com/leoxiaobin" in err and f"put it into {tmp_path}" in err
    assert fetch("net_stated") == 0 and fetch("net_hub") == 0
    assert (tmp_path / "w" / "plain.pth").is_file() and (tmp_path / "w" / "mini.in1k.safetensors").is_file()
    assert "(no digest is known to compare it with)" in capsys.readouterr().out.splitlines()[-1]


def test_a_wrong_digest_is_said_and_leaves_no_file(fetch: Fetch, tmp_path: Path, capsys) -> None:
    assert fetch("net_wrong") == 3
    assert f"the downloaded file has SHA-256 {SHA}, not 00000000..." in capsys.readouterr().err
    assert list((tmp_path / "w").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none_at_all", "no weights of none_at_all have been published"),
        ("nowhere", "cannot be built: No source states it."),
        ("net_nmed", "did you mean net_named?"),
    ],
)
def test_what_cannot_be_had(fetch: Fetch, capsys, name: str, said: str) -> None:
    assert fetch(name) == 2
    assert said in capsys.readouterr().err


def test_a_server_that_cannot_be_reached_is_told_once(fetch: Fetch, monkeypatch, capsys) -> None:
    rows = dict(catalog.variants())
    for number in range(4):  # nothing listens at port 1
        weights = {"openmmlab": f"http://127.0.0.1:1/{number}.pth"}
        rows[f"net_away_{number}"] = replace(rows["net_named"], name=f"net_away_{number}", weights=weights)
    monkeypatch.setattr(catalog, "variants", lambda: rows)
    assert fetch("net_*") == 3
    out = capsys.readouterr().out
    assert out.count("127.0.0.1 cannot be reached") == 1 and out.count("net_away_") <= 2
    assert "\n3 more files of 127.0.0.1:1 not tried, since it cannot be reached\n" in out
    assert f", SHA-256 {SHA} (as published)" in out  # a server beside it is asked all the same


def test_one_of_several_that_fails_does_not_stop_the_others(fetch: Fetch, tmp_path: Path, capsys) -> None:
    assert fetch("n*") == 3
    out = capsys.readouterr().out
    assert "no weights of 2 of 7 networks have been published" in out
    assert "net_wrong: http://" in out and "net_gone: http://" in out and "there is no such file (404)" in out
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == sorted(
        [NAMED, "plain.pth", "mini.in1k.safetensors"]
    )


def test_a_source_may_be_asked_for_of_several(fetch: Fetch, tmp_path: Path, capsys) -> None:
    assert fetch("net_[ns]*", "--source", "openmmlab") == 0
    assert "no weights of 1 of 2 networks have been published by openmmlab" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "w").iterdir()] == [NAMED]
    assert fetch("net_*", "--source", "elsewhere") == 2
    assert "has no weights from 'elsewhere'; its sources:" in capsys.readouterr().err


def test_offline_never_touches_the_network(fetch: Fetch, published: str, tmp_path: Path, capsys, monkeypatch) -> None:
    def reached(*given: object, **more: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr("socket.getaddrinfo", reached)
    monkeypatch.setattr("socket.create_connection", reached)
    assert fetch("net_*", "--offline") == 2
    shown = capsys.readouterr()
    assert f"net_named: would download {published}/{NAMED} to {tmp_path / 'w' / NAMED}" in shown.out
    assert f"net_hub: would download {published}/timm/mini.in1k/resolve/main/model.safetensors to" in shown.out
    assert "nothing was downloaded, and weights of 5 networks are not here" in shown.err
    assert not (tmp_path / "w").exists()
    assert fetch("net_named") == 70  # so a test would notice
    assert "unexpected AssertionError: the network was used" in capsys.readouterr().err
    (tmp_path / "w" / NAMED).write_bytes(CONTENT)
    assert fetch("net_named", "--offline") == 0


def test_fetching_loads_no_torch() -> None:
    code = "import sys\nfrom hrbench.cli.command_line import main\n"
    code += "assert main(['fetch', 'weights', 'pose_hrnet_w32*', '--offline']) == 2\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "False", done.stderr
