"""Every command does what its help says; every example of the help and the README is one the parser takes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import hrbench
from hrbench import catalog
from hrbench.cli.command_line import EPILOG, EXAMPLES, main, parser

README = Path(__file__).parents[2] / "README.md"
COMMANDS = (
    "run", "check", "score", "profile", "report", "models", "datasets", "metrics", "fetch", "schema", "compare", "gate",
    "baseline", "history", "doctor", "explain", "serve",
)  # fmt: skip


OWN_TABLE = """
tables:
  - name: own
    title: Our own table
    rows: {task: pose}
    columns: [{text: model}, {text: input}, {score: AP}]
"""


def examples(text: str) -> list[list[str]]:
    """Arguments of every line that calls hrbench, without comments and redirections."""
    found = []
    for line in text.splitlines():
        called = re.search(r"(?:^|&& uv run |`)\s*hrbench ([^`]*)", line)
        if called:
            words = shlex.split(re.split(r"\s{2,}|\s+#|>", called.group(1))[0])
            if words and not words[0].isupper() and "..." not in words:
                found.append(words)
    return found


@pytest.mark.parametrize("words", examples(EPILOG + "\n".join(EXAMPLES.values())), ids=" ".join)
def test_examples_of_the_help_are_sound(words):
    if "--help" not in words:
        assert parser().parse_args(words).command in COMMANDS


def test_commands_of_the_readme_are_sound():
    found = examples("\n".join(re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)))
    assert len(found) >= 10
    for words in found:
        if "--help" not in words:
            parser().parse_args(words)


def test_counts_of_the_readme_are_the_catalogs():
    rows = catalog.variants().values()
    text = README.read_text()
    assert f"`hrbench models` lists {len(rows)} networks" in text
    told = re.findall(r"^\| (\w+) \| [^|]+ \| (\d+) \|$", text, flags=re.MULTILINE)
    assert {task: int(count) for task, count in told} == Counter(row.task for row in rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command, capsys):
    with pytest.raises(SystemExit) as exit:
        main([command, "--help"])
    assert exit.value.code == 0
    out = capsys.readouterr().out
    assert "examples:" in out and f"hrbench {command}" in out


def test_models(capsys, tmp_path):
    assert main(["models", "--weights", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "pose_hrnet_w32_coco_256x192" in out and "shipped: pose_hrnet_miniature_coco.safetensors" in out
    (tmp_path / "pose_hrnet_w32_256x192.pth").write_bytes(b"")
    assert main(["models", "pose_hrnet_w32*", "--weights", str(tmp_path)]) == 0
    assert "official: pose_hrnet_w32_256x192.pth" in capsys.readouterr().out
    assert main(["models", "pose_hrnet_w32_coco_256x192"]) == 0
    assert "28,536,113" in capsys.readouterr().out
    assert main(["models", "pose_hrnet_w23_coco_256x192"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_datasets_metrics_and_schema(capsys, tmp_path):
    assert main(["datasets", "--data", str(tmp_path)]) == 0
    assert "generated on first use" in capsys.readouterr().out
    assert main(["datasets", "mpii-val", "--data", str(tmp_path)]) == 0
    assert "human-pose.mpi-inf.mpg.de" in capsys.readouterr().out
    assert main(["metrics"]) == 0
    out = capsys.readouterr().out
    assert "coco-keypoints" in out and "pckh@0.11/mean" in out
    assert main(["metrics", "coco-keypoints"]) == 0
    out = capsys.readouterr().out
    assert '"keypoints": [421.0' in out and "hrbench score coco-keypoints --gt TRUTH --pred predictions.json" in out
    assert re.search(r"renumber +annotations are numbered 1, 2, ... in the order .*\n.*\n.*Default: False", out)
    assert main(["metrics", "coco-keypoint"]) == 2
    assert "did you mean coco-keypoints" in capsys.readouterr().err
    assert main(["schema"]) == 0
    assert "properties" in json.loads(capsys.readouterr().out)


def test_profile_shows_every_count_and_what_it_leaves_out(capsys):
    assert main(["profile", "pose_hrnet_w32_coco_256x192"]) == 0
    out = capsys.readouterr().out
    for number in ("7.645", "15.290", "7.685", "7.120", "aten::add"):
        assert number in out
    assert main(["profile", "pose_hrnet_miniature_coco", "--operators"]) == 0
    assert re.search(r"aten::conv2d\s+0\.045", capsys.readouterr().out)
    assert main(["profile", "pose_hrnet_miniature_coco", "--cross-check"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"FlopCounterMode of torch \S+ +flops +(0\.0[89]\d) +\1 +none", out)
    assert re.search(r"fvcore \S+ +fvcore +\S+ +\S+ +none", out)
    assert main(["profile", "tiny:net"]) == 2
    assert "--input HxW" in capsys.readouterr().err
    assert main(["profile", "pose_hrnet_miniature_coco", "--input", "96"]) == 2
    assert "HEIGHTxWIDTH" in capsys.readouterr().err


def test_profile_times_a_network_of_ones_own(bench, capsys, monkeypatch):
    monkeypatch.chdir(bench.folder)
    monkeypatch.syspath_prepend(str(bench.folder))
    assert main(["profile", "tiny_nets:pose", "--input", "64x48", "--latency", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "Latency" in out and " ms" in out


def test_profile_takes_arguments(capsys):
    assert main(["profile", "smp:Unet", "--input", "32x32", "--args", "encoder_name=resnet18", "classes=3"]) == 0
    out = capsys.readouterr().out
    assert "smp:Unet, input 32x32, encoder_name: resnet18, classes: 3" in out and "14,328,499" in out
    given = ["--args", "backbone.args.variant=49S", "--args", "backbone.args.norm_eps=1", "--input", "128x128"]
    assert main(["profile", "retinanet_spinenet_49", *given]) == 2
    assert "spinenet cannot be called so" in capsys.readouterr().err
    assert main(["profile", "retinanet_spinenet_49", *given[:2], *given[4:]]) == 0
    assert '{args: {variant: "49S"}}' in capsys.readouterr().out
    for wrong, said in (
        (
            ["retinanet_spinenet_49", "--args", "backbone.variant=49S"],
            'backbone: {use: spinenet, args: {variant: "49S"}}',
        ),
        (["cls_hrnet_w18", "--args", "classes"], "--args classes: must be KEY=VALUE"),
        (["cls_hrnet_w18", "--args", "classes=[1"], "--args classes=[1: not YAML"),
        (["net.onnx"], "named by its source, onnx:net.onnx"),
    ):
        assert main(["profile", *wrong]) == 2
        assert said in capsys.readouterr().err


OWN = """
from torch import nn


class Looks(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, images):
        out = self.conv(images)
        return out if out.mean() > 0 else 2 * out


class Boxes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return [{"boxes": self.conv(image[None]).mean((2, 3))} for image in images]
"""


def test_profile_of_networks_that_it_does_not_know(bench, capsys, monkeypatch):
    (bench.folder / "profiled_nets.py").write_text(OWN)
    monkeypatch.chdir(bench.folder)
    monkeypatch.syspath_prepend(str(bench.folder))
    assert main(["profile", "profiled_nets:Looks", "--input", "32x32"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"Parameters +224", out) and re.search(r"GMACs \[macs\] +0\.\d+ +batch 1", out)
    assert "counted on: the CPU with a random input, since the network looks at values on its way" in out
    words = ["--input", "32x32", "--task", "detection", "--latency", "--device", "cpu"]
    assert main(["profile", "profiled_nets:Boxes", *words]) == 0
    assert re.search(r"Latency +[\d.]+ ms +batch 1", capsys.readouterr().out)


def test_profile_at_another_input(capsys):
    assert main(["profile", "pose_hrnet_miniature_coco", "--input", "192x144"]) == 0
    out = capsys.readouterr().out  # of 96x72, 0.045; less than four times that, since 72 is rounded up at 1/32
    assert "input 192x144" in out and re.search(r"GMACs \[macs\] +0\.177", out)


def test_check_looks_and_runs_nothing(bench, tiny_suite, capsys):
    places = ["--data", str(bench.data), "--weights", str(bench.folder)]
    assert main(["check", str(tiny_suite), *places]) == 0
    out = capsys.readouterr().out
    assert re.search(r"one\s+8\s+32", out) and "can be run as far as its data are there" in out
    assert sorted(path.name for path in bench.folder.iterdir() if path.is_dir()) == ["data"]
    tiny_suite.write_text(tiny_suite.read_text().replace("tiny_nets:pose", "tiny_nets:pse"))
    assert main(["check", str(tiny_suite), *places]) == 3
    assert "did you mean pose?" in capsys.readouterr().out
    nowhere = ["--data", str(bench.folder / "nowhere")]
    assert main(["check", "pose", *nowhere, "--strict", "--only", "pose_hrnet_w32*"]) == 3
    assert main(["check", "miniature", *nowhere, "--only", "cls_*"]) == 0
    assert "generated on first use" in capsys.readouterr().out
    assert not (bench.folder / "nowhere").exists()


def test_reports_of_one_run_and_of_several_with_a_table_of_ones_own(bench, tiny_suite, capsys):
    assert main(bench.arguments(tiny_suite, "--only", "one", out="a")) == 0
    assert main(bench.arguments(tiny_suite, "--only", "two", out="b")) == 0
    runs = [str(bench.folder / "a"), str(bench.folder / "b")]
    both = bench.folder / "both"
    assert main(["report", *runs, "--out", str(both)]) == 0
    page = (both / "report.html").read_text()
    assert "data:image/webp;base64," in page
    (bench.folder / "own.yaml").write_text(OWN_TABLE)
    asked = ["--format", "json,md", "--export", str(bench.folder / "flat.json")]
    assert main(["report", *runs, "--out", str(bench.folder / "programs"), *asked]) == 0
    assert "exported 2 entries: " in capsys.readouterr().out
    assert {path.name for path in (bench.folder / "programs").iterdir()} == {"report.json", "report.md"}
    numbers = json.loads((bench.folder / "programs" / "report.json").read_text())["numbers"]
    frame = hrbench.frame(*runs)
    assert [row["run"] for row in numbers] == list(frame.run) and len(set(frame.run)) == 2 and all(frame.date)
    flat = json.loads((bench.folder / "flat.json").read_text())
    assert list(flat) == list(dict.fromkeys(frame.run + "/" + frame.entry))
    assert next(iter(flat.values())) == hrbench.flat(hrbench.load(runs[0])[0])
    assert main(["report", *runs, "--format", "xlsx"]) == 2
    assert "it has html, md, csv, tex, json" in capsys.readouterr().err
    assert main(["report", *runs, "--out", str(both), "--table", str(bench.folder / "own.yaml")]) == 0
    text = (both / "report.md").read_text()
    assert "Our own table" in text
    rows = [[cell.strip() for cell in line.split("|")[2:4]] for line in text.splitlines() if "×" in line]
    assert rows == [["64×48", "0.0"], ["96×72", "0.0"]]
    (bench.folder / "other.yaml").write_text(OWN_TABLE.replace("task: pose", "dataset: elsewhere"))
    capsys.readouterr()
    assert main(["report", *runs, "--out", str(both), "--table", str(bench.folder / "other.yaml")]) == 0
    assert "table 'own' is left out: none of 2 results has dataset elsewhere" in capsys.readouterr().out
    assert main(["report", str(bench.folder / "none")]) == 2
    assert main(["report", str(bench.folder / "data")]) == 2
    assert "run a suite first" in capsys.readouterr().err


def test_the_module_is_the_program():
    done = subprocess.run([sys.executable, "-m", "hrbench", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == f"hrbench {hrbench.__version__}"
    done = subprocess.run([sys.executable, "-m", "hrbench", "run", "nothing"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("hrbench: no suite file 'nothing'")


def test_latency_of_a_file_at_a_batch_it_does_not_take_says_so(bench, capsys, monkeypatch):
    """A file of fixed batch is timed at that batch alone, by `profile` as in a run."""
    import torch

    net = torch.nn.Conv2d(3, 17, 1).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 32, 32),)), str(bench.folder / "two.pt2"))
    monkeypatch.chdir(bench.folder)
    assert main(["profile", "exported:two.pt2", "--input", "32x32", "--task", "pose", "--latency"]) == 0
    assert "takes 2 images at once" in capsys.readouterr().out
