"""What people write: suites, policies, layouts of tables, rows of published figures, rows of a catalog."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import report_factory
from ruamel.yaml import YAML

from hrbench import catalog
from hrbench.core import yaml
from hrbench.errors import UsageError
from hrbench.report.csv import render_csv
from hrbench.report.html import render_html
from hrbench.report.latex import render_latex
from hrbench.report.layout import read_layout
from hrbench.report.markdown import render_markdown
from hrbench.report.published import read_published
from hrbench.report.table import build_tables
from hrbench.suite.gate import read_policy
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from hrbench.types import Known
from tests.fuzz.case import Case, NonsenseError, as_yaml, finite

SUITE = """
suite: ours
title: Our networks
defaults:
  cost: {latency: {batch: [1, 2], dtype: float32}, operations: true}
datasets: [coco-keypoints-val2017]
models:
  - pose_hrnet_w32_coco_256x192
  - {base: pose_resnet_50_coco_256x192, name: ours, input: [256, 192], mean: [0.5, 0.4, 0.3]}
entries:
  - {model: pose_hrnet_w48_coco_256x192, protocol: {flip: false}, cost: {latency: false}, name: unflipped}
  - {model: pose_hrnet_w32_coco_256x192, weights: a/b.pth, dataset: coco-keypoints-val2017, name: own}
  - {model: cls_hrnet_w18, dataset: imagenet-val, cost: {latency: false}}
  - model: {use: "torchvision:resnet18", task: classification, input: [224, 224], args: {num_classes: 3}}
    dataset: {use: image-folders, folder: own, split: val, classes: 3, metrics: [topk]}
gate:
  margins: {AP: 0.2, latency: 5%}
"""

POLICY = """
gate:
  open: warn
  margins: {AP: 0.3, latency: 3%, "coco-boxes/AP": {points: 0.3, relative: 1%}}
  rules:
    - {quantity: "AP*", tier: watched}
    - {entry: "pose_*", quantity: AP50, tier: required, margin: 0.5}
  floors:
    - AP50 >= 0.6
    - {entry: "pose_*", floor: "latency <= 0.05"}
  waivers:
    - {entry: pose_w32, quantity: AP, reason: known and accepted, until: 2027-01-31}
"""

LAYOUT = """
title: Ours
tables:
  - name: val
    title: COCO val2017
    caption: One sentence.
    rows: {task: pose, dataset: coco-*, protocol: {flip: true}, miniature: false}
    group: family
    published: {file: figures.yaml, section: rows, where: {split: val}, requires: {flip: true}, requires_images: 5000,
                show: all, notes: [{text: a note, where: {model: HR*}, columns: [AP]}]}
    columns:
      - {text: model}
      - {cost: latency, where: {batch: 1}, label: "batch 1", group: Latency (ms), unit: seconds, decimals: 1}
      - {cost: parameters, published: params_M, parts: [measured, published]}
      - {score: AP, published: AP, parts: [measured, interval, published, difference], bold: true}
"""

FIGURES = """
rows:
  - {model: HRNet-W32, input: 256x192, split: val, params_M: 28.5, gflops: 7.10, AP: 74.4, AP50: 90.5, source: a paper}
  - {model: HRNet-W48, input: 384x288, split: val, params_M: 63.6, gflops: 32.9, AP: 76.3, AP50: 90.8, source: a paper}
"""


NO_NUMBERS = ("| nan |", ",nan,", "| inf |", ",inf,")


@cache
def _known() -> Known:
    return known()


def _held(path: Path) -> Any:
    """A document, held to another parser of YAML 1.2: two parsers that accept it have read one thing."""
    plain = yaml.load(path).plain()
    try:
        other = YAML(typ="safe", pure=True).load(path.read_bytes())
    except Exception:  # it is stricter in some things
        return plain
    if not _alike(plain, other):
        raise NonsenseError(f"{path.name} is read as {str(plain)[:200]}, by another parser as {str(other)[:200]}")
    return plain


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        named = {str(key): value for key, value in other.items()}
        texts = {key: value for key, value in other.items() if isinstance(key, str)}
        return len(texts) < len(other) or (one.keys() == named.keys() and all(_alike(one[k], named[k]) for k in one))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return isinstance(other, date) or (type(one) is type(other) and one == other)  # dates are no part of YAML 1.2


def _suite(folder: Path) -> list[Any]:
    try:
        suite = load_suite(folder / "suite.yaml", _known())
    except UsageError as error:
        for line in str(error).splitlines():
            if not line.startswith((f"{folder / 'suite.yaml'}:", "--")):
                raise NonsenseError(f"a line of an error has no place: {line}") from None
        raise
    _held(folder / "suite.yaml")
    for entry in suite.entries:
        if not all(type(side) is int and 0 < side < 2**31 for side in entry.variant.input if side):
            raise NonsenseError(f"{entry.name} has the input {entry.variant.input}")
    return [entry.name for entry in suite.entries]


def _policy(folder: Path) -> str:
    policy = read_policy(folder / "policy.yaml")
    _held(folder / "policy.yaml")
    finite("policy", asdict(policy))
    return repr(policy).replace(str(folder), "")


@cache
def _results() -> Any:
    of, spend, make = report_factory.of, report_factory.spend, report_factory.make
    costs = (spend("parameters", 28_536_113, "count"), spend("latency", 0.01, "seconds", batch=1))
    return [make("HRNet-W32", of("AP", 0.744, (0.74, 0.75)), costs=costs), make("HRNet-W48", of("AP", 0.76))]


def _report(folder: Path) -> list[str]:
    """A report with the layout and the published rows in a folder, in each of its formats."""
    layout = read_layout(folder / "layout.yaml")
    published = read_published(layout)
    if (folder / "figures.yaml").is_file():
        _held(folder / "figures.yaml")
    _held(folder / "layout.yaml")
    tables = build_tables(_results(), layout, published)
    texts = [render_markdown(tables), render_csv(tables), render_latex(tables)]
    texts.append(render_html(_results(), layout, {}, "", lambda result: Path(), title="", published=published))
    for text in texts:
        text.encode()
        if (folder / "layout.yaml").read_text(errors="replace") == LAYOUT and any(word in text for word in NO_NUMBERS):
            raise NonsenseError("a table shows what is no number")
    return texts[:2]


def _catalog(folder: Path) -> list[str]:
    models, sets = catalog.read([folder / "rows.yaml"])
    _held(folder / "rows.yaml")
    return [*models, *sets]


def _texts(folder: Path) -> None:
    (folder / "layout.yaml").write_text(LAYOUT)
    (folder / "figures.yaml").write_text(FIGURES)


def _rows(folder: Path) -> None:
    source = Path(catalog.__file__).parent
    (folder / "rows.yaml").write_bytes(min(source.glob("*.yaml"), key=lambda path: path.stat().st_size).read_bytes())


CASES = [
    Case("suite", lambda folder: (folder / "suite.yaml").write_text(SUITE) and None, {"suite.yaml": as_yaml}, _suite,
         share=4),
    Case("policy", lambda folder: (folder / "policy.yaml").write_text(POLICY) and None, {"policy.yaml": as_yaml},
         _policy),
    Case("layout", _texts, {"layout.yaml": as_yaml}, _report, share=2),
    Case("published rows", _texts, {"figures.yaml": as_yaml}, _report, share=2),
    Case("catalog", _rows, {"rows.yaml": as_yaml}, _catalog, share=0.3),
]  # fmt: skip
