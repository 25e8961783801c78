"""`hrbench check` says of an entry what a run would do with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hrbench.cli.command_line import main
from hrbench.runner.executors.in_process import InProcessExecutor

SEG = "task: segmentation, input: [64, 64]"
# what stands for the model -> what is said of it
FAILING = {
    "model: cls_resnet_38": "cannot be built: ",
    f'model: {{use: "smp:Unet", {SEG}, args: {{encoder: resnet5}}}}': "has no encoder 'resnet5'; did you mean",
    f'model: {{use: "torchvision:fcn_resnet50", {SEG}, args: {{num_clases: 3}}}}': "did you mean num_classes?",
    'model: {use: "timm:resnet10t", input: [64, 64], args: {pretrained: true}}': "is built without weights: leave 'pre",
    'model: {use: "timm:resnet10x", input: [64, 64]}': "did you mean resnet10t?",
    'model: {use: "onnx:junk.onnx", task: pose, input: [64, 48]}': "not a whole ONNX file",
    'model: {use: "onnx:alone.onnx", task: pose, input: [64, 48]}': "the file alone.onnx.data with its weights",
    'model: {use: "exported:junk.pt2", task: pose, input: [64, 48]}': "junk.pt2",
    'model: {use: "tiny_nets:broken", task: pose, input: [64, 48]}': "this network cannot be built",
    "model: {base: seg_hrnet_w48_cityscapes19, args: {classes: nineteen}}": "classes 'nineteen' was given",
    'model: {base: retinanet_spinenet_49, args: {backbone: {args: {variant: "50"}}}}': "50",
    'model: {base: retinanet_spinenet_49, args: {backbone: {use: "timm:resnet10x"}}}': "did you mean resnet10t?",
}


@pytest.fixture
def suite(bench):
    def write(*models: str) -> Path:
        rows = "".join(f"  - {{name: e{number}, {model}}}\n" for number, model in enumerate(models))
        path = bench.folder / "c.yaml"
        path.write_text(f"suite: c\ndefaults: {{cost: {{latency: false}}}}\nentries:\n{rows}")
        return path

    return write


def alone(folder: Path) -> None:
    """An ONNX file without the file that holds its weights."""
    image = (torch.rand(1, 3, 64, 48),)
    net = torch.nn.Conv2d(3, 17, 5, stride=4, padding=2).eval()
    torch.onnx.export(net, image, folder / "alone.onnx", dynamo=True, verbose=False, optimize=False, external_data=True)
    (folder / "alone.onnx.data").unlink()


def test_what_run_fails_check_fails_with_the_reason(bench, suite, capsys, monkeypatch):
    # in processes of their own each would import its library anew; the last test below has such processes
    monkeypatch.setattr("hrbench.runner.execution.LocalExecutor", lambda **_: InProcessExecutor())
    alone(bench.folder)
    for name in ("junk.onnx", "junk.pt2"):
        (bench.folder / name).write_bytes(b"junk")
    good = ('model: {use: "timm:resnet10t", input: [64, 64], args: {num_classes: 3}}', "model: cls_hrnet_w18")
    path = suite(*FAILING, *good)
    places = ["--data", str(bench.data), "--weights", str(bench.folder)]
    assert main(["check", str(path), *places]) == 3
    out = capsys.readouterr().out
    lines, reasons = (
        out.splitlines(),
        dict(line[1:].split("] ", 1) for line in out.splitlines() if line.startswith("[")),
    )
    for number, said in enumerate(FAILING.values()):
        (line,) = (line for line in lines if line.startswith(f"e{number} "))
        assert "would fail [" in line, line
        assert said in reasons[line.rpartition("[")[2].rstrip("]")], line
    for number in range(len(FAILING), len(FAILING) + len(good)):
        (line,) = (line for line in lines if line.startswith(f"e{number} "))
        assert "costs only" in line
    assert f"{len(FAILING)} would fail" in out


def test_a_run_fails_the_same(bench, suite, capsys):
    (bench.folder / "junk.onnx").write_bytes(b"junk")
    path = suite(*(model for model in FAILING if "junk.onnx" in model or "tiny_nets" in model or "resnet_38" in model))
    assert main(["run", str(path), "--out", str(bench.folder / "out"), "--device", "cpu", "--plain"]) == 3
    assert capsys.readouterr().out.count("failed: costs were not measured") >= 3


def test_a_miniature_that_is_not_there_yet_lacks_nothing(bench, capsys):
    assert main(["check", "miniature", "--data", str(bench.folder / "nowhere"), "--strict"]) == 0
    out = capsys.readouterr().out
    assert "data will be generated [" in out and "generated on first use" in out and "left empty" not in out
    assert main(["check", "miniature", "--data", str(bench.folder / "nowhere"), "--set", "weights=./no.pth"]) == 0
    out = capsys.readouterr().out
    assert "accuracy left empty [" in out and "no.pth" in out and "data will be generated" not in out


def test_a_repository_that_a_run_would_fetch_is_not_built(bench, suite, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(bench.folder))
    path = suite('model: {use: "transformers:nobody/nothing", task: pose, input: [64, 48]}')
    assert main(["check", str(path)]) == 0
    assert "costs only" in capsys.readouterr().out


BUILDS = """
import os, time
from tiny_nets import Tiny

def exits(joints=17):
    os._exit(0)

def hangs(joints=17):
    time.sleep(600)

def speaks(joints=17):
    print("hello from a network")
    return Tiny(joints)
"""


def test_what_building_does_to_its_process_is_told_and_stops_no_other(bench, capfd):
    (bench.folder / "builds.py").write_text(BUILDS)
    names = ("exits", "hangs", "speaks")
    entries = [
        f'- {{name: {name}, timeout: 2, model: {{use: "builds:{name}", task: pose, input: [64, 48]}}}}'
        for name in names
    ]
    path = bench.suite("\n".join(["suite: builds", "entries:", *entries]))
    assert main(["check", str(path)]) == 3
    captured = capfd.readouterr()
    assert "hello from a network" not in captured.out + captured.err
    assert "ended with status 0 before there was a result" in captured.out and "timeout of 2 s" in captured.out
    assert "2 would fail" in captured.out and "costs only" in captured.out
