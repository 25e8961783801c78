"""Photographs of a camera that was turned: no number before the data set says which picture was annotated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrbench.cli.command_line import main

NETWORK = """
import torch
from torch import nn


class Bright(nn.Module):
    def forward(self, x):
        return torch.cat([torch.full_like(x[:, :1], 0.5), x.mean(1, keepdim=True)], 1)


def bright():
    return Bright()
"""

SUITE = """
suite: photographs
defaults: {{cost: {{parameters: false, operations: false, latency: false}}}}
entries:
  - name: seg
    model: {{use: "brightness:bright", task: segmentation, input: [40, 60], mean: [0, 0, 0], std: [1, 1, 1]}}
    weights: own
    protocol: plain
    dataset: {{use: label-folders, images: images, labels: labels, names: [dark, bright]{more}}}
"""


@pytest.fixture
def turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures stored upside down, labelled upright, and one of no tag."""
    rng = np.random.default_rng(5)
    for number in range(4):
        labels = (rng.uniform(size=(40, 60)) > 0.7).astype(np.uint8)
        pixels = np.repeat(labels[..., None] * np.uint8(255), 3, axis=2)
        exif = Image.Exif()
        if number:
            exif[0x0112], pixels = 3, pixels[::-1, ::-1]
        for folder, content, more in (("images", pixels, {"exif": exif}), ("labels", labels, {})):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(np.ascontiguousarray(content)).save(tmp_path / folder / f"{number}.png", **more)
    (tmp_path / "brightness.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, more: str = "") -> tuple[int, dict]:
    (folder / "suite.yaml").write_text(SUITE.format(more=more))
    code = main(["run", "suite.yaml", "--out", "run", "--plain", "--in-process", "--device", "cpu"])
    return code, json.loads((folder / "run/entries/seg/result.json").read_text())["result"]


def test_nothing_is_measured_until_the_data_set_says_and_then_exactly(turned, capsys):
    code, result = run(turned)
    assert code == 3 and result["status"] == "failed" and not result["scores"]
    assert "3 of 4 images have an EXIF orientation other than 1" in capsys.readouterr().out

    values = {}
    for orientation in ("stored", "applied"):
        code, result = run(turned, f", orientation: {orientation}")
        assert code == 0
        values[orientation] = next(one for one in result["scores"] if one["quantity"]["name"] == "mIoU")["value"]
        told = [note for note in result["notes"] if "EXIF orientation" in note]
        assert len(told) == (orientation == "applied")
    assert values["applied"] == 1 and values["stored"] < 0.8


def test_check_counts_them(turned, capsys):
    for more, words in (
        ("", "would fail"),
        (", orientation: stored", "3 of 4 images have an EXIF orientation and are read as they are stored"),
        (", orientation: applied", "3 of 4 images are turned as their EXIF orientation says"),
    ):
        (turned / "suite.yaml").write_text(SUITE.format(more=more))
        main(["check", "suite.yaml"])
        assert words in " ".join(capsys.readouterr().out.split())
    (turned / "suite.yaml").write_text(SUITE.format(more=", orientation: upright"))
    assert main(["check", "suite.yaml"]) == 3
    assert "stored or applied was expected, not 'upright'" in capsys.readouterr().out
