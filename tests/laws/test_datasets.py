"""What every data set of the catalog obeys; a new row is tested here without a new line."""

from __future__ import annotations

import pytest

from hrbench import catalog, resolve
from hrbench.evaluate import Settings, assemble
from hrbench.types import Entry

ROWS = catalog.datasets()


def variant_for(row):
    return next(variant for variant in catalog.variants().values() if variant.task == row.task)


@pytest.mark.parametrize("name", ROWS)
def test_construction_reads_nothing_and_absence_is_put_in_words(name, tmp_path):
    row = ROWS[name]
    dataset = resolve.resolve("hrbench.datasets", row.use)(tmp_path / "nowhere", **row.args)
    assert dataset.task == row.task
    gaps = dataset.missing(dict(row.fixed))
    assert gaps and all(isinstance(gap, str) and "missing" in gap and str(tmp_path) in gap for gap in gaps)
    assert row.home and row.title and row.metrics
    assert set(row.metrics) <= set(resolve.names("hrbench.metrics"))


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.draw])
def test_a_miniature_is_drawn_whole_and_read_as_the_real_set_is(name, tmp_path):
    row = ROWS[name]
    protocol = {**{"boxes": "detector"}, **row.fixed}
    entry = Entry("one", variant_for(row), row, protocol, row.metrics, {})
    assert "drawn on first use" in assemble(entry, Settings(data=tmp_path), draw=False).reason
    parts = assemble(entry, Settings(data=tmp_path))
    assert parts.dataset.missing(protocol) == []
    samples = list(parts.dataset.samples(protocol))
    assert len(samples) >= 64 and len({sample.id for sample in samples}) == len(samples)
    assert all(sample.path.is_file() and sample.path.suffix == ".png" for sample in samples)
    assert parts.dataset.digest(protocol) == parts.dataset.digest(protocol)
    metric = resolve.resolve("hrbench.metrics", row.metrics[0])(**parts.dataset.metric_options())
    metric.read_target(parts.dataset.target)
