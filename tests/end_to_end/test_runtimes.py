"""`hrbench run` with networks in several runtimes: scores, differences, and what stands where one cannot be run."""

from __future__ import annotations

import csv

import pytest
from tiny_bench import Bench

import hrbench
from hrbench.cli.command_line import main
from hrbench.errors import UnavailableError
from hrbench.models.runtimes.export import Export
from hrbench.types import Result

pytestmark = pytest.mark.numeric

SUITE = """
    suite: several
    table: runtimes
    defaults:
      dataset: coco-keypoints-val2017
      protocol: {boxes: ground_truth}
      weights: tiny.safetensors
      cost: {latency: {mode: smoke}, difference: {images: 2}}
    entries:
      - model:
          base: pose_hrnet_w32_coco_256x192
          name: tiny
          use: "tiny_nets:pose"
          args: {joints: 17}
          input: [64, 48]
        runtimes: RUNTIMES
"""
ALL = "[eager, {threads: 1}, {channels_last: true}, export, onnxruntime, cuda-graph, {fused_bn: true}, {tf32: true}]"
RUNS = ("tiny", "tiny-threads-1", "tiny-channels_last", "tiny-export", "tiny-onnxruntime")
REASONS = {
    "tiny-cuda-graph": "a CUDA graph needs an NVIDIA GPU, and this is a CPU",
    "tiny-fused_bn": "fused_bn: no batch norm of the network can be folded: it has none",
    "tiny-tf32": "tf32 is a mode of NVIDIA GPUs, and this is a CPU: leave it out",
}


def run(bench: Bench, runtimes: str = ALL, *more: str) -> dict[str, Result]:
    assert main(bench.arguments(bench.suite(SUITE.replace("RUNTIMES", runtimes)), *more)) == 0
    return {result.name: result for result in hrbench.load(bench.folder / "run")}


def costs(result: Result) -> dict[str, object]:
    return {one.quantity.name: one for one in result.costs}


def test_each_runtime_is_scored_and_timed(bench: Bench, capsys: pytest.CaptureFixture[str]):
    found = run(bench)
    out = capsys.readouterr().out
    assert set(found) == {*RUNS, *REASONS}
    plain = found["tiny"]
    for name in RUNS:
        result, measured = found[name], costs(found[name])
        assert result.status == "done" and measured["latency"].value
        assert [score.value for score in result.scores] == [score.value for score in plain.scores]
        assert measured["output_difference"].value <= 1e-4 and measured["output_difference"].conditions.images == 2
        assert measured["latency"].conditions.runtime == ("" if name == "tiny" else str(result.entry.runtime))
        assert measured["parameters"].value == costs(plain)["parameters"].value
    assert costs(plain)["output_difference"].value == 0.0
    assert costs(found["tiny-threads-1"])["latency"].conditions.threads == 1
    assert costs(found["tiny-channels_last"])["latency"].conditions.channels_last is True
    assert costs(found["tiny-export"])["latency"].conditions.compile > 0
    assert costs(plain)["latency"].conditions.compile is None
    for name, said in REASONS.items():
        result, measured = found[name], costs(found[name])
        assert result.status == "empty" and result.reason == said and result.costs_reason is None
        for quantity in ("latency", "output_difference"):
            assert measured[quantity].value is None and str(measured[quantity].reason) == said
        assert measured["parameters"].value and set(result.cost_keys) == {"parameters", "operations"}
        assert f"{name}: accuracy left empty: {said}" in out
    rows = list(csv.reader((bench.folder / "run" / "report.csv").read_text().splitlines()))
    assert any("onnxruntime" in row for row in rows)
    page = (bench.folder / "run" / "report.html").read_text()
    assert "eager, channels_last" in page and "Difference from eager float32" in page and REASONS["tiny-tf32"] in page


def test_check_foresees_what_a_run_says(bench: Bench, capsys: pytest.CaptureFixture[str]):
    suite = bench.suite(
        SUITE.replace("RUNTIMES", "[eager, cuda-graph, {tf32: true}, {name: onnxruntime, provider: Foo}]")
    )
    places = ["--data", str(bench.data), "--weights", str(bench.folder), "--device", "cpu"]
    assert main(["check", str(suite), *places]) == 3
    out = capsys.readouterr().out
    assert f"will be empty at runtime cuda-graph: {REASONS['tiny-cuda-graph']}" in out
    assert f"will be empty at runtime eager, tf32: {REASONS['tiny-tf32']}" in out
    assert "onnxruntime has no provider 'Foo'" in out
    assert "1 would fail; 2 ask for a runtime that this machine lacks" in out


def test_a_partial_run_keeps_other_runtimes_and_a_report_says_what_it_leaves_out(
    bench: Bench, capsys: pytest.CaptureFixture[str]
):
    names = [*run(bench, "[eager]"), *run(bench, "[eager]", "--only", "tiny*", "--set", "runtime.threads=1")]
    assert names == ["tiny", "tiny", "tiny-threads-1"]
    capsys.readouterr()
    assert [*run(bench, "[eager]", "--set", "runtime.channels_last=true")] == ["tiny-channels_last"]
    folder = bench.folder / "run"
    told = "left out: 2 stored entries not of the last run (tiny, tiny-threads-1): hrbench report"
    assert f"{told} {folder} --all" in " ".join(capsys.readouterr().out.split())
    assert f"{told} {folder.name} --all" in (folder / "report.html").read_text()  # which names no folder of a machine
    assert main(["report", str(folder), "--all"]) == 0
    assert "not of the last run" not in capsys.readouterr().out
    assert "threads 1" in (folder / "report.csv").read_text()


def test_what_could_not_be_run_is_tried_again_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A missing compiler may have been installed since."""

    def prepare(self: Export, net: object, input: object) -> object:
        raise UnavailableError("this machine lacks what it takes")

    with monkeypatch.context() as patch:
        patch.setattr(Export, "prepare", prepare)
        before = run(bench, "[eager, export]")
    assert before["tiny-export"].reason == "this machine lacks what it takes"
    capsys.readouterr()
    after = run(bench, "[eager, export]")
    assert after["tiny-export"].status == "done" and costs(after["tiny-export"])["latency"].value
    out = capsys.readouterr().out
    assert "tiny: stored already" in out and "tiny: costs: latency" not in out and "tiny-export: costs: latency" in out
    assert costs(after["tiny"])["latency"] == costs(before["tiny"])["latency"]


def test_the_entrys_dtype_is_timed(bench: Bench):
    suite = bench.suite("""
        suite: dtypes
        defaults: {dataset: none, cost: {latency: {mode: smoke}}}
        entries:
          - model: &tiny {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
            name: one
            dtype: bfloat16
          - model: *tiny
            name: both
            dtype: bfloat16
            cost: {latency: {dtype: [float32, bfloat16]}}
    """)
    assert main(bench.arguments(suite)) == 0
    dtypes = {
        result.name: [one.conditions.dtype for one in result.costs if one.quantity.name == "latency"]
        for result in hrbench.load(bench.folder / "run")
    }
    assert dtypes == {"one": ["bfloat16"], "both": ["float32", "bfloat16"]}


def test_a_comparison_names_the_runtimes(bench: Bench, capsys: pytest.CaptureFixture[str]):
    run(bench, "[eager, {channels_last: true}]")
    capsys.readouterr()
    sides = [f"{bench.folder / 'run'}:tiny", f"{bench.folder / 'run'}:tiny-channels_last"]
    assert main(["compare", *sides]) == 0
    assert "runtime: eager / eager, channels_last" in capsys.readouterr().out
