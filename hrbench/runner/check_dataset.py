"""A data set looked at before anything is measured on it: files counted, a sample decoded, what results will carry.

for finding in check(catalog.datasets()["cityscapes-val"], Path("data"), protocol):
    print(finding.kind, finding.text)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from hrbench.contracts import DataSet, Inspectable
from hrbench.core.plugins import resolve
from hrbench.core.units import amount
from hrbench.errors import HrbenchError
from hrbench.runner.conformance import held_to_contract
from hrbench.runner.data_access import generate_absent, server_of
from hrbench.runner.prepare import gaps_of, metric_of
from hrbench.types import DatasetRow, Sample

SAMPLE = 100
"""How many images are decoded where not all are asked for."""
THREADS = 4
"""Images decoded at once; decoders let go of the interpreter."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence. kind: "missing" and "fault" are what a person has to mend; the others tell what is there."""

    kind: Literal["missing", "fault", "files", "looked", "note", "digest"]
    text: str

    @property
    def bad(self) -> bool:
        return self.kind in ("missing", "fault")


def check(
    row: DatasetRow,
    data: Path,
    protocol: Mapping[str, Any],
    every: bool = False,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Iterator[Finding]:
    """What there is to say of a data set below the folder `data`, as it is found.

    protocol: all settings of its task's. every: decodes all images, not an evenly spread sample. progress: told how
    many images have been decoded, and of how many. A miniature that is not there yet is drawn.
    """
    try:
        dataset: DataSet = resolve("hrbench.datasets", row.use)(data, **row.args)
        odd = held_to_contract("hrbench.datasets", row.use, dataset)
        generate_absent(row, dataset)
        gaps = gaps_of(row, dataset, protocol)
        yield from (Finding("missing", str(gap)) for gap in gaps)
        if gaps:
            return
        if isinstance(dataset, Inspectable):
            yield Finding("files", ", ".join(f"{count:,} {what}" for what, count in dataset.facts().items()))
        samples = list(dataset.samples(protocol))
        chosen = samples if every else spread(samples, SAMPLE)
        if isinstance(dataset, Inspectable):
            yield from _look(dataset, chosen, len(samples), progress)
        if not server_of(dataset):
            yield from _targets(row, dataset)
        yield from (Finding("note", note) for note in (*odd, *dataset.notes(protocol)))
        yield Finding("digest", dataset.digest(protocol))
    except HrbenchError as error:
        yield Finding("fault", str(error))


def _look(
    dataset: Inspectable, chosen: Sequence[Sample], total: int, progress: Callable[[int, int], object]
) -> Iterator[Finding]:
    wrong = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for done, faults in enumerate(pool.map(dataset.look, chosen), 1):
            wrong += bool(faults)
            progress(done, len(chosen))
            yield from (Finding("fault", fault) for fault in faults)
    what = f"{amount(len(chosen), 'image')} of {total:,} decoded with what is annotated of them"
    yield Finding("looked", f"{what}: {f'faults in {wrong:,} of them' if wrong else 'no fault'}")


def _targets(row: DatasetRow, dataset: DataSet) -> Iterator[Finding]:
    """Faults of the ground truth as the data set's metrics read it."""
    for name in row.metrics:
        try:
            metric_of(name, dataset).read_target(dataset.target)
        except HrbenchError as error:
            yield Finding("fault", f"{name}: {error}")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly spread, the first and the last among them.

    >>> spread(range(10), 4), spread("abc", 5)
    ([0, 3, 6, 9], ['a', 'b', 'c'])
    """
    if count >= len(items):
        return list(items)
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]
