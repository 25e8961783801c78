"""What 0.1.0 stored is known again by its keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hrbench.store.format_1_keys import (
    format_1_accuracy_key,
    format_1_cost_key,
    format_1_precomputed_key,
    rekey_accuracy,
)
from hrbench.store.run_folder import RunFolder
from hrbench.types import DatasetRow, Entry, Result, Variant

FORMAT_1 = RunFolder(Path(__file__).parents[2] / "data" / "format1")
NAMES = sorted(path.name for path in (FORMAT_1.path / "entries").iterdir())

VARIANT = Variant(
    "net", "timm:net", "pose", (64, 48), mean=(0.5, 0.5, 0.5),
    args={"width": 8, "backbone": {"use": "timm:hrnet_w18", "args": {"a": (1, 2)}}},
)  # fmt: skip
ENTRY = Entry(
    "one",
    VARIANT,
    DatasetRow("set", "coco-keypoints", "pose", (), args={"folder": "x", "split": "val", "category": 2}),
    {"name": "top-down", "version": 1, "scales": (0.5, 1)},
    ("coco-keypoints",),
    {"operations": True, "latency": {"batch": [1, 2], "dtype": ["float32"], "budget": None}},
    limit=3,
    seed=7,
)


def stored(name: str) -> Result:
    found = FORMAT_1.read(name)
    assert found is not None
    return found


def old_key(result: Result, entry: Entry, versions: dict[str, int]) -> str:
    made = result.provenance
    assert made.weights is not None and made.dataset is not None
    return format_1_accuracy_key(entry, made.weights.sha256, made.dataset.sha256, versions)


def versions_of(result: Result) -> dict[str, int]:
    return {name: record.version for name, record in result.provenance.metrics.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_are_those_that_were_stored(name: str) -> None:
    result = stored(name)
    assert old_key(result, result.entry, versions_of(result)) == result.score_key
    machine = result.provenance.environment
    assert result.cost_key == format_1_cost_key(
        result.entry,
        device=machine["processor"],
        torch=machine["packages"]["torch"],
        threads=machine["torch"]["threads"],
        version=2,
    )


def test_the_keys_of_predictions_that_were_given_and_of_files_are_those_of_0_1_0(tmp_path: Path) -> None:
    assert format_1_precomputed_key(ENTRY, "p" * 64, "t" * 64, {"coco-keypoints": 3}) == (
        "85ba125148c231b145914b29407acdf80af5ed1896e2f5e305f361dca0769915"
    )
    net = tmp_path / "net.onnx"
    net.write_bytes(b"abc\n\x08location\x12\x04data")
    (tmp_path / "data").write_bytes(b"weights")
    entry = replace(ENTRY, variant=replace(VARIANT, use=f"onnx:{net}"))
    assert format_1_accuracy_key(entry, "w" * 64, "d" * 64, {"coco-keypoints": 3}) == (
        "95d90f38f8c6f9a6ed3c24673dde0e7a5860dd9a020a25a8dc3b5875d8d23eb5"
    )
    assert format_1_cost_key(entry, device="GPU", driver="5", torch="2", version=2, libraries={"timm": "1"}) == (
        "edc0b24e420b12ef02752795e8d5892bb88bd8693b22a0e1562040d227196f3f"
    )
    (tmp_path / "data").write_bytes(b"others")
    assert not format_1_accuracy_key(entry, "w" * 64, "d" * 64, {"coco-keypoints": 3}).startswith("95d90f38")


def test_user_defined_code_is_in_the_keys(tmp_path: Path) -> None:
    entry = replace(ENTRY, variant=replace(VARIANT, use="old_nets_of_a_test:net"))

    def keys() -> tuple[str, str]:
        return (
            format_1_accuracy_key(entry, "w", "d", {"coco-keypoints": 3}, folders=[tmp_path]),
            format_1_cost_key(entry, device="a processor", folders=[tmp_path]),
        )

    (tmp_path / "old_nets_of_a_test.py").write_text("net = 1\n")
    first = keys()
    assert keys() == first
    (tmp_path / "old_nets_of_a_test.py").write_text("net = 2\n")
    assert all(one != other for one, other in zip(first, keys(), strict=True))


def test_a_result_of_the_entry_at_hand_moves_under_its_keys() -> None:
    result = stored("pose_hrnet_miniature_coco")
    versions = versions_of(result)
    moved = rekey_accuracy(result, lambda own: old_key(result, result.entry, dict(own)), versions, "p", "s")
    assert moved == replace(result, prediction_key="p", score_key="s")


@pytest.mark.parametrize("changes", [{"seed": 1}, {"limit": None}, {"dtype": "bfloat16"}, {"protocol": {}}], ids=str)
def test_a_result_of_another_entry_does_not_move(changes: dict) -> None:
    result = stored("pose_hrnet_miniature_coco")
    entry = replace(result.entry, **changes)
    assert rekey_accuracy(result, lambda own: old_key(result, entry, dict(own)), versions_of(result), "p", "s") is None


def test_predictions_move_without_scores_if_metrics_are_others_now() -> None:
    result = stored("mask_rcnn_hrnetv2p_miniature_coco")
    for versions in ({"coco-boxes": 1, "coco-masks": 99}, {"coco-boxes": 1}, {**versions_of(result), "more": 1}):
        moved = rekey_accuracy(result, lambda own: old_key(result, result.entry, dict(own)), versions, "p", "s")
        assert moved == replace(result, prediction_key="p", score_key=None)


def test_an_entry_without_accuracy_has_none_to_move() -> None:
    result = stored("pose_hrnet_miniature_coco")
    for without in (replace(result, status="empty"), replace(result, score_key=None)):
        assert rekey_accuracy(without, lambda own: str(result.score_key), versions_of(result), "p", "s") is None
