"""What is stored of shards is used if it is whole and was made under the same conditions; the rest is predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hrbench import catalog
from hrbench.errors import EntryError
from hrbench.runner.shard_files import ShardRecord, write_shard
from hrbench.runner.shard_progress import ShardProgress
from hrbench.runner.sharded import conditions_of
from hrbench.runner.sharding import Sharding, foreseen_shards, not_cut, why_whole
from hrbench.runner.shards import shard_of, shards_of
from hrbench.types import Entry, Event, Prediction, RuntimeSettings, Shard

VARIANT = catalog.variants()["cls_hrnet_miniature_imagenet"]
ENTRY = Entry("e", VARIANT, None, {}, (), {}, batch=2, shards=3)
COUNT = 36  # blocks of 8: three shards of 8, 16 and 12 images


class Machine:
    """Writes files of shards as a machine of these threads would, and remembers which."""

    def __init__(self, *threads: int) -> None:
        self.threads: Iterator[int] = iter(threads)
        self.predicted: list[str] = []
        self.events: list[Event] = []

    def __call__(self, shards: Any, folder: Path, on_event: Any) -> None:
        progress = ShardProgress(shards, on_event)
        for shard in shards:
            record = ShardRecord(shard, conditions={"threads": next(self.threads)})
            made = [Prediction(number, 0.5) for number in range(shard.first, shard.last)]
            write_shard(folder / shard.file, shard, made, lambda record=record: record)
            self.predicted.append(shard.file)
            progress.of(shard)(Event("progress", "e", "predict", "images", shard.images, shard.images))

    def paths(self, folder: Path, wanted: int = 3) -> list[str]:
        sharding = Sharding(folder, ENTRY, "key", self, self.events.append)
        return [path.name for path in sharding.paths(COUNT, wanted)]

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if event.kind == "note"]


ALL = ["0-8.shard", "8-24.shard", "24-36.shard"]


def test_shards_that_are_whole_are_used_whatever_their_number(tmp_path):
    first = Machine(2, 2, 2)
    assert first.paths(tmp_path) == first.predicted == ALL and not first.notes
    done = [(event.done, event.total, event.before) for event in first.events]
    assert done == [(8, 36, 0), (24, 36, 0), (36, 36, 0)]
    (tmp_path / "8-24.shard").unlink()
    again = Machine(2, 2, 2, 2)
    assert again.paths(tmp_path, wanted=5) == ["0-8.shard", "8-16.shard", "16-24.shard", "24-36.shard"]
    assert again.predicted == ["8-16.shard", "16-24.shard"] and again.notes == ["20 of 36 images are predicted already"]
    done = [(event.done, event.total, event.before) for event in again.events if event.kind == "progress"]
    assert done == [(28, 36, 20), (36, 36, 20)]


def test_damaged_ones_are_thrown_away_and_others_not_used_with_a_note(tmp_path):
    Machine(2, 2, 2).paths(tmp_path)
    damaged, renamed = tmp_path / "8-24.shard", tmp_path / "24-32.shard"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (tmp_path / "24-36.shard").rename(renamed)
    (tmp_path / "0-99.shard").mkdir()
    other = Machine(2, 2)
    assert other.paths(tmp_path) == ALL and other.predicted == ["8-24.shard", "24-36.shard"]
    no_file, damage, unused, stored = other.notes
    assert "0-99.shard is no file" in no_file
    assert "8-24.shard is damaged" in damage and "it was thrown away" in damage and renamed.exists()
    assert unused == "1 stored shard of another batch or another release: not used"
    assert stored == "8 of 36 images are predicted already"


def test_those_of_another_batch_or_of_more_images_are_not_used(tmp_path):
    other = replace(ENTRY, batch=4)
    Sharding(tmp_path, other, "key", Machine(2, 2, 2), lambda event: None).paths(COUNT, 1)
    machine = Machine(2, 2, 2)
    assert machine.paths(tmp_path) == machine.predicted == ALL
    assert machine.notes == ["1 stored shard of another batch or another release: not used"]
    again = Sharding(tmp_path, other, "key", Machine(), lambda event: None)
    assert again.paths(COUNT, 1) == [tmp_path / "0-36.shard"]  # they stay until the entry's result is stored


def test_those_of_other_conditions_are_predicted_again(tmp_path):
    Machine(2, 2, 2).paths(tmp_path)
    (tmp_path / "0-8.shard").unlink()
    later = Machine(4, 4, 4)
    assert later.paths(tmp_path) == ALL and later.predicted == ["0-8.shard", "8-24.shard", "24-36.shard"]
    said = "28 images were predicted under other conditions (threads 4 and 2), which round differently"
    assert any(text.startswith(said) for text in later.notes)


def test_machines_that_round_differently_are_told_in_a_line(tmp_path):
    with pytest.raises(EntryError, match=r"shards of e .* \(threads . and .\): predict them on machines"):
        Machine(2, 4, 2, 4, 2, 4, 2, 4, 2).paths(tmp_path)


def test_progress_of_a_shard_that_is_predicted_again_begins_again():
    shards = shards_of(COUNT, 2, 3, "key")
    events: list[Event] = []
    progress = ShardProgress(shards, events.append)
    for shard, done in ((shards[0], 8), (shards[1], 10), (shards[1], 1), (shards[1], 16)):
        progress.of(shard)(Event("progress", "e", "predict", "images", done, shard.images))
    progress.of(shards[2])(Event("note", "e", text="hello"))
    assert [event.done for event in events[:4]] == [8, 18, 9, 24] and events[0].total == 36
    assert events[4] == Event("note", "e", text="hello")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"batch": "auto"}, "`batch: auto` is found by time"),
        ({"runtime": RuntimeSettings("compile")}, "torch.compile compiles for the batches"),
        ({"predictions": "mine.json"}, "predictions from a file"),
    ],
)
def test_what_cannot_be_cut_says_why(more, said):
    entry = replace(ENTRY, **more)
    assert said in why_whole(entry) and not_cut(entry).startswith(f"not cut into 3 shards: {said}")
    assert foreseen_shards(entry, COUNT, None, None) == not_cut(entry)
    assert not_cut(replace(entry, shards="auto")) == not_cut(replace(entry, shards=1)) == ""


def test_check_tells_how_many_there_will_be_and_are(tmp_path):
    assert foreseen_shards(ENTRY, COUNT, None, None) == "predicted in 3 shards of at most 16 images"
    (tmp_path / "0-8.shard").touch()
    assert foreseen_shards(ENTRY, COUNT, "key", tmp_path).endswith("; 1 of them is stored already")
    assert foreseen_shards(replace(ENTRY, shards=1), COUNT, "key", tmp_path) == ""
    assert shard_of(0, 8, 2, "key") == shards_of(COUNT, 2, 3, "key")[0] != Shard(0, 8, "")


def test_conditions_are_what_rounds_on_the_device_in_use():
    flags = {"threads": 2, "cuda": "13.0", "cudnn_allow_tf32": True, "mkldnn": True, "GOMP_SPINCOUNT": "10000"}
    found = {"processor": "a cpu", "hrbench": "0.2", "packages": {"torch": "2.9", "pandas": "3"}, "torch": flags}
    assert conditions_of("cpu", found) == {
        "device": "a cpu", "hrbench": "0.2", "torch": "2.9", "threads": 2, "mkldnn": True,
    }  # fmt: skip
    on_gpu = conditions_of("NVIDIA T4", found)
    assert on_gpu["device"] == "NVIDIA T4" and on_gpu["cuda"] == "13.0" and "GOMP_SPINCOUNT" not in on_gpu
