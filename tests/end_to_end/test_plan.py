"""A plan for every entry: predictions that count are scored again without running a network, and `check` tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from seeds import some

import hrbench
from hrbench.cli.command_line import main
from hrbench.metrics.coco.keypoints import CocoKeypointAP


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("no network should run"))


def result(folder: Path, name: str = "one"):
    return next(one for one in hrbench.load(folder) if one.name == name)


def checked(bench, suite: Path, capsys) -> str:
    capsys.readouterr()
    places = ["--data", str(bench.data), "--weights", str(bench.folder / "weights"), "--device", "cpu"]
    main(["check", str(suite), *places, "--out", str(bench.folder / "run")])
    return capsys.readouterr().out


def test_a_new_metric_version_scores_again_and_runs_no_network(bench, tiny_suite, monkeypatch, capsys):
    assert main(bench.arguments(tiny_suite, "--set", "cost.latency=false")) == 0
    before = result(bench.folder / "run")
    monkeypatch.setattr("hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("no network should run"))
    monkeypatch.setattr(CocoKeypointAP, "version", CocoKeypointAP.version + 1)
    assert "score" in checked(bench, tiny_suite, capsys)
    assert main(bench.arguments(tiny_suite, "--set", "cost.latency=false")) == 0
    after = result(bench.folder / "run")
    assert after.prediction_key == before.prediction_key and after.score_key != before.score_key
    assert [score.value for score in after.scores] == [score.value for score in before.scores]
    assert after.provenance.metrics["coco-keypoints"].version == before.provenance.metrics["coco-keypoints"].version + 1
    assert after.costs == before.costs and after.notes == before.notes
    assert (bench.folder / "run" / "superseded" / "one.1" / "result.json").is_file()


def test_another_bootstrap_scores_again(bench, tiny_suite, monkeypatch):
    assert main(bench.arguments(tiny_suite)) == 0
    monkeypatch.setattr("hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("no network should run"))
    assert main(bench.arguments(tiny_suite, "--set", "resamples=0")) == 0
    assert all(score.interval is None for score in result(bench.folder / "run").scores)


def test_rescore_scores_what_is_stored_and_measures_nothing(bench, tiny_suite, monkeypatch, capsys):
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    before = result(bench.folder / "run")
    monkeypatch.setattr("hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("no network should run"))
    monkeypatch.setattr("hrbench.runner.jobs.measure_cell", lambda *_: pytest.fail("no cost should be measured"))
    capsys.readouterr()
    assert main(bench.arguments(tiny_suite, "--rescore")) == 0
    one, two = hrbench.load(bench.folder / "run")
    assert [(s.value, s.interval) for s in one.scores] == [(s.value, s.interval) for s in before.scores]
    assert one.costs == before.costs
    assert two.status == "empty" and "no predictions are stored; run without --rescore" in two.reason
    assert "no predictions are stored" in capsys.readouterr().out


def test_rescore_leaves_what_is_of_another_protocol(bench, tiny_suite, no_network, monkeypatch):
    with monkeypatch.context() as patched:
        patched.undo()
    monkeypatch.undo()
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    before = result(bench.folder / "run")
    monkeypatch.setattr("hrbench.runner.evaluate.prepared_network", lambda *_: pytest.fail("no network should run"))
    assert main(bench.arguments(tiny_suite, "--only", "one", "--rescore", "--set", "protocol.flip=false")) == 0
    after = result(bench.folder / "run")
    assert after.scores == before.scores and after.prediction_key == before.prediction_key


def test_check_tells_what_a_run_would_do(bench, tiny_suite, capsys):
    out = checked(bench, tiny_suite, capsys)
    assert "predict" in out and "measure" in out and "reuse" not in out
    assert main(bench.arguments(tiny_suite)) == 0
    out = checked(bench, tiny_suite, capsys)
    assert out.count("reuse") == 4 and "predict" not in out


@pytest.mark.parametrize("change", some(["value", "key", "status", "extra"], later=["key", "status"]))
def test_a_result_that_was_edited_is_told_and_run_again(bench, tiny_suite, capsys, change):
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    before = result(bench.folder / "run")
    path = bench.folder / "run" / "entries" / "one" / "result.json"
    content = json.loads(path.read_text())
    if change == "value":
        content["result"]["scores"][0]["value"] = 12.5
    elif change == "key":
        content["result"]["prediction_key"] = "0" * 64
    elif change == "status":
        content["result"]["status"] = "failed"
    else:
        content["result"]["unknown"] = 1
    path.write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["report", str(bench.folder / "run")]) == 0
    reports = [(bench.folder / "run" / f"report.{kind}").read_text() for kind in ("md", "html", "csv")]
    assert all("was changed after it was written" in text and "1250" not in text for text in reports)
    assert "1250" not in capsys.readouterr().out
    assert main(bench.arguments(tiny_suite, "--only", "one")) == 0
    out = capsys.readouterr().out
    assert "was changed after it was written" in out and "1250" not in out
    assert result(bench.folder / "run").scores == before.scores


@pytest.mark.parametrize(
    ("name", "damage"),
    some(
        [
            ("predictions.json", "changed"),
            ("predictions.json", "gone"),
            ("states.npz", "truncated"),
            ("states.npz", "link"),
        ],
        later=[("predictions.json", "gone"), ("states.npz", "truncated")],
    ),
)
def test_a_damaged_file_has_that_entry_alone_run_again(bench, tiny_suite, capsys, name, damage):
    assert main(bench.arguments(tiny_suite)) == 0
    before = hrbench.load(bench.folder / "run")
    path = bench.folder / "run" / "entries" / "one" / name
    data = bytearray(whole := path.read_bytes())
    if damage == "changed":
        data[len(data) // 2] ^= 1
    path.unlink()
    if damage == "changed":
        path.write_bytes(data)
    elif damage == "truncated":
        path.write_bytes(data[:-1])
    elif damage == "link":
        (bench.folder / "elsewhere").write_bytes(data)
        path.symlink_to(bench.folder / "elsewhere")
    capsys.readouterr()
    assert main(bench.arguments(tiny_suite)) == 0
    out = capsys.readouterr().out
    assert f"{path} is not the file that was stored with the result" in out
    assert out.count("stored already") == 1 and "valid again" not in out
    assert path.read_bytes() == whole and not path.is_symlink()
    after = hrbench.load(bench.folder / "run")
    assert [replace(a, seconds={}, notes=()).scores for a in after] == [b.scores for b in before]
