"""PCK, its area and end-point errors against the record of mmpose: PCK and area to the last bit, through files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hrbench.formats.landmarks import FaceList
from hrbench.metrics.points.keypoint_pck import Pck
from hrbench.metrics.points.nme import Nme

SEEDS = range(12)


@pytest.fixture(scope="module")
def record(golden_folder: Path) -> dict[str, np.ndarray]:
    with np.load(golden_folder / "points/mmpose.npz") as stored:
        return {name: stored[name] for name in stored.files}


def written(folder: Path, truth: np.ndarray, points: np.ndarray, mask: np.ndarray, size: np.ndarray) -> Path:
    """The case as COCO files, a person a picture; 0 stands where a joint is not annotated."""
    people, results = [], []
    for number, side in enumerate(size.tolist()):
        seen = np.where(mask[number][:, None], truth[number], 0.0)
        joints = np.concatenate([seen, 2.0 * mask[number][:, None]], axis=1)
        row = {"image_id": number + 1, "category_id": 1}
        told = {
            "area": side * side / 2,
            "bbox": [0, 0, side / 2, side],
            "iscrowd": 0,
            "num_keypoints": int(mask[number].sum()),
        }
        people.append({**row, **told, "id": number + 1, "keypoints": joints.ravel().tolist()})
        guess = np.concatenate([points[number], np.ones((17, 1))], axis=1)
        results.append({**row, "score": 0.5, "keypoints": guess.ravel().tolist()})
    images = [{"id": number + 1} for number in range(len(size))]
    content = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (folder / "truth.json").write_text(json.dumps(content))
    (folder / "results.json").write_text(json.dumps(results[::-1]))
    return folder


@pytest.mark.parametrize("seed", SEEDS)
def test_it_gives_the_numbers_of_mmpose(record, seed: int, tmp_path: Path) -> None:
    truth, points, mask, size = (record[f"{seed}/{name}"] for name in ("truth", "predicted", "mask", "size"))
    folder, metric = written(tmp_path, truth, points, mask, size), Pck(per_joint=True)
    target = metric.read_target(folder / "truth.json")
    state = metric.measure(metric.read_predictions(folder / "results.json", target), target)
    found = {one.quantity.name: one.value for one in metric.summarise(state, 0)}
    assert [found[f"pck@{t:g}"] for t in (0.05, 0.2, 0.5)] == record[f"{seed}/mean"].tolist()
    for row, threshold in zip(record[f"{seed}/each"].tolist(), (0.05, 0.2, 0.5), strict=True):
        own = [found[f"pck@{threshold:g}/{joint}"] for joint in target.joints]
        assert own == [None if value == -1 else value for value in row]
    assert found["auc"] == float(record[f"{seed}/auc"])
    assert found["epe"] == pytest.approx(float(record[f"{seed}/epe"]), rel=2e-7 * len(size) * 17)  # sums of float32
    assert found == metric.verify(folder / "truth.json", folder / "results.json") | {
        k: None for k, v in found.items() if v is None
    }


def test_the_record_has_joints_at_a_threshold(record) -> None:
    """Where < and <= would differ, so that the test above can tell them apart."""
    ties = 0
    for seed in SEEDS:
        truth, points, mask, size = (record[f"{seed}/{name}"] for name in ("truth", "predicted", "mask", "size"))
        distance = np.linalg.norm((points - truth) / size[:, None, None], axis=2).astype(np.float32)
        ties += int(np.isin(distance[mask], np.float32([0.05, 0.2, 0.5])).sum())
    assert ties > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_nme_is_that_of_mmpose(record, seed: int) -> None:
    """mmpose adds float32 over all joints that are annotated: each of them is here a face of one landmark."""
    truth, points, mask, size = (record[f"{seed}/{name}"] for name in ("truth", "predicted", "mask", "size"))
    many = int(mask.sum())
    own, guess, of = truth[mask][:, None], points[mask][:, None], np.repeat(size, mask.sum(axis=1))
    names = np.array([f"{number:03d}.jpg" for number in range(many)])
    faces = FaceList(Path("faces.csv"), names, own, np.ones(many), np.zeros((many, 2)), of, {})
    metric = Nme(normalise="annotated")
    scores = metric.summarise(metric.measure(guess, faces), 0)
    assert scores[0].quantity.name == "nme"
    assert scores[0].value == pytest.approx(float(record[f"{seed}/nme"]), rel=2e-7 * many)
