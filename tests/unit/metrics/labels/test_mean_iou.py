"""mIoU and accuracies of any set: closed forms, independent counts, files, what numbers stand for, faults."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_streets import save

from hrbench.errors import InputError, MissingError, UsageError
from hrbench.metrics.labels.mean_iou import MeanIoU, numbers
from hrbench.statistics.bootstrap import LEVEL, resample_counts
from hrbench.types import Measurement, Note, Prediction, State


def put(folder: Path, maps: dict[str, np.ndarray], dtype: Any = np.uint8) -> Path:
    for name, labels in maps.items():
        save(folder / f"{name}.png", np.asarray(labels).astype(dtype))
    return folder


def measured(metric: MeanIoU, folder: Path, images: list[str] | None = None) -> State:
    target = metric.read_target(folder / "labels")
    return metric.measure(metric.read_predictions(folder / "results", target), target, images)


def scores(metric: MeanIoU, state: State, resamples: int = 0) -> dict[str, Measurement]:
    return {score.quantity.name: score for score in metric.summarise(state, resamples)}


def values(metric: MeanIoU, folder: Path) -> dict[str, float | None]:
    return {name: score.value for name, score in scores(metric, measured(metric, folder)).items()}


def test_numbers_by_hand(tmp_path: Path) -> None:
    """Two images; class c is predicted only, class d never occurs, one pixel is ignored."""
    put(tmp_path / "labels", {"a": np.array([[0, 0, 0, 1]]), "b": np.array([[1, 255]])})
    put(tmp_path / "results", {"a": np.array([[0, 0, 1, 1]]), "b": np.array([[2, 0]])})
    metric = MeanIoU(names=["a", "b", "c", "d"])
    found = scores(metric, measured(metric, tmp_path))
    assert {name: score.value for name, score in found.items()} == {
        "mIoU": (2 / 3 + 1 / 3 + 0) / 3,
        "pixel_acc": 3 / 5,
        "mean_acc": (2 / 3 + 1 / 2) / 2,
        "fwIoU": (3 * (2 / 3) + 2 * (1 / 3)) / 5,
        "mIoU_training": (2 / 3 + 1 / 3) / 4,
        "mean_acc_training": (2 / 3 + 1 / 2) / 4,
        "IoU/a": 2 / 3,
        "IoU/b": 1 / 3,
        "IoU/c": 0.0,
        "IoU/d": None,
    }
    assert (found["IoU/a"].n, found["IoU/b"].n, found["IoU/c"].n, found["mIoU"].n) == (1, 2, 1, 2)
    assert str(found["IoU/d"].reason) == "d occurs neither in ground truth nor in predictions of 2 images"
    assert metric.matrix(measured(metric, tmp_path)).tolist() == [
        [2, 1, 0, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert metric.qualities(measured(metric, tmp_path)) == {"a": (2 / 3 + 1 / 2) / 2, "b": 0.0}


def test_nothing_to_judge_has_reasons(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.full((2, 2), 255)})
    put(tmp_path / "results", {"a": np.zeros((2, 2))})
    metric = MeanIoU(classes=2)
    found = scores(metric, measured(metric, tmp_path), 20)
    assert [score.value for score in found.values()] == [None, None, None, None, 0.0, 0.0, None, None]
    assert str(found["mIoU"].reason) == "what is judged occurs neither in ground truth nor in predictions of 1 image"
    assert metric.qualities(measured(metric, tmp_path)) == {}


def draw(seed: int, labels: np.ndarray, classes: int, images: int = 5) -> tuple[dict, dict]:
    """Ground truth of `labels` and predicted class indices, of images of several sizes."""
    rng = np.random.default_rng(seed)
    truth, guess = {}, {}
    for number in range(images):
        size = tuple(rng.integers(3, 30, 2).tolist())
        name = f"{'xy'[number % 2]}/{number:03d}"
        truth[name] = rng.choice(labels, size)
        guess[name] = rng.integers(0, classes, size)
    return truth, guess


SETS: dict[str, dict[str, Any]] = {
    "VOC": {"classes": 21},
    "ADE20K": {"classes": 150, "ids": range(1, 151), "ignore": (0,)},
    "PASCAL-Context 59": {"classes": 59, "ids": range(1, 60), "ignore": (0,)},
    "many classes": {"classes": 300, "ignore": (65535,)},
    "mapped": {"names": ["bed", "wall"], "ids": (12, 7), "mapping": {"3": 0, 900: 1}, "ignore": (0, 255)},
}


@pytest.mark.parametrize("options", SETS.values(), ids=SETS)
def test_sets_against_counts_by_pixel(options: dict[str, Any], tmp_path: Path) -> None:
    metric = MeanIoU(**options)
    classes = len(metric.classes)
    meaning = {label: index for index, label in enumerate(metric.classes.ids)} | dict(metric.classes.mapping)
    labels = np.array([*meaning, *metric.classes.ignore])
    truth, guess = draw(3, labels, classes)
    put(tmp_path / "labels", truth, np.uint16 if labels.max() > 255 else np.uint8)
    put(tmp_path / "results", guess, np.uint16 if classes > 256 else np.uint8)
    right, own, taken = ([0] * classes for _ in range(3))
    for name, one in truth.items():
        for label, predicted in zip(one.ravel().tolist(), guess[name].ravel().tolist(), strict=True):
            if label in meaning:
                own[meaning[label]] += 1
                taken[predicted] += 1
                right[predicted] += predicted == meaning[label]
    iou = [r / (o + t - r) if o + t else math.nan for r, o, t in zip(right, own, taken, strict=True)]
    found = values(metric, tmp_path)
    for index, value in enumerate(iou):
        assert found[f"IoU/{metric.classes.names[index]}"] == (None if math.isnan(value) else value)
    assert found["mIoU"] == pytest.approx(np.nanmean(iou), rel=1e-14)
    assert found["pixel_acc"] == sum(right) / sum(own)
    checked = metric.verify(tmp_path / "labels", tmp_path / "results")
    assert {name: None if math.isnan(value) else value for name, value in checked.items()} == found


@settings(max_examples=30)
@given(counts=st.lists(st.tuples(*[st.integers(0, 50)] * 3), min_size=1, max_size=9))
def test_numbers_of_any_counts(counts: list[tuple[int, int, int]]) -> None:
    """Shares of whole numbers lie in [0, 1], and training code's mean is the other's unless a class is missing."""
    right, more, others = np.array(counts, float).T
    table = np.array([right, right + more, right + others])
    found = numbers(table)
    assert ((found >= 0) & (found <= 1 + 1e-12) | np.isnan(found)).all()
    if (table[1] > 0).all():
        assert found[0] == pytest.approx(found[4], rel=1e-13) and found[2] == pytest.approx(found[5], rel=1e-13)


def test_weighted_images_are_repeated_images(tmp_path: Path) -> None:
    truth, guess = draw(4, np.arange(5), 5, images=7)
    put(tmp_path / "labels", truth), put(tmp_path / "results", guess)
    metric = MeanIoU(classes=5)
    state = measured(metric, tmp_path)
    naive, tails = [], (50 * (1 - LEVEL), 50 * (1 + LEVEL))
    for times in resample_counts(7, 40, 2):
        total = sum(
            many * metric.matrix(measured(metric, tmp_path, [name]))
            for name, many in zip(sorted(truth), times.tolist(), strict=True)
        )
        assert isinstance(total, np.ndarray)
        naive.append(numbers(np.array([np.diag(total), total.sum(1), total.sum(0)[:5]])))
    for score, column in zip(metric.summarise(state, 40, 2), np.array(naive).T, strict=True):
        assert score.interval == tuple(np.percentile(column, tails).tolist())


def test_groups_are_folders(tmp_path: Path) -> None:
    truth, guess = draw(4, np.arange(5), 5, images=8)
    put(tmp_path / "labels", truth), put(tmp_path / "results", guess)
    images, groups = (MeanIoU(classes=5, interval=kind) for kind in ("image", "group"))
    state = measured(images, tmp_path)
    assert state.arrays["group"].tolist() == ["x"] * 4 + ["y"] * 4
    one, other = scores(images, state, 200)["mIoU"], scores(groups, state, 200)["mIoU"]
    assert one.value == other.value and one.interval != other.interval and other.interval is not None


# --- what predicted numbers stand for


def test_label_values_are_told_from_indices(tmp_path: Path) -> None:
    metric = MeanIoU(**SETS["ADE20K"])
    truth, guess = draw(5, np.arange(151), 150)
    put(tmp_path / "labels", truth), put(tmp_path / "results", guess)
    guess["x/000"][0, 0] = 149
    assert measured(metric, tmp_path).params["labels"] == "indices"
    by_index = values(metric, tmp_path)
    put(tmp_path / "results", {name: one + 1 for name, one in guess.items()})
    assert measured(metric, tmp_path).params["labels"] == "ids"
    put(tmp_path / "results", guess)
    assert values(metric, tmp_path) == by_index


@pytest.mark.parametrize(("kind", "hit"), [("ids", 1.0), ("indices", 0.0)])
def test_what_nothing_tells_has_to_be_said(kind: str, hit: float, tmp_path: Path) -> None:
    options = {"classes": 4, "ids": (1, 2, 3, 4), "ignore": (9,)}
    put(tmp_path / "labels", {"a": np.array([[1, 2]])})
    put(tmp_path / "results", {"a": np.array([[1, 2]])})
    with pytest.raises(InputError, match="fit ids and indices alike; say which they are: labels=ids or labels=indices"):
        measured(MeanIoU(**options), tmp_path)
    assert values(MeanIoU(**options, labels=kind), tmp_path)["pixel_acc"] == hit
    (tmp_path / "results/labels.txt").write_text(kind)
    assert values(MeanIoU(**options), tmp_path)["pixel_acc"] == hit


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([0, 3, 203], "holds 3, 203, which are neither ids (0, 255) nor indices (0 to 1) of the classes"),
        ([0, *range(2, 20, 2)], "holds 2, 4, 6, 8, 10, 12 and 3 more, which are neither"),
    ],
)
def test_numbers_that_fit_neither_kind_are_not_said_to_fit_both(found: list[int], words: str, tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[0, 255]]), "b": np.array([[0] * len(found)])})
    put(tmp_path / "results", {"a": np.array([[0, 0]]), "b": np.array([found])})
    message = refused(MeanIoU(values={0: 0, 255: 1}), tmp_path)
    assert message.startswith(f"{tmp_path}/results/b.png: {words}") and "needs a threshold" in message
    put(tmp_path / "results", {"a": np.array([[0, 255]])})
    assert "none of the 2 classes" in refused(MeanIoU(values={0: 0, 255: 1}), tmp_path)


def test_own_predictions_are_found_again(tmp_path: Path) -> None:
    """Also where their numbers could be either: the folder says that they are indices."""
    metric = MeanIoU(classes=4, ids=(1, 2, 3, 4), ignore=(0,))
    put(tmp_path / "labels", {"d/a": np.array([[1, 2]]), "b": np.array([[4, 0]])})
    samples = [Prediction("d/a", np.array([[0, 2]])), Prediction("b", np.array([[3, 1]], np.uint16))]
    metric.write_predictions(iter(samples), tmp_path / "results")
    assert values(metric, tmp_path)["pixel_acc"] == 2 / 3
    with pytest.raises(InputError, match="there are 4, from 0"):
        metric.write_predictions(iter([Prediction("b", np.array([[4]]))]), tmp_path / "results")


def test_a_predicted_label_that_is_ignored_is_a_miss(tmp_path: Path) -> None:
    metric = MeanIoU(classes=2, ids=(5, 6), ignore=(0, 255))
    put(tmp_path / "labels", {"a": np.array([[5, 5, 6, 0]])})
    put(tmp_path / "results", {"a": np.array([[5, 0, 6, 5]])})
    assert values(metric, tmp_path) == {
        "mIoU": 0.75,
        "pixel_acc": 2 / 3,
        "mean_acc": 0.75,
        "fwIoU": 2 / 3,
        "mIoU_training": 0.75,
        "mean_acc_training": 0.75,
        "IoU/0": 0.5,
        "IoU/1": 1.0,
    }
    assert metric.matrix(measured(metric, tmp_path)).tolist() == [[1, 0, 1], [0, 1, 0]]


# --- faults


def refused(metric: MeanIoU, folder: Path, kind: type[Exception] = InputError) -> str:
    with pytest.raises(kind) as caught:
        measured(metric, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_faults_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    metric = MeanIoU(classes=3)
    truth, guess = draw(6, np.array([0, 1, 2, 255]), 3)
    labels, results = put(tmp_path / "labels", truth), put(tmp_path / "results", guess)
    assert metric.measure(metric.read_predictions(results, metric.read_target(labels)), metric.read_target(labels))
    size = "x".join(map(str, guess["x/002"].shape[::-1]))

    put(results, {"x/002": guess["x/002"][1:]})
    assert f"{results}/x/002.png: is" in (said := refused(metric, tmp_path)) and f"{labels}/x/002.png {size}" in said
    put(results, {"x/002": guess["x/002"] + 3})
    assert f"{results}/x/002.png: holds " in (said := refused(metric, tmp_path))
    assert "none of the 3 classes and not ignored" in said
    put(results, {"x/002": guess["x/002"]})
    put(labels, {"y/001": np.where(truth["y/001"] == 1, 77, truth["y/001"])})
    many = np.count_nonzero(truth["y/001"] == 1)
    assert refused(metric, tmp_path).startswith(
        f"{labels}/y/001.png: holds 77 at {many} of {truth['y/001'].size} pixels"
    )
    put(labels, {"y/001": truth["y/001"]})
    content = (labels / "y/001.png").read_bytes()
    (labels / "y/001.png").write_bytes(content[:50])
    assert refused(metric, tmp_path) == (f"{labels}/y/001.png: is truncated (50 bytes); it should be a label map")
    put(labels, {"y/001": truth["y/001"]})
    (results / "y/001.png").unlink()
    assert refused(metric, tmp_path) == f"{results}: no prediction for 1 of 5 images, the first is y/001"
    assert measured(metric, tmp_path, ["x/000", "y/003"]).arrays["image"].tolist() == ["x/000", "y/003"]
    with pytest.raises(InputError, match="image 'z', asked for, is not among its 5"):
        measured(metric, tmp_path, ["z"])
    assert "there is no such file" in refused(MeanIoU(classes=3, files=["x/000.png", "z.png"]), tmp_path, MissingError)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="holds no PNG"):
        metric.read_target(tmp_path / "empty")
    with pytest.raises(MissingError, match="no file in it is listed"):
        MeanIoU(classes=3, files=[]).read_target(labels)


def test_listed_files_are_those_that_are_judged(tmp_path: Path) -> None:
    truth, guess = draw(6, np.arange(3), 3)
    put(tmp_path / "labels", truth), put(tmp_path / "results", guess)
    metric = MeanIoU(classes=3, files=["y/001.png", "x/000.png"])
    assert measured(metric, tmp_path).arrays["image"].tolist() == ["x/000", "y/001"]
    put(tmp_path / "results", {"x/999": guess["x/000"]})
    assert refused(metric, tmp_path).startswith(f"{tmp_path}/results/x/999.png: has the name of no image in")
    assert "such as x/000; rename it" in refused(MeanIoU(classes=3), tmp_path)


def test_names_of_label_files_may_end_in_more_than_those_of_images(tmp_path: Path) -> None:
    truth, guess = draw(6, np.arange(3), 3)
    put(tmp_path / "labels", {f"{name}_gtFine_labelIds": labels for name, labels in truth.items()})
    put(tmp_path / "labels", {f"{name}_gtFine_instanceIds": labels for name, labels in truth.items()})
    put(tmp_path / "results", guess)
    suffix = "_gtFine_labelIds.png"
    metric = MeanIoU(classes=3, files=[f"{name}{suffix}" for name in truth], label_suffix=suffix)
    assert measured(metric, tmp_path).arrays["image"].tolist() == sorted(truth)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": "colours", "classes": 2}, "say ids, indices or auto"),
        ({"interval": "street", "classes": 2}, "say image or group"),
        ({"names": ["a"], "classes": 2}, r"counted differently \(names: 1, classes: 2\)"),
        ({"names": ["a", "b"], "ids": [1]}, r"counted differently \(names: 2, ids: 1\)"),
        ({"names": ["a", "a"]}, "names of classes must differ; 'a' do not"),
        ({"classes": 0}, "give 1 to 65000"),
        ({"ids": [4, 4]}, "two classes have one label"),
        ({"ids": [4, 255]}, "label 255 is given two meanings"),
        ({"ids": [4], "mapping": {4: 0}}, "label 4 is given two meanings"),
        ({"ids": [4], "mapping": {5: 1}}, "mapping leads to class 1; there are 1"),
        ({"ids": [-1]}, "label -1 cannot be in a PNG"),
    ],
)
def test_options_that_contradict_themselves(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        MeanIoU(**options)


def test_classes_have_to_be_known(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[1]])})
    put(tmp_path / "results", {"a": np.array([[1]])})
    assert "give their number (`classes`), their names or their ids" in refused(MeanIoU(), tmp_path, UsageError)
    assert [quantity.name for quantity in MeanIoU().quantities][:2] == ["mIoU", "pixel_acc"]


def test_a_state_of_other_classes_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[1]])})
    put(tmp_path / "results", {"a": np.array([[1]])})
    state = measured(MeanIoU(classes=2), tmp_path)
    with pytest.raises(InputError, match="a state of 2 classes was given to miou of 3"):
        MeanIoU(classes=3).summarise(state)


def told(metric: MeanIoU, folder: Path, images: list[str] | None = None) -> dict[str, Note]:
    target = metric.read_target(folder / "labels")
    found = metric.read_predictions(folder / "results", target)
    return {note.kind: note for note in metric.input_notes(found, target, metric.measure(found, target, images))}


def test_ignored_pixels_are_counted_and_survive_a_merge(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[0, 0, 0, 1]]), "b": np.array([[1, 255]])})
    put(tmp_path / "results", {"a": np.array([[0, 0, 1, 1]]), "b": np.array([[1, 0]])})
    metric = MeanIoU(classes=3)
    note = told(metric, tmp_path)["ignored_pixels"]
    assert (note.count, note.of) == (1, 6) and "(16.7 %) are annotated as 255" in note.what
    assert told(metric, tmp_path, ["a"]) == {}
    parts = [measured(metric, tmp_path, [name]) for name in ("b", "a")]
    whole, merged = measured(metric, tmp_path), metric.merge(parts)
    assert merged.arrays["ignored"].tolist() == whole.arrays["ignored"].tolist() == [0, 1]
    former = State(whole.metric, whole.version, whole.params, {k: v for k, v in whole.arrays.items() if k != "ignored"})
    assert scores(metric, former) == scores(metric, whole)


def test_masks_of_0_and_255_are_recognised(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[0, 255, 255]])})
    put(tmp_path / "results", {"a": np.array([[0, 0, 1]])})
    assert told(MeanIoU(classes=2), tmp_path)["binary_masks"].option == "values: {0: 0, 255: 1}"
    assert "binary_masks" not in told(MeanIoU(classes=3), tmp_path)
    put(tmp_path / "labels", {"a": np.array([[0, 255, 1]])})
    assert told(MeanIoU(classes=2), tmp_path).keys() == {"ignored_pixels"}


def test_what_predicted_numbers_were_taken_for_is_told_if_it_was_found_out(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[2, 0, 1]])})
    put(tmp_path / "results", {"a": np.array([[0, 1, 2]])})
    ids = [2, 0, 1]  # a permutation: no number tells which they are
    assert "taken for indices" in told(MeanIoU(ids=ids), tmp_path)["labels_found_out"].what
    assert told(MeanIoU(ids=ids, labels="indices"), tmp_path) == {}
    (tmp_path / "results" / "labels.txt").write_text("indices")
    assert told(MeanIoU(ids=ids), tmp_path) == {}


@pytest.mark.parametrize(
    "options", [{"values": {0: 0, 255: 1}}, {"ids": (0, 255), "ignore": ()}, {"values": {0: 0, 7: 0, 255: 1}}]
)
def test_a_number_that_the_other_kind_does_not_have_leaves_no_doubt(options: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[0, 255, 255]])})
    put(tmp_path / "results", {"a": np.array([[0, 0, 255]])})
    assert told(MeanIoU(**options), tmp_path) == {}


def test_predictions_of_no_class_are_told_as_wrong(tmp_path: Path) -> None:
    """Also where nothing is said of 255, as in a data set without labels that are ignored: the same number."""
    put(tmp_path / "labels", {"a": np.array([[0, 1, 2, 3]])})
    put(tmp_path / "results", {"a": np.array([[0, 255, 2, 255]])})
    for options in ({}, {"ignore": ()}, {"ignore": (255,)}):
        note = told(MeanIoU(classes=4, **options), tmp_path)["predicted_no_class"]
        assert (note.count, note.of) == (2, 4) and "(50.0 %) are predicted as 255, which is no class" in note.what
        assert values(MeanIoU(classes=4, **options), tmp_path)["pixel_acc"] == 0.5
    assert told(MeanIoU(classes=256), tmp_path).keys() == set()
    put(tmp_path / "labels", {"a": np.array([[0, 1, 255, 3]])})
    assert "holds 255 at 1 of 4 pixels" in refused(MeanIoU(classes=4, ignore=()), tmp_path)


def test_an_unknown_prediction_is_not_said_to_be_left_out(tmp_path: Path) -> None:
    put(tmp_path / "labels", {"a": np.array([[0, 1]])})
    put(tmp_path / "results", {"a": np.array([[0, 128]])})
    message = refused(MeanIoU(classes=2), tmp_path)
    assert "option ignore: [128] counts it as wrong where predicted" in message and "leaves" not in message


def test_classes_too_small_by_one_may_be_wrapped_to_255(tmp_path: Path) -> None:
    maps = [streets(n, 2, 0.9) for n in range(4)]
    put(tmp_path / "labels", {f"{n}": truth for n, (truth, _) in enumerate(maps)})
    put(tmp_path / "results", {f"{n}": (guess - 1) % 256 for n, (_, guess) in enumerate(maps)})
    for options in ({}, {"ignore": ()}):
        (note,) = misread_labels(MeanIoU(classes=2, **options), tmp_path)
        assert note.what == "numbers in predicted maps look too small by one"


def test_further_colours_are_told_as_such(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    for folder in ("labels", "results"):
        (tmp_path / folder).mkdir()
        Image.fromarray(colours).save(tmp_path / folder / "a.png")
    metric = MeanIoU(classes=2, palette=[[255, 0, 0], [0, 0, 255]], ignore_colours=[[9, 9, 9]])
    notes = told(metric, tmp_path)
    assert (
        "annotated as 255 or a colour that is ignored and" in str(notes["ignored_pixels"])
        and "binary_masks" not in notes
    )


# --- numbers that mean something else ---------------------------------------------------------------------------------


def streets(seed: int, classes: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """A map of (48, 64) class indices in blocks, and a prediction of which a share of the blocks is right."""
    rng = np.random.default_rng(seed)
    blocks = rng.choice(classes, (12, 16), p=rng.dirichlet(np.ones(classes)))
    guess = np.where(rng.random(blocks.shape) < right, blocks, rng.integers(0, classes, blocks.shape))
    return tuple(np.kron(some, np.ones((4, 4), np.int64)) for some in (blocks, guess))


def misread_labels(metric: MeanIoU, folder: Path) -> list[Note]:
    target = metric.read_target(folder / "labels")
    predictions = metric.read_predictions(folder / "results", target)
    notes = metric.input_notes(predictions, target, metric.measure(predictions, target))
    return [note for note in notes if note.kind == "misread_labels"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("by", "words"), [(1, "too large by one"), (-1, "too small by one")])
def test_maps_that_are_shifted_by_one_are_told(by: int, words: str, seed: int, tmp_path: Path) -> None:
    maps = [streets(10 * seed + n, 8, 0.9) for n in range(4)]
    put(tmp_path / "labels", {f"{n}": truth for n, (truth, _) in enumerate(maps)})
    put(tmp_path / "results", {f"{n}": np.clip(guess + by, 0, 8) for n, (_, guess) in enumerate(maps)})
    (note,) = misread_labels(MeanIoU(classes=9), tmp_path)
    assert note.what == f"numbers in predicted maps look {words}" and note.option == ""


def test_ids_that_are_read_as_indices_are_told_and_the_option_reads_them(tmp_path: Path) -> None:
    ids = [0, 2, 3, 5, 6, 7, 8, 9, 4, 1]  # a permutation: no number tells which they are
    maps = [streets(n, 10, 0.9) for n in range(4)]
    put(tmp_path / "labels", {f"{n}": np.array(ids)[truth] for n, (truth, _) in enumerate(maps)})
    put(tmp_path / "results", {f"{n}": np.array(ids)[guess] for n, (_, guess) in enumerate(maps)})
    names = [f"c{k}" for k in range(10)]
    (note,) = misread_labels(MeanIoU(names=names, ids=ids, labels="indices"), tmp_path)
    assert (note.what, note.option) == ("numbers in predicted maps look like ids, not indices", "labels: ids")
    assert misread_labels(MeanIoU(names=names, ids=ids, labels="ids"), tmp_path) == []
    put(tmp_path / "results", {f"{n}": guess for n, (_, guess) in enumerate(maps)})
    (note,) = misread_labels(MeanIoU(names=names, ids=ids, labels="ids"), tmp_path)
    assert (note.what, note.option) == ("numbers in predicted maps look like indices, not ids", "labels: indices")


@pytest.mark.parametrize("seed", range(12))
def test_maps_good_and_bad_are_left_alone(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    classes = (2, 3, 8, 20)[seed % 4]
    ids = rng.permutation(classes).tolist() if seed % 2 else list(range(classes))
    maps = [streets(100 * seed + n, classes, float(rng.uniform(0.3, 1))) for n in range(2)]
    put(tmp_path / "labels", {f"{n}": np.array(ids)[truth] for n, (truth, _) in enumerate(maps)})
    metric = MeanIoU(names=[f"c{k}" for k in range(classes)], ids=ids, labels="indices")
    for guess in (
        lambda _, guess: guess,
        lambda truth, _: rng.integers(0, classes, truth.shape),
        lambda truth, _: np.zeros_like(truth),
        lambda truth, _: np.full_like(truth, classes - 1),
        lambda truth, _: truth[::-1],
    ):
        put(tmp_path / "results", {f"{n}": guess(*each) for n, each in enumerate(maps)})
        assert misread_labels(metric, tmp_path) == []


@pytest.mark.parametrize(
    ("truth", "classes", "option"),
    [([0, 255, 128], 2, "ignore: [128]"), ([0, 128], 2, "values: {0: 0, 128: 1}"), ([0, 7, 9], 3, "ignore: [7, 9]")],
)
def test_an_unknown_label_carries_the_option_that_its_message_names(
    truth: list[int], classes: int, option: str, tmp_path: Path
) -> None:
    put(tmp_path / "labels", {"a": np.array([truth])})
    put(tmp_path / "results", {"a": np.zeros((1, len(truth)), int)})
    with pytest.raises(InputError) as caught:
        measured(MeanIoU(classes=classes), tmp_path)
    assert caught.value.option == option and f"option {option}" in str(caught.value)
