"""A network of landmarks from pictures of faces to an NME, beside what its heatmaps say by a plain calculation."""

from __future__ import annotations

from pathlib import Path

import cv2
import drawn_faces as faces
import numpy as np
import pytest
from drawn_suites import run, written

import hrbench
from hrbench.tasks.landmarks import geometry

NETWORK = '''
import torch
from torch import nn


class Bright(nn.Module):
    """Each heatmap is the picture's brightness, a quarter as large: landmarks lie on the brightest spot."""

    def __init__(self, landmarks):
        super().__init__()
        self.landmarks = landmarks
        self.pool = nn.MaxPool2d(4)
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        bright = self.pool(x.sum(1, keepdim=True)) * self.weight + 10
        return bright.expand(-1, self.landmarks, -1, -1)


def bright(landmarks=68):
    return Bright(landmarks)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two dark pictures with a bright spot, three faces of 68 landmarks which lie on it but for the eyes' corners."""
    folder = tmp_path_factory.mktemp("landmarks")
    (folder / "nets.py").write_text(NETWORK)
    (folder / "data/300w/images").mkdir(parents=True)
    lines = []
    for number, spot in enumerate([(90, 70), (120, 110)]):
        image = np.zeros((200, 240, 3), np.uint8)
        cv2.circle(image, spot, 3, (255, 255, 255), -1)
        assert cv2.imwrite(str(folder / f"data/300w/images/{number}.png"), image)
        for face in range(2 - number):
            points = np.tile(np.array(spot, float), (68, 1))
            points[36, 0] -= 40
            points[45, 0] += 40
            centre = (spot[0] + 7 * face, spot[1] - 5)
            lines.append(",".join(map(str, (f"{number}.png", 0.64, *centre, *points.ravel().tolist()))))
    heading = ",".join(f"column_{place}" for place in range(140))
    (folder / "data/300w/face_landmarks_300w_valid.csv").write_text("\n".join([heading, *lines]))
    entries = [
        {
            "name": "bright",
            "model": {"use": "nets:bright", "task": "landmarks", "input": [256, 256], "colour": "rgb"},
            "dataset": "300w-valid",
            "weights": "own",
        },
        {
            "name": "inside",
            "model": {
                "use": "nets:bright",
                "args": {"landmarks": 29},
                "task": "landmarks",
                "input": [256, 256],
                "colour": "rgb",
            },
            "dataset": "cofw-test",
            "weights": "own",
        },
        {"name": "beside", "predictions": "beside.npy", "dataset": "300w-full-pts"},
    ]
    faces.cofw(folder / "data/cofw/COFW_test_color.mat")
    beside = faces.full_300w(folder / "data/300w")
    np.save(folder / "beside.npy", np.array([*beside.values()]) + 1)
    assert run(written(folder, entries, resamples=20, cost={"latency": False}), "run") == 0
    return folder


def test_the_network_is_run_and_scored(folder: Path) -> None:
    result = next(one for one in hrbench.load(folder / "run") if one.name == "bright")
    scores = {one.quantity.name: one for one in result.scores}
    # 66 of 68 landmarks lie within some pixels of the spot, two are 40 px away from it: of 80 px
    assert scores["nme"].n == 3 and 0.0147 <= (scores["nme"].value or 0) < 0.06
    points = np.load(folder / "run/entries/bright/predictions.npy")
    assert points.shape == (3, 68, 2) and np.array_equal(points, np.rint(points))
    assert np.abs(points[:2] - [90, 70]).max() <= 4 and np.abs(points[2] - [120, 110]).max() <= 4
    assert result.provenance.protocol["name"] == "hrnet-face" and any(result.drawings)


def test_images_inside_a_matlab_file_are_run(folder: Path) -> None:
    result = next(one for one in hrbench.load(folder / "run") if one.name == "inside")
    assert result.scores[0].n == 3 and result.scores[0].value is not None
    assert np.load(folder / "run/entries/inside/predictions.npy").shape == (3, 29, 2) and any(result.drawings)
    assert "COFW" in (folder / "run/report.md").read_text()


def test_files_beside_their_images_are_scored_from_0(folder: Path) -> None:
    result = next(one for one in hrbench.load(folder / "run") if one.name == "beside")
    found = {one.quantity.name: one for one in result.scores}
    assert found["nme"].n == 6 and found["nme/common"].n == 4 and found["nme/challenge"].n == 2
    notes = " ".join(map(str, result.notes))
    assert "(1.00, 1.00) px from the annotated ones" in notes and "(option origin: 0)" in notes
    assert "lfpw/testset: 2 faces; 300W has 224 there" in notes


def test_a_prediction_is_that_of_the_crop_alone(folder: Path) -> None:
    image = cv2.imread(str(folder / "data/300w/images/0.png"))
    assert image is not None
    centre, scale = np.array([97.0, 65.0], np.float32), 0.64 * 1.25
    crop = geometry.crop(image, centre, scale, 256).astype(np.float32)
    heatmap = crop.sum(axis=2).reshape(64, 4, 64, 4).max(axis=(1, 3))
    found, _ = geometry.decode(heatmap[None], centre, scale)
    points = np.load(folder / "run/entries/bright/predictions.npy")
    assert np.abs(points[1] - found[0]).max() <= 1
