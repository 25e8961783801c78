"""COCO's metrics by criteria of one's own, from files to a verdict: run, verified, compared and gated."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import drawn_suites
import numpy as np
import pytest
from drawn.criteria import OTHERS, draw

import hrbench
from hrbench.cli.command_line import main
from hrbench.runner.analysing import analysing_metrics, explain
from hrbench.store.analyses import analyses_of
from hrbench.store.results import from_json, to_json
from hrbench.store.run_folder import RunFolder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return drawn_suites.before_and_worse(tmp_path_factory, draw, "--verify", resamples=20)


def test_the_reference_gives_the_same_numbers(runs: dict[str, Path]) -> None:
    for result in hrbench.load(runs["before"]):
        assert result.status == "done"
        said = [str(note) for note in result.notes if "pycocotools gives the same" in str(note)]
        assert len(said) == len(result.entry.metrics) and all("bit for bit" in one for one in said)


def test_a_result_says_by_which_criteria_it_was_judged(runs: dict[str, Path]) -> None:
    criteria = {one.name: one.provenance.metrics[one.entry.metrics[0]].criteria for one in hrbench.load(runs["before"])}
    assert criteria == {
        "official": {},
        "loose": {"iou_thresholds": [0.3, 0.4, 0.5], "recall_thresholds": 11},
        "areas": {"areas": {"tiny": [0.0, 400.0], "huge": [4000.0, 1e10]}},
        "many": {"max_detections": [1, 10, 300]},
        "one-class": {"class_agnostic": True},
        "people": {},
        "strict-people": {
            "oks_thresholds": [0.9],
            "areas": {"tiny": [0.0, 400.0], "huge": [4000.0, 1e10]},
            "max_detections": [5, 20, 100],
        },
    }
    names = {one.name: one.scores[0].quantity.name for one in hrbench.load(runs["before"])}
    assert names["loose"] == "AP@0.3-0.5step0.1@R11" and names["one-class"] == "micro-AP"
    assert names["strict-people"] == "AP@0.9" and names["official"] == names["areas"] == "AP"


def test_the_frame_holds_four_numbers_of_each_class(runs: dict[str, Path]) -> None:
    frame = hrbench.frame(hrbench.load(runs["before"]))
    one = frame[(frame.entry == "official") & (frame.metric == "coco-boxes")]
    names = set(one.quantity)
    assert {f"{kind}/{name}" for kind in ("AP", "AP50", "AP75", "AR100") for name in ("cup", "plate", "fork")} <= names


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_other_criteria_are_compared_with_their_like_only(runs: dict[str, Path], name: str) -> None:
    before = runs["before"]
    refused = hrbench.compare(f"{before}:official", f"{before}:{name}").frame()
    assert not set(refused.verdict) & {"improved", "regressed", "unchanged", "not worse", "cannot tell"}
    judged = hrbench.compare(f"{before}:{name}", f"{runs['worse']}:{name}", classes=True).frame()
    first = judged[judged.metric == "coco-boxes"].iloc[0]
    assert first.verdict == "regressed"
    classes = judged[judged.quantity.str.contains("/")]
    assert (name == "one-class") == classes.empty


def test_the_gate_blocks_what_is_worse_and_passes_what_is_not(runs: dict[str, Path]) -> None:
    before, worse = (f"{run}:one-class" for run in runs.values())
    decision = hrbench.gate(worse, against=before)
    assert decision.exit_code == 1 and {row.evidence.quantity.name for row in decision.blocking} == {"micro-AP"}
    assert hrbench.gate(before, against=before, strict=True).exit_code == 0


def explained(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["explain", *args])
    out, error = capsys.readouterr()
    return code, out, error


def test_what_errors_cost_is_stored_and_told(runs: dict[str, Path], capsys) -> None:
    before = runs["before"]
    for result in hrbench.load(before):
        assert ("analysis.npz" in result.files) == any(metric in analysing_metrics() for metric in result.entry.metrics)
    code, out, _ = explained(capsys, f"{before}:official")
    assert code == 0 and "official, coco-boxes: AP " in out and "What each type of error costs" in out and "█" in out
    assert max(map(len, out.splitlines())) <= 100
    code, out, _ = explained(capsys, f"{before}:official", "--json", "--metric", "coco-boxes")
    (one,) = json.loads(out)[0]["analyses"]
    assert one["metric"] == "coco-boxes" and {part["type"] for part in one["sections"]} == {"table", "curves", "matrix"}


def test_an_older_run_is_explained_from_its_predictions(runs: dict[str, Path], tmp_path: Path, capsys) -> None:
    data, run = runs["before"].parent / "data", tmp_path / "old"
    shutil.copytree(runs["before"], run)
    stored = analyses_of(RunFolder(run).read("official") or pytest.fail("it is there"))
    path = run / "entries/official/result.json"
    result = from_json(path.read_bytes(), path)
    path.write_bytes(to_json(replace(result, files={k: v for k, v in result.files.items() if k != "analysis.npz"})))
    (run / "entries/official/analysis.npz").unlink()

    code, _, error = explained(capsys, f"{run}:official")
    assert code == 2 and "--data" in error and "--rescore" in error
    code, out, _ = explained(capsys, f"{run}:official", "--data", str(data))
    assert code == 0 and "was made now of the stored predictions" in out
    made = explain(RunFolder(run).read("official") or pytest.fail("it is there"), data=data).analyses
    assert [one.metric for one in made] == [one.metric for one in stored]
    for one, other in zip(made, stored, strict=True):
        for mine, theirs in zip(one.sections, other.sections, strict=True):
            arrays = [name for name in mine.__slots__ if isinstance(getattr(mine, name), np.ndarray)]
            assert all(getattr(mine, name).tobytes() == getattr(theirs, name).tobytes() for name in arrays)


def test_a_damaged_analysis_breaks_no_report_and_says_what_to_do(runs: dict[str, Path], tmp_path: Path, capsys) -> None:
    run = tmp_path / "damaged"
    shutil.copytree(runs["before"], run)
    (run / "entries/official/analysis.npz").write_bytes(b"PK")
    code, _, error = explained(capsys, f"{run}:official")
    assert code == 2 and "is not the file that was stored" in error and "--rescore" in error
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    (section,) = re.findall(r'<section class="explained".*?</section>', page, re.S)
    assert "is not the file that was stored" in section and section.count("What each type of error costs") > 2
    assert " style=" not in section and "<script" not in section
