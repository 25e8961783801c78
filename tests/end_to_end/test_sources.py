"""One suite of networks from other libraries, files, one's own code and predictions, with some that are broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from small_sets import drawn_with

import hrbench
from hrbench.cli.command_line import main
from hrbench.models.weights.load import load
from hrbench.models.weights.sources import SHIPPED
from hrbench.types import Result

pytestmark = pytest.mark.numeric

NAME = "pose_resnet_miniature_coco"
INPUT = (96, 64)
IMAGES = 12
OWN = """
from hrbench.models.pose_resnet import pose_resnet

def narrow(joints, depth=18):
    return pose_resnet(depth=depth, joints=joints, planes=[20, 32, 48, 64], deconvolutions=[32, 32, 32])
"""
SUITE = """
    suite: sources
    title: Networks from everywhere
    defaults:
      resamples: 60
      cost: {latency: {batch: 1, budget: 0.05}}
    entries:
      - {name: original, model: pose_resnet_miniature_coco, dataset: &coco miniature-coco-keypoints, protocol: &boxes {boxes: ground_truth}}
      - {name: onnx, model: {use: "onnx:files/net.onnx", task: pose, input: [96, 64], colour: bgr}, dataset: *coco, protocol: *boxes}
      - {name: exported, model: {use: "exported:files/net.pt2", task: pose, input: [96, 64], colour: bgr}, dataset: *coco, protocol: *boxes}
      - name: own
        model: {use: "own_nets:narrow", args: {joints: 17}, task: pose, input: [96, 64], colour: bgr}
        weights: files/own.safetensors
        dataset: *coco
        protocol: *boxes
      - {name: given, predictions: files/given.json, dataset: *coco}
      - {name: timm, model: {use: "timm:resnet10t", input: [64, 64]}}
      - {name: torchvision, model: {use: "torchvision:lraspp_mobilenet_v3_large", task: segmentation, input: [64, 64]}}
      - {name: unknown, model: {use: "timm:resnet10x", input: [64, 64]}}
      - {name: damaged, model: {use: "onnx:files/damaged.onnx", task: pose, input: [96, 64], colour: bgr}, dataset: *coco, protocol: *boxes}
      - {name: other-size, model: {use: "onnx:files/net.onnx", task: pose, input: [64, 48]}, dataset: *coco, protocol: *boxes}
"""  # noqa: E501


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Result]]:
    """The suite's folder after a run, and its results by entry."""
    folder = tmp_path_factory.mktemp("sources")
    files = folder / "files"
    files.mkdir()
    net = hrbench.build(NAME)
    load(net, SHIPPED / f"{NAME}.safetensors")
    image = torch.rand(2, 3, *INPUT)
    any_batch = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(torch.export.export(net, (image,), dynamic_shapes=any_batch), files / "net.pt2")
    torch.onnx.export(net, (image[:1],), files / "net.onnx", dynamo=True, verbose=False)  # a batch of 1, fixed
    shutil.copy(SHIPPED / f"{NAME}.safetensors", files / "own.safetensors")
    (folder / "own_nets.py").write_text(OWN)
    (files / "damaged.onnx").write_bytes((files / "net.onnx").read_bytes()[:3000])
    suite = folder / "suite.yaml"
    suite.write_text(dedent(SUITE))
    with drawn_with(IMAGES):
        assert run(folder, "--only", "original") == 0
    shutil.copy(folder / "run" / "entries" / "original" / "predictions.json", files / "given.json")
    assert run(folder) == 3
    return folder, {result.name: result for result in hrbench.load(folder / "run")}


def run(folder: Path, *more: str) -> int:
    places = ["--data", str(folder / "data"), "--weights", str(folder / "weights"), "--out", str(folder / "run")]
    return main(["run", str(folder / "suite.yaml"), *places, "--device", "cpu", "--plain", "--in-process", *more])


def ap(result: Result) -> float:
    value = result.scores[0].value
    assert value is not None
    return value


def cost(result: Result, name: str) -> float | None:
    return next(each for each in result.costs if each.quantity.name == name).value


def timed(result: Result) -> bool:
    """Whether latency was measured; a busy machine may need more than the small budget for its first pass."""
    found = next(each for each in result.costs if each.quantity.name == "latency")
    return found.value is not None or str(found.reason).startswith("the first pass alone took")


def test_the_same_network_from_a_file_has_the_same_accuracy(ran):
    _, results = ran
    assert {name: each.status for name, each in results.items() if name in ("original", "onnx", "exported", "own")} == {
        "original": "done", "onnx": "done", "exported": "done", "own": "done"
    }  # fmt: skip
    assert ap(results["original"]) > 0.3
    assert ap(results["own"]) == ap(results["original"])
    for name in ("onnx", "exported"):
        assert ap(results[name]) == pytest.approx(ap(results["original"]), abs=2e-3)


def test_a_file_has_the_costs_of_its_network(ran):
    _, results = ran
    original = results["original"]
    for name in ("onnx", "exported", "own"):
        assert cost(results[name], "macs") == cost(original, "macs")
        assert timed(results[name])
    assert cost(results["exported"], "parameters") == cost(original, "parameters")
    counted = next(each for each in results["onnx"].costs if each.quantity.name == "parameters")
    assert counted.value == 337_281 and "initialisers" in counted.conditions.counted  # norms folded into biases


def test_given_predictions_are_judged_and_need_no_network(ran):
    folder, results = ran
    given, original = results["given"], results["original"]
    assert [score.value for score in given.scores] == [score.value for score in original.scores]
    assert [score.interval for score in given.scores] == [score.interval for score in original.scores]
    stored = folder / "run" / "entries" / "given"
    assert (stored / "predictions.json").read_bytes() == (folder / "files" / "given.json").read_bytes()
    assert (stored / "states.npz").is_file() and given.drawings and given.entry.protocol == {}
    assert {str(each.reason) for each in given.costs} == {"no network: precomputed predictions"}


def test_other_tasks_are_costed(ran):
    _, results = ran
    for name in ("timm", "torchvision"):
        assert results[name].status == "costs_only"
        assert cost(results[name], "parameters") and cost(results[name], "macs") and timed(results[name])
    assert cost(results["torchvision"], "parameters") == 3_221_538


def test_a_broken_one_says_why_and_disturbs_nobody(ran):
    folder, results = ran
    assert "has no model 'resnet10x'; did you mean resnet10t?" in results["unknown"].reason
    assert results["damaged"].status == "failed" and "damaged.onnx: not a whole ONNX file" in results["damaged"].reason
    assert "takes images of 96x64 (height x width), not of 64x48" in results["other-size"].reason
    page = (folder / "run" / "report.html").read_text()
    assert "resnet10x" in page and str(folder / "files") not in page.replace(results["damaged"].reason, "")
    lines = (folder / "run" / "report.csv").read_text().splitlines()
    assert sum(line.split(",")[1] == "given" for line in lines) == 1
    assert ">0×0" not in page and "0×0" not in (folder / "run" / "report.md").read_text()


def test_the_same_command_resumes_and_a_changed_file_is_judged_again(ran, monkeypatch):
    folder, results = ran
    with monkeypatch.context() as patched:
        patched.setattr("hrbench.runner.jobs.evaluate", lambda *_: pytest.fail("nothing should be evaluated again"))
        for name in ("onnx", "exported", "given"):
            assert run(folder, "--only", name) == 0
    given = folder / "files" / "given.json"
    kept = given.read_bytes()
    given.write_text(json.dumps(json.loads(kept)[:5]))
    assert run(folder, "--only", "given") == 0
    (changed,) = [each for each in hrbench.load(folder / "run") if each.name == "given"]
    assert changed.score_key != results["given"].score_key and ap(changed) < ap(results["given"])
    given.write_bytes(kept)


def test_check_and_strict_know_of_predictions_that_are_not_there(ran, capsys):
    folder, _ = ran
    places = ["--data", str(folder / "data"), "--weights", str(folder / "weights")]
    assert main(["check", str(folder / "suite.yaml"), *places, "--only", "given", "--strict"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split() == ["given", "-", "-", "-", "score"]
    (folder / "files" / "given.json").rename(folder / "files" / "elsewhere.json")
    try:
        assert main(["check", str(folder / "suite.yaml"), *places, "--only", "given"]) == 0
        assert "given.json are not there" in capsys.readouterr().out
        assert main(["check", str(folder / "suite.yaml"), *places, "--only", "given", "--strict"]) == 3
        assert run(folder, "--only", "given", "--strict") == 3
    finally:
        (folder / "files" / "elsewhere.json").rename(folder / "files" / "given.json")


def test_check_reads_given_predictions(ran, capsys):
    folder, _ = ran
    given = folder / "files" / "given.json"
    kept = given.read_bytes()
    given.write_text('[{"image_id": 1, "category_id": 1, "keypoints": [], "score": 0.5}]')
    places = ["--data", str(folder / "data"), "--weights", str(folder / "weights")]
    try:
        assert main(["check", str(folder / "suite.yaml"), *places, "--only", "given"]) == 3
        assert "would fail" in (said := capsys.readouterr().out) and "given.json" in said
        assert "0 latency cells" in said
    finally:
        given.write_bytes(kept)
