from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_store import Answered, scripted

import hrbench.core.remote.file_system as file_system
from hrbench.core.remote import SCHEMES, Remote, RemoteFile
from hrbench.errors import MissingError, StorageError, UsageError


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return Remote.open(f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/store")


def test_what_is_written_is_read(store: Remote, tmp_path: Path):
    (tmp_path / "source").write_bytes(b"12345")
    store.write("a/b.bin", b"123")
    store.write("a/b.bin", b"1234")
    store.put("c d.bin", tmp_path / "source")
    counts: list[int] = []
    store.get("c d.bin", tmp_path / "new/target", on_bytes=counts.append)
    assert store.read("a/b.bin") == b"1234"
    assert (tmp_path / "new/target").read_bytes() == b"12345"
    assert sum(counts) == 5
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["target"]
    assert store.exists("a/b.bin")
    assert store.exists("a")
    assert not store.exists("a/c.bin")


def test_listings_are_sorted_and_relative(store: Remote):
    for name in ("b/2", "b/1", "a", "b/c/3"):
        store.write(name, name.encode())
    assert [(file.name, file.size) for file in store.list()] == [("a", 1), ("b/1", 3), ("b/2", 3), ("b/c/3", 5)]
    assert [file.name for file in store.list("b")] == ["1", "2", "c/3"]
    assert [file.name for file in store.list("b", deep=False)] == ["1", "2", "c/"]
    assert store.list("elsewhere") == []
    before = store.info("b/1")
    assert before == RemoteFile("b/1", 3, before.tag)
    store.write("b/1", b"new")
    assert store.info("b/1").tag != before.tag


def test_deleting(store: Remote):
    store.write("a", b"1")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a")


def test_a_file_is_created_once(store: Remote):
    assert store.create("lease", b"one")
    assert not store.create("lease", b"two")
    assert store.read("lease") == b"one"


def test_what_is_missing(store: Remote, tmp_path: Path):
    store.write("folder/a", b"1")
    with pytest.raises(MissingError, match=r"/nothing: there is no such file or folder$"):
        store.read("nothing")
    with pytest.raises(MissingError, match=r"/nothing: there is no such file"):
        store.get("nothing", tmp_path / "x", size=1)
    with pytest.raises(MissingError, match=r"/folder: there is a folder, and no file"):
        store.get("folder", tmp_path / "x")
    assert not (tmp_path / "x").exists()


FAULTS = [Answered(500), ConnectionResetError(104, "Connection reset by peer"), "half", Answered(503, "SlowDown")]


@pytest.mark.parametrize("call", ["read", "get"])
def test_faults_that_pass_are_tried_again(call: str, tmp_path: Path):
    store, waits = scripted(f"{tmp_path.name}", *FAULTS)
    store.files.store[f"/{tmp_path.name}/a"] = _file(b"12345678")
    counts: list[int] = []
    if call == "read":
        assert store.read("a") == b"12345678"
    else:
        store.get("a", tmp_path / "a", on_bytes=counts.append)
        assert (tmp_path / "a").read_bytes() == b"12345678"
        assert sum(counts) == 8
    assert waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("call", "done"),
    [
        (lambda store, to: store.read("a"), "read"),
        (lambda store, to: store.get("a", to / "a"), "read"),
        (lambda store, to: store.write("a", b"1"), "written"),
    ],
)
def test_the_end_of_the_tries_is_told_in_one_line(call: Callable[..., object], done: str, tmp_path: Path):
    store, waits = scripted(tmp_path.name, *[ConnectionResetError(104, "Connection reset by peer")] * 9, attempts=3)
    store.files.store[f"/{tmp_path.name}/a"] = _file(b"12345678")
    with pytest.raises(StorageError) as caught:
        call(store, tmp_path)
    assert str(caught.value) == (
        f"memory://{tmp_path.name}/a: cannot be {done}: ConnectionResetError: [Errno 104] Connection reset by peer; "
        "tried 3 times in 2 s"
    )
    assert len(waits) == 2
    assert len(store.files.script) == 6
    assert list(tmp_path.iterdir()) == []


def test_lost_bytes_are_an_error_in_the_end(tmp_path: Path):
    store, _ = scripted(tmp_path.name, "half", "half", attempts=2)
    store.files.store[f"/{tmp_path.name}/a"] = _file(b"12345678")
    with pytest.raises(StorageError, match=r"cannot be read: 4 of 8 bytes arrived; tried 2 times"):
        store.get("a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_lost_answer_to_creation_is_not_another_owner(tmp_path: Path):
    store, _ = scripted(tmp_path.name, "lost")
    assert store.create("lease", b"mine")
    other, _ = scripted(tmp_path.name, Answered(500))
    assert not other.create("lease", b"theirs")


def test_refusals_are_not_tried_again_and_name_the_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    store, waits = scripted("b", PermissionError("user wJalrXUtnFEMI\nhas no access"), names=("info",))
    store = Remote("s3://b", "/b", store.files, store.policy)
    with pytest.raises(StorageError) as caught:
        store.read("a")
    assert str(caught.value) == (
        "s3://b/a: cannot be read: user *** has no access; the keys of this store come from "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )
    assert waits == []


def test_a_disk_that_cannot_be_written_is_named(tmp_path: Path):
    store, _ = scripted(tmp_path.name)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file/a: cannot be written"):
        store.get("a", tmp_path / "file" / "a", size=1)


@pytest.mark.parametrize(("url", "extra"), [("gs://b/a", "gcs"), ("az://b", "azure"), ("s3://b", "s3")])
def test_a_missing_library_names_its_extra(url: str, extra: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file_system, "module_file", lambda name: None if name != "fsspec" else Path("fsspec"))
    with pytest.raises(
        MissingError, match=rf"^{url} needs \w+, which is not installed: pip install 'hrbench\[{extra}\]'$"
    ):
        Remote.open(url)


def _file(content: bytes):
    from fsspec.implementations.memory import MemoryFile

    return MemoryFile(None, "x", content)


def test_a_full_disk_is_no_fault_of_the_store(tmp_path: Path):
    store, waits = scripted(tmp_path.name, OSError(28, "No space left on device"))
    store.files.store[f"/{tmp_path.name}/a"] = _file(b"12345678")
    with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\); make room there$"):
        store.get("a", tmp_path / "a")
    assert waits == []


def test_every_scheme_is_fsspecs_and_needs_the_module_that_is_named():
    from fsspec.registry import known_implementations

    for scheme, (protocol, module, _) in SCHEMES.items():
        assert known_implementations[protocol]["class"].partition(".")[0] == module, scheme
