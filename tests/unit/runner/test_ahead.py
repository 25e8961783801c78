"""Data sets of later entries are generated beside the networks of earlier ones, and never beside what is timed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hrbench.runner import ahead as module
from hrbench.runner.ahead import Ahead
from hrbench.runner.settings import Settings
from hrbench.types import DatasetRow, Entry, Variant

NET = Variant("net", "net", "pose", (8, 8))


def entry(name: str) -> Entry:
    row = DatasetRow(name, "use", "pose", ("m",), draw="module:draw")
    return Entry(f"on {name}", NET, row, {}, ("m",), {})


@dataclass
class Drawing:
    """Stands for the generator of data sets: says what was begun, and ends each when it is let go."""

    folder: Path
    begun: list[str] = field(default_factory=list)
    started: dict[str, threading.Event] = field(default_factory=dict)
    let: dict[str, threading.Event] = field(default_factory=dict)

    def draw(self, row: DatasetRow, dataset: object) -> None:
        self.begun.append(row.name)
        self.started[row.name].set()
        self.let[row.name].wait(20)
        (self.folder / row.name).mkdir()
        if row.name == "broken":
            raise OSError("no space")


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Drawing, Ahead, list[Entry]]]:
    def make(*names: str) -> tuple[Drawing, Ahead, list[Entry]]:
        stand_in = Drawing(tmp_path)
        stand_in.started = {name: threading.Event() for name in names}
        stand_in.let = {name: threading.Event() for name in names}
        monkeypatch.setattr(module, "dataset_of", lambda row, data: row)
        monkeypatch.setattr(module, "generate_absent", stand_in.draw)
        monkeypatch.setattr(
            module, "absent_folder", lambda row, _: None if (tmp_path / row.name).is_dir() else tmp_path / row.name
        )
        entries = [entry(name) for name in names]
        return stand_in, Ahead.of(entries, Settings(data=tmp_path)), entries

    return make


def test_the_first_is_left_to_its_entry_and_others_follow_in_order(drawing):
    stand_in, ahead, entries = drawing("a", "b", "c")
    ahead.wait(entries[0])
    assert stand_in.begun == []
    for event in stand_in.let.values():
        event.set()
    ahead.begin()
    ahead.begin()
    for one in entries:
        ahead.wait(one)
    ahead.end()
    assert stand_in.begun == ["b", "c"] and (stand_in.folder / "c").is_dir()


def test_what_is_there_is_not_generated(drawing, tmp_path: Path):
    (tmp_path / "b").mkdir()
    stand_in, ahead, entries = drawing("a", "b")
    ahead.begin()
    ahead.wait(entries[1])
    ahead.end()
    assert stand_in.begun == [] and ahead.left == {}


def test_an_entry_waits_for_its_set_alone(drawing):
    stand_in, ahead, entries = drawing("a", "b", "c")
    ahead.begin()
    assert stand_in.started["b"].wait(20)
    ahead.wait(entries[0])
    waited = threading.Thread(target=ahead.wait, args=(entries[1],))
    waited.start()
    waited.join(0.05)
    assert waited.is_alive()
    stand_in.let["b"].set()
    waited.join(20)
    assert not waited.is_alive() and stand_in.started["c"].wait(20)
    stand_in.let["c"].set()
    ahead.end()


def test_at_the_end_nothing_runs_and_nothing_is_begun(drawing):
    stand_in, ahead, _ = drawing("a", "b", "c")
    ahead.begin()
    assert stand_in.started["b"].wait(20)
    ended = threading.Thread(target=ahead.end)
    ended.start()
    ended.join(0.05)
    assert ended.is_alive()  # a latency is not measured beside it
    stand_in.let["b"].set()
    ended.join(20)
    assert not ended.is_alive() and stand_in.begun == ["b"]


def test_an_error_is_left_to_the_entry(drawing):
    stand_in, ahead, entries = drawing("a", "broken", "c")
    for event in stand_in.let.values():
        event.set()
    ahead.begin()
    for one in entries:
        ahead.wait(one)
    ahead.end()
    assert stand_in.begun == ["broken", "c"]
