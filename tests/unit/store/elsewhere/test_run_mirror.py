"""A run folder in an object store holds what the local one does, whatever fails, and whoever goes on."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from faulty_store import Answered, scripted
from store_machine import Machine, run_two
from stored_results import contents, made, store, suite_of

from hrbench.core.remote import Remote, RetryPolicy
from hrbench.errors import InputError, LostLeaseError, StorageError, UsageError
from hrbench.store.elsewhere import garbage
from hrbench.store.elsewhere.objects import RunStore
from hrbench.store.elsewhere.records import Commit, FolderRecord, StoredFile, decode, encode, number_of, stored
from hrbench.store.elsewhere.runs import folder_to_resume
from hrbench.store.elsewhere.snapshot import Needs, runs_below, view_of
from hrbench.store.run_folder import RunFolder


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Machine]:
    url = f"memory://{tmp_path.name}-bucket/runs/pose"
    return Machine(url, tmp_path / "a", monkeypatch), Machine(url, tmp_path / "b", monkeypatch)


def test_a_reader_finds_what_a_local_run_holds(machines, tmp_path: Path):
    here, there = machines
    local = RunFolder(tmp_path / "local")
    for folder in (local, None):
        with local.locked() if folder else here.running() as running:
            folder = folder or running
            folder.write_run(suite_of("one", "two"))
            store(folder, "one", 0.5)
            store(folder, "one", 0.6, key="m")
            store(folder, "two", 0.7)
            folder.update(made("two", 0.75))
    found = there.read()
    assert contents(found) == {
        name: data
        for name, data in contents(local.path).items()
        if not name.startswith("superseded") or name.endswith("result.json")
    }
    assert [score.value for result in RunFolder(found).results() for score in result.scores] == [0.6, 0.75]
    assert found.parts[-2:] == ("runs", "pose")
    assert not (set(contents(there.read(Needs.STATES))) - set(contents(found)))


def test_a_reader_fetches_what_it_needs_alone(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one")
    assert set(contents(there.read(Needs.RESULTS))) == {"entries/one/result.json"}
    assert set(contents(there.read(Needs.STATES))) == {"entries/one/result.json", "entries/one/states.npz"}


def test_a_growing_run_is_read_and_an_older_copy_stays(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one")
        first = there.read()
        before = contents(first)
        store(folder, "two")
        second = there.read()
        assert [result.name for result in RunFolder(second).results()] == ["one", "two"]
        linked = (first / "entries/one/states.npz").stat().st_ino == (second / "entries/one/states.npz").stat().st_ino
        assert linked
    assert contents(first) == before


def test_a_reader_takes_no_file_that_a_run_has_changed_since_its_commit(machines):
    here, _ = machines
    with here.running() as folder:
        store(folder, "one")
        path = folder.path / "entries/one/states.npz"
        stored_bytes = path.read_bytes()
        path.write_bytes(bytes(len(stored_bytes)))  # of the same size, and not uploaded yet
        assert (here.read() / "entries/one/states.npz").read_bytes() == stored_bytes
        path.write_bytes(stored_bytes)


@pytest.mark.parametrize("name", ["9.json", "0000000000000009.json", "\u00b9\u00b2.json"])
def test_a_file_beside_the_commits_is_none(name: str):
    assert number_of(name) == 0 and number_of("00000009.json") == 9


def test_another_machine_goes_on(machines):
    here, there = machines
    with here.running() as folder:
        folder.write_run(suite_of("one", "two"))
        store(folder, "one", 0.5)
    with there.running() as folder:
        assert [path.name for path in (folder.path / "entries/one").glob("[!.]*")] == ["result.json"]
        assert folder.read("one").scores[0].value == 0.5  # every file is fetched, and its digest checked
        assert (folder.path / "entries/one/predictions.json").read_bytes() == b"rows"
        store(folder, "one", 0.6, key="m")
        store(folder, "two", 0.7)
    with here.running() as folder:
        assert [result.scores[0].value for result in folder.results()] == [0.6, 0.7]
        (former,) = folder.past("one", "k" * 64)
        restored = folder.restore(Path(former.folder), "one")
        assert folder.read("one").scores[0].value == 0.5
        assert restored.name == "one"
    found = there.read()
    assert [result.scores[0].value for result in RunFolder(found).results()] == [0.5, 0.7]
    assert RunFolder(found).former("one").scores[0].value == 0.6


def test_costs_alone_are_uploaded_without_the_predictions(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one", 0.5)
    with there.running() as folder:
        folder.update(made("one", 0.5, "z"))
        assert not (folder.path / "entries/one/predictions.json").exists()
    assert contents(here.read())["entries/one/predictions.json"] == b"rows"
    assert RunFolder(here.read()).results()[0].prediction_key == "z" * 64


def test_two_machines_that_changed_the_same_entry_keep_both(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one", 0.5)
    with there.running() as folder:
        store(folder, "one", 0.6, key="m")
    offline = RunFolder(here.mirror().path)
    store(offline, "one", 0.7, key="n")
    with here.running() as folder:
        assert folder.read("one").scores[0].value == 0.6
        assert folder.past("one", "n" * 64)[0].scores[0].value == 0.7
    assert "entries/one was changed here and on another machine" in here.told[0]


def test_a_second_run_says_who_writes(machines):
    here, there = machines
    with here.running():
        with pytest.raises(UsageError) as second, there.running():
            pass
        assert "\n" not in str(second.value)
        for said in ("is being written by another run", "process", "since 20", "its lease ends at 20", "--out"):
            assert said in str(second.value)
        with pytest.raises(UsageError, match=r"since 20.*its lease ends at"), here.running():
            pass
    with there.running():
        pass


KILLED: list[object] = []


def killed(machine: Machine, *names: str) -> None:
    """A run that ends without releasing its lease."""
    mirror = machine.mirror()
    folder = RunFolder(mirror.path, mirror)
    running = mirror.held()
    (folder.path / "entries").mkdir(parents=True)
    running.__enter__()
    for name in names:
        store(folder, name)
    mirror.lease._stop()
    KILLED.append(running)  # a context that nobody refers to would end


def test_a_killed_run_is_taken_over_in_the_same_copy_at_once(machines):
    here, _ = machines
    killed(here, "one")
    with here.running() as folder:
        assert folder.read("one") is not None
    assert here.waited == []


def test_a_killed_run_is_taken_over_elsewhere_after_its_lease(machines):
    here, there = machines
    killed(here, "one")
    with pytest.raises(UsageError), there.running():
        pass
    assert there.waited == []
    there.late = timedelta(seconds=121)
    with there.running() as folder:
        assert folder.read("one") is not None
    assert sum(there.waited) == pytest.approx(45)
    assert "whose lease has ended: watching for 45 s" in there.told[0]


def test_a_run_that_is_alive_is_not_taken_over_by_a_wrong_clock(machines):
    here, there = machines
    there.late = timedelta(days=1)
    with here.running() as folder:
        there.waited = Waits(lambda: folder.elsewhere.lease._renew())
        with pytest.raises(UsageError, match="is being written by another run"), there.running():
            pass
        store(folder, "one")


class Waits(list):
    """What happens while another machine waits."""

    def __init__(self, do) -> None:
        self.do = do

    def append(self, seconds: float) -> None:
        self.do()


def test_a_run_whose_lease_was_taken_writes_nothing_more(machines):
    here, there = machines
    there.late = timedelta(days=1)
    with pytest.raises(LostLeaseError, match="was taken over by another run") as lost, here.running() as folder:
        store(folder, "one", 0.5)
        with there.running() as other:
            store(other, "two", 0.6)
        before = contents(there.read())
        store(folder, "one", 0.9, key="m")
    assert "\n" not in str(lost.value)
    assert contents(there.read()) == before
    with here.running() as folder:  # what it has is not lost
        assert folder.read("one").scores[0].value == 0.9


def test_a_run_that_lost_its_lease_stops_before_the_next_entry(machines):
    here, there = machines
    there.late = timedelta(days=1)
    with pytest.raises(LostLeaseError), here.running() as folder:
        with there.running():
            pass
        with pytest.raises(StorageError):
            folder.elsewhere.lease._look()  # what the thread does
        folder.begin("one")


def test_a_store_that_ignores_the_condition_is_found_out(machines, monkeypatch):
    here, there = machines

    def careless(path: str, value: bytes, mode: str = "overwrite", **options) -> None:
        type(here.remote.files).pipe_file(here.remote.files, path, value)

    for machine in machines:
        monkeypatch.setattr(machine.remote.files, "pipe_file", careless)
    there.late = timedelta(days=1)
    with pytest.raises(LostLeaseError), here.running() as folder:
        assert not folder.elsewhere.lease.exclusive
        assert here.waited == [5]
        store(folder, "one", 0.5)
        with there.running() as other:
            assert [result.name for result in other.results()] == ["one"]
        store(folder, "one", 0.9, key="m")
    assert RunFolder(there.read()).results()[0].scores[0].value == 0.5


def test_an_upload_that_fails_loses_nothing(machines, tmp_path: Path):
    here, there = machines
    faulty, _ = scripted(here.remote.root.strip("/"), attempts=3)
    with here.running(faulty) as folder:
        faulty.files.script[:] = [Answered(503)] * 3
        store(folder, "one", 0.5)
        assert "503; tried 3 times" in here.told[0]
        assert "the result is whole in" in here.told[0]
        assert "is uploaded with the next" in here.told[0]
        assert not RunStore(here.remote).latest().folders
        store(folder, "two", 0.6)
    assert [result.name for result in RunFolder(there.read()).results()] == ["one", "two"]


def test_a_store_that_stays_away_is_told_in_one_line_and_the_next_run_uploads(machines):
    here, there = machines
    faulty, _ = scripted(here.remote.root.strip("/"), attempts=3)
    with pytest.raises(StorageError) as told, here.running(faulty) as folder:
        faulty.files.script[:] = [Answered(503)] * 100
        store(folder, "one", 0.5)
    assert "\n" not in str(told.value)
    assert "tried 3 times" in str(told.value)
    assert "the same command uploads them" in str(told.value)
    with here.running():
        pass
    assert [result.name for result in RunFolder(there.read()).results()] == ["one"]


@pytest.mark.parametrize("fault", ["lost", Answered(500), ConnectionResetError(104, "reset")], ids=str)
def test_each_call_may_fail_once(machines, fault):
    """Of all calls of a run, one after another, each fails once: what is stored is the same."""
    here, there = machines
    number = 0
    while True:
        here.url = there.url = f"memory://{here.cache.parent.name}-{number}/pose"
        here.remote = there.remote = Remote.open(here.url, RetryPolicy(first_wait=0))
        faulty, waits = scripted(here.remote.root.strip("/"), *[None] * number, fault)
        with here.running(faulty) as folder:
            store(folder, "one", 0.5)
            store(folder, "one", 0.6, key="m")
        assert here.told == []
        assert RunFolder(there.read()).results()[0].scores[0].value == 0.6
        if faulty.files.script:
            break
        assert len(waits) <= 1  # none for an answer that the file exists, which is no fault
        number += 1
    assert number > 10


class Killed(BaseException):
    """The end of a process."""


def test_killed_at_any_call_it_goes_on_to_the_same(machines, monkeypatch):
    """Whatever the last call was: readers find whole entries, and the same command, here or elsewhere, ends the run."""
    here, there = machines
    number, ended = 0, False
    while not ended:
        here.url = there.url = f"memory://{here.cache.parent.name}-{number}/pose"
        here.remote = there.remote = Remote.open(here.url, RetryPolicy(first_wait=0))
        faulty, _ = scripted(here.remote.root.strip("/"), *[None] * number, *[Killed()] * 100)
        try:
            with here.running(faulty) as folder:
                run_two(folder)
            ended = True
        except Killed:
            pass
        latest = RunStore(here.remote).latest()
        if latest is not None and latest.folders:
            for result in RunFolder(there.read()).results():
                assert RunFolder(there.read()).read(result.name) == result
        there.late = timedelta(minutes=4 * (number % 2))
        with (there if number % 2 else here).running() as folder:
            run_two(folder)
        values = [result.scores[0].value for result in RunFolder(there.read()).results()]
        assert values == [0.5, 0.7]
        number += 1
    assert number > 10


def objects(machine: Machine) -> dict[str, str]:
    """What lies in the store, by what it is."""
    read = RunFolder(machine.read())
    record = RunStore(machine.remote).latest().folders["entries/one"]
    listed = RunStore(machine.remote).read_record(record, "one").files
    assert read.results()
    return {"list": record.object, **{name: at.object for name, at in listed.items()}}


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("what", ["list", "result.json", "states.npz"])
def test_a_reader_names_what_is_damaged_or_lost(machines, what, lost):
    here, there = machines
    with here.running() as folder:
        store(folder, "one")
    path = objects(here)[what]
    if lost:
        here.remote.delete(path)
    else:
        here.remote.write(path, here.remote.read(path)[:-1] + b"?")
    with pytest.raises(InputError) as told:
        there.read()
    named = "the list of files of entries/one" if what == "list" else f"{what} of entries/one"
    assert f"{named} is {'lost' if lost else 'damaged'}" in str(told.value)
    assert path in str(told.value)
    if not lost:
        assert "delete it and run the suite again" in str(told.value)
        here.remote.delete(path)
    with here.running():  # whose copy has the file
        pass
    assert RunFolder(there.read()).results()[0].scores[0].value == 0.5


@pytest.mark.parametrize("what", ["list", "result.json", "states.npz"])
def test_another_machine_measures_anew_what_is_damaged(machines, what):
    here, there = machines
    with here.running() as folder:
        store(folder, "one")
        store(folder, "two")
    path = objects(here)[what]
    here.remote.write(path, here.remote.read(path)[:-1] + b"?")
    with there.running() as folder:
        store(folder, "three")
    assert set(RunStore(here.remote).latest().folders) >= {"entries/one", "entries/two", "entries/three"}
    with there.running() as folder:
        try:
            assert folder.read("one") is None
        except InputError as error:
            assert f"{what} of entries/one is damaged" in str(error)
            folder.supersede("one")
        store(folder, "one")
    assert [one.scores[0].value for one in RunFolder(here.read(Needs.STATES)).results()] == [0.5] * 3


def test_half_a_file_is_damage_and_no_fault_of_the_store(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one")
    path = objects(here)["states.npz"]
    here.remote.write(path, here.remote.read(path)[:5])
    with pytest.raises(InputError, match=r"states\.npz of entries/one is damaged"):
        there.read()
    with there.running() as folder, pytest.raises(InputError, match=r"states\.npz of entries/one is damaged"):
        folder.read("one")


def test_a_commit_that_was_cut_is_told_and_gone_over(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one")
    number = RunStore(here.remote).numbers()[-1]
    path = f"commits/{number + 1:08d}.json"
    here.remote.write(path, b'{"number": 9')
    with pytest.raises(InputError, match=f"{path} is damaged"):
        there.read()
    with here.running() as folder:
        assert folder.read("one") is not None
    assert f"goes on from commit {number}" in here.told[0]
    assert RunFolder(there.read()).results()


def test_what_nobody_names_is_removed_after_a_day(machines):
    here, there = machines
    with here.running() as folder:
        store(folder, "one", 0.5)
        store(folder, "one", 0.6, key="m", predictions=b"others")
    here.remote.write("objects/ab/" + "ab" * 32, b"left by a killed run")
    before = set(RunStore(here.remote).list_objects())
    read = contents(there.read())
    with here.running():
        pass
    assert set(RunStore(here.remote).list_objects()) == before
    here.late = garbage.KEEP + timedelta(minutes=1)
    with here.running():
        pass
    after = set(RunStore(here.remote).list_objects())
    assert "ab" * 32 in before - after
    assert contents(there.read()) == read
    assert there.remote.list("leases") == []


def test_a_link_is_never_uploaded(machines, tmp_path: Path):
    here, there = machines
    (tmp_path / "secret").write_text("not for others")
    with here.running() as folder:
        begun = folder.begin("one")
        (begun / "link").symlink_to(tmp_path / "secret")
        (begun / ".hidden").write_text("hidden")
        folder.commit(begun, made("one"))
    assert set(contents(there.read())) == {"entries/one/result.json"}


@pytest.mark.parametrize("name", ["../one", "/one", "a//b", ".hidden", "a/../../b", "a\\b", ""])
def test_a_record_never_leads_out_of_the_folder(name):
    at = StoredFile("a" * 64, 1)
    for record in (Commit(folders={name: at}), Commit(files={name: at}), FolderRecord({name: at})):
        with pytest.raises(InputError, match="names a file that hrbench never stores"):
            decode(encode(record), type(record), "place")
    with pytest.raises(InputError):
        decode(encode(FolderRecord({"a": StoredFile("../secret", 1)})), FolderRecord, "place")


def test_a_copy_of_the_local_copy_is_another_one(machines, tmp_path: Path):
    here, there = machines
    killed(here, "one")
    shutil.copytree(here.cache, there.cache)
    with pytest.raises(UsageError, match="is being written by another run"), there.running():
        pass


def test_a_lease_of_a_wrong_clock_ends(machines):
    here, there = machines
    here.late = timedelta(days=30)
    killed(here, "one")
    there.late = timedelta(minutes=5)
    with there.running() as folder:
        assert folder.read("one") is not None
    assert sum(there.waited) == pytest.approx(45)


def test_what_a_run_would_find_is_read_without_a_lease(machines):
    here, _ = machines
    assert folder_to_resume(here.url).read("one") is None
    with here.running() as folder:
        store(folder, "one")
        numbers = RunStore(here.remote).numbers()
        assert folder_to_resume(here.url).read("one").scores[0].value == 0.5
        assert RunStore(here.remote).numbers() == numbers


def test_run_folders_below_an_address(machines, monkeypatch):
    here, _ = machines
    for name in ("v1", "v2"):
        one = Machine(f"{here.url}/{name}", here.cache, monkeypatch)
        with one.running() as folder:
            store(folder, "one")
    here.remote.write("other/file.txt", b"")
    assert runs_below(here.url) == ["v1", "v2"]
    view = view_of(here.url, Needs.RESULTS)
    assert sorted(path.name for path in view.glob("[!.]*")) == ["v1", "v2"]
    assert (view / "v1" / "entries/one/result.json").is_file()


def test_a_large_file_that_grows_while_it_is_uploaded_is_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, put, store_there = tmp_path / "log.txt", Remote.put, RunStore.open(f"memory://{tmp_path.name}-grows/run")
    path.write_bytes(b"first")
    at = stored(b"first")

    def grows(remote: Remote, name: str, file: Path) -> None:
        file.write_bytes(b"first and second")
        put(remote, name, file)

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "put", grows)
        with pytest.raises(StorageError, match=r"log\.txt: is being written"):
            store_there.upload(at, path)
    assert not store_there.has(at) and not store_there.remote.exists(at.object)
    path.write_bytes(b"first")
    store_there.upload(at, path)
    assert store_there.has(at) and store_there.remote.read(at.object) == b"first"
