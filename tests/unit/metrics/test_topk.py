"""Top-1 and Top-5: against a count by hand, several valid labels, the devkit's ids, and every fault of a CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from hrbench.errors import HrbenchError, InputError, MissingError
from hrbench.metrics.topk import TopK
from hrbench.types import Measurement, Prediction

HEADING = "image,label_1,label_2,label_3,label_4,label_5"


def scored(truth: Path, predictions: str, metric: TopK | None = None) -> dict[str, Measurement]:
    """Scores of a CSV given as text, which its oracle has confirmed."""
    metric = metric or TopK()
    path = truth.with_name("predictions.csv") if truth.is_file() else truth.parent / "predictions.csv"
    path.write_text(predictions)
    target = metric.read_target(truth)
    state = metric.measure(metric.read_predictions(path, target), target)
    checked = metric.verify(truth, path)
    scores = {score.quantity.name: score for score in metric.summarise(state, 50)}
    for name, score in scores.items():
        assert score.value == (None if checked[name] != checked[name] else checked[name])
    return scores


def truth_of(folder: Path, content: Any) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps(content))
    return path


@settings(max_examples=40)
@given(data=st.data())
def test_shares_are_those_counted_by_hand(tmp_path: Path, data) -> None:
    valid = data.draw(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=8))
    rows = [data.draw(st.permutations(range(10))) for _ in valid]
    truth = truth_of(tmp_path, {f"i{n}": labels for n, labels in enumerate(valid)})
    text = "\n".join([HEADING, *(f"i{n}.png,{','.join(map(str, row[:5]))}" for n, row in enumerate(rows))])
    scores = scored(truth, text)
    counted = [(labels, row) for labels, row in zip(valid, rows, strict=True) if labels]
    for k in (1, 5):
        score = scores[f"top{k}"]
        if counted:
            hits = sum(1 for labels, row in counted if set(labels) & set(row[:k]))
            assert score.value == hits / len(counted) and score.n == len(counted)
        else:
            assert score.value is None and "no image has a valid class" in str(score.reason)


def test_images_without_a_valid_label_are_left_out(tmp_path: Path) -> None:
    """ImageNet-ReaL's rule, on names by their place in the list."""
    truth = truth_of(tmp_path, [[3, 7], [], [1]])
    lines = [f"ILSVRC2012_val_0000000{n}.JPEG,{label}" for n, label in ((1, 7), (2, 5), (3, 2))]
    scores = scored(truth, "image,label\n" + "\n".join(lines))
    assert scores["top1"].value == 0.5 and scores["top1"].n == 2
    assert scores["top5"].value is None
    assert str(scores["top5"].reason) == "the predictions name 1 class for an image; Top-5 needs 5"


def test_predictions_of_class_folders_are_judged_by_a_list_without_folders(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [[1], [0]])
    text = "image,label\nn01/ILSVRC2012_val_00000001,1\nn02/ILSVRC2012_val_00000002.JPEG,1\n"
    assert scored(truth, text)["top1"].value == 0.5


def test_labels_are_in_the_order_of_their_numbers_wherever_they_stand(tmp_path: Path) -> None:
    """`scored` has it confirmed; "label_10" sorts before "label_2"."""
    truth = truth_of(tmp_path, {"a": [9], "b": [9]})
    heading = ",".join(["image", *(f"label_{k}" for k in range(10, 0, -1))])
    scores = scored(truth, f"{heading}\na,9,8,7,6,5,4,3,2,1,0\nb,9,8,7,6,5,4,3,2,1,0\n")
    assert (scores["top1"].value, scores["top5"].value) == (0.0, 0.0)
    scores = scored(truth, "image,score,class\na,0.5,9\nb,0.5,3\n")
    assert (scores["top1"].value, scores["top5"].value) == (0.5, None)


def test_fewer_than_five_classes_have_a_top_5(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "val" / name).mkdir(parents=True)
        (tmp_path / "val" / name / "1.png").touch()
    scores = scored(tmp_path / "val", "image,label_1,label_2\ncat/1,1,0\ndog/1,1,0\n")
    assert scores["top1"].value == 0.5 and scores["top5"].value == 1.0


def test_class_folders_names_of_classes_and_short_names(tmp_path: Path) -> None:
    for file in ("n01/a.JPEG", "n02/b.JPEG", "n02/sub/c.JPEG"):
        (tmp_path / "val" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "val" / file).touch()
    text = "image,label,score\n./n01/a.JPEG,n01,0.5\nb,1,1e-3\nn02/sub/c,n01,1\n"
    assert scored(tmp_path / "val", text)["top1"].value == pytest.approx(2 / 3)


def test_the_devkits_ids_are_mapped_by_its_meta_mat(tmp_path: Path) -> None:
    """Ids 1 and 2 are not places 0 and 1 of the sorted synsets; the inner node with id 3 is no class."""
    truth = tmp_path / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n2\n1\n")
    text = "image,label\n" + "".join(
        f"ILSVRC2012_val_0000000{n}.JPEG,{label}\n" for n, label in ((1, 1), (2, 0), (3, 0))
    )
    with pytest.raises(InputError, match=r"ids of the ILSVRC devkit, not the networks' order.*meta.mat"):
        scored(truth, text)
    rows = np.empty((3, 1), dtype=[(name, object) for name in ("ILSVRC2012_ID", "WNID", "num_children")])
    for place, row in enumerate([(1.0, "n02119789", 0.0), (2.0, "n01440764", 0.0), (3.0, "n00001740", 2.0)]):
        rows[place, 0] = row
    savemat(tmp_path / "meta.mat", {"synsets": rows})
    assert scored(truth, text)["top1"].value == pytest.approx(2 / 3)
    truth.write_text("1\n3\n1\n")
    with pytest.raises(InputError, match=r"line 2: .*meta.mat has no class with the id 3"):
        scored(truth, text)


@pytest.mark.parametrize("damage", [b"", b"MATLAB", None])
def test_a_meta_mat_that_is_none(tmp_path: Path, damage: bytes | None) -> None:
    truth = tmp_path / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n")
    if damage is None:
        savemat(tmp_path / "meta.mat", {"synsets": np.eye(3)})
    else:
        (tmp_path / "meta.mat").write_bytes(damage)
    with pytest.raises(InputError, match=r"meta.mat: it is not the ILSVRC devkit's"):
        TopK().read_target(truth)


def test_kaggles_form_for_inaturalist(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 4, "file_name": "x/a.jpg"}, {"id": 6, "file_name": "x/b.jpg"}],
        "categories": [{"id": n, "name": str(n)} for n in range(8)],
        "annotations": [{"image_id": 4, "category_id": 3}, {"image_id": 6, "category_id": 1}],
    }
    scores = scored(truth_of(tmp_path, content), "id,predicted\n4,0 3 2 5 6\nx/b.jpg,1 2 3 4 5\n")
    assert (scores["top1"].value, scores["top5"].value) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line is no heading"),
        ("a,0\nb,1\n", "its first line is no heading such as image,label_1"),
        ("image,lable_1,label_2\na,0,1\nb,1,0\n", "its heading has label_2 and no label_1: 'image,lable_1,label_2'"),
        ("image,label_1,label_1\na,0,1\nb,1,0\n", "its heading has 'label_1' twice"),
        ("image,label_1,score_1,score_1\na,0,1,1\nb,1,0,1\n", "its heading has 'score_1' twice"),
        ("image,label\na,0\n", "no prediction for image b$"),
        ("image,label\na,0\nz,1\n", "line 3: image 'z' is not one of the 2"),
        ("image,label\na,0\na.png,1\n", "line 3: image 'a.png' was there before, in line 2"),
        ("image,label\na\nb,1\n", "line 2: 1 fields, but the heading has 2"),
        ("image,label\na,cow\nb,1\n", "line 2: 'cow' is neither the index of a class, from 0, nor the name of one"),
        ("image,label\na,-1\nb,1\n", "line 2: '-1' is neither"),
        ("image,label,score\na,1,much\nb,1,1\n", "line 2: the score 'much' is no finite number"),
        ("image,label,score\na,1,nan\nb,1,1\n", "line 2: the score 'nan' is no finite number"),
        ("id,predicted\na,1 2\nb,1\n", "line 3: 1 labels, but 2 in the lines before"),
    ],
)
def test_faults_of_a_csv_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        scored(truth_of(tmp_path, {"a": [0], "b": [1]}), text)
    assert str(tmp_path / "predictions.csv") in str(caught.value) and "\n" not in str(caught.value)


def test_a_class_out_of_range_is_named(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, {"a": [0], "b": [1]})
    with pytest.raises(InputError, match="line 3: class 2 of 2; they are counted from 0"):
        scored(truth, "image,label\na,0\nb,2\n", TopK(["cat", "dog"]))


def test_what_is_not_there(tmp_path: Path) -> None:
    metric = TopK()
    target = metric.read_target(truth_of(tmp_path, {"a": [0]}))
    with pytest.raises(MissingError, match=r"none.csv: there is no such file; it should be predictions in CSV"):
        metric.read_predictions(tmp_path / "none.csv", target)
    with pytest.raises(InputError, match="'z', asked for, is not one of its 1"):
        metric.measure(metric.read_predictions(written(metric, tmp_path, [("a", [0])]), target), target, ["z"])


def written(metric: TopK, folder: Path, rows: list[tuple[str, list[int]]]) -> Path:
    path = folder / "written.csv"
    metric.write_predictions((Prediction(n, (np.array(c), np.full(len(c), 1 / 3))) for n, c in rows), path)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    metric = TopK()
    names = ['a,"b"/c d', "é", "3"]
    target = metric.read_target(truth_of(tmp_path, {name: [2] for name in names}))
    path = written(metric, tmp_path, [(name, [n, 2, 5]) for n, name in enumerate(names)])
    read = metric.read_predictions(path, target)
    assert target.ids[read.row].tolist() == names and read.labels.tolist() == [[0, 2, 5], [1, 2, 5], [2, 2, 5]]
    assert read.confidence.tolist() == [1 / 3] * 3  # to the last bit
    assert path.read_text().startswith("image,label_1,label_2,label_3,score_1,score_2,score_3\n")


@pytest.mark.parametrize(
    ("second", "message"),
    [(([1], [0.5]), "image b: 1 classes were predicted, 2 for others"), (([1, 2], [0.5, np.nan]), "not finite")],
)
def test_predictions_that_no_reader_would_take(tmp_path: Path, second: Any, message: str) -> None:
    path = tmp_path / "predictions.csv"
    with pytest.raises(InputError, match=message):
        TopK().write_predictions([Prediction("a", ([1, 2], [0.5, 0.2])), Prediction("b", second)], path)
    assert not list(tmp_path.iterdir())


def test_sure_mistakes_are_the_worst(tmp_path: Path) -> None:
    metric = TopK()
    target = metric.read_target(truth_of(tmp_path, {"sure": [9], "unsure": [9], "second": [1], "right": [0]}))
    path = tmp_path / "p.csv"
    path.write_text("image,label_1,label_2,score_1\nsure,0,1,0.99\nunsure,0,1,0.4\nsecond,0,1,0.9\nright,0,1,0.3\n")
    qualities = metric.qualities(metric.measure(metric.read_predictions(path, target), target))
    assert sorted(qualities, key=qualities.__getitem__) == ["sure", "unsure", "second", "right"]
    assert qualities["right"] == 1.0 and qualities["second"] == 0.5


@settings(max_examples=80)
@given(
    content=st.one_of(
        st.binary(max_size=80),
        st.lists(
            st.sampled_from(
                [HEADING, "image,label", "id,predicted", "a,0", "b,1,2,3,4,5", 'a,"', "b,1 2", "\x00", "label"]
            )
        ).map(lambda lines: "\n".join(lines).encode()),
    )
)
def test_any_csv_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    metric = TopK()
    target = metric.read_target(truth_of(tmp_path, {"a": [0], "b": [1]}))
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        predictions = metric.read_predictions(path, target)
    except HrbenchError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert len(predictions.row) == len(predictions.labels) == len(predictions.confidence) <= 2


def shift_told(folder: Path, truth: list[list[int]], first: np.ndarray) -> dict[str, str]:
    metric = TopK()
    target = metric.read_target(truth_of(folder, {f"i{n:05}": labels for n, labels in enumerate(truth)}))
    lines = [f"i{n:05}.png,{label}" for n, label in enumerate(first.tolist()) if label >= 0]
    path = folder / "first.csv"
    path.write_text("\n".join(["image,label", *lines]))
    predictions = metric.read_predictions(path, target)
    images = [f"i{n:05}" for n, label in enumerate(first.tolist()) if label >= 0]
    notes = metric.input_notes(predictions, target, metric.measure(predictions, target, images))
    return {note.kind: note.what for note in notes}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("by", "words"), [(1, "too large by one"), (-1, "too small by one")])
def test_classes_that_are_shifted_by_one_are_told(by: int, words: str, seed: int, tmp_path: Path) -> None:
    """1 to 1000 in place of 0 to 999, or the other way round, of networks of many kinds."""
    rng = np.random.default_rng(seed)
    classes = (4, 10, 100, 1000)[seed]
    own = rng.integers(0, classes, 400)
    first = np.where(rng.random(400) < (0.95, 0.6, 0.8, 0.4)[seed], own, rng.integers(0, classes, 400)) + by
    truth = [[label, int(rng.integers(0, classes))] if rng.random() < 0.1 else [label] for label in own.tolist()]
    truth[::7] = [[]] * len(truth[::7])  # without a valid class
    said = shift_told(tmp_path, truth, np.maximum(first, 0) if by > 0 else first)
    assert said == {"misread_classes": f"predicted classes look {words}"}


@pytest.mark.parametrize("seed", range(16))
def test_classifiers_good_and_bad_are_left_alone(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    classes, images = (2, 3, 10, 1000)[seed % 4], (12, 60, 300)[seed % 3]
    own = rng.choice(classes, images, p=rng.dirichlet(np.full(classes, 0.5)))  # some classes are frequent
    by_chance = rng.integers(0, classes, images)
    good = np.where(rng.random(images) < rng.uniform(0.2, 1), own, by_chance)
    truth = [[label] for label in own.tolist()]
    neighbour = np.where(rng.random(images) < 0.6, own, np.minimum(own + 1, classes - 1))  # of an age, say
    for first in (good, by_chance, neighbour, np.zeros_like(own), np.full_like(own, classes - 1), own[::-1].copy()):
        assert shift_told(tmp_path, truth, first) == {}
    assert shift_told(tmp_path, [[]] * images, by_chance) == {}
