from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_store import ScriptedStore, scripted
from memory_store import memory_store

from hrbench.core.remote import Remote, cache, mirror
from hrbench.errors import MissingError, StorageError, UsageError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A store with three files; the cache is a folder of its own, and no mirror is known before and after."""
    monkeypatch.setattr(cache, "SPARE_BYTES", 0)
    remote = memory_store(tmp_path, monkeypatch)
    remote.write("coco/annotations/a.json", b'{"a": 1}')
    remote.write("coco/val/1.jpg", b"1" * 1000)
    remote.write("coco/val/2.jpg", b"2" * 2000)
    yield remote


def fetched(store: Remote) -> Path:
    """The mirror of the store, as another process would see it: known anew."""
    mirror._MIRRORS.clear()
    return mirror.local_folder(store.url)


def on_disk(folder: Path) -> list[str]:
    """Names of the files whose content is there."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path.name for path in files if cache.whole_version(path.stat()) is not None]


def test_names_and_sizes_are_there_at_once_and_content_when_it_is_opened(store: Remote):
    folder = fetched(store)
    assert list(folder.iterdir()) == []
    mirror.listed(folder / "coco")
    assert (folder / "coco/val/2.jpg").stat().st_size == 2000
    assert on_disk(folder) == []
    assert (folder / "coco/annotations/a.json").read_text() == '{"a": 1}'
    with open(os.fsencode(folder / "coco/val/1.jpg"), "rb") as file:  # noqa: PTH123
        assert file.read() == b"1" * 1000
    assert on_disk(folder) == ["a.json", "1.jpg"]
    assert list((folder.parent / "incoming").iterdir()) == []


def test_files_arrive_together_with_progress_and_once(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    paths = [folder / "coco/val/1.jpg", folder / "coco/val/2.jpg", folder / "coco/none.jpg", Path("elsewhere")]
    heard: list[tuple[int, int]] = []
    with mirror.telling(lambda done, total: heard.append((done, total))):
        mirror.present(paths)
        mirror.present(paths)
    assert heard[0] == (0, 3000)
    assert heard[-1] == (3000, 3000)
    assert heard.count((3000, 3000)) == 1
    assert on_disk(folder) == ["1.jpg", "2.jpg"]


def test_what_is_unchanged_in_the_store_stays_and_what_has_changed_is_fetched_again(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    mirror.present([folder / "coco/val/1.jpg", folder / "coco/val/2.jpg"])
    (folder / "drawn.txt").write_text("ours")  # written by somebody else: it stays
    store.write("coco/val/2.jpg", b"3" * 2000)
    store.delete("coco/annotations/a.json")
    folder = fetched(store)
    mirror.listed(folder)
    assert on_disk(folder) == ["1.jpg"]
    assert (folder / "coco/val/2.jpg").read_bytes() == b"3" * 2000
    assert not (folder / "coco/annotations/a.json").exists()
    assert (folder / "drawn.txt").read_text() == "ours"


def test_a_file_that_somebody_changed_in_the_cache_is_fetched_again(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    mirror.present([folder / "coco/val/1.jpg"])
    (folder / "coco/val/1.jpg").write_bytes(b"x" * 1000)
    folder = fetched(store)
    mirror.listed(folder)
    assert (folder / "coco/val/1.jpg").read_bytes() == b"1" * 1000


def test_a_change_after_the_listing_is_told_and_nothing_wrong_is_kept(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    store.write("coco/val/1.jpg", b"2" * 1000)
    with pytest.raises(StorageError, match=r"^memory://.*/coco/val/1.jpg: has changed since it was listed; run again$"):
        (folder / "coco/val/1.jpg").read_bytes()
    assert on_disk(folder) == []
    assert list((folder.parent / "incoming").iterdir()) == []


def test_another_process_of_a_run_lists_nothing_again(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    since = mirror.began()
    mirror.release()
    assert mirror.began() == since
    store.write("coco/val/3.jpg", b"3")
    mirror._MIRRORS.clear()
    mirror.listed(mirror.local_folder(store.url, since))
    assert not (folder / "coco/val/3.jpg").exists()
    mirror._MIRRORS.clear()
    mirror.listed(mirror.local_folder(store.url, time.time_ns() + 10**9))  # of a run that began later
    assert (folder / "coco/val/3.jpg").exists()


def test_messages_and_requests_name_the_store(store: Remote):
    folder = fetched(store)
    assert mirror.address_of(folder / "coco/a") == f"{store.url}/coco/a"
    assert mirror.address_of(Path("/elsewhere")) is None
    assert mirror.plain(folder) == store.url
    assert mirror.plain(Path("data")) == "data"
    assert mirror.told(f"missing: {folder}/coco/a; {folder} is") == f"missing: {store.url}/coco/a; {store.url} is"


def test_names_that_no_folder_can_have(store: Remote):
    store.files.store[f"{store.root}/coco/../../../escape"] = store.files.store[f"{store.root}/coco/val/1.jpg"]
    store.files.store[f"{store.root}/coco//twice"] = store.files.store[f"{store.root}/coco/val/1.jpg"]
    store.write(f"coco/{'x' * 300}", b"1")
    folder = fetched(store)
    mirror.listed(folder)
    names = [path.name for path in folder.parent.rglob("*") if path.is_file()]
    assert "escape" not in names
    del store.files.store[f"{store.root}/coco/../../../escape"], store.files.store[f"{store.root}/coco//twice"]
    store.write("coco/val", b"a file, too")
    folder = fetched(store)
    with pytest.raises(StorageError, match="is a file and a folder"):
        mirror.listed(folder)


@pytest.mark.parametrize("name", ["coco/annotations/a.json", "coco/annotations"])
def test_a_file_or_folder_by_its_address(name: str, store: Remote):
    fetched(store)
    copy = mirror.local_copy(f"{store.url}/{name}")
    assert (copy / "a.json" if copy.is_dir() else copy).read_text() == '{"a": 1}'
    with pytest.raises(MissingError, match=r"/coco/none: there is no such file or folder$"):
        mirror.local_copy(f"{store.url}/coco/none")
    assert mirror.local_copy("here/a.json") == Path("here/a.json")


# --- bounded size


def test_the_cache_is_bounded_and_what_was_needed_longest_ago_goes_first(
    store: Remote, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HRBENCH_CACHE_SIZE", "3000")
    folder = fetched(store)
    mirror.listed(folder)
    one, two, text = (folder / "coco" / name for name in ("val/1.jpg", "val/2.jpg", "annotations/a.json"))
    mirror.present([one])
    mirror.present([two])
    with pytest.raises(UsageError, match=r"may hold .* are in use, and .* more are needed: set a larger --cache-size"):
        mirror.present([text])
    end_process()
    mirror.present([one])  # needed now: of the two the other goes
    mirror.present([text])
    assert on_disk(folder) == ["a.json", "1.jpg"]
    assert two.stat().st_size == 2000
    end_process()
    assert two.read_bytes() == b"2" * 2000
    assert on_disk(folder) == ["2.jpg"] or on_disk(folder) == ["a.json", "2.jpg"]


def test_what_another_living_process_needs_stays(store: Remote, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HRBENCH_CACHE_SIZE", "3000")
    folder = fetched(store)
    mirror.listed(folder)
    one, two, text = (folder / "coco" / name for name in ("val/1.jpg", "val/2.jpg", "annotations/a.json"))
    mirror.present([one, two])
    other = mirror._USERS.copy()  # it goes on
    mirror._USERS.clear()
    with pytest.raises(UsageError, match="in use"):
        mirror.present([text])
    other_users = list(other.values())
    os.close(other_users[0].descriptor)  # it ends
    end_process()
    mirror.present([text])
    assert on_disk(folder) == ["a.json", "2.jpg"] or on_disk(folder) == ["a.json", "1.jpg"]


def test_what_ended_processes_left_is_removed(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    left = folder.parent / "incoming/1-0123456789abcdef"
    left.write_bytes(b"half")
    mirror.present([folder / "coco/val/1.jpg"])
    assert not left.exists()
    assert len(list((folder.parents[2] / "users").iterdir())) == 1


def end_process() -> None:
    """This process ends, as far as the cache knows, and another begins."""
    for user in mirror._USERS.values():
        os.close(user.descriptor)
    mirror._USERS.clear()
    mirror._user()


@pytest.mark.parametrize(
    ("text", "count"), [("50 GB", 50 * 10**9), ("1.5t", 15 * 10**11), ("2KiB", 2048), ("7", 7), ("0.5M", 500_000)]
)
def test_sizes(text: str, count: int):
    assert cache.parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1", "5 apples", "1e9"])
def test_what_is_no_size(text: str):
    with pytest.raises(UsageError, match="is no size: it should be like 50GB"):
        cache.parse_bytes(text)


def test_a_cache_that_cannot_be_written(store: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HRBENCH_CACHE", str(tmp_path / "file/cache"))
    mirror._MIRRORS.clear()
    with pytest.raises(UsageError, match=r"cannot be kept there .*HRBENCH_CACHE names another"):
        mirror.local_folder(store.url)


def test_faults_of_the_store_end_in_a_line_after_the_tries(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    failing, waits = scripted(store.root.strip("/"), *["half"] * 9, attempts=3)
    assert isinstance(failing.files, ScriptedStore)
    mirror._MIRRORS[f"{folder}/"]._remotes[os.getpid()] = failing
    with pytest.raises(StorageError, match=r"coco/val/1.jpg: cannot be read: 500 of 1000 bytes arrived; tried 3 times"):
        (folder / "coco/val/1.jpg").read_bytes()
    assert len(waits) == 2
    failing.files.script.clear()
    assert (folder / "coco/val/1.jpg").read_bytes() == b"1" * 1000


def test_an_entry_may_take_the_room_of_those_before_it(store: Remote, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HRBENCH_CACHE_SIZE", "2500")
    folder = fetched(store)
    mirror.listed(folder)
    mirror.present([folder / "coco/val/1.jpg"])
    with pytest.raises(UsageError, match="in use"):
        mirror.present([folder / "coco/val/2.jpg"])
    mirror.release()
    mirror.present([folder / "coco/val/2.jpg"])
    assert on_disk(folder) == ["2.jpg"]


def test_after_one_fault_the_other_files_are_not_waited_for(store: Remote):
    for number in range(40):
        store.write(f"coco/many/{number:02}", b"x" * 100)
    folder = fetched(store)
    mirror.listed(folder)
    failing, _ = scripted(store.root.strip("/"), *["half"] * 200, attempts=2)
    mirror._MIRRORS[f"{folder}/"]._remotes[os.getpid()] = failing
    with pytest.raises(StorageError, match=r"coco/many/\d\d: cannot be read: 50 of 100 bytes arrived; tried 2 times"):
        mirror.present(sorted((folder / "coco/many").iterdir()))
    assert isinstance(failing.files, ScriptedStore)
    assert failing.files.calls.count("get_file") <= 2 * mirror.THREADS
    assert list((folder.parent / "incoming").iterdir()) == []


def test_a_file_is_fetched_by_whatever_name_it_is_opened(
    store: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = fetched(store)
    mirror.listed(folder)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder / "coco")
    assert Path("val/1.jpg").read_bytes() == b"1" * 1000
    assert (folder / "coco/val/../annotations/a.json").read_text() == '{"a": 1}'
    assert (tmp_path / "link/coco/val/2.jpg").read_bytes() == b"2" * 2000


def test_a_file_becomes_a_folder_and_a_folder_a_file(store: Remote):
    mirror.listed(fetched(store))
    store.delete("coco/val/1.jpg")
    store.delete("coco/annotations/a.json")
    store.write("coco/val/1.jpg/part", b"1")
    store.write("coco/annotations", b"2")
    folder = fetched(store)
    mirror.listed(folder)
    assert (folder / "coco/val/1.jpg/part").read_bytes() == b"1"
    assert (folder / "coco/annotations").read_bytes() == b"2"


def test_a_second_run_of_one_process_lists_again(store: Remote):
    folder = fetched(store)
    mirror.listed(folder)
    assert (folder / "coco/val/1.jpg").read_bytes() == b"1" * 1000
    store.write("coco/val/1.jpg", b"3" * 1000)
    mirror.listed(mirror.local_folder(store.url))
    assert (folder / "coco/val/1.jpg").read_bytes() == b"3" * 1000


def test_a_version_that_another_process_has_listed_is_not_overwritten(store: Remote, monkeypatch: pytest.MonkeyPatch):
    folder = fetched(store)
    mirror.listed(folder)
    path, replaced = folder / "coco/val/1.jpg", cache.set_whole

    def listed_meanwhile(arriving: Path, version: int) -> None:
        replaced(arriving, version)
        cache.put_awaited(path, 1000, version + 1000, folder.parent / "incoming")

    monkeypatch.setattr(cache, "set_whole", listed_meanwhile)
    with pytest.raises(StorageError, match="has changed since it was listed"):
        path.read_bytes()
    assert on_disk(folder) == []
