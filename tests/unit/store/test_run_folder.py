"""What is stored comes back, whole or not at all."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.core.files import write_whole
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.store.results import FORMAT, from_json, to_json
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import read_state, write_state
from hrbench.types import (
    Conditions,
    DatasetRow,
    Drawing,
    Entry,
    Measurement,
    Provenance,
    Quantity,
    Reason,
    Result,
    State,
    Suite,
    Variant,
    WeightsRecord,
)

AP = Quantity("AP", "AP", "fraction", "higher", "mean over thresholds")
ENTRY = Entry(
    name="one",
    variant=Variant(name="net", use="m:net", task="pose", input=(64, 48), args={"width": 8}),
    dataset=DatasetRow(name="set", use="coco-keypoints", task="pose", metrics=("coco-keypoints",)),
    protocol={"name": "top-down", "version": 1, "flip": True},
    metrics=("coco-keypoints",),
    cost={"operations": True, "latency": None},
)


def result_of(value: float | None = 0.5, **changes) -> Result:
    whole = Result(
        name="one",
        entry=ENTRY,
        status="done",
        scores=(Measurement(AP, value, "coco-keypoints", (0.25, 0.75), 7),),
        costs=(Measurement(AP, 3.0, samples=(0.1, 0.2), conditions=Conditions(batch=1, uncounted={"aten::add": 2})),),
        drawings=(Drawing("drawings/worst-1.jpg", 139, "worst", "image 139"),),
        notes=("a note",),
        score_key="a" * 64,
        provenance=Provenance(weights=WeightsRecord("official", "b" * 64)),
        seconds={"predict": 1.5},
    )
    return replace(whole, **changes)


@given(value=st.one_of(st.none(), st.floats(0, 1)), text=st.text())
def test_results_come_back_equal(value, text):
    result = result_of(value, reasons=(Reason(text),))
    assert from_json(to_json(result), Path("x/result.json")) == replace(result, folder="x")


def test_numbers_of_numpy_are_stored_as_numbers():
    result = result_of(costs=(Measurement(AP, np.float64(0.1), conditions=Conditions(batch=np.int64(3))),))
    again = from_json(to_json(result), Path("x/result.json"))
    assert again.costs[0].value == 0.1 and again.costs[0].conditions == Conditions(batch=3)


@pytest.mark.parametrize("data", [b"", b"{", b'{"format": 1}', b"[1, 2]", b'{"format": 1, "result": {"name": 3}}'])
def test_a_damaged_result_is_named(data):
    with pytest.raises(InputError, match=r"x/result\.json is not a result of hrbench"):
        from_json(data, Path("x/result.json"))


def test_a_newer_format_says_what_to_do():
    newer = json.loads(to_json(result_of())) | {"format": FORMAT + 1}
    with pytest.raises(InputError, match=r"use a newer hrbench"):
        from_json(json.dumps(newer).encode(), Path("x/result.json"))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(stream):
        stream.write(b"half")
        raise RuntimeError("power is out")

    with pytest.raises(RuntimeError):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_states_come_back_equal(tmp_path):
    state = State("m", 2, {"sigmas": [0.1]}, {"ids": np.arange(3), "scores": np.array([0.5, np.nan])})
    write_state(state, tmp_path / "states.npz")
    again = read_state(tmp_path / "states.npz")
    assert (again.metric, again.version, again.params) == ("m", 2, {"sigmas": [0.1]})
    for name, array in state.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[name], array)


def test_damaged_and_pickled_states_are_refused(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="is not a state"):
        read_state(tmp_path / "bad.npz")
    np.savez(tmp_path / "pickled.npz", __head__=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="is not a state"):
        read_state(tmp_path / "pickled.npz")
    with pytest.raises(MissingError):
        read_state(tmp_path / "none.npz")


def test_an_entry_appears_whole_and_the_old_one_is_kept(tmp_path):
    folder = RunFolder(tmp_path)
    place = folder.begin("one")
    (place / "predictions.json").write_text("[]")
    assert folder.results() == [] and folder.read("one") is None
    folder.commit(place, result_of(0.25))
    folder.commit(folder.begin("one"), result_of(0.5))
    folder.commit(folder.begin("one"), result_of(0.75))
    assert [result.scores[0].value for result in folder.results()] == [0.75]
    past = [from_json(path.read_bytes(), path) for path in sorted(tmp_path.glob("superseded/*/result.json"))]
    assert [result.scores[0].value for result in past] == [0.25, 0.5]
    assert (tmp_path / "superseded" / "one.1" / "predictions.json").read_text() == "[]"


def test_results_follow_the_suites_order_and_its_parts_add_up(tmp_path):
    folder = RunFolder(tmp_path)
    entries = [replace(ENTRY, name=name) for name in ("b", "a", "c")]
    for entry in entries:
        folder.commit(folder.begin(entry.name), result_of(name=entry.name))
    suite = Suite("s", "S", tuple(entries), text="text", names=("b", "a", "c"))
    folder.write_run(suite)
    assert [result.name for result in folder.results()] == ["b", "a", "c"]
    folder.write_run(replace(suite, entries=(entries[2],)))
    assert [result.name for result in folder.results()] == ["b", "a", "c"]
    # an edited suite keeps what it still has, in its own order
    folder.write_run(replace(suite, entries=(entries[1],), text="another", names=("c", "new", "a")))
    assert [result.name for result in folder.results()] == ["c", "a"]
    assert folder.read_run().options == [] and folder.unlisted() == ["b"]
    assert [result.name for result in folder.results(every=True)] == ["c", "a", "b"]


def test_a_run_of_a_part_keeps_entries_that_other_settings_named(tmp_path):
    """With --set an entry has another name: those that were stored under their former names stay in the list."""
    folder = RunFolder(tmp_path)
    entries = {name: replace(ENTRY, name=name) for name in ("b", "a", "b-compile", "a-compile")}
    for entry in entries.values():
        folder.commit(folder.begin(entry.name), result_of(name=entry.name))
    suite = Suite("s", "S", (entries["b"], entries["a"]), text="text", names=("b", "a"))
    compiled = replace(suite, entries=(entries["b-compile"],), names=("b-compile", "a-compile"), partial=True)
    folder.write_run(suite)
    folder.write_run(compiled)
    assert folder.read_run().entries == ["b", "a", "b-compile"] and folder.unlisted() == ["a-compile"]
    folder.write_run(replace(compiled, text="another"))  # of an edited suite only what it still has
    assert folder.read_run().entries == ["b-compile", "a-compile"]
    folder.write_run(suite)
    folder.write_run(replace(compiled, partial=False))  # a run of all entries decides the list anew
    assert folder.read_run().entries == ["b-compile", "a-compile"] and folder.unlisted() == ["a", "b"]


def test_a_superseded_result_comes_back_by_its_key_and_only_to_its_own_entry(tmp_path):
    folder = RunFolder(tmp_path)
    for name, key in (("a", "1"), ("a.b", "1"), ("a", "2"), ("a.b", "2")):
        folder.commit(folder.begin(name), result_of(name=name, prediction_key="p", score_key=key))
    for number in range(9):
        folder.commit(folder.begin("a"), result_of(name="a", prediction_key="p", score_key=f"later {number}"))
    assert [past.score_key for past in folder.past("a", "p")] == [
        *(f"later {number}" for number in range(7, -1, -1)),
        "2",
        "1",
    ]
    assert folder.past("a", "other") == []
    (wanted,) = (past for past in folder.past("a", "p") if past.score_key == "1")
    assert wanted.name == "a" and folder.restore(Path(wanted.folder), "a") == folder.entry("a")
    stored = folder.read("a")
    assert stored is not None and stored.score_key == "1"
    other = folder.read("a.b")
    assert other is not None and other.score_key == "2"
    # the ten that stood there are all kept
    keys = [from_json(p.read_bytes(), p).score_key for p in tmp_path.glob("superseded/a.[0-9]*/result.json")]
    assert sorted(keys) == sorted(["2", *(f"later {number}" for number in range(9))])


def test_a_damaged_result_is_told_and_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    for name in ("a", "b"):
        folder.commit(folder.begin(name), result_of(name=name))
    (tmp_path / "entries" / "b" / "result.json").write_text("{")
    told = []
    assert [result.name for result in folder.results(told.append)] == ["a"]
    assert "b/result.json is not a result" in told[0]
    with pytest.raises(InputError):
        folder.results()


def test_a_changed_result_is_a_failed_entry_without_numbers(tmp_path):
    folder = RunFolder(tmp_path)
    path = folder.commit(folder.begin("a"), result_of(0.25, name="a")) and tmp_path / "entries" / "a" / "result.json"
    path.write_text(path.read_text().replace("0.25", "12.5"))
    (changed,) = folder.results(pytest.fail)
    assert changed.name == "a" and changed.status == "failed" and not (changed.scores or changed.costs)
    assert changed.reason == f"{path} was changed after it was written; delete its folder and run again"
    with pytest.raises(InputError, match="was changed after it was written: delete its folder"):
        folder.results()


def test_the_reason_stands_in_one_line_for_scripts(tmp_path):
    reasons = (Reason("no data", "get them"), Reason("no weights"))
    stored = json.loads(to_json(replace(result_of(), status="empty", reasons=reasons)))["result"]
    assert stored["reason"] == "no data; get them; no weights"


def test_an_entry_that_is_listed_twice_is_there_once(tmp_path):
    folder = RunFolder(tmp_path)
    folder.commit(folder.begin("one"), result_of())
    (tmp_path / "run.json").write_text('{"entries": ["one", "one", "two"]}')
    assert folder.read_run().entries == ["one", "two"]
    assert [result.name for result in folder.results()] == ["one"]


def test_damaged_files_beside_the_entries_are_named(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "environment.json").write_text("[")
    (tmp_path / "run.json").write_text('{"entries": 3}')
    (tmp_path / "suite.yaml").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"environment\.json is damaged"):
        folder.read_environment()
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        folder.read_run()
    assert folder.read_text("suite.yaml").startswith("caf")


def test_only_one_run_at_a_time_and_leftovers_are_swept(tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin("half")
    with folder.locked():
        assert not list((tmp_path / "entries").iterdir())
        with pytest.raises(UsageError, match="another hrbench is running"), RunFolder(tmp_path).locked():
            pass
    with folder.locked():
        pass


@pytest.mark.parametrize("target", ["../victim", "nowhere", "entries"])
def test_a_lock_that_is_a_link_is_refused_and_what_it_leads_to_left_alone(tmp_path, target):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run" / "entries").mkdir(parents=True)
    (tmp_path / "run" / ".lock").symlink_to(target)
    with (
        pytest.raises(UsageError, match=r"\.lock is a link, which hrbench never makes"),
        RunFolder(tmp_path / "run").locked(),
    ):
        pass
    assert (tmp_path / "victim").read_text() == "precious" and not (tmp_path / "run" / "nowhere").exists()


def test_a_lock_empties_no_file_that_has_its_name(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".lock").hardlink_to(tmp_path / "victim")
    with RunFolder(tmp_path).locked():
        pass
    assert (tmp_path / "victim").read_text() == "precious"
    (tmp_path / ".lock").unlink()
    os.mkfifo(tmp_path / ".lock")  # waits for nobody at its other end
    with RunFolder(tmp_path).locked():
        pass


def test_parts_of_files_that_a_killed_run_left_are_swept(tmp_path):
    folder = RunFolder(tmp_path)
    folder.commit(folder.begin("one"), result_of())
    (tmp_path / "victim").write_text("precious")
    ended = 4_999_999_999  # no process has this number
    left = [
        tmp_path / f".run.json.{ended}",
        tmp_path / f".environment.json.{ended}.01234567.part",
        tmp_path / "entries" / "one" / f".result.json.{ended}",
        tmp_path / "entries" / "one" / f".states.npz.{ended}.01234567.part",
        tmp_path / "entries" / ".one.4711",
    ]
    for path in left[:-1]:
        path.write_text("half")
    left[-1].symlink_to("../victim")
    (tmp_path / "entries" / "one" / f".predictions.json.{ended}").symlink_to("../../victim")
    kept = [tmp_path / f".report.html.{ended}.01234567.part", tmp_path / ".gitignore", tmp_path / ".notes.12"]
    for path in kept:
        path.write_text("of others")
    with folder.locked():
        assert not any(path.exists() or path.is_symlink() for path in left)
        files = [path.name for path in (tmp_path / "entries" / "one").iterdir() if not path.is_symlink()]
        assert files == ["result.json"]  # a link, which hrbench never makes, is left as it is
    assert all(path.exists() for path in kept) and (tmp_path / "victim").read_text() == "precious"
    assert [result.name for result in folder.results()] == ["one"]


ELSEWHERE = ["../../outside", "/tmp/outside", "..", "other", "a/b", "new\nline", "nul\0", ""]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_stored_name_is_never_a_path(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    for entry in ("one", "other"):
        folder.commit(folder.begin(entry), result_of(0.5 if entry == "one" else 0.75, name=entry))
    stored = result_of(0.25, name=name, entry=replace(ENTRY, name=name))
    (tmp_path / "run" / "entries" / "one" / "result.json").write_bytes(to_json(stored))
    before = sorted(path for path in tmp_path.rglob("*") if "entries/one" not in str(path))
    other = (tmp_path / "run" / "entries" / "other" / "result.json").read_bytes()
    (result,) = [each for each in folder.results() if each.scores[0].value == 0.25]
    again = folder.read("one")
    assert again is not None and again.name == again.entry.name == result.name == "one"
    folder.update(replace(result, notes=("costs",)))
    folder.commit(folder.begin(result.name), result)
    after = sorted(path for path in tmp_path.rglob("*") if "/one" not in str(path) and path.name != "superseded")
    assert after == before
    assert (tmp_path / "run" / "entries" / "other" / "result.json").read_bytes() == other


@pytest.mark.parametrize("name", [*(name for name in ELSEWHERE if name != "other"), ".hidden", "a/"])
def test_an_entry_of_such_a_name_is_not_stored(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    for use in (folder.read, folder.begin, folder.supersede, lambda name: folder.update(result_of(name=name))):
        with pytest.raises(UsageError, match="cannot be the name of an entry"):
            use(name)
    assert not list(tmp_path.iterdir())


def test_an_entry_that_is_a_link_is_set_aside_and_nothing_is_written_through_it(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "result.json").write_bytes(to_json(result_of(prediction_key="p")))
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run" / "entries").mkdir(parents=True)
    folder.entry("one").symlink_to("../../outside")
    with pytest.raises(InputError, match="is a link"):
        folder.read("one")
    folder.commit(folder.begin("one"), result_of(0.75))
    assert (tmp_path / "outside" / "result.json").read_bytes() == to_json(result_of(prediction_key="p"))
    assert not folder.entry("one").is_symlink() and folder.past("one", "p") == []


@pytest.mark.parametrize("damage", [b"\xff", b"\xc3", b"[" * 100_000, b"", b'{"a": "\xe9"}', b"\0", b'"\\ud800"'])
def test_a_damaged_file_of_any_kind_is_one_line(tmp_path, damage):
    folder = RunFolder(tmp_path)
    folder.commit(folder.begin("one"), result_of())
    whole = to_json(result_of())
    at = whole.index(b'"one"') + 1
    for content in (damage, whole[:at] + damage + whole[at:], whole + damage + b"}"):
        (tmp_path / "entries" / "one" / "result.json").write_bytes(content)
        try:
            folder.read("one")
        except InputError as error:
            assert re.search(
                r"one/result\.json (is not a result of hrbench|was changed after it was written)", str(error)
            )
            assert len(str(error).splitlines()) == 1
        else:
            assert content != damage
    for name in ("run.json", "environment.json"):
        (tmp_path / name).write_bytes(damage)
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        folder.read_run()
    with pytest.raises(InputError, match=r"environment\.json is damaged"):
        folder.read_environment()
    assert not folder.has_environment()
    (tmp_path / "states.npz").write_bytes(damage)
    with pytest.raises(InputError, match="is not a state"):
        read_state(tmp_path / "states.npz")


def test_a_damaged_run_json_is_written_anew_and_told(tmp_path):
    folder = RunFolder(tmp_path)
    suite = Suite("s", "S", (ENTRY,), text="text", names=("one", "two"))
    assert folder.write_run(suite) == ""
    (tmp_path / "run.json").write_bytes(b"\xff")
    assert "run.json is damaged" in folder.write_run(suite)
    assert folder.read_run().entries == ["one", "two"]


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match=r"cannot write to .*file/run.*--out"),
        RunFolder(tmp_path / "file" / "run").locked(),
    ):
        pass


def test_shards_survive_a_run_and_what_was_half_written_does_not(tmp_path):
    run = RunFolder(tmp_path / "run")
    one, other = run.shards("a" * 64), run.shards("b" * 64)
    for folder in (one, other):
        folder.mkdir(parents=True)
        (folder / "0-8.shard").touch()
        (folder / f".8-16.shard.{2**22 + 7}.0123abcd.part").touch()
    with run.locked():
        assert [path.name for path in sorted(one.iterdir())] == ["0-8.shard"]
    run.remove_shards("a" * 64)
    assert not one.exists() and other.exists()
    (run.path / "shards" / "link").symlink_to(tmp_path)
    run.remove_shards()
    assert [path.name for path in (run.path / "shards").iterdir()] == ["link"]
    (run.path / "shards" / "link").unlink()
    run.remove_shards()
    assert not (run.path / "shards").exists()
