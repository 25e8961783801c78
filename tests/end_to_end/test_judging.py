"""compare, gate and baseline on stored runs: each verdict and exit code, alike in all that they write."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
import torch
from safetensors.torch import load_file, save_file
from seeds import some
from small_sets import drawn_with

import hrbench
from hrbench.cli.command_line import main
from hrbench.core import units
from hrbench.errors import InputError
from hrbench.models.weights.sources import SHIPPED

pytestmark = pytest.mark.numeric

POSE, CLASSES = "pose_resnet_miniature_coco", "cls_resnet_miniature_imagenet"
SUITE = """
suite: judged
defaults: {{resamples: 20, cost: {{latency: false}}}}
{gate}
entries:
  - name: pose
    model: pose_resnet_miniature_coco
    dataset: miniature-coco-keypoints
    protocol: {{boxes: ground_truth, flip: {flip}}}
    weights: weights/{weights}/pose_resnet_miniature_coco.safetensors
  - name: classes
    model: cls_resnet_miniature_imagenet
    dataset: {{base: miniature-imagenet, count: 60}}
    weights: weights/{weights}/cls_resnet_miniature_imagenet.safetensors
"""
DISTURBED = {"same": 0.0, "little": 0.001, "lot": 0.4}
"""Folder of weights -> how much they are disturbed, as a share of each."""


class Releases:
    """Runs of one suite with differently disturbed weights, each run once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, level in DISTURBED.items():
            (folder / "weights" / name).mkdir(parents=True)
            generator = torch.Generator().manual_seed(1)
            for net in (POSE, CLASSES):
                tensors = load_file(SHIPPED / f"{net}.safetensors")
                for key, value in tensors.items():
                    if value.is_floating_point() and value.dim() > 1:
                        tensors[key] = value * (1 + level * torch.randn(value.shape, generator=generator))
                save_file(tensors, folder / "weights" / name / f"{net}.safetensors")

    def run(self, out: str, weights: str = "same", flip: str = "true", gate: str = "", only: str = "") -> Path:
        """The run folder `out`, made if it is not there."""
        path = self.folder / out
        if not path.exists():
            suite = self.folder / f"{out}.yaml"
            suite.write_text(SUITE.format(weights=weights, flip=flip, gate=gate))
            places = ["--data", str(self.folder / "data"), "--out", str(path), "--device", "cpu"]
            more = ["--only", only] if only else []
            assert main(["run", str(suite), *places, "--plain", "--in-process", *more]) == 0
        return path

    def copy(self, source: str, name: str) -> Path:
        """A copy of a run folder that a test may damage."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return shutil.copytree(self.folder / source, self.folder / name)


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    made = Releases(tmp_path_factory.mktemp("releases"))
    with drawn_with(60):
        made.run("before")
        made.run("little", "little")
        made.run("lot", "lot")
    yield made


@pytest.fixture(autouse=True)
def here(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(releases.folder)
    monkeypatch.setenv("HRBENCH_DATA", "nowhere")  # images are drawn where a test names the data


def gate(capsys: pytest.CaptureFixture[str], run: Path, *more: str, against: str = "before") -> tuple[int, dict, str]:
    """Exit code, gate.json and what is printed; the four outputs are held to one another."""
    code = main(["gate", str(run), "--against", against, *more])
    printed = capsys.readouterr().out
    values = json.loads((run / "gate.json").read_text())
    assert values["exit_code"] == code and values["words"] in printed
    root = xml.fromstring((run / "junit.xml").read_bytes())
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    blocking = {(one["entry"], "/".join(filter(None, (one["metric"], one["quantity"])))) for one in values["blocking"]}
    assert blocking == {
        key for key, case in cases.items() if case.find("failure") is not None or case.find("error") is not None
    }
    assert int(root.get("failures", "")) + int(root.get("errors", "")) == len(blocking)
    summary = (run / "summary.md").read_text()
    assert summary.startswith(f"## hrbench gate: {values['outcome']}\n") and len(summary.encode()) < 60_000
    for entry, number in blocking:
        assert entry in printed and number in printed and number in summary.replace("\\", "")
    return code, values, printed


def verdicts(values: dict) -> dict[tuple[str, str], str]:
    return {(row["entry"], row["quantity"]): row["verdict"] for row in values["comparison"]["rows"]}


def test_not_disturbed_at_all(releases, capsys):
    """Equal predictions need no statistics, whatever the weights' file says."""
    code, values, _ = gate(capsys, releases.run("again", "same"))
    assert code == 0 and values["outcome"] == "passed"
    assert set(verdicts(values).values()) == {"unchanged"}
    assert {row["judged_by"] for row in values["comparison"]["rows"]} == {"equal predictions", "exact"}


def test_disturbed_a_little(releases, capsys):
    code, values, printed = gate(capsys, releases.folder / "little")
    assert code == 0
    assert "regressed" not in verdicts(values).values()
    assert any("weights" in change for change in values["comparison"]["changes"]["pose"])
    strict, values, _ = gate(capsys, releases.folder / "little", "--strict")
    open_rows = [
        row for row in values["comparison"]["rows"] if row["verdict"] == "cannot tell" and row["tier"] == "required"
    ]
    assert strict == (4 if open_rows else 0) and values["strict"]
    assert main(["compare", "before", "little"]) == 0 and "pose" in printed + capsys.readouterr().out


def test_disturbed_a_lot(releases, capsys):
    code, values, printed = gate(capsys, releases.folder / "lot", "--annotations")
    assert code == 1 and values["outcome"] == "regressed"
    found = verdicts(values)
    assert found["pose", "AP"] == found["classes", "top1"] == "regressed"
    assert found["pose", "parameters"] == "unchanged"
    assert "::error title=pose%3A coco-keypoints/AP::regressed" in printed
    (row,) = [row for row in values["comparison"]["rows"] if (row["entry"], row["quantity"]) == ("pose", "AP")]
    assert row["interval"][0] <= row["change"] <= row["interval"][1] < -0.003 and row["p"] < 0.001
    assert row["tier"] == "required" and row["rule"] == "default" and row["replicates"] >= 2000


def test_a_report_holds_the_best_against_a_release_as_a_judge_does(releases, capsys):
    _, values, _ = gate(capsys, releases.run("lot"))
    rows = {(row["metric"], row["quantity"]): row for row in values["comparison"]["rows"]}
    assert main(["report", "lot", "--against", "before", "--out", "held", "--format", "html"]) == 0
    page = Path("held/report.html").read_text()
    changes = re.findall(r'<td class="change" title="against before, ([^"]*)">[^<]*<span class="why">([^<]*)<', page)
    mains = [rows["coco-keypoints", "AP"], rows["topk", "top1"]]
    ends = [[units.signed(end, "fraction") for end in row["interval"]] for row in mains]
    told = [f"[{low}, {high}] {row['verdict']}" for (low, high), row in zip(ends, mains, strict=True)]
    assert [each for _, each in changes] == told and mains[0]["verdict"] == "regressed"
    assert all("changed: weights: " in sentence for sentence, _ in changes)
    assert main(["report", "lot", "--against", "nowhere"]) == 2 and "neither a run folder" in capsys.readouterr().err
    assert main(["report", "lot", "--format", "html", "--out", "held"]) == 0
    assert "Against the last run: –" in Path("held/report.html").read_text()


def test_another_protocol(releases, capsys):
    with drawn_with(60):
        other = releases.run("flipped", flip="false", only="pose")
    code, values, _ = gate(capsys, other, "--only", "pose")
    assert code == 2 and values["outcome"] == "not comparable"
    (row,) = [row for row in values["comparison"]["rows"] if row["quantity"] == "AP"]
    assert row["reasons"] == ["protocol: flip true / false"] and row["change"] is None


def test_a_missing_entry(releases, capsys):
    part = releases.copy("before", "part")
    shutil.rmtree(part / "entries" / "classes")
    code, values, _ = gate(capsys, part)
    assert code == 1 and verdicts(values)["classes", "top1"] == "missing"
    back, values, _ = gate(capsys, releases.copy("before", "whole"), against=str(part))
    assert back == 0 and verdicts(values)["classes", "top1"] == "new"


def test_an_edited_result(releases, capsys):
    """A number that somebody wrote by hand is no number: the entry counts as failed."""
    edited = releases.copy("before", "edited")
    path = edited / "entries" / "pose" / "result.json"
    path.write_text(path.read_text().replace('"value": 0.', '"value": 1.', 1))
    code, values, _ = gate(capsys, edited)
    assert code == 3 and values["outcome"] == "failed"
    assert verdicts(values)["pose", "AP"] == "failed"
    assert any(
        "was changed after it was written" in reason
        for row in values["comparison"]["rows"]
        for reason in row["reasons"]
    )


def test_the_page_shows_the_images_that_changed_beside_what_is_annotated(releases):
    def page(*more: str, first: str = "before", second: str = "lot") -> str:
        assert main(["compare", first, second, "--only", "pose", "--html", "page.html", *more]) == 0
        return Path("page.html").read_text()

    def shown(text: str) -> list[int]:
        kinds = ("ground truth", "before", "after")
        assert text.count("<img") == sum(text.count(f"<figcaption>{kind}<") for kind in kinds)
        return [text.count(f"<figcaption>{kind}<") for kind in kinds]

    whole = page("--data", "data")
    assert shown(whole) == [6, 6, 6] and "Not rendered" not in whole
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', whole)
    assert len({*pictures}) == 18  # each image, and each side of it, is another picture
    assert main(["baseline", "save", "before", "drawn"]) == 0  # which keeps no predictions
    assert shown(page("--data", "data", first="drawn")) == [6, 0, 6]
    without = page()
    assert "Not rendered for this page: there is no folder nowhere (--data names the folder" in without
    assert shown(without)[0] == 0  # what the runs drew of the same images may be there
    shutil.copytree("data", "changed-data")
    (listed,) = Path("changed-data").rglob("person_keypoints*.json")
    listed.write_text(listed.read_text() + "\n")
    assert "in changed-data is not the data that was judged" in page("--data", "changed-data")
    assert main(["baseline", "remove", "drawn"]) == 0
    predictions = releases.copy("lot", "other-predictions") / "entries" / "pose" / "predictions.json"
    predictions.write_text(predictions.read_text().replace("0.", "1.", 1))
    text = page("--data", "data", second="other-predictions")
    assert "predictions.json is not the file that was stored with the result" in text


def test_an_edited_state(releases, capsys):
    edited = releases.copy("lot", "edited-state")
    shutil.copy(releases.folder / "before" / "entries" / "pose" / "states.npz", edited / "entries" / "pose")
    code, values, _ = gate(capsys, edited, "--only", "pose")
    assert code == 2 and verdicts(values)["pose", "AP"] == "not comparable"
    assert "is not the file that was stored with the result" in values["blocking"].__str__() + str(values)


def test_a_baseline_takes_the_place_of_its_run(releases, capsys):
    assert main(["baseline", "save", "before", "v1.0", "--note", "the first"]) == 0
    assert main(["baseline", "save", "before", "v1.0"]) == 2  # it is there
    assert main(["baseline", "save", "before", "v1.0", "--replace"]) == 0
    assert main(["baseline", "list"]) == main(["baseline", "show", "v1.0"]) == 0
    assert "the first" not in capsys.readouterr().err
    folder = releases.folder / "reports/baselines/v1.0"
    assert not list(folder.rglob("*.jpg")) and not list(folder.rglob("predictions*"))
    of_run = gate(capsys, releases.folder / "lot")[1]["comparison"]["rows"]
    of_baseline = gate(capsys, releases.folder / "lot", against="v1.0")[1]["comparison"]["rows"]
    assert of_run == of_baseline
    assert gate(capsys, releases.folder / "before", against="v1.0")[0] == 0
    assert main(["baseline", "remove", "v1.0"]) == 0 and not folder.exists()
    assert main(["baseline", "remove", "v1.0"]) == 2


@pytest.mark.parametrize("damage", ["edited", "unreadable"])
def test_a_baseline_that_was_changed_is_no_pass(releases, capsys, damage):
    """Its entries would look new, and new numbers block nothing."""
    changed = releases.copy("before", "changed")
    path = changed / "entries" / "pose" / "result.json"
    path.write_text("{" if damage == "unreadable" else path.read_text().replace('"value": 0.', '"value": 1.', 1))
    assert main(["gate", "lot", "--against", "changed"]) == 2
    assert "the baseline changed cannot be trusted" in capsys.readouterr().err
    with pytest.raises(InputError, match="cannot be trusted"):
        hrbench.gate("lot", against="changed")


def test_an_entry_that_fails_now(releases, capsys):
    """Only its main number is required, and the reason is told."""
    failed = releases.copy("before", "failing")
    shutil.rmtree(failed / "entries" / "pose")
    suite = releases.folder / "failing.yaml"
    suite.write_text(SUITE.format(weights="same", flip="true", gate=""))
    (releases.folder / "weights" / "bad").mkdir(exist_ok=True)
    (releases.folder / "weights" / "bad" / f"{POSE}.safetensors").write_bytes(b"no weights")
    shutil.copy(releases.folder / "weights" / "same" / f"{CLASSES}.safetensors", releases.folder / "weights" / "bad")
    suite.write_text(SUITE.format(weights="bad", flip="true", gate=""))
    places = ["--data", "data", "--out", "failing", "--device", "cpu", "--plain", "--in-process"]
    assert main(["run", str(suite), *places, "--only", "pose"]) == 3
    capsys.readouterr()
    code, values, _ = gate(capsys, failed)
    assert code == 3 and values["outcome"] == "failed"
    assert [(one["entry"], one["quantity"]) for one in values["blocking"]] == [("pose", "AP")]
    (row,) = [row for row in values["comparison"]["rows"] if (row["entry"], row["quantity"]) == ("pose", "AP")]
    assert row["before"] is not None and row["after"] is None and "safetensors" in row["reasons"][0]


def test_no_baseline_is_no_pass(releases, capsys):
    assert main(["gate", "before", "--against", "v9"]) == 3
    said = capsys.readouterr().out
    assert "nothing was compared" in said and "hrbench baseline save before v9" in said
    # where there is another baseline, saving the run that is judged is no advice
    assert main(["baseline", "save", "before", "v1.3"]) == 0
    capsys.readouterr()
    assert main(["gate", "before", "--against", "v13"]) == 3
    assert capsys.readouterr().out == "nothing was compared: there is no baseline v13; did you mean v1.3?\n"
    assert main(["baseline", "remove", "v1.3"]) == 0
    capsys.readouterr()
    (releases.folder / "reports/baselines/none/entries").mkdir(parents=True)
    code, values, _ = gate(capsys, releases.folder / "before", against="none")
    assert code == 3 and values["words"].startswith("nothing was compared")


POLICY = """
open: block
margins: {AP: 50, top1: 90%}
rules:
  - {quantity: "AR*", tier: ignored}
  - {quantity: APM, entry: "po*", tier: required, margin: 0.1}
floors:
  - top1 >= 0.95
waivers:
  - {quantity: APM, reason: the crop is new, until: 2999-12-31}
"""


def test_a_policy_decides(releases, capsys):
    path = releases.folder / "policy.yaml"
    path.write_text(POLICY)
    code, values, printed = gate(capsys, releases.folder / "lot", "--policy", "policy.yaml")
    rows = {(row["entry"], row["quantity"]): row for row in values["comparison"]["rows"]}
    assert code == 1 and [one["quantity"] for one in values["blocking"]] == ["top1"]
    assert rows["classes", "top1"]["floor"].endswith("at least 95.0 points is asked for (policy.yaml:8)")
    assert rows["pose", "APM"]["waiver"] == "the crop is new (until 2999-12-31, policy.yaml:10)"
    assert rows["pose", "APM"]["rule"] == "policy.yaml:6" and rows["pose", "APM"]["verdict"] == "regressed"
    assert rows["pose", "AR"]["tier"] == "ignored" and "coco-keypoints/AR " not in printed
    assert rows["pose", "AP"]["margin"] == 0.5 and values["strict"]


def test_a_policy_of_the_suite_that_was_loosened_is_told_first(releases, capsys):
    with drawn_with(60):
        loose = releases.run("loose", "lot", gate="gate: {margins: {AP: 90, top1: 90}}")
    capsys.readouterr()
    code, values, printed = gate(capsys, loose)
    assert code == 0 and verdicts(values)["pose", "AP"] == "unchanged"
    assert printed.splitlines()[0].endswith("the release may have loosened its own gate")
    assert values["notes"] == [printed.splitlines()[0]] and values["notes"][0] in (
        (loose / "summary.md").read_text().replace("\\", "")
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margin: {AP: 1}\n", "policy.yaml:1: unknown key 'margin'; did you mean margins?"),
        ("rules:\n  - {tier: must}\n", "policy.yaml:2:"),
        ("floors:\n  - AP > 0.5\n", "policy.yaml:2: floor 'AP > 0.5': say QUANTITY >= BOUND"),
        ("waivers:\n  - {quantity: AP, reason: x, until: 2027-02-30}\n", "there is no such day"),
        ('waivers:\n  - {quantity: AP, reason: " ", until: 2027-02-27}\n', "policy.yaml:2: reason is empty: say why"),
        ("margins: {AP: -1}\n", "policy.yaml:1:"),
        ("- 1\n", "a policy is a mapping"),
    ],
)
def test_a_faulty_policy_is_told_with_its_line(releases, capsys, text, said):
    (releases.folder / "policy.yaml").write_text(text)
    assert main(["gate", "lot", "--against", "before", "--policy", "policy.yaml"]) == 2
    assert said in capsys.readouterr().err


def test_compare_prints_what_is_asked_for(releases, capsys):
    def printed(*more: str) -> str:
        assert main(["compare", "before", "lot", *more]) == 0
        return capsys.readouterr().out

    table = printed("--sort", "verdict", "--changed")
    rows = [line for line in table.splitlines() if line[:1] in "+-~!?" and line[1:2] == " "]
    assert rows and all(line[0] != "~" for line in rows) and rows[0][0] == "-"
    (one,) = json.loads(printed("--format", "json"))
    listed = list(csv.DictReader(io.StringIO(printed("--format", "csv"))))
    assert [(row["entry"], row["quantity"]) for row in listed] == [
        (row["entry"], row["quantity"]) for row in one["rows"]
    ]
    assert printed("--format", "md").count("\n| ") >= len(one["rows"])
    assert "classes" in table and "classes" not in printed("--only", "pose")


def test_two_entries_and_renamed_ones(releases, capsys):
    assert main(["compare", "before:pose", "lot:pose", "--format", "json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert {row["entry"] for row in one["rows"]} == {"pose"}
    assert main(["compare", "before:pose", "lot:classes", "--format", "json"]) == 0  # parameters and operations
    (one,) = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in one["rows"] if row["metric"]} == {"missing", "new"}
    renamed = releases.copy("lot", "renamed")
    run = json.loads((renamed / "run.json").read_text())
    run["entries"] = ["new-pose", "classes"]
    (renamed / "run.json").write_text(json.dumps(run))
    (renamed / "entries" / "pose").rename(renamed / "entries" / "new-pose")
    assert main(["compare", "before", "renamed", "--match", "pose=new-pose", "--format", "json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert {(row["former_entry"], row["entry"]) for row in one["rows"]} == {
        ("pose", "new-pose"),
        ("classes", "classes"),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "before"], "compare takes two sides or more"),
        (["compare", "before", "nowhere"], "neither a run folder nor a baseline"),
        (["compare", "before", "before:nobody"], "has no entry 'nobody'"),
        (["compare", "before", "lot", "--match", "a*=b"], "one * in both or in neither"),
        (["compare", "before", "lot", "--match", "pose=other"], "no entry of lot is named so"),
        (["gate", "nowhere", "--against", "before"], "there is no run folder nowhere"),
        (["gate", "nowhere:one", "--against", "before"], "there is no run folder nowhere:one"),
        (["baseline", "save", "nowhere", "x"], "there is no run folder nowhere"),
        (["baseline", "save", "before", "../x"], "cannot be the name of a baseline"),
        (["baseline", "show", "x"], "there is no baseline 'x'"),
        (["gate", "lot", "--against", "before", "--out", "lot.yaml"], "--out lot.yaml is a file: name a folder"),
        (["compare", "before", "lot", "--slices", "none.csv"], "no file none.csv: give a CSV file with the columns"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(releases, capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_from_python(releases):
    comparison = hrbench.compare("before", "lot")
    frame = comparison.frame()
    (row,) = frame[(frame.entry == "pose") & (frame.quantity == "AP")].itertuples()
    assert row.verdict == "regressed" and row.low <= row.change <= row.high
    decision = hrbench.gate("lot", against="before")
    assert decision.exit_code == 1 and decision.blocking[0].verdict == "regressed"
    assert hrbench.gate("before", against="before", strict=True).exit_code == 0
    some = hrbench.gate("lot", against="before", only="classes")
    assert {row.entry for row in some.comparison.rows} == {"classes"}


def test_replicates_come_in_whole_blocks(capsys):
    with pytest.raises(SystemExit):
        main(["compare", "before", "lot", "--replicates", "2500"])
    assert "2500 is not a multiple of 2000 from 2000 to 50000" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "goes_on"), [("gate", False), ("run", True)])
def test_what_is_interrupted_says_whether_it_goes_on(capsys, monkeypatch, command, goes_on):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr("hrbench.cli.command_line._command", interrupted)
    assert main([command, "x"]) == 130
    assert ("goes on where" in capsys.readouterr().err) == goes_on


def test_a_run_that_is_held_to_itself_is_told(releases, capsys):
    code, values, _ = gate(capsys, releases.folder / "before")
    assert code == 0 and values["notes"][-1] == f"{releases.folder / 'before'} is held to itself"


# --- what must not pass ----------------------------------------------------------------------------------------------


def under(capsys: pytest.CaptureFixture[str], text: str, run: str = "lot", *more: str) -> tuple[int, dict, str]:
    """A gate under a policy."""
    Path("policy.yaml").write_text(text)
    return gate(capsys, Path(run), "--policy", "policy.yaml", *more)


@pytest.mark.parametrize("tier", some(["watched", "ignored"], later=["watched"]))
def test_a_floor_holds_whatever_the_tier_and_whatever_is_waived(releases, capsys, tier):
    rules = f"rules: [{{tier: {tier}}}, {{quantity: parameters, tier: required}}]\n"
    waiver = "waivers: [{quantity: AP, reason: known, until: 2999-01-01}]\n"
    for text in (rules + "floors: [AP >= 0.6]\n", waiver + "floors: [AP >= 0.6]\n"):
        code, values, _ = under(capsys, text, "lot", "--only", "pose")
        assert code == 1 and "AP" in [one["quantity"] for one in values["blocking"]]
    assert under(capsys, "floors: [AP >= 0.6]\n", "before")[0] == 0


@pytest.mark.parametrize("floor", ["APP >= 0.1", "latency <= 5", "{floor: AP >= 0.1, entry: nobody}"])
def test_a_floor_without_a_number_is_not_kept(releases, capsys, floor):
    code, values, printed = under(capsys, f"floors: [{floor}]\n", "before")
    assert code == 1 and "there is no such number for the floor" in values["blocking"][0]["quantity"] + printed


def test_a_class_that_is_named_is_looked_at(releases, capsys):
    """Without --classes, and whether or not the predictions are equal."""
    streets = Path(__file__).parents[1] / "data" / "baseline_1"
    shutil.copytree(streets, "streets", dirs_exist_ok=True)
    Path("streets/baseline.json").unlink()
    code, values, _ = under_against(capsys, "floors: [IoU/road >= 0.999]\n", "streets", "streets")
    assert code == 1 and values["blocking"][0]["quantity"] == "IoU/road"
    code, values, _ = under_against(capsys, "rules: [{quantity: AP/*, tier: required}]\n", "streets", "streets")
    classes = [row for row in values["comparison"]["rows"] if row["quantity"].startswith("AP/")]
    assert code == 0 and len(classes) > 3 and {row["tier"] for row in classes} == {"required"}


def under_against(capsys, text: str, run: str, against: str) -> tuple[int, dict, str]:
    Path("policy.yaml").write_text(text)
    return gate(capsys, Path(run), "--policy", "policy.yaml", against=against)


def test_a_policy_that_requires_nothing_is_no_pass(releases, capsys):
    code, values, _ = under(capsys, "rules: [{tier: watched}]\n")
    assert code == 3 and values["words"].startswith("nothing is required")


def test_what_fits_nothing_in_a_policy_is_told(releases, capsys):
    text = "rules: [{quantity: APP, tier: ignored}]\nwaivers: [{quantity: AP, reason: old, until: 2001-01-01}]\n"
    _, values, _ = under(capsys, text)
    assert "policy.yaml:1: no number fits 'APP' of '*'; did you mean AP?" in values["notes"]
    assert "policy.yaml:2: the waiver of AP ended on 2001-01-01" in values["notes"]
    assert values["notes"][0] == "the policy of policy.yaml is not that of before"
    _, values, _ = under(capsys, "margins: {Top-1: 0.1}\nfloors: [Top-5 >= 0.1]\n")
    assert "policy.yaml:1: no number fits 'Top-1' of '*'; did you mean top1?" in values["notes"]
    assert any("(policy.yaml:2); did you mean top5?" in one["floor"] for one in values["comparison"]["rows"])


def test_a_baseline_that_lost_an_entry_is_refused(releases, capsys):
    assert main(["baseline", "save", "before", "cut"]) == 0
    folder = Path("reports/baselines/cut")
    shutil.rmtree(folder / "entries" / "pose")
    assert main(["gate", "lot", "--against", "cut"]) == 2
    assert "cut does not hold pose, which was saved in it" in capsys.readouterr().err
    (folder / "baseline.json").write_text("[]")
    assert main(["gate", "lot", "--against", "cut"]) == 2


def test_a_result_that_was_copied_without_its_files_is_not_equal(releases, capsys):
    copied = releases.copy("lot", "copied")
    shutil.copy("before/entries/pose/result.json", copied / "entries" / "pose" / "result.json")
    code, values, _ = gate(capsys, copied, "--only", "pose")
    assert code == 2 and verdicts(values)["pose", "AP"] == "not comparable"


@pytest.mark.parametrize("place", ["entries/pose", "entries/pose/result.json"])
def test_links_are_refused(releases, capsys, place):
    linked = releases.copy("lot", "linked")
    path = linked / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(Path("before").resolve() / place)
    assert main(["gate", "linked", "--against", "before"]) == 2
    assert "is a link, which hrbench never makes" in capsys.readouterr().err


def test_no_former_verdict_stays_where_there_is_none(releases, capsys):
    run = releases.copy("before", "stale")
    assert gate(capsys, run)[0] == 0
    assert main(["gate", "stale", "--against", "nowhere"]) == 3
    assert not any((run / name).exists() for name in ("gate.json", "junit.xml", "comparison.html"))
    assert "nothing was compared" in (run / "summary.md").read_text()


def test_a_result_that_cannot_be_read_is_input_that_cannot_be_read(releases, capsys):
    run = releases.copy("before", "unread")
    (run / "entries" / "pose" / "result.json").write_text('{"result": ')
    assert main(["gate", "unread", "--against", "before"]) == 2
    assert "is not a result of hrbench" in capsys.readouterr().err


def test_what_passes_says_what_it_does_not_know(releases, capsys):
    part = releases.copy("before", "half")
    shutil.rmtree(part / "entries" / "classes")
    _, values, _ = gate(capsys, releases.copy("lot", "more"), against="half")
    code, values, _ = gate(capsys, releases.copy("before", "more"), against="half")
    assert code == 0 and values["words"].endswith("is worse than its margin allows (1 new)")
    assert main(["gate", "more", "--against", "half", "--only", "zzz"]) == 2
    assert main(["gate", "more", "--against", "half", "--only", "pose", "--across", "dtype"]) == 0


def test_an_encoding_without_minus_is_no_traceback(releases):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "hrbench", "compare", "before", "lot"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "regressed" in done.stdout and "Traceback" not in done.stderr
