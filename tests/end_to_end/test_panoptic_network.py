"""A small Mask2Former of transformers on a drawn panoptic set: run, scored, verified, priced and drawn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from drawn.panoptic import draw
from drawn_suites import run, written

import hrbench
from hrbench.formats.panoptic.files import read_results, read_truth
from hrbench.formats.panoptic.pixels import read_ids
from hrbench.runner.prepare import assemble, load_network
from hrbench.runner.settings import Settings

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.numeric

IMAGES = 4
SIZES = {
    "num_labels": 7, "feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_layers": 1,
    "decoder_layers": 2, "num_attention_heads": 2, "num_queries": 8, "encoder_feedforward_dim": 16,
    "dim_feedforward": 16,
}  # fmt: skip
SWIN = {"image_size": 32, "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 2,
        "out_features": ["stage1", "stage2", "stage3", "stage4"]}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite that was run: `suite.yaml`, `data`, `out`, and the network's own folder `net`."""
    folder = tmp_path_factory.mktemp("network")
    torch.manual_seed(3)
    config = transformers.Mask2FormerConfig(backbone_config=transformers.SwinConfig(**SWIN), **SIZES)
    net = transformers.Mask2FormerForUniversalSegmentation(config)
    with torch.no_grad():
        net.class_predictor.weight *= 40  # so that it is sure of something
        net.class_predictor.bias[-1] = -9
    net.save_pretrained(folder / "net")
    size = {"shortest_edge": 64, "longest_edge": 96}
    transformers.Mask2FormerImageProcessor(size=size, size_divisor=32).save_pretrained(folder / "net")
    dataset = draw(folder)[0]["dataset"]
    entry = {
        "name": "small",
        "model": {"use": "transformers:./net", "task": "panoptic", "input": [64, 96]},
        "dataset": dataset,
        "protocol": {"threshold": 0.3, "overlap": 0.1},
        "cost": {"latency": {"mode": "smoke"}},
    }
    assert run(written(folder, [entry], resamples=20), "out", "--limit", str(IMAGES), "--verify") == 0
    return folder


def result_of(folder: Path) -> Any:
    (result,) = hrbench.load(folder / "out")
    return result


def test_it_is_scored_with_intervals_as_panopticapi_scores_it(folder: Path) -> None:
    result = result_of(folder)
    assert result.status == "done", result.reason
    main = result.scores[0]
    assert main.quantity.name == "PQ" and main.value is not None and main.interval is not None
    notes = " ".join(map(str, result.notes))
    assert "panopticapi gives the same 9 numbers, bit for bit" in notes
    assert "images are prepared by transformers Mask2FormerImageProcessor" in notes


def test_every_number_of_the_protocol_is_recorded(folder: Path) -> None:
    protocol = result_of(folder).entry.protocol
    assert protocol["stated_by"].startswith("transformers Mask2FormerImageProcessor")
    said = {
        key: protocol[key] for key in ("name", "rule", "short", "long", "to_multiple", "masks_to", "mask_threshold")
    }
    assert said == {
        "name": "transformers", "rule": "transformers", "short": 64, "long": 96, "to_multiple": 32,
        "masks_to": [384, 384], "mask_threshold": 0.5,
    }  # fmt: skip
    assert (protocol["threshold"], protocol["overlap"]) == (0.3, 0.1)


def test_costs_are_measured_as_of_other_networks(folder: Path) -> None:
    costs = {one.quantity.name: one.value for one in result_of(folder).costs}
    assert costs["parameters"] and costs["macs"] and costs["latency"]


def test_stored_maps_are_those_of_the_library_to_the_last_pixel(folder: Path) -> None:
    result = result_of(folder)
    settings = Settings(data=folder / "data", device="cpu")
    parts = assemble(result.entry, settings, build_own=True)
    net = parts.network if parts.network is not None else load_network(parts)[0]
    truth = read_truth(parts.dataset.target)
    stored = read_results(Path(result.folder) / "predictions", truth)
    processor = transformers.AutoImageProcessor.from_pretrained(str(folder / "net"))
    stuff = {place for place, thing in enumerate(parts.dataset.scheme.things) if not thing}
    segments = 0
    assert len(stored.images) == IMAGES
    for sample in parts.dataset.samples(result.entry.protocol):
        if sample.id not in stored.images:
            continue
        (item,) = parts.task.prepare(sample)
        with torch.inference_mode():
            raw = net(parts.task._batch(net, [item]))
        outputs = SimpleNamespace(class_queries_logits=raw["class_logits"], masks_queries_logits=raw["mask_logits"])
        (found,) = processor.post_process_panoptic_segmentation(
            outputs,
            threshold=0.3,
            overlap_mask_area_threshold=0.1,
            label_ids_to_fuse=stuff,
            target_sizes=[item.content],
        )
        own = read_ids(stored.images[sample.id].png, "a PNG")
        expected = found["segmentation"].numpy().astype(np.int64)
        assert np.array_equal(own > 0, expected > 0)
        made = [one["id"] for one in found["segments_info"]]
        if len(set(made)) == len(made):  # else two segments may have one number in the library
            pairs = set(zip(own.ravel().tolist(), expected.ravel().tolist(), strict=True))
            assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
            segments += len(made)
    assert segments > 0


def test_pictures_show_segments_and_the_report_has_them(folder: Path) -> None:
    result = result_of(folder)
    assert result.drawings and not any("no image was rendered" in str(note) for note in result.notes)
    picture = cv2.imread(str(Path(result.folder) / result.drawings[0].file))
    assert picture is not None and picture.shape[0] > 400
    assert "data:image/webp" in (folder / "out/report.html").read_text()


def test_what_is_annotated_is_shown(folder: Path, tmp_path: Path) -> None:
    result = result_of(folder)
    parts = assemble(result.entry, Settings(data=folder / "data"), build_own=True)
    samples = list(parts.dataset.samples(result.entry.protocol))[:2]
    truth = parts.dataset.truth(samples)
    for number, sample in enumerate(samples):
        ids, places = truth[sample.id]
        assert set(np.unique(ids).tolist()) - {0} <= set(places)
        parts.task.draw(sample, truth[sample.id], tmp_path / f"{number}.png")
        assert cv2.imread(str(tmp_path / f"{number}.png")) is not None
