"""A small factory of results, so that each test says only what matters to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hrbench.types import Cost, DatasetRow, Entry, Quantity, Result, Score, Variant

COCO = DatasetRow("coco-keypoints-val2017", "coco-keypoints", "pose", ("coco-keypoints",), title="COCO val2017")
MPII = DatasetRow("mpii-val", "mpii", "pose", ("mpii-pckh",), title="MPII val")
PROTOCOL = {"name": "top-down", "version": 1, "boxes": "detector", "flip": True}


def score(name: str, value: float | None, interval: tuple[float, float] | None = None, **more: Any) -> Score:
    """A COCO keypoint score, a fraction."""
    quantity = Quantity(name, name, "fraction", "higher", more.pop("description", ""))
    return Score(more.pop("metric", "coco-keypoints"), quantity, value, interval, **more)


def cost(name: str, value: float | None, unit: str = "operations", **more: Any) -> Cost:
    """A cost; other keywords than samples and reason are its conditions."""
    quantity = Quantity(name, more.pop("label", name), unit, "lower", more.pop("description", ""))  # type: ignore[arg-type]
    samples, reason = more.pop("samples", ()), more.pop("reason", "")
    return Cost(quantity, value, more, samples, reason)


def result(
    title: str = "HRNet-W32",
    *scores: Score,
    costs: tuple[Cost, ...] = (),
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
    return Result(name or title, entry, more.pop("status", "done"), scores=scores, costs=costs, **more)


@pytest.fixture
def make() -> Callable[..., Result]:
    return result


@pytest.fixture
def of() -> Callable[..., Score]:
    return score


@pytest.fixture
def spend() -> Callable[..., Cost]:
    return cost
