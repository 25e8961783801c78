"""The miniature Mask R-CNN with its shipped weights: operations of each image beside torch's own counter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean, pstdev

import pytest
from small_sets import drawn_with
from torch.utils.flop_counter import FlopCounterMode

import hrbench
from hrbench.report.choose import choose_layout
from hrbench.report.markdown import render_markdown
from hrbench.report.table import build_tables
from hrbench.runner.cost_keys import cost_keys
from hrbench.runner.fed_images import evaluated, fed_parts
from hrbench.runner.settings import Settings
from hrbench.runner.suite import run_suite
from hrbench.store.run_folder import RunFolder
from hrbench.types import Measurement, Result, RuntimeSettings

IMAGES = 2
SUITE = """
suite: counts
defaults:
  resamples: 0
  cost: {latency: false, operations_on_images: {images: 2}}
entries:
  - {name: masks, model: mask_rcnn_hrnetv2p_miniature_coco, dataset: miniature-coco-instances}
  - {name: drawn, model: mask_rcnn_hrnetv2p_miniature_coco, dataset: miniature-coco-instances, weights: none}
  - {name: alone, model: mask_rcnn_hrnetv2p_miniature_coco}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite, its data, and its run in `run`."""
    folder = tmp_path_factory.mktemp("counts")
    (folder / "suite.yaml").write_text(SUITE)
    with drawn_with(IMAGES):
        [*run_suite(hrbench.load_suite(folder / "suite.yaml"), RunFolder(folder / "run"), settings(folder))]
    return folder


def settings(folder: Path) -> Settings:
    return Settings(data=folder / "data", device="cpu", in_process=True)


@pytest.fixture(scope="module")
def results(place: Path) -> dict[str, Result]:
    return {result.name: result for result in hrbench.load(place / "run")}


def cost(result: Result, name: str) -> Measurement:
    return next(one for one in result.costs if one.quantity.name == name)


def test_every_image_s_count_is_that_of_torch_s_counter(place: Path, results: dict[str, Result]) -> None:
    parts = fed_parts(results["masks"].entry, settings(place))
    entry = evaluated(parts)
    net, theirs = entry.build().eval(), []
    for sample in entry.samples:
        counter = FlopCounterMode(display=False)
        with counter:
            entry.task.forward(net, entry.task.prepare(sample))
        theirs.append(counter.get_total_flops())
    flops, macs = (cost(results["masks"], f"{name}-on-images") for name in ("flops", "macs"))
    assert flops.samples == tuple(map(float, theirs)) == tuple(2 * count for count in macs.samples)
    assert len({*theirs}) > 1, "images differ in what is found, or this test shows nothing"
    assert flops.value == fmean(theirs) and flops.conditions.spread == pytest.approx(pstdev(theirs))
    assert macs.value is not None and macs.value < cost(results["masks"], "macs").value


def test_weights_are_said_and_decide(place: Path, results: dict[str, Result]) -> None:
    shipped, drawn = (cost(results[name], "macs-on-images") for name in ("masks", "drawn"))
    assert (shipped.conditions.weights, drawn.conditions.weights) == ("shipped", "random")
    assert shipped.samples != drawn.samples
    alone = cost(results["alone"], "macs-on-images")
    assert alone.value is None and "no data set was asked for" in str(alone.reason)


def test_their_key_follows_weights_and_data_and_no_runtime(place: Path, results: dict[str, Result]) -> None:
    def key(result: Result, name: str = "operations_on_images") -> str:
        return cost_keys(result.entry, settings(place))[name]

    one = results["masks"]
    assert key(one) == one.cost_keys["operations_on_images"] != key(results["drawn"])
    compiled = replace(one, entry=replace(one.entry, runtime=RuntimeSettings("compile")))
    assert key(compiled) == key(one)
    assert key(one, "operations") == key(results["drawn"], "operations")


def test_the_report_has_mean_and_spread(results: dict[str, Result]) -> None:
    shown = [results["masks"]]
    layout = choose_layout(shown)
    tables = build_tables(shown, layout, {})
    text = render_markdown(tables)
    assert "GMACs on images ↓ | GMACs on images standard deviation" in text
    assert "mean ± standard deviation over 2 images of miniature-coco-instances, weights: shipped." in text
    macs = cost(results["masks"], "macs-on-images")
    assert macs.conditions.spread is not None
    assert f"| {macs.value / 1e9:.3f} | ± {macs.conditions.spread / 1e9:.3f} |" in text
