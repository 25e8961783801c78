"""NME by hand: faces in HRNet's CSV files with subsets, in WFLW's own list, each length, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrbench.errors import InputError, UsageError
from hrbench.formats.landmarks import ATTRIBUTES, read_faces
from hrbench.metrics.points.nme import Nme, sizes
from hrbench.types import Prediction

OUTER = {68: (36, 45), 98: (60, 72), 29: (8, 9)}


def faces(many: int, landmarks: int, apart: float = 100.0) -> np.ndarray:
    """(many, landmarks, 2): outer corners of the eyes `apart`, all else in the box of 200 x 100 px."""
    rng = np.random.default_rng(landmarks)
    points = rng.uniform([0, 0], [200, 100], (many, landmarks, 2))
    points[:, 0], points[:, 1] = [0, 0], [200, 100]
    if landmarks in OUTER:
        left, right = OUTER[landmarks]
        points[:, left], points[:, right] = [50, 40], [50 + apart, 40]
    return points


def csv_lines(points: np.ndarray, names: list[str], sizes: list[float] | None = None) -> list[str]:
    lines = []
    for number, (name, face) in enumerate(zip(names, points, strict=True)):
        own = [] if sizes is None else [sizes[number]]
        lines.append(",".join(map(str, (name, 1.5, *own, 100.0, 50.0, *face.ravel().tolist()))))
    return lines


def write(path: Path, lines: list[str]) -> Path:
    heading = ",".join(f"column_{number}" for number in range(len(lines[0].split(","))))
    path.write_text("\n".join([heading, *lines]) + "\n")
    return path


def scored(path: Path, points: np.ndarray, images: list[str] | None = None, **options: Any) -> dict[str, Any]:
    metric = Nme(**options)
    np.save(path.parent / "predictions.npy", points)
    target = metric.read_target(path)
    found = metric.read_predictions(path.parent / "predictions.npy", target)
    state = metric.measure(found, target, images)
    scores = {one.quantity.name: one for one in metric.summarise(state, 0)}
    checked = metric.verify(path, path.parent / "predictions.npy", images)
    assert {name: one.value for name, one in scores.items()} == {n: None if v != v else v for n, v in checked.items()}
    return {**scores, "notes": metric.input_notes(found, target, state)}


def moved(points: np.ndarray, shares: list[float], size: float = 100.0) -> np.ndarray:
    """Each face moved to the right by its share of a length."""
    return points + np.array([[share * size, 0.0] for share in shares])[:, None]


def test_numbers_of_four_faces(tmp_path: Path) -> None:
    points = faces(4, 68)
    path = write(tmp_path / "faces.csv", csv_lines(points, ["a/1.jpg", "a/1.jpg", "b.png", "c.png"]))
    found = scored(path, moved(points, [0.02, 0.05, 0.09, 0.2]))
    assert found["nme"].value == pytest.approx(0.09) and found["nme"].n == 4
    assert found["fr@0.08"].value == 0.5 and found["fr@0.1"].value == 0.25
    assert found["auc@0.1"].value == pytest.approx((0.8 + 0.5 + 0.1) / 4)
    assert found["auc@0.08"].value == pytest.approx((0.75 + 0.375) / 4)
    alone = scored(path, moved(points, [0.02, 0.05, 0.09, 0.2]), images=["a/1.jpg"])
    assert alone["nme"].value == pytest.approx(0.035) and alone["nme"].n == 2


def test_the_area_is_what_a_fine_sum_over_the_curve_gives(tmp_path: Path) -> None:
    points, rng = faces(60, 68), np.random.default_rng(0)
    shares = rng.exponential(0.05, 60).tolist()
    path = write(tmp_path / "faces.csv", csv_lines(points, [f"{n}.jpg" for n in range(60)]))
    found = scored(path, moved(points, shares))
    steps = np.linspace(0, 0.1, 200_001)
    curve = (np.array(shares)[None, :] <= steps[:, None]).mean(axis=1)
    assert found["auc@0.1"].value == pytest.approx(np.trapezoid(curve, steps) / 0.1, abs=1e-5)


@pytest.mark.parametrize(
    ("normalise", "size"),
    [("outer_eyes", 100.0), ("box", (200 * 100) ** 0.5), ("diagonal", (200**2 + 100**2) ** 0.5), (None, 100.0)],
)
@pytest.mark.parametrize("landmarks", [29, 68, 98])
def test_each_length(tmp_path: Path, landmarks: int, normalise: Any, size: float) -> None:
    points = faces(2, landmarks)
    path = write(tmp_path / "faces.csv", csv_lines(points, ["1.jpg", "2.jpg"]))
    found = scored(path, moved(points, [0.1, 0.3]), normalise=normalise)
    assert found["nme"].value == pytest.approx(20 / size)


def test_pupils_are_marked_or_the_middle_of_the_eye(tmp_path: Path) -> None:
    points = faces(1, 68)
    points[:, 36:42], points[:, 42:48] = [60, 40], [100, 70]  # 50 px apart
    path = write(tmp_path / "faces.csv", csv_lines(points, ["1.jpg"]))
    assert scored(path, moved(points, [0.1], 50.0), normalise="pupils")["nme"].value == pytest.approx(0.1)
    points = faces(1, 98)
    points[:, 96], points[:, 97] = [60, 40], [100, 70]
    assert sizes(read_faces(write(path, csv_lines(points, ["1.jpg"]))), "pupils").tolist() == [50.0]


def test_aflw_has_the_size_of_its_boxes(tmp_path: Path) -> None:
    points = faces(2, 19)
    path = write(tmp_path / "aflw.csv", csv_lines(points, ["1.jpg", "2.jpg"], [80.0, 120.0]))
    found = scored(path, points + np.array([12.0, 0.0]))
    assert found["nme"].value == pytest.approx((12 / 80 + 12 / 120) / 2)
    assert "annotated size" in found["nme"].quantity.description
    target = read_faces(path)
    assert target.scale.tolist() == [1.5, 1.5] and target.centre.tolist() == [[100.0, 50.0]] * 2
    with pytest.raises(UsageError, match="known for faces of 29, 68, 98 landmarks"):
        scored(path, points, normalise="outer_eyes")


def test_subsets_are_the_files_beside_a_list(tmp_path: Path) -> None:
    points = faces(4, 68)
    lines = csv_lines(points, ["1.jpg", "2.jpg", "2.jpg", "3.jpg"])
    path = write(tmp_path / "valid.csv", lines)
    write(tmp_path / "valid_common.csv", lines[:2])
    write(tmp_path / "valid_challenge.csv", lines[2:])
    write(tmp_path / "other.csv", lines[:1])
    found = scored(path, moved(points, [0.01, 0.03, 0.1, 0.2]), per_landmark=True)
    assert found["nme/common"].value == pytest.approx(0.02) and found["nme/challenge"].value == pytest.approx(0.15)
    assert found["nme/challenge"].n == 2 and found["nme/landmark_67"].value == pytest.approx(0.085)
    one = scored(path, moved(points, [0.01, 0.03, 0.1, 0.2]), images=["1.jpg"])
    assert one["nme/challenge"].value is None and str(one["nme/challenge"].reason) == "challenge has no face"
    side = Nme.by_image(Nme().measure(moved(points, [0, 0, 0, 0.1]), read_faces(path)), True)
    assert side.overall == 5 and side.names[5:8] == ("nme/challenge", "nme/common", "nme/landmark_0")
    write(tmp_path / "valid_common.csv", [line.replace("1.5", "1.6") for line in lines[:2]])
    with pytest.raises(InputError, match=r"valid_common.csv: lists a face that is not in valid.csv"):
        read_faces(path)


def wflw(points: np.ndarray, names: list[str], marks: list[str]) -> str:
    rows = []
    for face, name, mark in zip(points, names, marks, strict=True):
        rows.append(" ".join([*map(str, face.ravel().tolist()), "10", "20", "110", "100", *mark, name]))
    return "\n".join(rows) + "\n"


def test_wflws_own_list(tmp_path: Path) -> None:
    points, path = faces(3, 98), tmp_path / "list_98pt_rect_attr_test.txt"
    path.write_text(wflw(points, ["1--Parade/a.jpg", "1--Parade/b.jpg", "c.jpg"], ["100000", "100010", "000001"]))
    target = read_faces(path)
    assert list(target.subsets) == list(ATTRIBUTES) and target.subsets["largepose"].tolist() == [True, True, False]
    assert target.centre.tolist() == [[60.0, 60.0]] * 3 and target.scale.tolist() == [0.5] * 3
    found = scored(path, moved(points, [0.02, 0.04, 0.06]))
    assert found["nme"].value == pytest.approx(0.04) and found["nme/largepose"].value == pytest.approx(0.03)
    assert found["nme/occlusion"].value == pytest.approx(0.04) and found["nme/makeup"].value is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lists no face"),
        ("1 2 3\n", r":1: has 3 fields; WFLW's list has 207"),
        (" ".join(["1"] * 200 + ["0"] * 6 + ["a.jpg"]), "the box has no area"),
        (" ".join(["1"] * 198 + ["9", "9"] + ["2"] * 6 + ["a.jpg"]), "an attribute is neither 0 nor 1"),
    ],
)
def test_faults_of_wflws_list(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=told):
        read_faces(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,a,b,c,d,e\n", "lists no face"),
        ("a,b\nc,d\n", "has 2 columns"),
        ("n,a,b,c,d,e\nx.jpg,1,2,3,4\n", r":2: has 5 fields, the heading 6"),
        ("n,a,b,c,d,e\nx.jpg,1,2,3,4,k\n", r":2: a field is no number"),
        ("a.jpg,1,2,3,4,5\nx.jpg,1,2,3,4,5\n", r":1: is a face and no heading"),
        ("n,a,b,c,d,e\nx.jpg,1,2,3,4,inf\n", r":2: a number is not finite"),
        ("n,a,b,c,d,e\nx.jpg,0,2,3,4,5\n", r":2: scale 0"),
        ("n,a,b,c,d,e\n../x.jpg,1,2,3,4,5\n", r":2: '../x.jpg' is no name"),
        ('n,a,b,c,d,e\n"x.jpg,1,2,3,4,5\n', "is no CSV file"),
    ],
)
def test_faults_of_a_csv(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_faces(tmp_path / "faces.csv")
    with pytest.raises(InputError, match=r"faces.json: is no list of faces; HRNet's"):
        read_faces(tmp_path / "faces.json")


def test_faults_of_predictions(tmp_path: Path) -> None:
    points = faces(2, 68)
    path = write(tmp_path / "faces.csv", csv_lines(points, ["1.jpg", "2.jpg"]))
    assert scored(path, points[:1], images=["1.jpg"])["nme"].value == 0
    with pytest.raises(InputError, match=r"face 1 \(image 2.jpg\): no prediction"):
        scored(path, points[:1])
    with pytest.raises(InputError, match=r"the annotation asks for \(2, 68, 2\)"):
        scored(path, points[:, :29])
    with pytest.raises(InputError, match="face 0, landmark 3: infinite"):
        points[0, 3] = np.inf
        scored(path, points)
    (tmp_path / "predictions.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="cannot be read as a NumPy file"):
        Nme().read_predictions(tmp_path / "predictions.npy", read_faces(path))
    with pytest.raises(InputError, match="predicted twice"):
        Nme().write_predictions([Prediction("1.jpg", [{"index": 0, "keypoints": [1, 2, 1]}] * 2)], tmp_path / "x.npy")


def test_a_shift_of_one_pixel_is_told(tmp_path: Path) -> None:
    points = faces(3, 68)
    path = write(tmp_path / "faces.csv", csv_lines(points, ["1.jpg", "2.jpg", "3.jpg"]))
    assert [note.kind for note in scored(path, points - 1)["notes"]] == ["shifted"]
    assert [note.kind for note in scored(path, points[..., ::-1])["notes"]] == ["exchanged"]
    (told,) = scored(path, points / 4)["notes"]
    assert told.kind == "rescaled" and "4 times as large" in told.what and scored(path, points)["notes"] == []
    assert scored(path, points + np.array([1.0, 0.0]))["notes"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"normalise": "nose"}, "normalise 'nose'"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [1, 1 + 1e-7]}, "once"),
    ],
)
def test_options_say_what_they_take(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Nme(**options)


def test_a_face_without_a_length_is_refused(tmp_path: Path) -> None:
    points = faces(1, 68, apart=0.0)
    path = write(tmp_path / "faces.csv", csv_lines(points, ["1.jpg"]))
    with pytest.raises(InputError, match="face 0: the distance of the outer corners of the eyes is 0"):
        scored(path, points)
    with pytest.raises(UsageError, match="has no size of boxes"):
        scored(path, points, normalise="annotated")
