"""Why NME is what it is: every table against loops over faces and landmarks, and schemes of public sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrbench.formats.face_list import FaceList
from hrbench.formats.face_schemes import SCHEMES
from hrbench.metrics.points.nme import OUTER_EYES, PUPILS, Nme
from hrbench.store.analyses import fault_of


def drawn(seed: int, landmarks: int = 68, many: int = 8) -> tuple[FaceList, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (many, landmarks, 2))
    guess = points + rng.normal(0, 1, points.shape) * rng.uniform(0, 12, (many, 1, 1))
    if landmarks in SCHEMES:
        guess[1] = points[1][SCHEMES[landmarks].mirror()]
    subsets = {"hard": np.arange(many) % 3 == 0, "nobody": np.zeros(many, bool)}
    image = np.array([f"{name}.jpg" for name in rng.permutation(list("aabcdefgh"))[:many]])
    hidden = rng.random((many, landmarks)) < 0.2 if landmarks == 29 else None
    zeros = np.zeros((many, 2))
    return FaceList(Path("faces.csv"), image, points, zeros[:, 0], zeros, None, subsets, hidden), guess


def explained(target: FaceList, guess: np.ndarray, **options: Any) -> tuple[dict[str, Any], Any, Nme]:
    metric = Nme("diagonal", **options)
    state = metric.measure(guess, target)
    analysis = metric.analyse(guess, target, state)
    assert fault_of(analysis) == "" and analysis.version == Nme.analysis_version
    return {one.key: one for one in analysis.sections}, state, metric


def lengths(target: FaceList, guess: np.ndarray, mirror: list[int]) -> list[list[float]]:
    """Of each face the distance of each landmark from that of `mirror`, over the diagonal of the face."""
    rows = []
    for face, points in zip(target.points, guess, strict=True):
        size = np.hypot(*(face.max(axis=0) - face.min(axis=0)))
        rows.append([np.hypot(*(points[place] - face[other])) / size for place, other in enumerate(mirror)])
    return rows


@pytest.mark.parametrize("landmarks", [68, 29])
def test_landmarks_and_regions_against_loops(landmarks: int) -> None:
    target, guess = drawn(landmarks, landmarks)
    found, _, _ = explained(target, guess, thresholds=[0.02, 0.1])
    mirror = SCHEMES[landmarks].mirror().tolist()
    own, other = (lengths(target, guess, places) for places in (list(range(landmarks)), mirror))
    total = sum(map(sum, own))

    def expected(places: list[int]) -> list[float]:
        mine = [face[place] for face in own for place in places]
        pairs = [(a[p], b[p]) for a, b in zip(own, other, strict=True) for p in places if mirror[p] != p]
        across = np.mean([b < a for a, b in pairs]) if pairs else np.nan
        above = np.mean([one > 0.1 for one in mine])
        return [100 * np.mean(mine), 100 * np.median(mine), above, across, sum(mine) / total]

    for place, row in enumerate(found["landmarks"].values.tolist()):
        assert row == pytest.approx(expected([place]), nan_ok=True)
    for (name, places), row in zip(SCHEMES[landmarks].regions.items(), found["regions"].values.tolist(), strict=True):
        assert row == pytest.approx([len(places), *expected(list(places))], nan_ok=True), name
    assert found["landmarks"].values[:, 4].sum() == pytest.approx(1)
    assert found["landmarks"].rows[0] == f"landmark 0 ({next(iter(SCHEMES[landmarks].regions))})"
    assert ("visibility" in found) == (landmarks == 29)
    if target.hidden is not None:
        for row, flag in zip(found["visibility"].values.tolist(), (False, True), strict=True):
            mine = np.array(own)[target.hidden == flag]
            assert row == pytest.approx([len(mine), 100 * mine.mean(), 100 * np.median(mine), (mine > 0.1).mean()])


def test_faces_and_curves_are_those_of_the_score() -> None:
    target, guess = drawn(4)
    found, state, metric = explained(target, guess, thresholds=[0.05, 0.1])
    scores = {one.quantity.name: one.value for one in metric.summarise(state, 0)}
    faces, curve = found["faces"], found["ced"]
    row = dict(zip(faces.columns, faces.values[0].tolist(), strict=True))
    assert row["faces"] == 8 and row["mean error (%)"] == pytest.approx(100 * scores["nme"])
    for one, name in ((0.05, "5"), (0.1, "10")):
        assert row[f"failures at {name} %"] == pytest.approx(scores[f"fr@{one:g}"])
        assert row[f"AUC to {name} %"] == pytest.approx(scores[f"auc@{one:g}"])
        assert curve.y[0, round(one / 0.1 * 50)] == pytest.approx(1 - scores[f"fr@{one:g}"])
    assert row["exchanged"] == pytest.approx(1 / 8)  # the second face
    assert faces.values[1, 1] == pytest.approx(100 * scores["nme/hard"])
    assert faces.values[2, 0] == 0 and np.isnan(faces.values[2, 1:]).all() and np.isnan(curve.y[2]).all()
    nme = np.mean(lengths(target, guess, list(range(68))), axis=1)
    by_image = {name: nme[target.image == name] for name in set(target.image.tolist())}
    order = sorted(by_image, key=lambda name: (-by_image[name].mean(), name))
    assert found["images"].rows == tuple(order)
    assert found["images"].values[:, 1].tolist() == pytest.approx([100 * by_image[name].mean() for name in order])
    assert found["images"].values[:, 0].tolist() == [len(by_image[name]) for name in order]


def test_faces_of_an_unknown_scheme_have_no_sides_and_no_regions() -> None:
    found, _, _ = explained(*drawn(3, landmarks=11))
    assert "regions" not in found and found["landmarks"].rows[0] == "landmark 0"
    assert "not known" in found["landmarks"].reasons[0, 3] and "not known" in found["faces"].reasons[0, 8]


@pytest.mark.parametrize("many", SCHEMES)
def test_schemes_part_the_landmarks_and_mirror_within_regions(many: int) -> None:
    scheme = SCHEMES[many]
    assert sorted(place for places in scheme.regions.values() for place in places) == list(range(many))
    flat = [place for pair in scheme.pairs for place in pair]
    assert len(flat) == len(set(flat))
    mirror, region = scheme.mirror(), scheme.region_of()
    assert all(region[one] == region[other] for one, other in scheme.pairs)
    if many in OUTER_EYES:
        left, right = OUTER_EYES[many]
        assert mirror[left] == right
        assert sorted(mirror[list(PUPILS[many][0])].tolist()) == sorted(PUPILS[many][1])
