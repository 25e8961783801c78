"""What every data set of the catalog obeys; a new row is tested here without a new line."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from seeds import some
from small_sets import drawn_with

from hrbench import catalog
from hrbench.core import plugins
from hrbench.fetch.data import downloads, folder_of
from hrbench.runner.check_dataset import check_dataset
from hrbench.runner.prepare import assemble
from hrbench.runner.settings import Settings
from hrbench.suite.registry import protocol_for
from hrbench.types import Entry

ROWS = catalog.datasets()


def variant_for(row):
    return next(variant for variant in catalog.variants().values() if variant.task == row.task)


@pytest.mark.parametrize("name", ROWS)
def test_construction_reads_nothing_and_absence_is_put_in_words(name, tmp_path):
    row = ROWS[name]
    dataset = plugins.resolve("hrbench.datasets", row.use)(tmp_path / "nowhere", **row.args)
    assert dataset.task == row.task
    gaps = dataset.missing(protocol_for(row))
    assert gaps and all(isinstance(gap, str) and "missing" in gap and "\n" not in gap for gap in gaps)
    assert all(str(tmp_path) in gap for gap in gaps)
    assert row.home and row.title and row.metrics
    assert set(row.metrics) <= set(plugins.names("hrbench.metrics"))


@pytest.mark.parametrize("name", ROWS)
def test_settings_for_a_data_set_are_those_of_its_task(name):
    row = ROWS[name]
    fields = set(protocol_for(row))
    assert set(row.fixed) <= fields
    assert all(set(settings) <= fields for settings in row.protocols.values())


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.downloads])
def test_downloads_are_addresses_that_lead_below_the_data(name, tmp_path):
    row = ROWS[name]
    for want in downloads(row, tmp_path):
        assert urlsplit(want.address).scheme in ("http", "https") and want.file
        assert want.goal.resolve().is_relative_to(tmp_path.resolve()) and want.folder == folder_of(row, tmp_path)


@pytest.mark.parametrize("name", some([name for name, row in ROWS.items() if row.draw], later=["miniature-cityscapes"]))
def test_a_miniature_is_drawn_whole_and_read_as_the_real_set_is(name, tmp_path: Path):
    row = ROWS[name]
    whole = row.use in ("cityscapes", "image-folders")  # which know how many images the real set has
    protocol = protocol_for(row)
    entry = Entry("one", variant_for(row), row, protocol, row.metrics, {})
    assert "generated on first use" in assemble(entry, Settings(data=tmp_path), generate=False).reasons[0].what
    with nullcontext(64) if whole else drawn_with(16) as least:
        plugins.resolve("hrbench.datasets", row.draw)(folder_of(row, tmp_path))
    dataset = plugins.resolve("hrbench.datasets", row.use)(tmp_path, **row.args)
    assert dataset.missing(protocol) == []
    samples = list(dataset.samples(protocol))
    assert len(samples) >= least and len({sample.id for sample in samples}) == len(samples)
    assert all(sample.path.is_file() and sample.path.suffix == ".png" for sample in samples)
    assert dataset.digest(protocol) == dataset.digest(protocol)
    for metric in row.metrics:
        plugins.resolve("hrbench.metrics", metric)(**dataset.metric_options()).read_target(dataset.target)
    findings = {finding.kind: finding.text for finding in check_dataset(row, tmp_path, protocol)}
    assert {"files", "looked", "digest"} <= set(findings) <= {"files", "looked", "sizes", "digest", "note"}
    assert findings["digest"] == dataset.digest(protocol)
