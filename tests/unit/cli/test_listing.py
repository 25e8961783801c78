"""What the listing commands say of networks: every row, its weights, its place in the literature."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hrbench import catalog
from hrbench.cli import listing
from hrbench.errors import UsageError
from hrbench.types import Conditions, Measurement, Quantity, Reason, Variant

BACKBONE = {"use": "resnet", "args": {"depth": 50, "stem": {"use": "stem"}}}
ROWS = {
    row.name: row
    for row in (
        Variant(
            "pose_a",
            use="pose_hrnet",
            task="pose",
            input=(256, 192),
            title="Pose A",
            args={"width": 32},
            parameters=28_536_113,
            weights={"official": "a.pth", "openmmlab": "https://models.example/a-c78dce93.pth", "timm": "timm/a.in1k"},
            published={"file": "pose", "section": "coco_keypoints", "model": "HRNet-W32", "input": "256x192"},
        ),
        Variant(
            "det_b",
            use="faster_rcnn",
            task="detection",
            input=(800, 1333),
            title="Detector B",
            args={"classes": 80, "backbone": BACKBONE, "sizes": [32, 64]},
            parameters=5_000_000,
        ),
        Variant("pose_c", use="torchvision:c", task="pose", input=(64, 64), title="C", weights={"official": "c.pth"}),
        Variant(
            "pose_d", use="pose_hrnet", task="pose", input=(64, 64), title="D", absent="No source states its order."
        ),
    )
}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setattr(catalog, "variants", lambda: dict(ROWS))


def test_networks_are_listed_by_task_and_family(tmp_path: Path) -> None:
    (tmp_path / "c.pth").touch()
    lines = [line.rstrip() for line in listing.models("", "", tmp_path).splitlines()]
    assert lines[0].split("  ")[0] == "model" and lines[0].endswith("weights")
    assert [line for line in lines if line.endswith(")") and ": " in line] == [
        "pose: pose_hrnet (2)",
        "pose: torchvision (1)",
        "detection: faster_rcnn (1)",
    ]
    cells = {line.split()[0]: line for line in lines if line.split()[:1] and line.split()[0] in ROWS}
    assert list(cells) == ["pose_a", "pose_d", "pose_c", "det_b"]
    shown = re.sub(r"\s+", " ", cells["pose_a"])
    assert shown == "pose_a Pose A 256×192 28.5 to fetch: openmmlab, timm; by hand: official"
    assert cells["pose_d"].endswith("-  cannot be built")
    assert cells["pose_c"].endswith("official: c.pth") and cells["det_b"].endswith("5.0  none published")
    assert lines[-1].startswith("4 networks, 1 of them cannot be built; weights of 1 are here.")


def test_a_pattern_and_a_task_choose(tmp_path: Path) -> None:
    text = listing.models("pose_*", "pose", tmp_path)
    assert "3 networks" in text and "det_b" not in text
    assert listing.models("", "detection", tmp_path).startswith("model       det_b")
    with pytest.raises(UsageError, match="no model 'det_\\*' of task 'pose': known: detection"):
        listing.models("det_*", "pose", tmp_path)
    with pytest.raises(UsageError, match=r"there is no model 'pose_e': did you mean pose_"):
        listing.models("pose_e", "", tmp_path)
    with pytest.raises(UsageError, match="there is no task 'detectio' among the models: did you mean detection"):
        listing.models("", "detectio", tmp_path)


def test_the_beginning_of_names_is_answered_with_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no model 'pose': did you mean pose_., or all 3 of 'pose\*'\?$"):
        listing.models("pose", "", tmp_path)
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"'mask_rcnn': did you mean mask_rcnn_\w+, or all \d+ of 'mask_rcnn\*'\?$"):
        listing.models("mask_rcnn", "", tmp_path)
    with pytest.raises(UsageError, match=r"'hrnet_w48': did you mean .*all \d+ of '\*hrnet_w48\*'\?$"):
        listing.models("hrnet_w48", "", tmp_path)
    for nothing in ("nothing", "zzz*"):
        with pytest.raises(UsageError) as caught:
            listing.models(nothing, "", tmp_path)
        assert str(caught.value).endswith(f"hrbench models lists all {len(catalog.variants())}")


def test_all_about_one(tmp_path: Path) -> None:
    (tmp_path / "a-c78dce93.pth").touch()
    text = listing.models("pose_a", "", tmp_path)
    pairs = dict(line.split("  ", 1) for line in text.splitlines() if not line.startswith(" "))
    fetching = "hrbench fetch weights pose_a (it also checks the digest of a file that is here)"
    assert pairs["to fetch them"].strip() == fetching
    assert pairs["parameters"].strip() == "28,536,113" and "cannot be built" not in pairs
    assert "official: a.pth from the model zoo of github.com/leoxiaobin" in text
    assert f"not here: {tmp_path / 'a.pth'}" in text
    assert "openmmlab: https://models.example/a-c78dce93.pth, SHA-256 c78dce93..." in text
    assert f"here: {tmp_path / 'a-c78dce93.pth'}" in text
    assert "timm: https://huggingface.co/timm/a.in1k/resolve/main/model.safetensors\n" in text
    assert "  params 28.5 M; GFLOPs 7.1 as the HRNet papers count: multiply-adds / 2^30\n" in text
    assert (
        "in points: AP 74.4, AP50 90.5" in text and "source: leoxiaobin/deep-high-resolution-net.pytorch README" in text
    )


def test_a_network_made_of_networks_is_shown_as_one(tmp_path: Path) -> None:
    lines = listing.models("det_b", "", tmp_path).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("args"))
    assert [lines[start].removeprefix("args").strip(), lines[start + 1].strip()] == [
        "classes: 80, sizes: [32, 64]",
        "backbone: {use: resnet, args: {depth: 50, stem: {use: stem}}}",
    ]
    assert lines[start + 2].startswith("input")


def test_why_a_network_cannot_be_built(tmp_path: Path) -> None:
    assert "cannot be built  No source states its order." in listing.models("pose_d", "", tmp_path)


def test_a_published_row_that_is_not_there_is_said_to_be_missing(tmp_path: Path, monkeypatch) -> None:
    row = Variant("x", "u", "pose", (8, 8), published={"file": "pose", "section": "mpii", "model": "Nobody's"})
    assert "(reports/published has no such row)" in listing.model(row, tmp_path)


def test_every_row_of_the_catalog_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    rows = catalog.variants()
    text = listing.models("", "", tmp_path)
    assert all(name in text for name in rows) and f"\n{len(rows)} networks" in text
    sample = {(row.use, bool(row.absent), tuple(row.weights)): row for row in rows.values()}
    for row in sample.values():  # one of every kind: each reads its file of published figures
        told = listing.model(row, tmp_path)
        assert row.name in told and (not row.absent or row.absent in told)


def test_listing_loads_neither_torch_nor_numpy() -> None:
    code = "import sys\nfrom hrbench.cli.command_line import main\nmain(['models'])\n"
    code += "print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "[]", done.stderr


def test_costs_say_once_what_they_leave_out_and_why_they_have_no_value() -> None:
    def view(name: str, value: float | None, reason: str = "", **conditions: object) -> Measurement:
        under = Conditions(convention=name, **conditions)
        said = Reason(reason) if reason else None
        return Measurement(Quantity(name, name, "operations", "lower"), value, conditions=under, reason=said)

    left = {"aten::relu": 3}
    parts = {"proposals": 1000, "not_counted": "NMS"}
    text = listing.costs(
        [
            view("macs", 2e9, batch=1, uncounted=left, **parts),
            view("flops", 4e9, batch=1, uncounted=left, **parts),
            view("x", None, "counting failed\nsince " + "the network looks at values " * 3),
            view("y", None, "no such operator"),
        ]
    )
    assert "batch 1; proposals 1000\n" in text
    assert "\nnot counted in macs, flops:\n  NMS, aten::relu x3\n" in text
    assert "\nno value of x:\n  counting failed\n  since the network" in text
    assert re.search(r"^x +- +see below$", text, re.MULTILINE)
    assert re.search(r"^y +- +no such operator$", text, re.MULTILINE)


def score_of(name: str) -> Measurement:
    reason = Reason(f"{name} occurs neither in ground truth nor in predictions of 10 images")
    return Measurement(Quantity(f"IoU/{name}", name, "fraction", "higher"), None, "miou", n=0, reason=reason)


@pytest.mark.parametrize(("empty", "rows"), [(listing.MAX_ALIKE, listing.MAX_ALIKE), (listing.MAX_ALIKE + 1, 0)])
def test_many_classes_that_do_not_occur_are_one_line(empty: int, rows: int) -> None:
    mean = Measurement(Quantity("mIoU", "mIoU", "fraction", "higher"), 0.5, "miou", n=10)
    lines = listing.scores([mean, *(score_of(str(number)) for number in range(empty))]).splitlines()
    assert len([line for line in lines if re.match(r"\d+ +- ", line)]) == rows
    reason = "each occurs neither in ground truth nor in predictions of 10 images"
    last = f"9 classes (0, 1, 2, 3, 4, 5, 6, 7 and 1 more): {reason}"
    assert (lines[-1] == last) == (not rows)
