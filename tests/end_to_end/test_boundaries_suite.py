"""Boundary AP, boundary IoU, Dice and accuracies of a suite of prediction files: run, report, comparison, gate."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from drawn.boundaries import draw
from drawn_suites import run, written

from hrbench.cli.command_line import main
from hrbench.store.run_folder import RunFolder


def suite(folder: Path, name: str, worse: bool = False) -> Path:
    return written(folder, draw(folder, worse), name, resamples=200)


def numbers(folder: Path, entry: str) -> dict[str, dict[str, float | None]]:
    result = RunFolder(folder).read(entry)
    assert result is not None
    found: dict[str, dict[str, float | None]] = {}
    for score in result.scores:
        assert score.value is None or score.interval is not None
        found.setdefault(score.metric, {})[score.quantity.name] = score.value
    return found


def test_a_suite_runs_to_a_report_a_comparison_and_a_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = suite(tmp_path, "good"), suite(tmp_path, "bad", worse=True)
    assert main(["check", str(good), "--data", str(tmp_path / "data")]) == 0
    assert run(good, "a", "--verify") == 0
    said = "".join(capsys.readouterr())
    assert "OpenCV" in said and "differs" not in said
    assert run(bad, "b") == 0
    maps, streets, objects = (numbers(tmp_path / "a", name) for name in
                              ("region-maps", "region-streets", "region-objects"))  # fmt: skip
    assert {"mDice", "Dice/road", "acc/tree", "fwIoU"} <= maps["miou"].keys()
    assert {"mDice", "Dice/road", "fwIoU"} <= streets["cityscapes"].keys() and "acc/road" not in streets["cityscapes"]
    assert all(0 < each["boundary-miou"]["boundary_mIoU"] < each[main_of]["mIoU"]
               for each, main_of in ((maps, "miou"), (streets, "cityscapes")))  # fmt: skip
    assert 0 < objects["coco-boundary"]["AP"] < 1
    assert "boundary mIoU" in (tmp_path / "a/report.md").read_text()
    capsys.readouterr()
    assert main(["explain", f"{tmp_path / 'a'}:region-objects", "--metric", "coco-boundary"]) == 0
    assert "Mask IoU and boundary IoU" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--classes"]) == 0
    told = capsys.readouterr().out
    for name in ("boundary-miou/boundary_mIoU", "coco-boundary/AP", "miou/mDice", "boundary_IoU/tree", "Dice/tree"):
        assert name in told, name
    assert main(["gate", str(tmp_path / "b"), "--against", str(tmp_path / "a")]) == 1
    assert "boundary_mIoU" in capsys.readouterr().out


def test_options_of_single_metrics_are_part_of_the_key_and_of_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = suite(tmp_path, "one")
    content = yaml.safe_load(path.read_text())
    assert run(path, "a") == 0
    entry = content["entries"][2]
    first = RunFolder(tmp_path / "a").read(entry["name"])
    entry["dataset"]["metric_args"]["coco-boundary"] = {"dilation_ratio": 0.1}
    path.write_text(yaml.safe_dump(content))
    assert run(path, "a") == 0
    second = RunFolder(tmp_path / "a").read(entry["name"])
    assert first is not None and second is not None and first.score_key != second.score_key
    assert "0.1 of the diagonal" in second.scores[0].quantity.description
    plain = draw(tmp_path)[1]
    del plain["dataset"]["metric_args"]
    assert run(written(tmp_path, [plain], "plain", resamples=200), "b") == 0
    kept = RunFolder(tmp_path / "a").read("region-streets")
    other = RunFolder(tmp_path / "b").read("region-streets")
    assert kept is not None and other is not None and kept.score_key != other.score_key
    asked, usual = ({one.quantity.name: one for one in each.scores if one.metric == "cityscapes"}
                    for each in (kept, other))  # fmt: skip
    assert {name: asked[name] for name in usual} == usual
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "b"), str(tmp_path / "a")]) == 0
    told = capsys.readouterr().out
    assert "not comparable" not in told and "cityscapes/mDice" in told  # new, and nothing else is refused for it
    capsys.readouterr()
    for wrong, says in (({"moiu": {}}, "no metric is called 'moiu'"), ({"cityscapes": {"dise": 1}}, "dise")):
        plain["dataset"]["metric_args"] = wrong
        run(written(tmp_path, [plain], "plain"), "c")
        assert says in "".join(capsys.readouterr())
