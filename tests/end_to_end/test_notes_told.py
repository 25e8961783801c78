"""What changes a number is told wherever the number is: by score, by run, in what is stored and in the report."""

from __future__ import annotations

import json
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
