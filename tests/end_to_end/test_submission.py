"""Sets whose ground truth only a server has: an archive for it, and cells that say so."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import hrbench
from hrbench.cli.command_line import main

SUITE = """
    suite: tiny
    defaults:
      dataset: coco-keypoints-test-dev2017
      protocol: {boxes: boxes.json}
      weights: tiny.safetensors
      cost: {latency: false}
    entries:
      - name: one
        model: {base: pose_hrnet_w32_coco_256x192, use: "tiny_nets:pose", args: {joints: 17}, input: [64, 48]}
"""


def without_truth(folder: Path) -> None:
    """The bench's validation images as if they were those of test-dev: lists of images and boxes, no annotations."""
    truth = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
    listed = {"images": truth["images"], "categories": [{"id": 1, "name": "person"}]}
    (folder / "annotations" / "image_info_test-dev2017.json").write_text(json.dumps(listed))
    rows = [
        {**{key: row[key] for key in ("image_id", "bbox", "category_id")}, "score": 0.9} for row in truth["annotations"]
    ]
    (folder / "boxes.json").write_text(json.dumps(rows))
    (folder / "val2017").rename(folder / "test2017")


def test_a_submission_is_made_and_the_cells_say_where_it_is(bench, capsys):
    without_truth(bench.data / "coco")
    suite = bench.suite(SUITE)
    assert main(bench.arguments(suite, "--verify")) == 0
    (result,) = hrbench.load(bench.folder / "run")
    assert result.status == "submitted" and result.score_key and len(result.drawings) == 1
    name = result.provenance.submission.file
    with zipfile.ZipFile(Path(result.folder) / name) as archive:
        (member,) = archive.namelist()
        rows = json.loads(archive.read(member))
    assert len(rows) == 16 and set(rows[0]) >= {"image_id", "category_id", "keypoints", "score"}
    assert all(
        score.value is None and name in str(score.reason) and "server" in str(score.reason) for score in result.scores
    )
    assert name in capsys.readouterr().out
    assert "server" in (bench.folder / "run" / "report.html").read_text()
    capsys.readouterr()
    assert main(bench.arguments(suite)) == 0
    assert "stored already" in capsys.readouterr().out


def test_no_archive_is_made_of_a_part(bench):
    without_truth(bench.data / "coco")
    assert main(bench.arguments(bench.suite(SUITE), "--limit", "3")) == 0
    (result,) = hrbench.load(bench.folder / "run")
    assert result.provenance.submission is None and "part of the images" in str(result.scores[0].reason)


def test_given_predictions_are_not_judged_here(bench, capsys):
    without_truth(bench.data / "coco")
    (bench.folder / "mine.json").write_text("[]")
    suite = bench.suite("suite: s\nentries:\n  - {predictions: mine.json, dataset: coco-keypoints-test-dev2017}\n")
    main(bench.arguments(suite))
    (result,) = hrbench.load(bench.folder / "run")
    assert result.status == "empty" and "server" in result.reason
    assert (
        main(
            [
                "score",
                "coco-keypoints",
                "--dataset",
                "coco-keypoints-test-dev2017",
                "--pred",
                str(bench.folder / "mine.json"),
                "--data",
                str(bench.data),
            ]
        )
        == 2
    )
    assert "cannot be judged here: COCO publishes no ground truth" in capsys.readouterr().err
