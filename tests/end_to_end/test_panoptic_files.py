"""Panoptic predictions from files: a suite that is checked, run, compared and gated, and `hrbench score`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from drawn.panoptic import draw
from drawn_suites import run, written

from hrbench.cli.command_line import main
from hrbench.store.run_folder import RunFolder
from hrbench.types import Result


def suite(folder: Path, name: str, worse: bool = False, **more: object) -> Path:
    return written(folder, [{**entry, **more} for entry in draw(folder, worse)], name, resamples=200)


def stored(folder: Path, layout: str) -> Result:
    found = RunFolder(folder).read(f"panoptic-{layout}")
    assert found is not None
    return found


def test_a_suite_of_files_runs_to_a_comparison_and_a_gate(tmp_path: Path, capsys) -> None:
    good, bad = suite(tmp_path, "good"), suite(tmp_path, "bad", worse=True)
    assert main(["check", str(good), "--data", str(tmp_path / "data")]) == 0
    assert "panoptic-coco             -               -  -      score" in capsys.readouterr().out
    assert run(good, "a", "--verify") == 0 and run(bad, "b") == 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("panopticapi gives the same 9 numbers, bit for bit") == 2
    kept = {}
    for layout in ("coco", "cityscapes"):
        kept[layout] = {one.quantity.name: one for one in stored(tmp_path / "a", layout).scores}
        assert len(kept[layout]) == 9 and all(one.interval for one in kept[layout].values())
    assert kept["coco"]["PQ"].value == kept["cityscapes"]["PQ"].value
    assert main(["explain", str(tmp_path / "a")]) == 0 and "What PQ loses" in capsys.readouterr().out
    assert "Segments without a match" in (tmp_path / "a/report.html").read_text()
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--classes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("-") and "panoptic-quality/PQ " in line and "regressed" in line for line in lines)
    assert any("panoptic-quality/SQ/car" in line for line in lines)
    assert main(["gate", str(tmp_path / "b"), "--against", str(tmp_path / "a")]) == 1
    assert "panoptic-quality/PQ" in capsys.readouterr().out


def test_the_suite_is_a_test_of_pytest(tmp_path: Path) -> None:
    """The task is a mark that pytest knows."""
    path = suite(tmp_path, "good")
    command = [sys.executable, "-m", "pytest", path.name, "-p", "hrbench.ci.pytest_plugin", "-p", "no:cacheprovider"]
    command += ["--strict-markers", "-m", "panoptic", "--rootdir", ".", "--hrbench-data", "data"]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def test_a_png_that_changes_is_scored_again(tmp_path: Path) -> None:
    """The JSON files stay as they were."""
    path = suite(tmp_path, "good")
    run(path, "a")
    before = stored(tmp_path / "a", "coco")
    file = tmp_path / "data/panoptic/coco/annotations/panoptic_val2017.json"
    rows = json.loads(file.read_text())["annotations"]
    full, empty = (
        file.with_suffix("") / next(one["file_name"] for one in rows if bool(one["segments_info"]) == some)
        for some in (True, False)
    )
    full.write_bytes(empty.read_bytes())
    run(path, "a")
    after = stored(tmp_path / "a", "coco")
    assert after.score_key != before.score_key and after.scores != before.scores


def test_score_reads_the_files_by_the_name_of_a_data_set(tmp_path: Path, capsys) -> None:
    draw(tmp_path)
    root = tmp_path / "data/panoptic"
    given = ["score", "panoptic-quality", "--pred", str(tmp_path / "panoptic-cityscapes/predictions.json")]
    assert main([*given, "--dataset", "cityscapes-panoptic-val", "--data", str(root), "--json"]) == 0
    by_name = json.loads(capsys.readouterr().out)["scores"]
    truth = root / "cityscapes/gtFine/cityscapes_panoptic_val.json"
    assert main([*given, "--gt", str(truth), "--json", "--verify", "--option", "per_class=true"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["scores"][:9] == by_name and len(told["scores"]) == 30
    assert told["verify"] == "panoptic-quality: panopticapi gives the same 30 numbers, bit for bit"


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_suite_names_the_folder(tmp_path: Path, capsys, command: str) -> None:
    path = suite(tmp_path, "lone", predictions="panoptic-coco/predictions.json")
    options = ["--data", str(tmp_path / "data")] + (
        ["--out", str(tmp_path / "a"), "--plain"] if command == "run" else []
    )
    assert main([command, str(path), *options]) != 0
    said = capsys.readouterr()
    assert "is one of several files of predictions; a suite names the folder" in said.out + said.err
