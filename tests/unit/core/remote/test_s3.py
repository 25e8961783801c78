"""s3:// against a server on loopback: what works, what is repeated, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_s3 import KEY, SECRET, LocalS3, S3Request, local_s3

import hrbench.core.remote.file_system as file_system
from hrbench.core.remote import Remote, RetryPolicy
from hrbench.errors import MissingError, StorageError


@pytest.fixture(scope="module")
def server() -> Iterator[LocalS3]:
    with local_s3() as running:
        running.fill("bucket")
        yield running


@pytest.fixture
def s3(server: LocalS3, monkeypatch: pytest.MonkeyPatch) -> LocalS3:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.forget()
    return server


def remote(path: str = "bucket/runs", attempts: int = 4) -> Remote:
    return Remote.open(f"s3://{path}", RetryPolicy(attempts=attempts, sleep=lambda seconds: None))


def in_turn(*faults: str, method: str = "GET"):
    """The faults one after the other for requests of a method, then none."""
    left = list(faults)
    return lambda request: left.pop(0) if left and request.method == method and "list-type" not in request.query else ""


def test_what_is_written_is_read(s3: LocalS3, tmp_path: Path):
    store = remote()
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    store.put("a/x.bin", tmp_path / "a")
    store.write("b", b"123")
    before = store.info("b").tag
    store.write("b", b"321")
    assert store.info("b").tag != before
    assert [(file.name, file.size) for file in store.list()] == [("a/x.bin", 100_000), ("b", 3)]
    assert [file.name for file in store.list(deep=False)] == ["a/", "b"]
    assert store.list("b") == []
    store.get("a/x.bin", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"x" * 100_000
    assert store.read("b") == b"321"
    assert store.exists("a/x.bin")
    store.delete("b")
    store.delete("b")
    assert not store.exists("b")
    with pytest.raises(MissingError, match=r"^s3://bucket/runs/b: there is no such file or folder$"):
        store.read("b")
    with pytest.raises(MissingError, match=r"^s3://nothing/b: "):
        remote("nothing").read("b")
    with pytest.raises(MissingError, match=r"^s3://nothing/a: there is no such bucket$"):
        remote("nothing/a").list()


def test_of_two_who_create_a_file_one_succeeds(s3: LocalS3):
    store = remote("bucket/lease")
    assert store.create("lock", b"one")
    assert not remote("bucket/lease").create("lock", b"two")
    s3.fail(in_turn("lost", method="PUT"))
    assert store.create("other", b"one")
    assert store.read("other") == b"one"


@pytest.mark.parametrize("fault", ["500", "503", "cut", "half", "slow:0.3"])
def test_a_fault_that_passes_is_not_seen(fault: str, s3: LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file_system, "READ_SECONDS", 0.1)
    store = remote("bucket/faults")
    store.write("a", bytes(range(256)) * 100)
    s3.fail(in_turn(fault, fault, fault))
    store.get("a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == bytes(range(256)) * 100
    assert [request.fault for request in s3.requests if request.method == "GET"] == [fault, fault, fault, ""]


@pytest.mark.parametrize("fault", ["500", "cut", "half", "slow:0.3"])
def test_a_fault_that_stays_is_told_after_as_many_tries_as_said(
    fault: str, s3: LocalS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(file_system, "READ_SECONDS", 0.1)
    store = remote("bucket/faults", attempts=3)
    store.write("a", b"12345678" * 1000)
    s3.forget()
    s3.fail(lambda request: fault if request.method == "GET" else "")
    with pytest.raises(StorageError) as caught:
        store.get("a", tmp_path / "a")
    text = str(caught.value)
    assert text.startswith("s3://bucket/faults/a: cannot be read: ")
    assert "; tried 3 times in " in text
    assert "\n" not in text
    assert KEY not in text
    assert SECRET not in text
    sent = len([request for request in s3.requests if request.method == "GET"])
    assert 3 <= sent <= (6 if fault == "cut" else 3)  # aiohttp asks again if a connection closes
    assert list(tmp_path.iterdir()) == []


def test_writing_is_repeated_too(s3: LocalS3):
    store = remote("bucket/faults")
    s3.fail(in_turn("500", "cut", "lost", method="PUT"))
    store.write("b", b"123")
    assert [request.fault for request in s3.requests if request.method == "PUT"] == ["500", "cut", "lost", ""]
    s3.forget()
    s3.fail(lambda request: "503" if request.method == "PUT" else "")
    with pytest.raises(StorageError, match=r"^s3://bucket/faults/b: cannot be written: .*; tried 4 times in 0 s$"):
        store.write("b", b"123")
    assert len(s3.requests) == 4


def test_a_refusal_is_told_at_once(s3: LocalS3):
    def forbidden(request: S3Request) -> str:
        return "403"

    s3.fail(forbidden)
    with pytest.raises(
        StorageError, match=r"^s3://bucket/a: cannot be read: .*; the keys of this store come from AWS_"
    ):
        remote("bucket").read("a")
    assert len(s3.requests) == 1
