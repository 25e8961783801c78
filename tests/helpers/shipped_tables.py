"""Shipped suites in their own tables, by made-up scores of every entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hrbench.cost.quantities import known_quantities
from hrbench.report.grid import Table
from hrbench.report.layout import Layout, read_layout
from hrbench.report.published import read_published
from hrbench.report.table import build_tables
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from hrbench.types import Conditions, DatasetRecord, Entry, Measurement, Provenance, Quantity, Result

LARGE = {
    "fraction": 0.123456, "count": 163_595_745, "operations": 1_234_567_890_123, "seconds": 12.3456,
    "bytes": 123_456_789_012,
    "joules": 123.456, "rate": 1234.56, "intensity": 123.456, "speed": 1.23456e12, "number": 123.456,
}  # fmt: skip
"""A value of each unit of costs, as wide as they come."""

IMAGES = {
    "cityscapes-val": 500, "pascal-context-59": 5105, "pascal-context-60": 5105, "lip-val": 10000, "ade20k-val": 2000,
    "coco-stuff-10k": 1000, "coco-stuff-164k-val2017": 5000, "voc2012-val": 1449, "nyudv2-40": 654, "sunrgbd-37": 5050,
    "coco-val2017": 5000, "coco-keypoints-val2017": 5000, "imagenet-val": 50000, "imagenet-real": 50000,
    "inaturalist-2017-val": 95986, "mpii-val": 2958, "crowdpose-test": 8000, "coco-wholebody-val": 5000,
    "halpe-val": 5000,
}  # fmt: skip


def measured(entry: Entry, layout: Layout, spent: bool) -> Result:
    """A result of the entry in which every score a table asks for is one half.

    spent: whether every cost is a large number; else there is none.
    """
    assert entry.dataset is not None
    names = sorted({column.name for table in layout.tables for column in table.columns if column.source == "score"})
    scores = [
        Measurement(Quantity(name, name, "fraction", "higher", ""), 0.5, metric, (0.4875, 0.5125))
        for metric in entry.metrics
        for name in names
    ]
    wanted = [column for table in layout.tables for column in table.columns if column.source == "cost"]
    every = known_quantities()
    costs = [
        Measurement(every[name], LARGE[every[name].unit], conditions=Conditions(**dict(where)))
        for name, where in dict.fromkeys((one.name, tuple(sorted(one.where.items()))) for one in wanted)
    ]
    data = DatasetRecord(entry.dataset.name, None, IMAGES.get(entry.dataset.name, 0))
    told = tuple(costs) if spent else ()
    return Result(entry.name, entry, "done", scores=tuple(scores), costs=told, provenance=Provenance(dataset=data))


def tables_of(suite: str, dataset: str = "", spent: bool = False, **settings: Any) -> dict[str, Table]:
    """Name -> table, of a shipped suite with settings of its protocols changed, or evaluated on another data set."""
    read = load_suite(suite, known())
    layout, results = read_layout(read.table), []
    for entry in read.entries:
        if entry.dataset is not None:
            other = known().datasets[dataset] if dataset else entry.dataset
            changed = replace(entry, dataset=other, protocol={**entry.protocol, **settings})
            results.append(measured(changed, layout, spent))
    return {table.name: table for table in build_tables(results, layout, read_published(layout))}
