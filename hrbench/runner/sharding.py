"""Predicts an entry in shards: uses those that are whole, has the others predicted, and sees that all fit together.

    paths = Sharding(place, entry, prediction_key, predict, on_event).paths(count, wanted)

`predict` runs them: in processes of this machine, or on others. What is whole stays in the run folder, whatever ends
the run; the same command then predicts the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hrbench.core import units
from hrbench.core.digests import digest
from hrbench.errors import EntryError, InputError
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.shard_files import ShardRecord, read_record
from hrbench.runner.shard_merge import difference
from hrbench.runner.shards import fitted, shard_of, shards_of
from hrbench.types import Entry, Event, Shard

ROUNDS = 3
"""How often shards are predicted until all were under the same conditions: those of a run before, those of this one."""

Predict = Callable[[Sequence[Shard], Path, EventHandler], object]
"""Writes the files of shards into a folder, as `contracts.PredictsShards.predict_shards` does."""


def why_whole(entry: Entry) -> str:
    """Why an entry cannot be cut into shards whose predictions are those of the whole; "" if it can."""
    if entry.predictions:
        return "predictions from a file are not predicted again"
    if entry.batch == "auto":
        return "`batch: auto` is found by time, so that each shard may find another: give its number"
    if entry.runtime.name == "compile":
        return "torch.compile compiles for the batches that came before, which a shard does not see: use eager"
    return ""


def not_cut(entry: Entry) -> str:
    """A sentence for an entry whose suite asks for several shards, and that is predicted as a whole; "" for others."""
    why = why_whole(entry) if entry.shards not in ("auto", 1) else ""
    return f"not cut into {entry.shards} shards: {why}" if why else ""


def foreseen_shards(entry: Entry, count: int, prediction_key: str | None, folder: Path | None) -> str:
    """Into how many shards a run on one machine would cut an entry, in a sentence; "" if into none.

    count: images of the entry.
    prediction_key: None if it is not known yet.
    folder: of its shards, whose names are looked at; None if it is not known.
    """
    if entry.shards in ("auto", 1) or why_whole(entry):
        return not_cut(entry)
    shards = shards_of(count, entry.batch, int(entry.shards), prediction_key or "")
    largest = max(one.images for one in shards)
    there = [one for one in shards if folder is not None and (folder / one.file).is_file()]
    stored = f"; {len(there)} of them {'is' if len(there) == 1 else 'are'} stored already" if there else ""
    return f"predicted in {units.amount(len(shards), 'shard')} of at most {units.amount(largest, 'image')}{stored}"


@dataclass(slots=True)
class Sharding:
    """One entry that is predicted in shards.

    folder: of its shards.
    prediction_key: of its predictions.
    predict: has shards predicted.
    on_event: called with the progress over all images, and with notes.
    """

    folder: Path
    entry: Entry
    prediction_key: str
    predict: Predict
    on_event: EventHandler

    def paths(self, count: int, wanted: int) -> list[Path]:
        """Files of shards that hold the predictions of all images, in order.

        count: images of the entry.
        wanted: how many shards there should be, if none is stored.

        Raises what `predict` raises, and EntryError if shards were predicted under conditions that round differently.
        """
        shards = shards_of(count, self.entry.batch, wanted, self.prediction_key)
        different = ""
        for _ in range(ROUNDS):
            kept, missing = fitted(shards, [*self._whole(count)], self.entry.batch, self.prediction_key)
            self._predict(missing, sum(one.images for one in kept))
            ordered = sorted([*kept, *missing], key=lambda one: one.first)
            records = {one: read_record(self.folder / one.file, one.key) for one in ordered}
            different = difference([one.conditions for one in records.values()])
            if not different:
                return [self.folder / one.file for one in ordered]
            self._remove_others(records, missing)
        raise EntryError(
            f"shards of {self.entry.name} were predicted under conditions that round differently ({different}): "
            "predict them on machines of one kind, with the same `runtime: {threads: N}`"
        )

    def _whole(self, count: int) -> dict[Shard, ShardRecord]:
        """Whole shards in the folder, of any number; one that is damaged is thrown away, with a note."""
        found, others = {}, 0
        for path in sorted(self.folder.glob("[!.]*.shard")):
            if not path.is_file():  # a folder, a pipe, a link to nothing
                self._note(f"{path} is no file: it is not used, and should be removed")
                continue
            try:
                record = read_record(path)
            except InputError as error:
                path.unlink(missing_ok=True)
                self._note(f"{error}; it was thrown away, and its images are predicted again")
                continue
            shard = record.shard
            expected = shard_of(shard.first, shard.last, self.entry.batch, self.prediction_key)
            if shard == expected and path.name == shard.file and shard.last <= count:
                found[shard] = record
            else:
                others += 1
        if others:
            self._note(f"{units.amount(others, 'stored shard')} of another batch or another release: not used")
        return found

    def _predict(self, missing: Sequence[Shard], stored: int) -> None:
        """Has shards predicted; what is told of their progress counts stored images, too."""
        if stored:
            total = stored + sum(one.images for one in missing)
            self._note(f"{stored:,} of {total:,} images are predicted already")

        def on_event(event: Event) -> None:
            if event.kind == "progress" and event.phase == "predict":
                event = replace(event, done=stored + event.done, total=stored + event.total, before=stored)
            self.on_event(event)

        if missing:
            self.predict(missing, self.folder, on_event)

    def _remove_others(self, records: Mapping[Shard, ShardRecord], new: Sequence[Shard]) -> None:
        """Removes shards whose conditions are not those of most images; what was predicted now counts before others."""
        images: Counter[str] = Counter()
        for one in new or records:
            images[digest(records[one].conditions)] += one.images
        ((most, _),) = images.most_common(1)
        others = [one for one, record in records.items() if digest(record.conditions) != most]
        said = difference([records[one].conditions for one in records])
        self._note(
            f"{sum(one.images for one in others):,} images were predicted under other conditions ({said}), which round "
            "differently: they are predicted again"
        )
        for one in others:
            (self.folder / one.file).unlink(missing_ok=True)

    def _note(self, text: str) -> None:
        self.on_event(Event("note", self.entry.name, text=text))
