"""`hrbench check` says of an entry what a run would do with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hrbench.cli.command_line import main
from hrbench.models.weights.load import save
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
    some = ["--only", "cls_*", "--set", "weights=./no.pth"]
    assert main(["check", "miniature", "--data", str(bench.folder / "nowhere"), *some]) == 0
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


# --- shapes, weights and data ----------------------------------------------------------------------------------------


NETS = """
import torch
from torch import nn
from tiny_nets import Tiny

class Reads(nn.Module):
    def __init__(self, joints):
        super().__init__()
        self.net = nn.Conv2d(3, joints, 5, stride=4, padding=2)

    def forward(self, x):
        return self.net(x) if x.sum().item() > -1e9 else x

def reads(joints=17):
    return Reads(joints)

class Pools(Tiny):
    def forward(self, x):
        return self.net(x).view(1, -1, 5, 5)

def pools(joints=17):
    return Pools(joints)
"""


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr("hrbench.runner.execution.LocalExecutor", lambda **_: InProcessExecutor())


def checked(bench, capsys, model: str, *more: str, weights: str = "none") -> tuple[int, str]:
    (bench.folder / "look_nets.py").write_text(NETS)
    text = f"""
        suite: looked
        defaults: {{cost: {{latency: false}}}}
        entries:
          - name: e
            model: {{use: "{model}", task: pose, input: [64, 48]}}
            weights: {weights}
            dataset: coco-keypoints-val2017
            protocol: {{boxes: ground_truth}}
        """
    code = main(["check", str(bench.suite(text)), "--data", str(bench.data), *more])
    return code, capsys.readouterr().out


@pytest.mark.usefixtures("in_process")
def test_heatmaps_of_another_number_of_joints_are_found(bench, capsys):
    code, out = checked(bench, capsys, "tiny_nets:pose")
    assert (code, "would fail" in out.splitlines()[2]) == (0, False)
    (bench.folder / "three.py").write_text("from tiny_nets import Tiny\n\ndef pose():\n    return Tiny(3)\n")
    code, out = checked(bench, capsys, "three:pose")
    assert code == 3
    assert "the network returned (1, 3, 16, 12) for 1 crops; a pose network returns heatmaps (1, 17, h, w)" in out


@pytest.mark.usefixtures("in_process")
def test_a_pass_that_fails_names_the_operator_and_the_input(bench, capsys):
    code, out = checked(bench, capsys, "look_nets:pools")
    assert code == 3
    assert "a pass of one image of 64x48 failed at aten::view in the network" in out


@pytest.mark.usefixtures("in_process")
def test_a_network_that_reads_values_is_looked_at_by_deep_alone(bench, capsys):
    code, out = checked(bench, capsys, "look_nets:reads")
    assert code == 0
    assert "its output was not looked at (a pass of one image of 64x48 failed at " in out
    assert "hrbench check --deep passes an image on the CPU" in out
    code, out = checked(bench, capsys, "look_nets:reads", "--deep")
    assert code == 0
    assert "not looked at" not in out
    (bench.folder / "three_read.py").write_text("from look_nets import Reads\n\ndef reads():\n    return Reads(3)\n")
    code, out = checked(bench, capsys, "three_read:reads", "--deep")
    assert code == 3
    assert "returned (1, 3, 16, 12) for 1 crops" in out


@pytest.mark.usefixtures("in_process")
def test_keys_and_shapes_of_weights_are_compared_without_reading_a_number(bench, capsys, monkeypatch):
    from hrbench.models.weights import load

    monkeypatch.setattr(load, "read_weights", None)  # what reads numbers
    state = {"net.weight": torch.ones(17, 3, 5, 5), "net.bias": torch.ones(17)}
    torch.save({"model": state, "model_ema": {"net.bias": torch.ones(3)}}, bench.folder / "w.pth")
    code, out = checked(bench, capsys, "tiny_nets:pose", weights="./w.pth")
    assert code == 0
    assert "the weights are 'model' of the checkpoint, which also has 'model_ema'" in out
    code, out = checked(bench, capsys, "tiny_nets:pose", weights="{file: ./w.pth, key: model_ema}")
    assert code == 3
    assert "1 missing from the file: net.weight; 1 of another shape: net.bias (file 3, network 17)" in out


@pytest.mark.usefixtures("in_process")
def test_deep_decodes_a_sample_of_the_data(bench, capsys):
    code, out = checked(bench, capsys, "tiny_nets:pose", "--deep")
    assert code == 0
    assert "coco-keypoints-val2017: looked: " in out and "no fault" in out
    assert "coco-keypoints-val2017: sizes: 1 size among " in out and "160x120 pixels" in out
    picture = sorted((bench.data / "coco" / "val2017").iterdir())[3]
    picture.write_bytes(picture.read_bytes()[:200])
    assert checked(bench, capsys, "tiny_nets:pose")[0] == 0
    code, out = checked(bench, capsys, "tiny_nets:pose", "--deep")
    assert code == 3
    assert f"fault: image {picture} cannot be read whole (truncated" in out
    assert "faults in coco-keypoints-val2017 (entry e)" in out


@pytest.mark.usefixtures("in_process")
def test_a_picture_at_an_end_of_the_data_is_decoded_by_every_check(bench, capsys):
    picture = sorted((bench.data / "coco" / "val2017").iterdir())[-1]
    picture.write_bytes(picture.read_bytes()[:200])
    assert checked(bench, capsys, "tiny_nets:pose")[0] == 0  # its costs alone
    code, out = checked(bench, capsys, "tiny_nets:pose", weights="tiny.safetensors")
    assert code == 3
    assert "would fail [1]" in out and str(picture) in out.partition("[1] ")[2]


# --- label maps and predictions of a file ----------------------------------------------------------------------------

MAPS = 30


def labelled(folder: Path, name: str, as_stored) -> None:
    """Images and label maps of two classes, stored as `as_stored` makes them of (number, map)."""
    for number in range(MAPS):
        labels = np.zeros((8, 8), np.uint8)
        labels[2:5, 2 : 4 + number % 3] = 1
        for what, pixels in (("images", np.full((8, 8, 3), number, np.uint8)), ("labels", as_stored(number, labels))):
            path = folder / name / what / f"{number:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)


def of_maps(folder: Path, capsys, rows: dict[str, tuple[str, str]], *more: str) -> tuple[int, dict[str, str], str]:
    """Checks entries with predictions of a folder: name -> (predictions, further fields of the data set "made").

    Returns the exit code, name -> what is said of it, and all of the output.
    """
    entries = "".join(
        f"  - {{name: {name}, predictions: {predictions}, dataset: {{use: label-folders, name: d-{name}, images: "
        f"made/images, labels: made/labels, names: [sea, land]{fields}}}}}\n"
        for name, (predictions, fields) in rows.items()
    )
    path = folder / "maps.yaml"
    path.write_text(f"suite: maps\nentries:\n{entries}")
    code = main(["check", str(path), *more])
    out = capsys.readouterr().out
    reasons = dict(line[1:].split("] ", 1) for line in out.splitlines() if line.startswith("["))
    lines = {line.split()[0]: line for line in out.splitlines()[2 : 2 + len(rows)]}
    said = {name: reasons[line.rpartition("[")[2].rstrip("]")] if "[" in line else "" for name, line in lines.items()}
    return code, said, out


STORED = {
    "colours": (lambda _, labels: np.stack([labels * 128, labels * 0, labels * 0], -1), "option palette"),
    "masks": (lambda _, labels: labels * 255, "option values: {0: 0, 255: 1} reads 255 as the second class"),
    "channels": (lambda _, labels: np.stack([labels] * 3, -1), "option channels: equal"),
}
OPTIONS = {
    "colours": ", palette: [[0, 0, 0], [128, 0, 0]], colours: true",
    "masks": ", values: {0: 0, 255: 1}",
    "channels": ", channels: equal",
}


@pytest.mark.parametrize("stored", STORED)
def test_label_maps_that_a_run_refuses_are_refused_by_a_check_that_names_the_option(tmp_path, capsys, stored):
    as_stored, option = STORED[stored]
    labelled(tmp_path, "made", as_stored)
    labelled(tmp_path, "plain", lambda _, labels: labels)
    rows = {"bare": ("plain/labels", ""), "told": ("plain/labels", OPTIONS[stored])}
    code, said, out = of_maps(tmp_path, capsys, rows)
    assert code == 3 and "1 would fail" in out
    assert f"{tmp_path / 'made' / 'labels' / '00.png'}: holds" in said["bare"] and option in said["bare"]
    assert said["told"] == ""
    assert main(["run", str(tmp_path / "maps.yaml"), "--in-process", "--plain", "--out", str(tmp_path / "r")]) == 3
    ran = " ".join("".join(capsys.readouterr()).split())
    assert said["bare"].partition(";")[0] in ran and ran.count("failed: ") == 1


def test_predicted_maps_are_read_at_both_ends_and_their_names_compared(tmp_path, capsys):
    for name in ("made", "last", "middle"):
        labelled(tmp_path, name, lambda _, labels: labels)
    (tmp_path / "last" / "labels" / f"{MAPS - 1}.png").write_bytes(b"none")
    (tmp_path / "middle" / "labels" / "07.png").unlink()
    rows = {"last": ("last/labels", ""), "middle": ("middle/labels", "")}
    code, said, _ = of_maps(tmp_path, capsys, rows)
    assert code == 3
    assert f"{tmp_path / 'last' / 'labels' / '29.png'}: is no PNG" in said["last"]
    assert f"no prediction for 1 of {MAPS} images, the first is 07" in said["middle"]


def test_a_fault_of_many_maps_is_told_once_with_the_entries_that_use_the_data(tmp_path, capsys):
    labelled(tmp_path, "made", lambda number, labels: labels * (9 if 0 < number < MAPS - 1 else 1))
    labelled(tmp_path, "plain", lambda _, labels: labels)
    rows = {"one": ("plain/labels", ""), "two": ("made/labels", "")}
    assert of_maps(tmp_path, capsys, rows)[0] == 0
    path = tmp_path / "maps.yaml"
    path.write_text(path.read_text().replace("d-two", "d-one"))
    assert main(["check", str(path), "--deep"]) == 3
    out = capsys.readouterr().out
    assert "d-one: note: used by entries one, two" in out
    (fault,) = (line for line in out.splitlines() if line.startswith("d-one: fault: "))
    assert f"labels {tmp_path / 'made' / 'labels' / '01.png'} hold 9 at (2, 2)" in fault
    assert fault.endswith(f"({MAPS - 2} alike, in {MAPS - 2} images: 01, 02, 03 and {MAPS - 5} more)")
    plain, made = (f"predictions {tmp_path / name / 'labels'}" for name in ("plain", "made"))
    (left_out,) = (line for line in out.splitlines() if line.startswith(f"{plain}: note: miou: "))
    assert left_out.endswith(
        f"miou: {MAPS - 2} of {MAPS} images not scored, since their ground truth has faults, which are told of it"
    )
    assert f"{plain}: looked: miou: predictions of 2 images read and scored: no fault" in out
    # those of the second entry are the same files, and as predictions they have the fault, too
    faults = [line for line in out.splitlines() if line.startswith("predictions ") and ": fault: " in line]
    assert len(faults) == 1 and faults[0].startswith(made) and "28 alike, in 28 images" in faults[0]


def test_a_fault_of_an_annotation_file_is_told_once_whatever_predictions_use_it(bench, capsys):
    people = json.loads(bench.annotations.read_text())
    people["annotations"][0]["area"] = -1
    bench.annotations.write_text(json.dumps(people))
    (bench.folder / "a.json").write_text("[]")
    (bench.folder / "b.json").write_text("[]")
    suite = bench.suite("""
        suite: s
        defaults: {dataset: coco-keypoints-val2017, protocol: {boxes: ground_truth}}
        entries: [{name: a, predictions: a.json}, {name: b, predictions: b.json}]
        """)
    assert main(["check", str(suite), "--data", str(bench.data), "--deep"]) == 3
    out = capsys.readouterr().out
    deep = [line for line in out.splitlines() if not line.startswith("[")]
    assert sum("area is -1" in line for line in deep) == 1, out
    assert sum("not scored, since its ground truth has the fault that is told of it" in line for line in deep) == 2


@pytest.mark.usefixtures("in_process")
def test_maps_that_a_network_is_judged_by_are_read_before_it_runs(bench, capsys):
    labelled(bench.folder, "made", lambda _, labels: labels * 255)
    text = """
        suite: looked
        defaults: {cost: {latency: false}}
        entries:
          - name: e
            model: {use: "tiny_nets:pose", args: {joints: 2}, task: segmentation, input: [8, 8]}
            weights: two.safetensors
            dataset: {use: label-folders, images: made/images, labels: made/labels, names: [sea, land]VALUES}
        """
    net = torch.nn.Module()
    net.net = torch.nn.Conv2d(3, 2, 5, stride=4, padding=2)
    save(net, bench.folder / "two.safetensors")
    assert main(["check", str(bench.suite(text.replace("VALUES", "")))]) == 3
    out = capsys.readouterr().out
    assert "hold 255 at (2, 2), which is no label of this data set (0 to 1)" in out
    assert "option values: {0: 0, 255: 1}" in out and "(2 alike, in 2 images: 00, 29)" in out
    assert main(["check", str(bench.suite(text.replace("VALUES", ", values: {0: 0, 255: 1}")))]) == 0
    assert "predict" in capsys.readouterr().out
