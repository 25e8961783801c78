"""A small factory of results, so that each test says only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hrbench.report.grid import Table
from hrbench.report.layout import ColumnLayout, Layout, PublishedLayout, TableLayout
from hrbench.report.table import build_tables
from hrbench.types import Conditions, DatasetRow, Entry, Measurement, Quantity, Reason, Result, Variant

COCO = DatasetRow("coco-keypoints-val2017", "coco-keypoints", "pose", ("coco-keypoints",), title="COCO val2017")
PROTOCOL = {
    "name": "top-down", "version": 1, "boxes": "detector", "flip": True, "shift_heatmap": True, "quarter_offset": True,
    "image_threshold": 0.0, "visibility_threshold": 0.2, "oks_threshold": 0.9, "soft_nms": False,
}  # fmt: skip


def of(name: str, value: float | None, interval: tuple[float, float] | None = None, **more: Any) -> Measurement:
    """A COCO keypoint score, a fraction."""
    quantity = Quantity(name, name, "fraction", "higher", more.pop("description", ""))
    return Measurement(quantity, value, more.pop("metric", "coco-keypoints"), interval, **more)


def spend(name: str, value: float | None, unit: str = "operations", **more: Any) -> Measurement:
    """A cost; other keywords than samples and reason are its conditions."""
    quantity = Quantity(name, more.pop("label", name), unit, "lower", more.pop("description", ""))
    samples, reason, interval = more.pop("samples", ()), more.pop("reason", None), more.pop("interval", None)
    said = Reason(reason) if isinstance(reason, str) else reason
    return Measurement(quantity, value, "", interval, 0, samples, Conditions(**more), said)


def make(
    title: str = "HRNet-W32",
    *scores: Measurement,
    costs: tuple[Measurement, ...] = (),
    name: str = "",
    input: tuple[int, int] = (256, 192),
    dataset: DatasetRow | None = COCO,
    protocol: dict[str, Any] | None = None,
    published: bool | dict[str, str] = True,
    miniature: bool = False,
    task: str = "pose",
    **more: Any,
) -> Result:
    """A result of the network called `title`; linked to the published row of that title and input, if there is one."""
    place = {"file": "pose", "section": "coco_keypoints", "model": title, "input": "{}x{}".format(*input)}
    link = place if published is True else published or {}
    variant = Variant(f"v_{title}", "pose_hrnet", task, input, title=title, published=link, miniature=miniature)
    metrics = tuple(dict.fromkeys(item.metric for item in scores)) or (dataset.metrics if dataset else ())
    entry = Entry(name or title, variant, dataset, PROTOCOL | (protocol or {}), metrics, {}, limit=more.get("limited"))
    reason = more.pop("reason", "")
    reasons = (Reason(reason),) if reason else more.pop("reasons", ())
    return Result(name or title, entry, more.pop("status", "done"), reasons, scores=scores, costs=costs, **more)


def sample_table() -> Table:
    """One of everything: groups, bold, a limited, a failed and a partly empty row, awkward characters."""
    slow = {"batch": 1, "reason": "took 11 s, budget < 10 s"}
    results = [
        make(
            "HRNet-W32",
            of("AP", 0.7412, (0.7336, 0.7489)),
            costs=(spend("parameters", 28_536_113, "count"), spend("latency", 0.04567, "seconds", batch=1)),
        ),
        make(
            "HRNet-W48",
            of("AP", 0.75),
            costs=(spend("parameters", 63_595_745, "count"), spend("latency", None, "seconds", **slow)),
            limited=10,
        ),
        make("Other-a_b|2", status="failed", reason="50 % of a_b\n& c", published=False),
        make("Other-3", of("AP", 0.7), costs=(spend("latency", None, "seconds", **slow),), published=False),
    ]
    short = {key: PROTOCOL[key] for key in ("name", "version", "boxes", "flip")}
    results = [replace(result, entry=replace(result.entry, protocol=short)) for result in results]
    rows = [{"model": "HRNet-W32", "AP": 74.4, "source": "a README"}, {"model": "HRNet-W48", "AP": 75.1}]
    source = PublishedLayout(rows=tuple(rows))
    parts = ("measured", "interval", "published", "difference")
    columns = (
        ColumnLayout("text", "model"),
        ColumnLayout("cost", "parameters", "Params (M)"),
        ColumnLayout("score", "AP", published="AP", parts=parts),
        ColumnLayout("cost", "latency", "batch 1", "Latency", where={"batch": 1}),
    )
    layout = TableLayout("t", "Title", columns, caption="A caption.", published=source)
    table = build_tables(results, Layout("l", (layout,)), {"t": rows})[0]
    return replace(table, caption="A caption.")
