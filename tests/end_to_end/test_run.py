"""`hrbench run` from arguments to files and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import hrbench
from hrbench.cli.command_line import main
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.store.run_folder import RunFolder
from hrbench.store.side_by_side import read_side_by_side
from hrbench.store.states import read_state
from hrbench.types import Measurement, Reason

pytestmark = pytest.mark.numeric


def stored(folder: Path) -> dict[str, dict]:
    """Entry -> its result as JSON without what may differ between two runs: times, latencies, paths."""
    found = {}
    for path in sorted(folder.glob("entries/*/result.json")):
        result = json.loads(path.read_text())["result"]
        result.pop("seconds")
        result["provenance"].pop("date")
        result["costs"] = [cost for cost in result["costs"] if cost["quantity"]["unit"] != "seconds"]
        result["provenance"].get("environment", {}).pop("memory", None)
        found[path.parent.name] = result
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Predictions and drawings, byte for byte."""
    kept = [*folder.glob("entries/*/predictions.*"), *folder.glob("entries/*/drawings/*"), *folder.glob("pictures/*/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def same_states(a: Path, b: Path) -> bool:
    names = sorted(path.relative_to(a) for path in a.glob("entries/*/states.npz"))
    for name in names:
        one, other = read_state(a / name), read_state(b / name)
        if one.params != other.params or one.arrays.keys() != other.arrays.keys():
            return False
        if any(one.arrays[key].tobytes() != other.arrays[key].tobytes() for key in one.arrays):
            return False
    return bool(names)


def test_a_suite_runs_to_a_report(bench, tiny_suite, capsys):
    assert main(bench.arguments(tiny_suite, "--verify")) == 0
    out = capsys.readouterr().out
    assert "report:" in out and "one" in out and "two" in out
    run = bench.folder / "run"
    for name in ("report.html", "report.md", "report.csv", "report.tex", "suite.yaml", "run.json", "environment.json"):
        assert (run / name).stat().st_size > 0
    one, two = hrbench.load(run)
    assert (one.name, two.name) == ("one", "two")
    assert one.status == "done" and len(one.scores) == 10
    assert any("bit for bit" in str(note) for note in one.notes)
    values = {cost.quantity.name: cost for cost in one.costs}
    assert values["parameters"].value == 17 * 3 * 25 + 17
    assert values["macs"].value == 17 * 3 * 25 * 16 * 12
    assert values["latency"].samples
    assert one.provenance.weights.sha256 and one.provenance.dataset.sha256
    rows = json.loads((run / "entries" / "one" / "predictions.json").read_text())
    assert len(rows) == 16 and set(rows[0]) == {"image_id", "category_id", "keypoints", "score", "center", "scale"}
    assert len(one.drawings) == 2
    pictures = [file for drawing in one.drawings for file in (drawing.file, drawing.truth)]
    assert all((Path(one.folder) / file).is_file() for file in pictures)
    assert {drawing.quality_is for drawing in one.drawings} == {CocoKeypointAP.quality_is}
    (group,) = read_side_by_side(run)
    assert list(group.score_keys) == ["one", "two"] and group.reason == ""
    assert {image.kind for image in group.images} == {"worst", "typical"}  # both networks are equally good
    assert all((run / "pictures" / file).is_file() for image in group.images for file in [image.truth])
    assert "the same images for 2 networks" in (run / "report.html").read_text()
    frame = hrbench.frame([one, two])
    assert set(frame.entry) == {"one", "two"} and "AP" in set(frame.quantity)


def test_the_same_command_resumes(bench, tiny_suite, capsys, monkeypatch):
    assert main(bench.arguments(tiny_suite)) == 0
    first, pictures = stored(bench.folder / "run"), files(bench.folder / "run")
    environment = (bench.folder / "run" / "environment.json").read_bytes()
    monkeypatch.setattr("hrbench.runner.jobs.evaluate", lambda *_: pytest.fail("nothing should be evaluated again"))
    monkeypatch.setattr("hrbench.runner.jobs.render_groups", lambda *_: pytest.fail("no image should be drawn again"))
    monkeypatch.setattr("hrbench.runner.jobs.measure_cell", lambda *_: pytest.fail("no cost should be measured again"))
    assert main(bench.arguments(tiny_suite)) == 0
    assert stored(bench.folder / "run") == first
    assert files(bench.folder / "run") == pictures
    assert (bench.folder / "run" / "environment.json").read_bytes() == environment  # when it was measured stays
    assert "stored already" in capsys.readouterr().out


def test_workers_and_batches_change_nothing(bench, tiny_suite):
    assert main(bench.arguments(tiny_suite, "--only", "one", out="a")) == 0
    assert main(bench.arguments(tiny_suite, "--only", "one", "--workers", "2", out="b")) == 0
    assert files(bench.folder / "a") == files(bench.folder / "b")
    assert same_states(bench.folder / "a", bench.folder / "b")


def test_changed_data_supersede_a_result_and_lose_nothing(bench, tiny_suite, capsys):
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    before = stored(bench.folder / "run")["one"]
    content = json.loads(bench.annotations.read_text())
    content["annotations"][0]["bbox"][0] += 1
    bench.annotations.write_text(json.dumps(content))
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    assert stored(bench.folder / "run")["one"]["score_key"] != before["score_key"]
    past = json.loads((bench.folder / "run" / "superseded" / "one.1" / "result.json").read_text())["result"]
    assert past["score_key"] == before["score_key"]
    # the data as they were before: the old result counts again
    content["annotations"][0]["bbox"][0] -= 1
    bench.annotations.write_text(json.dumps(content))
    capsys.readouterr()
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    assert "stored before, and valid again" in capsys.readouterr().out
    assert stored(bench.folder / "run")["one"]["score_key"] == before["score_key"]
    assert len(list((bench.folder / "run" / "superseded").iterdir())) == 1


def test_a_failing_entry_does_not_stop_the_others(bench, capsys):
    suite = bench.suite(
        """
        suite: mixed
        defaults:
          dataset: coco-keypoints-val2017
          protocol: {boxes: ground_truth}
          weights: tiny.safetensors
          cost: {latency: false}
        entries:
          - {name: broken, model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:broken", args: {joints: 17}}}
          - name: fine
            model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
        """
    )
    assert main(bench.arguments(suite)) == 3
    out = capsys.readouterr().out
    assert "broken: FAILED" in out and "this network cannot be built" in out
    broken, fine = hrbench.load(bench.folder / "run")
    assert (broken.status, fine.status) == ("failed", "done")
    assert "this network cannot be built" in (bench.folder / "run" / "report.html").read_text()
    # the failed one is tried again, and its success replaces the failure
    nets = bench.folder / "tiny_nets.py"
    nets.write_text(
        nets.read_text().replace('raise RuntimeError("this network cannot be built")', "return Tiny(joints)")
    )
    sys.modules.pop("tiny_nets")
    assert main(bench.arguments(suite)) == 0
    assert [result.status for result in hrbench.load(bench.folder / "run")] == ["done", "done"]


def test_an_unforeseen_error_stops_its_own_entry_only_and_keeps_its_traceback(bench, tiny_suite, monkeypatch):
    from hrbench.metrics.coco.keypoints import CocoKeypointAP

    calls = []

    def measure(self, *args):
        calls.append(args)
        if len(calls) == 1:
            raise LookupError("a bug of ours\nand more of it")
        return original(self, *args)

    original = CocoKeypointAP.measure
    monkeypatch.setattr(CocoKeypointAP, "measure", measure)
    assert main(bench.arguments(tiny_suite)) == 3
    one, two = hrbench.load(bench.folder / "run")
    assert (one.status, two.status) == ("failed", "done")
    assert one.reason.startswith("LookupError: a bug of ours; the predictions are kept in ")
    assert "in measure" in one.provenance.traceback
    assert any(cost.value for cost in one.costs)


def test_costs_that_fail_are_told_and_are_no_success(bench, tiny_suite, monkeypatch, capsys):
    def fail(*_):
        raise MemoryError("no room")

    with monkeypatch.context() as patched:
        patched.setattr("hrbench.runner.jobs.measure_cell", fail)
        assert main(bench.arguments(tiny_suite, "--only", "one")) == 3
    assert "one: FAILED: costs were not measured: MemoryError: no room" in capsys.readouterr().out
    (one,) = hrbench.load(bench.folder / "run")
    assert one.status == "done" and not one.costs and not one.notes
    assert one.costs_reason == Reason("costs were not measured: MemoryError: no room")
    assert "costs were not measured: MemoryError: no room" in (bench.folder / "run" / "report.md").read_text()
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    (one,) = hrbench.load(bench.folder / "run")
    assert one.costs and one.costs_reason is None


def test_missing_data_and_weights_leave_a_cell_empty_and_costs_measured(bench, tiny_suite, capsys):
    shutil.rmtree(bench.data)
    assert main(bench.arguments(tiny_suite)) == 0
    (one, _) = hrbench.load(bench.folder / "run")
    assert one.status == "empty" and "annotations are missing" in one.reason
    assert {"parameters", "macs", "flops", "fvcore", "hrnet-paper", "latency"} <= {c.quantity.name for c in one.costs}
    assert main(bench.arguments(tiny_suite, "--strict")) == 3
    page = (bench.folder / "run" / "report.html").read_text()
    assert "person_keypoints_val2017.json" in page


def test_a_limited_run_says_so(bench, tiny_suite, capsys):
    assert main(bench.arguments(tiny_suite, "--limit", "3", "--verify")) == 0
    assert "3 images only, spread over the set: not comparable" in capsys.readouterr().out
    (one, _) = hrbench.load(bench.folder / "run")
    assert one.limited == 3 and one.scores[0].n == 6
    assert "not comparable" in (bench.folder / "run" / "report.html").read_text()
    assert "not comparable" in (bench.folder / "run" / "report.md").read_text()


def test_settings_from_the_command_line(bench, tiny_suite):
    assert main(bench.arguments(tiny_suite, "--only", "t*", "--set", "cost.latency.batch=2")) == 0
    (two,) = hrbench.load(bench.folder / "run")
    assert two.name == "two"
    assert [cost.conditions.batch for cost in two.costs if cost.quantity.name == "latency"] == [2]


def test_a_second_run_in_the_same_folder_is_refused(bench, tiny_suite, capsys):
    with RunFolder(bench.folder / "run").locked():
        assert main(bench.arguments(tiny_suite)) == 2
    assert "another hrbench is running" in capsys.readouterr().err


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "hrbench", *arguments]


def kill_after(most: int, arguments: list[str]) -> None:
    """Kills a run after `most` lines of what it says."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    said: list[str] = []
    with subprocess.Popen(
        command(arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            said.append(text)
            if len(said) == most:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL, said


def test_killed_at_any_moment_it_resumes_to_the_same_results(bench, monkeypatch):
    suite = bench.suite(
        """
        suite: killed
        defaults:
          dataset: coco-keypoints-val2017
          protocol: {boxes: ground_truth}
          weights: tiny.safetensors
          batch: 2
          cost: {latency: {batch: [1], budget: 0.1}}
        entries:
          - name: one
            model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
          - name: two
            model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [96, 72]}
        """
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert main(bench.arguments(suite, out="whole", apart=True)) == 0
    kill_after(3, bench.arguments(suite, apart=True))  # while the first entry predicts, or just after
    assert main(bench.arguments(suite, apart=True)) == 0
    assert stored(bench.folder / "run") == stored(bench.folder / "whole")
    assert files(bench.folder / "run") == files(bench.folder / "whole")
    assert same_states(bench.folder / "run", bench.folder / "whole")
    assert not list((bench.folder / "run" / "entries").glob(".*"))


def test_verifying_what_is_stored_runs_no_network(bench, tiny_suite, monkeypatch):
    assert main(bench.arguments(tiny_suite)) == 0
    assert not any("bit for bit" in str(note) for note in hrbench.load(bench.folder / "run")[0].notes)
    monkeypatch.setattr("hrbench.runner.jobs.evaluate", lambda *_: pytest.fail("nothing should be evaluated again"))
    for _ in range(2):
        assert main(bench.arguments(tiny_suite, "--verify")) == 0
    one, _ = hrbench.load(bench.folder / "run")
    assert sum("bit for bit" in str(note) for note in one.notes) == 1


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line_before_anything_is_touched(bench, tiny_suite, capsys, device):
    arguments = bench.arguments(tiny_suite)
    arguments[arguments.index("--device") + 1] = device
    assert main(arguments) == 2
    assert device in capsys.readouterr().err
    assert not (bench.folder / "run").exists()


def test_what_asks_for_costs_only_lacks_nothing(bench, capsys):
    suite = bench.suite(
        """
        suite: costs
        defaults: {cost: {latency: false}}
        entries:
          - name: no-data
            model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
          - name: no-weights
            model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [96, 72]}
            dataset: coco-keypoints-val2017
            weights: none
        """
    )
    assert main(bench.arguments(suite, "--strict", "--limit", "4")) == 0
    results = hrbench.load(bench.folder / "run")
    assert all(result.status == "costs_only" and len(result.costs) == 8 for result in results)
    assert "not comparable" not in (bench.folder / "run" / "report.md").read_text()
    out = capsys.readouterr().out
    assert "no-data: costs only\n" in out and "left empty" not in out and "empty:" not in out
    assert "costs only: no data set was asked for" in (bench.folder / "run" / "report.html").read_text()


def test_a_fault_of_the_ground_truth_is_known_before_the_network_runs(bench, tiny_suite, capsys, monkeypatch):
    content = json.loads(bench.annotations.read_text())
    content["annotations"][3]["id"] = 0
    bench.annotations.write_text(json.dumps(content))
    places = ["--data", str(bench.data), "--weights", str(bench.folder)]
    assert main(["check", str(tiny_suite), *places]) == 3
    assert "would fail" in capsys.readouterr().out
    monkeypatch.setattr(
        "hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("the network should not be built")
    )
    assert main(bench.arguments(tiny_suite, "--set", "cost.latency=false")) == 3
    assert "id 0" in hrbench.load(bench.folder / "run")[0].reason


def test_predictions_that_could_not_be_judged_are_kept(bench, tiny_suite, monkeypatch):
    from hrbench.metrics.coco.keypoints import CocoKeypointAP

    def summarise(self, *args, **kwargs):
        raise LookupError("no such number")

    monkeypatch.setattr(CocoKeypointAP, "summarise", summarise)
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 3
    (one,) = hrbench.load(bench.folder / "run")
    assert one.reason.startswith("LookupError: no such number; the predictions are kept in ")
    assert len(json.loads((bench.folder / "run" / "entries" / "one" / "predictions.json").read_text())) == 16
    monkeypatch.undo()
    monkeypatch.setattr(
        "hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("they are scored, not made again")
    )
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    (one,) = hrbench.load(bench.folder / "run")
    assert one.status == "done" and len(one.scores) == 10


def test_a_picture_that_cannot_be_drawn_costs_no_result(bench, tiny_suite, monkeypatch):
    from hrbench.tasks.pose.task import Pose

    monkeypatch.setattr(Pose, "draw", lambda *_: 1 / 0)
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    (one,) = hrbench.load(bench.folder / "run")
    assert one.status == "done" and any("no image was rendered: ZeroDivisionError" in str(note) for note in one.notes)


def test_a_damaged_result_is_left_out_of_the_report_and_run_again(bench, tiny_suite, capsys):
    assert main(bench.arguments(tiny_suite)) == 0
    (bench.folder / "run" / "entries" / "two" / "result.json").write_text("{")
    assert main(["report", str(bench.folder / "run")]) == 0
    assert "left out:" in capsys.readouterr().out
    assert main(bench.arguments(tiny_suite)) == 0
    _, two = hrbench.load(bench.folder / "run")
    assert two.status == "done" and any("set aside" in str(note) for note in two.notes)


def test_a_latency_to_be_gated_is_of_six_processes_and_every_one_is_watched(bench, tiny_suite):
    more = ("--only", "one", "--set", "cost.latency.mode=gate", "--set", "cost.latency.budget=null")
    more += ("--set", "cost.latency.cap=1")
    assert main(bench.arguments(tiny_suite, *more, out="within")) == 0
    (within,) = hrbench.load(bench.folder / "within")
    (latency,) = [cost for cost in within.costs if cost.quantity.name == "latency"]
    assert latency.value is None
    assert str(latency.reason) == "it is measured in 6 processes; run without --in-process"
    assert main(bench.arguments(tiny_suite, *more, apart=True)) == 0
    (one,) = hrbench.load(bench.folder / "run")
    (latency,) = [cost for cost in one.costs if cost.quantity.name == "latency"]
    under = latency.conditions
    assert (under.mode, len(under.process_passes), sum(under.process_passes)) == ("gate", 6, len(latency.samples))
    assert latency.interval is not None and latency.interval[0] <= latency.value <= latency.interval[1]
    assert under.stability in ("stable", "unstable") and 0 <= under.seen["waited"] < 1 and under.load > 0
    assert under.stability == "stable" or all("of 6 processes)" in reason for reason in under.stability_reasons)
    page = (bench.folder / "run" / "report.html").read_text()
    assert under.stability in page and "mode gate" in page


def test_what_the_machine_disturbed_is_measured_again_only_if_asked_for(bench, tiny_suite):
    def latencies() -> dict[str, Measurement]:
        return {
            one.name: next(cost for cost in one.costs if cost.quantity.name == "latency")
            for one in hrbench.load(bench.folder / "run")
        }

    assert main(bench.arguments(tiny_suite)) == 0
    folder = RunFolder(bench.folder / "run")
    one = folder.read("one")
    disturbed = [
        replace(cost, conditions=replace(cost.conditions, stability="unstable" if name == "one" else "stable"))
        for name, cost in latencies().items()
    ]
    for name, cost in zip(("one", "two"), disturbed, strict=True):
        result = folder.read(name)
        others = [each for each in result.costs if each.quantity.name != "latency"]
        folder.update(replace(result, costs=(*others, cost)))
    before = latencies()
    assert main(bench.arguments(tiny_suite)) == 0 and latencies() == before
    assert main(bench.arguments(tiny_suite, "--redo-unstable")) == 0
    after = latencies()
    assert after["two"] == before["two"] and after["one"].samples != before["one"].samples
    assert {cost.quantity.name for cost in folder.read("one").costs} == {cost.quantity.name for cost in one.costs}


def test_the_peak_of_memory_has_no_value_in_a_process_that_ran_something_else(bench, tiny_suite):
    more = ("--only", "one", "--set", "cost.latency=false", "--set", "cost.memory.batch=2")
    assert main(bench.arguments(tiny_suite, *more, out="within")) == 0
    (one,) = hrbench.load(bench.folder / "within")
    peak = next(cost for cost in one.costs if cost.quantity.name == "memory-peak")
    assert peak.value is None and str(peak.reason).endswith("run without --in-process")
    assert main(bench.arguments(tiny_suite, *more, apart=True)) == 0
    (one,) = hrbench.load(bench.folder / "run")
    peak = next(cost for cost in one.costs if cost.quantity.name == "memory-peak")
    assert peak.value is not None, peak.reason
    assert peak.value >= 0 and peak.conditions.batch == 2
    assert "peak" in (bench.folder / "run" / "report.md").read_text()
