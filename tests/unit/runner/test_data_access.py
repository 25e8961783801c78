"""A data set in an object store is the one on this disk: digest, samples, faults, and nothing is fetched in vain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from memory_store import memory_store
from small_sets import drawn_with

from hrbench import catalog
from hrbench.contracts import Inspectable
from hrbench.core.remote import cache, mirror
from hrbench.runner.data_access import dataset_of, fetch_images, generate_absent
from hrbench.suite.registry import protocol_for
from hrbench.types import DatasetRow, Entry, Variant

ROWS = [row for row in catalog.datasets().values() if row.miniature]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the miniature sets are drawn when they are asked for, two images each."""
    with drawn_with(2):
        yield tmp_path_factory.mktemp("drawn")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_miniature_in_a_store(row: DatasetRow, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here = dataset_of(row, drawn)
    generate_absent(row, here)
    store = memory_store(tmp_path, monkeypatch)
    for path in sorted(path for path in here.folder.rglob("*") if path.is_file()):
        store.write(path.relative_to(drawn).as_posix(), path.read_bytes())

    data = mirror.local_folder(store.url)
    there, protocol = dataset_of(row, data), protocol_for(row)
    gaps = [gap.replace(str(drawn), store.url) for gap in here.missing(protocol)]  # Cityscapes misses what is not drawn
    assert [mirror.told(gap) for gap in there.missing(protocol)] == gaps
    assert there.digest(protocol) == here.digest(protocol)
    samples = [*there.samples(protocol)]
    assert [(one.id, one.size, one.content, one.path.relative_to(data)) for one in samples] == [
        (one.id, one.size, one.content, one.path.relative_to(drawn)) for one in here.samples(protocol)
    ]
    variant = Variant("net", "", row.task, (64, 64))
    fetch_images(Entry("one", variant, row, protocol, row.metrics, {}, limit=1), there, data)
    whole = [sample for sample in samples if cache.whole_version(sample.path.stat()) is not None]
    assert len(whole) == 1
    assert isinstance(there, Inspectable)
    assert [fault for sample in samples for fault in there.look(sample)] == []  # what was not fetched before is now
    assert there.metric_options() == here.metric_options()
    assert there.notes(protocol) == here.notes(protocol)
