"""Checks a data set before anything is measured on it: counts files, decodes a sample, computes the digest.

for finding in check_dataset(catalog.datasets()["cityscapes-val"], Path("data"), protocol):
    print(finding.kind, finding.text)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from hrbench.contracts import DataSet, Inspectable
from hrbench.core.remote import mirror
from hrbench.core.units import amount
from hrbench.errors import HrbenchError, in_words
from hrbench.formats.images import stated_size
from hrbench.runner.alike import told_once
from hrbench.runner.conformance import check_contract
from hrbench.runner.data_access import absent_folder, dataset_of, generate_absent, server_of
from hrbench.runner.orientation import orientation_sentence
from hrbench.runner.prepare import metric_of, missing_parts
from hrbench.types import DatasetRow, Sample

SAMPLE_SIZE = 100
"""How many images are decoded if not all are requested."""
THREADS = 4
"""Images decoded at once; decoders release the interpreter lock."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on a data set.

    kind: "missing" and "fault" have to be repaired; "doubt" says how a file may be misread; "skipped" what was not
        looked at because of a fault that is told elsewhere; the others describe what is there.
    """

    kind: Literal["missing", "fault", "files", "looked", "sizes", "note", "doubt", "skipped", "digest"]
    text: str

    @property
    def bad(self) -> bool:
        return self.kind in ("missing", "fault")


def check_dataset(
    row: DatasetRow,
    data: Path,
    protocol: Mapping[str, Any],
    every: bool = False,
    progress: Callable[[int, int], object] = lambda done, total: None,
    generate: bool = True,
) -> Iterator[Finding]:
    """Yields the findings on a data set below the folder `data`.

    protocol: all settings of its task's protocol.
    every: whether to decode all images instead of an evenly spread sample.
    progress: called with (images decoded, images to decode).

    generate: whether a miniature that is not there yet is generated; otherwise that is all that is found.
    """
    try:
        dataset: DataSet = dataset_of(row, data)
        contract_notes = check_contract("hrbench.datasets", row.use, dataset)
        if not generate and absent_folder(row, dataset) is not None:
            yield Finding("note", "it is not there yet: it is generated on first use")
            return
        generate_absent(row, dataset)
        missing = missing_parts(row, dataset, protocol)
        yield from (Finding("missing", str(reason)) for reason in missing)
        if missing:
            return
        if isinstance(dataset, Inspectable):
            yield Finding("files", ", ".join(f"{count:,} {noun}" for noun, count in dataset.facts().items()))
        samples = list(dataset.samples(protocol))
        chosen = samples if every else spread(samples, SAMPLE_SIZE)
        mirror.present(sample.path for sample in chosen)
        if isinstance(dataset, Inspectable):
            yield from _decode(dataset, chosen, len(samples), progress)
        if turned := orientation_sentence(chosen):
            yield Finding("note" if chosen[0].orientation else "fault", turned)
        yield from _sizes(chosen)
        if not server_of(dataset):
            yield from _targets(row, dataset)
        yield from (Finding("note", str(note)) for note in (*contract_notes, *dataset.notes(protocol)))
        yield Finding("digest", dataset.digest(protocol))
    except Exception as error:  # whatever user-defined code raises: the other data sets are still looked at
        yield Finding("fault", mirror.told(in_words(error)))


def _decode(
    dataset: Inspectable, chosen: Sequence[Sample], total: int, progress: Callable[[int, int], object]
) -> Iterator[Finding]:
    found: list[tuple[Sample, str]] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for done, (sample, faults) in enumerate(zip(chosen, pool.map(dataset.look, chosen), strict=True), 1):
            found += [(sample, fault) for fault in faults]
            progress(done, len(chosen))
    yield from (Finding("fault", fault) for fault in told_once(found))
    faulty = len({sample.id for sample, _ in found})
    decoded = f"{amount(len(chosen), 'image')} of {total:,} decoded with what is annotated of them"
    yield Finding("looked", f"{decoded}: {f'faults in {faulty:,} of them' if faulty else 'no fault'}")


def _sizes(chosen: Sequence[Sample]) -> Iterator[Finding]:
    """The smallest and the largest of the images, by area, as their files' headers say; what cannot be read is a fault
    already.
    """
    sizes = []
    for sample in chosen:
        with suppress(HrbenchError):
            sizes.append(stated_size(sample.path))
    if sizes:
        least, most = (end(sizes, key=lambda size: size[0] * size[1]) for end in (min, max))
        shown = f"{least[0]}x{least[1]}" + (f" to {most[0]}x{most[1]}" if most != least else "")
        yield Finding("sizes", f"{amount(len(set(sizes)), 'size')} among {amount(len(sizes), 'image')}: {shown} pixels")


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
