"""Detectors with their shipped weights on a few drawn images: a pipeline by stage, and latencies on these images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_sets import drawn_with

import hrbench
from hrbench import catalog
from hrbench.core.stages import STAGES
from hrbench.report.choose import choose_layout
from hrbench.report.markdown import render_markdown
from hrbench.report.table import build_tables
from hrbench.runner.settings import Settings
from hrbench.runner.suite import run_suite
from hrbench.store.run_folder import RunFolder
from hrbench.types import Measurement, Result

SUITE = """
suite: pipelines
defaults:
  resamples: 0
  dataset: miniature-coco-instances
  cost: {operations: false, latency: {mode: smoke}, end_to_end: {images: 1, mode: smoke}}
entries:
  - {name: boxes, model: retinanet_spinenet_miniature_coco}
  - {name: masks, model: mask_rcnn_hrnetv2p_miniature_coco}
  - {name: drawn, model: retinanet_spinenet_miniature_coco, weights: none, cost: {end_to_end: false}}
"""


def run(folder: Path, only: str | None = None) -> list[Result]:
    """Runs the suite without a report."""
    suite = hrbench.load_suite(folder / "suite.yaml", only=only)
    settings = Settings(data=folder / "data", device="cpu", in_process=True)
    return [*run_suite(suite, RunFolder(folder / "run"), settings)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite, its data, and its run in `run`."""
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "suite.yaml").write_text(SUITE)
    with drawn_with(6):
        run(folder)
    return folder


@pytest.fixture(scope="module")
def results(place: Path) -> dict[str, Result]:
    return {result.name: result for result in hrbench.load(place / "run")}


def cost(result: Result, name: str) -> Measurement:
    return next(one for one in result.costs if one.quantity.name == name)


def test_every_stage_of_a_detector_is_told(results: dict[str, Result]) -> None:
    for name, absent in (("boxes", {"pasting"}), ("masks", set())):
        stages = {stage: cost(results[name], f"end-to-end-{stage}") for stage in STAGES}
        assert {stage for stage, one in stages.items() if one.value is None} == absent
        whole = cost(results[name], "end-to-end")
        assert whole.value is not None and whole.conditions.weights == "shipped"
        assert len(whole.samples) == 3 and whole.conditions.inputs == "1 image of miniature-coco-instances"
        assert whole.conditions.data == results[name].provenance.dataset.sha256[:12]
        assert cost(results[name], "frames-per-second").value == pytest.approx(1 / whole.value)


def test_a_detector_s_latency_is_of_images_where_it_has_weights(results: dict[str, Result]) -> None:
    fed = {name: cost(result, "latency").conditions for name, result in results.items()}
    assert fed["boxes"].inputs == fed["masks"].inputs == "3 images of miniature-coco-instances"
    assert (fed["boxes"].weights, fed["drawn"].inputs, fed["drawn"].data) == ("shipped", "standard normal", "")


def test_stored_numbers_are_reused_until_the_data_change(
    place: Path, results: dict[str, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hrbench.runner.jobs.measure_cell", lambda *_: pytest.fail("no cost should be measured again"))
        run(place, "boxes")
    annotations = next((place / "data").rglob("instances*.json"))
    annotations.write_text(annotations.read_text() + " ")
    (again,) = run(place, "boxes")
    for name in ("latency", "end-to-end"):
        assert cost(again, name).samples != cost(results["boxes"], name).samples
    assert again.cost_keys.keys() == results["boxes"].cost_keys.keys()
    assert again.cost_keys["parameters"] == results["boxes"].cost_keys["parameters"]
    for name in ("latency", "end_to_end"):
        assert again.cost_keys[name] != results["boxes"].cost_keys[name]


def test_the_layout_of_spinenet_has_a_column_for_each_stage(results: dict[str, Result]) -> None:
    """As a row of COCO and of a published network would have them."""
    one, row = results["boxes"], catalog.datasets()["coco-val2017"]
    entry = replace(one.entry, dataset=row, variant=catalog.variants()["retinanet_spinenet_49"])
    (table,) = build_tables([replace(one, entry=entry)], choose_layout([one], "spinenet-end-to-end"), {})
    text = render_markdown([table])
    header = next(line for line in text.splitlines() if "decode" in line and line.startswith("|"))
    heads = [head.strip().removeprefix("End to end (ms): ").removesuffix(" ↓") for head in header.strip("|").split("|")]
    assert heads[3:-1] == ["decode", "preprocess", "transfer", "forward", "NMS", "pasting", "other", "total"]
    assert "there is no pasting" in text
