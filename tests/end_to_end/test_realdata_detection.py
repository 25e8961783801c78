"""A torchvision detector with drawn weights on real COCO images completes, and pycocotools agrees on its results."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from empty import uninitialised

import hrbench
from hrbench.cli.command_line import main
from hrbench.models.weights.load import save

pytestmark = [pytest.mark.realdata, pytest.mark.numeric]

LIMIT = 2
ARGS = {"box_score_thresh": 0.0, "rpn_post_nms_top_n_test": 200}
SUITE = f"""
suite: real
defaults:
  dataset: coco-val2017
  batch: 4
  resamples: 60
  cost: {{latency: false}}
entries:
  - name: drawn
    model: {{use: "torchvision:maskrcnn_resnet50_fpn", input: [192, 320], args: {json.dumps(ARGS)}}}
    weights: drawn.safetensors
    protocol: {{short: 192, long: 320}}
"""


@pytest.fixture(scope="module")
def run(realdata: Path, fill: Any, tmp_path_factory: Any) -> Path:
    """The run's folder. Every detection is a person, its box an anchor, most of it its mask, so that some fit."""
    folder = tmp_path_factory.mktemp("real")
    with uninitialised():
        net: Any = hrbench.build("torchvision:maskrcnn_resnet50_fpn", task="detection", **ARGS)
    net = fill.fill(net).float()
    net.roi_heads.box_predictor.cls_score.bias.data[1] += 20
    for layer in (net.rpn.head.bbox_pred, net.roi_heads.box_predictor.bbox_pred):
        layer.weight.data.zero_()
        layer.bias.data.zero_()
    net.roi_heads.mask_predictor.mask_fcn_logits.bias.data += 3
    save(net, folder / "drawn.safetensors")
    (folder / "suite.yaml").write_text(SUITE)
    places = ["--data", str(realdata), "--out", str(folder / "run"), "--device", "cpu", "--plain", "--in-process"]
    assert main(["run", str(folder / "suite.yaml"), *places, "--limit", str(LIMIT)]) == 0
    return folder / "run" / "entries" / "drawn"


def test_it_stores_coco_results_and_pictures(run: Path) -> None:
    boxes, masks = (json.loads((run / name).read_text()) for name in ("predictions.json", "masks.json"))
    assert len(boxes) == len(masks) > 5 * LIMIT and len({row["image_id"] for row in boxes}) == LIMIT
    assert all(set(row) == {"image_id", "category_id", "bbox", "score"} for row in boxes)
    assert all(set(row) == {"image_id", "category_id", "segmentation", "score"} for row in masks)
    assert json.loads((run / "result.json").read_text())["result"]["entry"]["protocol"]["name"] == "torchvision"
    assert list((run / "drawings").glob("*.webp"))


@pytest.mark.parametrize(
    ("metric", "file", "kind"), [("coco-boxes", "predictions.json", "bbox"), ("coco-masks", "masks.json", "segm")]
)
def test_score_and_pycocotools_agree(
    metric: str, file: str, kind: str, run: Path, realdata: Path, tmp_path: Path, capsys: Any
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    target = realdata / "coco" / "annotations" / "instances_val2017.json"
    rows = json.loads((run / file).read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(target))
    objects = truth.loadAnns(truth.getAnnIds(imgIds=[row["image_id"] for row in rows], iscrowd=False))
    for number, one in enumerate(objects):  # what the network, which is none, does not find: some of what is there
        row = {"image_id": one["image_id"], "category_id": one["category_id"], "score": 0.3 + number % 7 / 10}
        mask = truth.annToRLE(one)
        shape = {"size": mask["size"], "counts": mask["counts"].decode()}
        rows += [{**row, "bbox": one["bbox"]} if kind == "bbox" else {**row, "segmentation": shape}][: number % 3]
    (tmp_path / file).write_text(json.dumps(rows))
    files = ["--gt", str(target), "--pred", str(tmp_path / file)]
    assert main(["score", metric, *files, "--json", "--resamples", "60"]) == 0
    scores = {each["quantity"]["name"]: each["value"] for each in json.loads(capsys.readouterr().out)["scores"]}
    with contextlib.redirect_stdout(io.StringIO()):
        official = COCOeval(truth, truth.loadRes(str(tmp_path / file)), kind)
        official.evaluate()
        official.accumulate()
        official.summarize()
    names = ["AP", "AP50", "AP75", "APS", "APM", "APL", "AR1", "AR10", "AR100", "ARS", "ARM", "ARL"]
    assert {name: scores[name] for name in names} == dict(zip(names, official.stats.tolist(), strict=True))
    assert 0 < scores["AP"] < scores["AR100"] < 1
