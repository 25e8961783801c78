"""The files of an entry's shards as one stream of predictions, with what is told of them once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.contracts import HasNotes, TalliesNotes
from hrbench.errors import EntryError, InputError
from hrbench.runner.shard_files import ShardRecord, read_predictions, read_record
from hrbench.types import Prediction, Remark, Sample


def read_records(paths: Sequence[Path], count: int) -> list[tuple[Path, ShardRecord]]:
    """The files of shards in the order of their images, each with its record.

    count: images of the entry.

    Raises InputError if one is damaged, EntryError if they do not hold each image once, or were predicted under
    conditions that round differently.
    """
    found = sorted(((path, read_record(path)) for path in paths), key=lambda one: one[1].shard.first)
    ends = [0, *(end for _, one in found for end in (one.shard.first, one.shard.last)), count]
    if any(stop != start for stop, start in zip(ends[::2], ends[1::2], strict=True)):
        ranges = ", ".join(f"{one.shard.first} to {one.shard.last}" for _, one in found)
        raise EntryError(f"shards of images {ranges} do not hold each of {count:,} images once")
    if said := difference([one.conditions for _, one in found]):
        raise EntryError(f"shards were predicted under conditions that round differently: {said}")
    return found


def difference(conditions: Sequence[Mapping[str, Any]]) -> str:
    """In what conditions differ, in words: "threads 2 and 4"; "" if they are the same.

    >>> difference([{"threads": 2, "device": "cpu"}, {"threads": 4, "device": "cpu"}])
    'threads 2 and 4'
    """
    names = dict.fromkeys(name for one in conditions for name in one)
    values = {name: list(dict.fromkeys(str(one.get(name)) for one in conditions)) for name in names}
    return ", ".join(f"{name} {' and '.join(each)}" for name, each in values.items() if len(each) > 1)


def read_all(found: Iterable[tuple[Path, ShardRecord]], samples: Sequence[Sample]) -> Iterator[Prediction]:
    """The predictions of all samples, in order. Raises InputError if a file holds those of other images."""
    for path, record in found:
        images = iter(samples[record.shard.first : record.shard.last])
        for prediction in read_predictions(path):
            sample = next(images, None)
            if sample is None or sample.id != prediction.sample:
                raise InputError(f"{path} holds the image {prediction.sample!r} where another is due: delete it")
            yield prediction
        if (left := next(images, None)) is not None:
            raise InputError(f"{path} lacks the image {left.id!r}: delete it")


def notes_of(records: Sequence[ShardRecord], task: Any) -> list[Remark]:
    """What is to be told beside the score, each once, as if the images had not been cut.

    task: has counted nothing yet.
    """
    if isinstance(task, TalliesNotes):
        for record in records:
            task.add_tally(record.tally)
    whole = list(task.notes()) if isinstance(task, TalliesNotes) and isinstance(task, HasNotes) else []
    told = [
        *(note for record in records for note in record.network_notes),
        *whole,
        *(note for record in records for note in record.task_notes),
        *(note for record in records for note in record.runtime_notes),
    ]
    return list(dict.fromkeys(told))
