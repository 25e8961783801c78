"""LVIS from files to a verdict: a suite over its drawn set is run, verified, compared, sliced and gated."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from drawn.lvis import IMAGES, draw

import hrbench


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of predictions, and of worse ones."""
    found = {}
    for name in ("before", "worse"):
        folder = tmp_path_factory.mktemp(name)
        suite = {"suite": "lvis", "defaults": {"resamples": 20}, "entries": draw(folder, name == "worse")}
        (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
        found[name] = folder / "out"
        list(hrbench.run(hrbench.load_suite(folder / "suite.yaml"), found[name], data=folder / "data", verify=True))
    return found


def test_the_reference_gives_the_same_numbers(runs: dict[str, Path]) -> None:
    for out in runs.values():
        results = hrbench.load(out)
        assert [result.status for result in results] == ["done", "done"]
        for result in results:
            notes = [str(note) for note in result.notes]
            assert any("lvis gives the same 13 numbers, bit for bit" in note for note in notes)
            assert any("are of classes that were not looked for in their image" in note for note in notes)


def test_worse_predictions_regress_in_every_group_of_classes(runs: dict[str, Path]) -> None:
    parts = {"odd": frozenset(range(1, IMAGES, 2)), "even": frozenset(range(2, IMAGES + 1, 2))}
    asked = {"classes": True, "slices": {name: frozenset(map(str, images)) for name, images in parts.items()}}
    frame = hrbench.compare(runs["before"], runs["worse"], **asked).frame()
    masks = frame[frame.entry == "lvis-masks"].set_index("quantity")
    whole = masks[masks.slice == ""]
    assert all(whole.verdict[name] == "regressed" for name in ("AP", "APr", "APc", "APf", "AR300"))
    assert whole.index.str.startswith("AP/thing_").sum() == 12
    assert set(masks.slice) == {"", *parts} and (masks.change.dropna() < 0).mean() > 0.9


def test_the_gate_blocks_what_is_worse_and_passes_what_is_not(runs: dict[str, Path]) -> None:
    decision = hrbench.gate(runs["worse"], against=runs["before"])
    assert decision.exit_code == 1 and {row.entry for row in decision.blocking} == {"lvis-boxes", "lvis-masks"}
    assert hrbench.gate(runs["before"], against=runs["before"], strict=True).exit_code == 0
