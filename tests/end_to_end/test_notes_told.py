"""What changes a number is told wherever the number is: by score, by run, in what is stored and in the report."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tiny_bench import Bench

from hrbench.cli.command_line import main
from hrbench.store.run_folder import RunFolder
from hrbench.types import Note

SUITE = """
suite: s
entries:
  - {name: one, predictions: given.json, dataset: coco-keypoints-val2017, protocol: {boxes: ground_truth}}
"""


@pytest.fixture
def given(bench: Bench) -> Path:
    """Predictions of one person of the first image, twice."""
    people = json.loads(bench.annotations.read_text())["annotations"]
    row = {"image_id": 1, "category_id": 1, "keypoints": people[0]["keypoints"], "score": 0.5}
    path = bench.folder / "given.json"
    path.write_text(json.dumps([row, row]))
    return path


def test_score_tells_notes_in_text_and_as_data(bench: Bench, given: Path, capsys) -> None:
    asked = ["score", "coco-keypoints", "--gt", str(bench.annotations), "--pred", str(given), "--resamples", "0"]
    assert main(asked) == 0
    text = capsys.readouterr().out
    assert "note: 1 of 2 detections repeat another" in text
    assert main([*asked, "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert {"empty_images", "equal_scores", "repeated_rows"} == {note["kind"] for note in notes}
    (repeated,) = [note for note in notes if note["kind"] == "repeated_rows"]
    assert (repeated["count"], repeated["of"], repeated["option"]) == (1, 2, "")


def test_score_says_how_an_option_is_given_to_it(bench: Bench, given: Path, capsys) -> None:
    """Readers name options as a suite has them, since suites read the same files."""
    whole = json.loads(bench.annotations.read_text())
    whole["annotations"][0]["id"] = 0
    bench.annotations.write_text(json.dumps(whole))
    asked = ["score", "coco-keypoints", "--gt", str(bench.annotations), "--pred", str(given), "--resamples", "0"]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "option renumber: true" in said and "(here --option renumber=true)" in said
    assert main([*asked, "--option", "renumber=true"]) == 0


def test_run_tells_stores_and_shows_notes(bench: Bench, given: Path, capsys) -> None:
    suite = bench.suite(SUITE)
    assert main(bench.arguments(suite)) == 0
    said = capsys.readouterr()
    sentence = "1 of 2 detections repeat another of the same image, category, score and place"
    assert f"one: {sentence}" in said.out + said.err
    assert f"note: one: {sentence}" in said.out.rpartition("points")[2]  # below the table, when all has scrolled away
    folder = RunFolder(bench.folder / "run")
    result = folder.read("one")
    assert result is not None
    assert "repeated_rows" in {note.kind for note in result.notes if isinstance(note, Note)}
    assert sentence in (bench.folder / "run" / "report.html").read_text(encoding="utf-8")
    assert main(bench.arguments(suite)) == 0  # what is stored is told again
    said = capsys.readouterr()
    assert sentence in said.out + said.err


@pytest.mark.parametrize(
    ("joints", "sigmas", "error"),
    [(3, "0.03,0.05,0.06", 1.5), (3, "[0.03, 0.05, 0.06]", 1.5), (1, "0.05", 2.0), (1, "[0.05]", 2.0)],
)
def test_sigmas_are_given_as_an_option(joints: int, sigmas: str, error: float, tmp_path: Path, capsys) -> None:
    """OKS by hand: exp(-d^2 / (2 s^2 k^2)) with k twice sigma; AP is the share of thresholds at or below it."""
    points = [number for joint in range(joints) for number in (20 + 10 * joint, 30, 2)]
    row = {"image_id": 1, "category_id": 1, "keypoints": points}
    person = {"bbox": [10, 10, 40, 40], "area": 1600, "num_keypoints": joints, "iscrowd": 0}
    truth = {
        "images": [{"id": 1}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{**row, **person, "id": 1}],
    }
    moved = [number + error if at % 3 == 0 else number for at, number in enumerate(points)]
    for name, content in (("truth", truth), ("results", [{**row, "keypoints": moved, "score": 0.9}])):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    files = ["--gt", str(tmp_path / "truth.json"), "--pred", str(tmp_path / "results.json"), "--resamples", "0"]
    assert main(["score", "coco-keypoints", *files, "--json", "--option", f"sigmas={sigmas}"]) == 0
    scores = {one["quantity"]["name"]: one["value"] for one in json.loads(capsys.readouterr().out)["scores"]}
    spread = [float(one) for one in sigmas.strip("[]").split(",")]
    oks = sum(math.exp(-(error**2) / (2 * 1600 * (2 * one) ** 2)) for one in spread) / joints
    assert scores["AP"] == pytest.approx(sum(oks >= 0.5 + 0.05 * step for step in range(10)) / 10)
    wrong = "0.05" if joints == 3 else "0.05,0.05"
    assert main(["score", "coco-keypoints", *files, "--option", f"sigmas={wrong}"]) == 2
    said = capsys.readouterr().err
    assert f"keypoints holds {3 * joints} values" in said and "(here --sigmas S,S,...)" in said
    assert main(["score", "coco-keypoints", *files, "--option", "sigmas=wide"]) == 2
    assert "sigmas 'wide': give one positive number per joint" in capsys.readouterr().err
    assert main(["score", "coco-keypoints", *files, "--option", "root_category=drop,renumber=true"]) == 2
    assert "type --option root_category=drop renumber=true" in capsys.readouterr().err
