"""Bad input: one clear line, the right exit code, and nothing stored is lost."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tiny_bench import draw_coco

import hrbench
from hrbench.cli.command_line import main


def one_line(capsys) -> str:
    """What stands on standard error: one message of at most two lines, no traceback."""
    error = capsys.readouterr().err
    assert error.startswith("hrbench: ") and "Traceback" not in error
    assert len(error.strip().splitlines()) <= 2
    return error


@pytest.fixture
def predictions(bench, tiny_suite, capsys) -> Path:
    """A results file made elsewhere: every annotated person, found exactly."""
    content = json.loads(bench.annotations.read_text())
    rows = [
        {"image_id": p["image_id"], "category_id": 1, "keypoints": p["keypoints"], "score": 0.5 + 0.01 * p["id"]}
        for p in content["annotations"]
    ]
    path = bench.folder / "results.json"
    path.write_text(json.dumps(rows))
    return path


def score(bench, predictions, *more) -> int:
    return main(["score", "coco-keypoints", "--gt", str(bench.annotations), "--pred", str(predictions), *more])


def test_a_results_file_is_judged(bench, predictions, capsys):
    assert score(bench, predictions, "--verify") == 0
    out = capsys.readouterr().out
    assert "100.0" in out and "bit for bit" in out
    assert score(bench, predictions, "--json", "--resamples", "0") == 0
    scores = {row["quantity"]["name"]: row for row in json.loads(capsys.readouterr().out)["scores"]}
    assert scores["AP"]["value"] == pytest.approx(1) and scores["AP"]["n"] == 16
    told = hrbench.score("coco-keypoints", ground_truth=bench.annotations, predictions=predictions, resamples=0)[0]
    assert told.value == scores["AP"]["value"] and told.interval is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda rows: json.dumps(rows)[:-9], "results.json"),
        (lambda rows: json.dumps([rows[0] | {"image_id": 4711}]), "4711"),
        (lambda rows: json.dumps([rows[0] | {"score": float("nan")}]), "score"),
        (lambda rows: json.dumps([rows[0] | {"keypoints": [1, 2, 3]}]), "keypoints"),
        (lambda rows: json.dumps({"not": "a list"}), "results.json"),
        (lambda rows: "", "results.json"),
    ],
)
def test_a_bad_results_file_is_named(bench, predictions, capsys, damage, words):
    predictions.write_text(damage(json.loads(predictions.read_text())))
    assert score(bench, predictions) == 2
    assert words in one_line(capsys)


def test_no_such_file_or_metric(bench, predictions, capsys):
    assert score(bench, bench.folder / "none.json") == 2
    assert "none.json" in one_line(capsys)
    assert main(["score", "coco-keypoint", "--gt", "a", "--pred", "b"]) == 2
    assert "coco-keypoints" in one_line(capsys)


def run_with(bench, weights: Path | str, capsys) -> str:
    """Runs one entry with these weights, sees it fail, and gives what was said about it."""
    suite = bench.suite(
        f"""
        suite: weights
        entries:
          - name: one
            model: {{base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {{joints: 17}}, input: [64, 48]}}
            dataset: coco-keypoints-val2017
            protocol: {{boxes: ground_truth}}
            weights: {weights}
            cost: {{latency: false}}
        """
    )
    capsys.readouterr()
    assert main(bench.arguments(suite)) == 3
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("one: FAILED: ")][:1]
    (result,) = hrbench.load(bench.folder / "run")
    assert result.status == "failed" and result.reason.splitlines()[0] in said
    return said


class Trap:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_posing_as_weights_is_refused_and_not_run(bench, capsys):
    sprung = bench.folder / "sprung"
    (bench.folder / "evil.pth").write_bytes(pickle.dumps(Trap(sprung)))
    assert "evil.pth" in run_with(bench, "evil.pth", capsys)
    assert not sprung.exists()


def test_truncated_and_foreign_weights_are_refused(bench, capsys):
    whole = (bench.folder / "tiny.safetensors").read_bytes()
    (bench.folder / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "half.safetensors" in run_with(bench, "half.safetensors", capsys)
    (bench.folder / "foreign.safetensors").write_bytes(whole.replace(b"net.bias", b"not.bias"))
    said = run_with(bench, "foreign.safetensors", capsys)
    assert "net.bias" in said and "not.bias" in said


def test_a_truncated_image_fails_its_entry_and_keeps_the_stored_result(bench, tiny_suite, capsys):
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    before = (bench.folder / "run" / "entries" / "one" / "predictions.json").read_bytes()
    image = bench.data / "coco" / "val2017" / "000000000003.png"
    image.write_bytes(image.read_bytes()[:2000])
    capsys.readouterr()
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 3
    said = capsys.readouterr().out
    assert "000000000003.png is truncated" in said and "Traceback" not in said
    assert (bench.folder / "run" / "superseded" / "one.1" / "predictions.json").read_bytes() == before
    (result,) = hrbench.load(bench.folder / "run")
    assert result.status == "failed" and any(cost.value for cost in result.costs)


@pytest.mark.parametrize("blocked", ["file", "proc"])
def test_an_unwritable_folder_is_one_line(bench, tiny_suite, capsys, blocked):
    (bench.folder / "file").write_text("in the way")
    out = "/proc/hrbench" if blocked == "proc" else str(bench.folder / "file" / "run")
    arguments = ["run", str(tiny_suite), "--data", str(bench.data), "--out", out, "--plain"]
    assert main(arguments) == 2
    assert "--out" in one_line(capsys)


def worker_of(parent: int) -> psutil.Process:
    """The worker process of a run; other children come and go."""
    for child in psutil.Process(parent).children():
        with contextlib.suppress(psutil.Error):
            if "serve" in " ".join(child.cmdline()):
                return child
    raise AssertionError("there is no worker process")


def test_a_killed_worker_is_told_with_what_it_did(bench):
    draw_coco(bench.data / "many", images=60)
    suite = bench.suite(
        """
        suite: killed
        entries:
          - name: one
            model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:held", args: {joints: 17}, input: [64, 48]}
            dataset: {base: coco-keypoints-val2017, folder: many}
            protocol: {boxes: ground_truth}
            weights: tiny.safetensors
            batch: 2
            cost: {latency: false}
        """
    )
    command = [sys.executable, "-m", "hrbench", *bench.arguments(suite, "--workers", "1")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while not (bench.folder / "reached").exists():  # the network waits; the worker may be ahead with all images
            assert process.poll() is None
            time.sleep(0.02)
        worker_of(process.pid).kill()
        (bench.folder / "go").touch()
        out, _ = process.communicate(timeout=600)  # ends a hang
    assert process.returncode == 3
    assert re.search(
        r"a worker process was killed by SIGKILL while it (prepared image \S+\.png|waited for images)", out
    )
    assert "Traceback" not in out


def test_a_misspelt_suite_lists_every_error_with_its_line(bench, capsys):
    suite = bench.suite(
        """
        suite: bad
        entries:
          - model: pose_hrnt_w32_coco_256x192
            dataset: coco-keypoints-val2017
          - model: pose_hrnet_w32_coco_256x192
            dataset: coco-keypoints-val2017
            protocol: {boxs: detector}
        """
    )
    assert main(bench.arguments(suite)) == 2
    error = capsys.readouterr().err
    assert "suite.yaml:4" in error and "did you mean pose_hrnet_w32_coco_256x192" in error
    assert "suite.yaml:8" in error and "boxes" in error


@pytest.mark.parametrize("arguments", [["run"], ["fly"], ["run", "pose", "--limit", "0"], ["score", "x", "--gt", "y"]])
def test_usage_errors_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
