"""The Cityscapes metric against the official scripts, its files and its faults."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from random_streets import EVALUATED, load, save, write
from seeds import halved

from hrbench.errors import EntryError, HrbenchError, InputError, MissingError, UsageError
from hrbench.metrics.labels import cityscapes_reference as oracle
from hrbench.metrics.labels.cityscapes import CityscapesIoU
from hrbench.metrics.labels.cityscapes_labels import CLASSES, LABELS
from hrbench.statistics.bootstrap import resample_counts
from hrbench.types import Measurement, Prediction, State

DICTIONARIES = {
    "IoU": "classScores",
    "iIoU_class": "classInstScores",
    "IoU_category": "categoryScores",
    "iIoU_category": "categoryInstScores",
}
MEANS = {
    "mIoU": "averageScoreClasses",
    "iIoU_class": "averageScoreInstClasses",
    "IoU_category": "averageScoreCategories",
    "iIoU_category": "averageScoreInstCategories",
}


def measured(folder: Path, metric: CityscapesIoU | None = None, images: list[str] | None = None) -> State:
    metric = metric or CityscapesIoU()
    target = metric.read_target(folder / "gtFine/val")
    return metric.measure(metric.read_predictions(folder / "results", target), target, images)


def scores(state: State, metric: CityscapesIoU | None = None, resamples: int = 0) -> dict[str, Measurement]:
    return {score.quantity.name: score for score in (metric or CityscapesIoU()).summarise(state, resamples)}


def official(folder: Path, names: list[str]) -> dict:
    return oracle.official_results(
        [folder / f"results/{name}_leftImg8bit.png" for name in names],
        [folder / f"gtFine/val/{name}_gtFine_labelIds.png" for name in names],
    )


def assert_equal(state: State, theirs: dict) -> None:
    """All four dictionaries and their averages, to the last bit; what is NaN there has a reason here."""
    ours = scores(state)
    assert CityscapesIoU().matrix(state).tolist() == theirs["confMatrix"]
    expected = {name: theirs[key] for name, key in MEANS.items()}
    for kind, key in DICTIONARIES.items():
        expected |= {f"{kind}/{part}": value for part, value in theirs[key].items()}
    for name, value in expected.items():
        if math.isnan(value):
            assert name not in ours or (ours[name].value is None and ours[name].reason)
        else:
            assert ours[name].value == value, name
    assert {name for name in ours if "/" in name} <= set(expected)


@pytest.mark.parametrize("seed", halved(40))
def test_all_four_dictionaries_equal_the_official_ones(seed: int, tmp_path: Path) -> None:
    names = write(tmp_path, seed)
    assert_equal(measured(tmp_path), official(tmp_path, names))


def test_instances_that_contradict_labels_are_counted_as_the_script_does(tmp_path: Path) -> None:
    names = write(tmp_path, 3, labels=34)
    rng = np.random.default_rng(0)
    for name in names:
        path = tmp_path / f"gtFine/val/{name}_gtFine_instanceIds.png"
        save(path, rng.permutation(load(path), axis=1))
    assert_equal(measured(tmp_path), official(tmp_path, names))


def test_the_table_of_labels_is_the_official_one() -> None:
    script = oracle.official()
    theirs = {label.id: label for label in script.labels if label.id >= 0}
    assert [label.id for label in LABELS] == sorted(theirs)
    for label in LABELS:
        other = theirs[label.id]
        assert (label.name, label.category, label.train) == (other.name, other.category, other.trainId)
        assert (label.evaluated, bool(label.size)) == (not other.ignoreInEval, other.hasInstances)
    assert {label.name: label.size for label in LABELS if label.size} == script.args.avgClassSize


def test_weighted_images_are_repeated_images(tmp_path: Path) -> None:
    """An interval's draws against the official script on lists that hold images as often as they were drawn."""
    names = write(tmp_path, 5, labels=30)
    state = measured(tmp_path)
    naive = []
    for times in resample_counts(len(names), 30, 7):
        results = official(tmp_path, [name for name, many in zip(names, times, strict=True) for _ in range(many)])
        naive.append([results[key] for key in MEANS.values()])
    drawn = {score.quantity.name: score.interval for score in CityscapesIoU().summarise(state, 30, 7)}
    for name, column in zip(MEANS, np.array(naive).T, strict=True):
        column = column[~np.isnan(column)]
        assert drawn[name] == pytest.approx(np.percentile(column, [2.5, 97.5]), rel=1e-12)


def test_intervals_over_cities_draw_whole_cities(tmp_path: Path) -> None:
    write(tmp_path, 6, scenes=9, labels=34)
    by_image, by_city = (scores(measured(tmp_path), CityscapesIoU(interval=kind), 300) for kind in ("image", "group"))
    assert by_image["mIoU"].value == by_city["mIoU"].value
    assert by_image["mIoU"].interval != by_city["mIoU"].interval
    # three cities alike in pixels: the extremes are one city drawn three times
    alone = []
    for city in ("aachen", "bochum", "ulm"):
        some = [name for name in measured(tmp_path).arrays["image"].tolist() if name.startswith(city)]
        alone.append(scores(measured(tmp_path, images=some))["pixel_acc"].value)
    low, high = by_city["pixel_acc"].interval or (0, 0)
    assert (low, high) == pytest.approx((min(alone), max(alone)), abs=1e-12)


def test_one_city_has_no_interval_over_cities(tmp_path: Path) -> None:
    names = write(tmp_path, 6, labels=34)
    state = measured(tmp_path, images=[name for name in names if name.startswith("ulm")])
    assert scores(state, CityscapesIoU(interval="group"), 50)["mIoU"].interval is None
    assert scores(state, CityscapesIoU(interval="image"), 50)["mIoU"].interval is not None


def as_train_ids(folder: Path) -> None:
    table = np.full(256, 255, np.uint8)
    for label in CLASSES:
        table[label.id] = label.train
    for path in (folder / "results").rglob("*.png"):
        save(path, table[load(path)])


@pytest.mark.parametrize("evaluated", [True, False])
def test_train_ids_are_found_out_and_give_the_same_numbers(evaluated: bool, tmp_path: Path) -> None:
    write(tmp_path, 8, evaluated=evaluated)
    ids = measured(tmp_path)
    as_train_ids(tmp_path)
    train_ids = measured(tmp_path)
    assert (ids.params, train_ids.params) == ({"labels": "ids"}, {"labels": "trainIds"})
    one, other = scores(ids), scores(train_ids)
    # 255 can no longer say that a caravan was predicted, which is right for another vehicle's instance
    told = [name for name in one if evaluated or not name.startswith("iIoU_category")]
    assert [one[name].value for name in told] == [other[name].value for name in told]
    checked = CityscapesIoU().verify(tmp_path / "gtFine/val", tmp_path / "results")
    assert {name: other[name].value for name in checked} == {
        name: None if math.isnan(value) else value for name, value in checked.items()
    }


def test_what_nothing_tells_has_to_be_said(tmp_path: Path) -> None:
    write(tmp_path, 8)
    for path in (tmp_path / "results").rglob("*.png"):
        save(path, np.where(load(path) % 2, 7, 8).astype(np.uint8))
    with pytest.raises(InputError, match=r"fit ids and trainIds alike; say which they are: labels=ids or labels=train"):
        measured(tmp_path)
    ids, train_ids = (measured(tmp_path, CityscapesIoU(labels=kind)) for kind in ("ids", "trainIds"))
    matrix = CityscapesIoU().matrix(ids)
    assert np.flatnonzero(matrix.sum(axis=0)).tolist() == [7, 8]
    assert np.flatnonzero(CityscapesIoU().matrix(train_ids).sum(axis=0)).tolist() == [EVALUATED[7], EVALUATED[8]]
    (tmp_path / "results/labels.txt").write_text("trainIds\n")
    assert measured(tmp_path).params == {"labels": "trainIds"}
    (tmp_path / "results/labels.txt").write_text("colours")
    with pytest.raises(InputError, match=r"labels\.txt: holds 'colours'; it should hold ids or trainIds"):
        measured(tmp_path)


def test_void_labels_that_no_network_predicts_tell_train_ids(tmp_path: Path) -> None:
    names = write(tmp_path, 8)
    for path in (tmp_path / "results").rglob("*.png"):
        save(path, (load(path) % 19).astype(np.uint8))
    assert measured(tmp_path).params == {"labels": "trainIds"}
    save(tmp_path / f"results/{names[-1]}_leftImg8bit.png", np.full((24, 40), 26, np.uint8))
    assert measured(tmp_path).params == {"labels": "ids"}  # of anybody who predicts all 34 labels


def test_another_file_that_contradicts_is_an_error(tmp_path: Path) -> None:
    names = write(tmp_path, 8)
    save(tmp_path / f"results/{names[0]}_leftImg8bit.png", np.full((24, 40), 255, np.uint8))
    with pytest.raises(InputError, match=r"leftImg8bit\.png: holds label \d+, which .* train ids run from 0 to 18"):
        measured(tmp_path)


# --- faults, each one line that names the file


def first(folder: Path, names: list[str]) -> dict[str, Path]:
    return {
        "labels": folder / f"gtFine/val/{names[0]}_gtFine_labelIds.png",
        "instances": folder / f"gtFine/val/{names[0]}_gtFine_instanceIds.png",
        "prediction": folder / f"results/{names[0]}_leftImg8bit.png",
    }


def fails(folder: Path, kind: type[HrbenchError] = InputError) -> str:
    with pytest.raises(kind) as caught:
        measured(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("which", ["labels", "instances", "prediction"])
def test_truncated_files_and_other_sizes(which: str, tmp_path: Path) -> None:
    path = first(tmp_path, write(tmp_path, 1))[which]
    content, labels = path.read_bytes(), load(path)
    path.write_bytes(content[: len(content) // 2])
    assert fails(tmp_path).startswith(f"{path}: is truncated ({len(content) // 2} bytes)")
    save(path, labels[:, :-1])
    said = fails(tmp_path)
    assert str(path) in said and "39x24" in said and "40x24" in said


@pytest.mark.parametrize(
    ("which", "number", "words"),
    [
        ("labels", 34, "holds label 34, which does not exist; label ids run from 0 to 33"),
        ("labels", 255, "holds label 255"),
        ("prediction", 255, "holds label 255"),
        ("prediction", 40, "holds label 40"),
        ("instances", 34001, "holds instance 34001"),
        ("instances", 65535, "holds instance 65535"),
        ("instances", 7002, "holds instance 7002, which does not exist; ids above 1000 are 1000 x a label that has"),
    ],
)
def test_numbers_out_of_range(which: str, number: int, words: str, tmp_path: Path) -> None:
    names = write(tmp_path, 1)
    path = first(tmp_path, names)[which]
    labels = load(path)
    labels[3, 4] = number
    save(path, labels)
    metric = CityscapesIoU(labels="ids")
    with pytest.raises(InputError) as caught:
        measured(tmp_path, metric)
    assert str(caught.value).startswith(f"{path}: {words}")
    if number not in (34001, 65535, 7002):  # of these the script dies with a KeyError
        with pytest.raises(EntryError, match="official Cityscapes script gives up"):
            official(tmp_path, names)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    names = write(tmp_path, 1)
    paths = first(tmp_path, names)
    paths["prediction"].unlink()
    assert fails(tmp_path) == (
        f"{tmp_path / 'results'}: no prediction for {paths['labels']}; none is called aachen_000000_000019*.png"
    )
    for path in (tmp_path / "results/aachen").iterdir():
        path.unlink()
    assert fails(tmp_path) == f"{tmp_path / 'results'}: no prediction for any of the 2 images of aachen"
    assert len(measured(tmp_path, images=names[2:]).arrays["image"]) == 4
    paths["instances"].unlink()
    assert fails(tmp_path, MissingError).startswith(f"{paths['instances']}: is missing from the ground truth")
    with pytest.raises(MissingError, match="it should be gtFine/val, with a folder for each city"):
        CityscapesIoU().read_target(tmp_path / "nowhere")
    with pytest.raises(MissingError, match=r"holds no \{city\}/\*_gtFine_labelIds.png"):
        CityscapesIoU().read_target(tmp_path)


def test_two_predictions_of_an_image_are_refused(tmp_path: Path) -> None:
    names = write(tmp_path, 1)
    save(tmp_path / f"results/again/{names[0].rpartition('/')[2]}.png", np.zeros((24, 40), np.uint8))
    assert f"both are predictions of {names[0]}; keep one" in fails(tmp_path)


def test_a_prediction_of_no_image_is_refused(tmp_path: Path) -> None:
    names = write(tmp_path, 1)
    metric = CityscapesIoU(files=[f"{name}_gtFine_labelIds.png" for name in names[1:]])
    assert len(measured(tmp_path, metric).arrays["image"]) == 5  # one more image was predicted than is judged
    for name in ("aachen/aachen_000999_000019.png", "mine.png"):
        strange = tmp_path / "results" / name
        save(strange, np.zeros((24, 40), np.uint8))
        said = fails(tmp_path)
        assert said.startswith(f"{strange}: has the name of no image in {tmp_path / 'gtFine/val'}, such as {names[0]};")
        strange.unlink()


def test_unknown_images_and_options_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(InputError, match="image 'paris/x', asked for, is not among its 6"):
        measured(tmp_path, images=["paris/x"])
    for options, words in (
        ({"labels": "colours"}, "say ids, trainIds or auto"),
        ({"interval": "street"}, "say image or group"),
        ({"ids": (7, 7)}, "give different label ids"),
        ({"ids": (40,)}, "give different label ids"),
    ):
        with pytest.raises(UsageError, match=words):
            CityscapesIoU(**options)


def test_a_data_set_may_have_fewer_classes_and_files(tmp_path: Path) -> None:
    names = write(tmp_path, 2, evaluated=True)
    options = {"names": ["road", "sky", "car"], "ids": [7, 23, 26], "ignore": [0, 1]}
    metric = CityscapesIoU(**options, files=[f"{name}_gtFine_labelIds.png" for name in names[:3]])
    samples = [Prediction(name, np.full((24, 40), number % 3)) for number, name in enumerate(names[:3])]
    metric.write_predictions(iter(samples), tmp_path / "results")
    assert [set(np.unique(load(tmp_path / f"results/{name}.png"))) for name in names[:3]] == [{7}, {23}, {26}]
    state = measured(tmp_path, metric)
    assert state.arrays["image"].tolist() == names[:3] and state.params == {"labels": "ids"}


def test_the_oracle_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling", None)
    with pytest.raises(UsageError, match=r"pip install cityscapesscripts==2\.3\.0"):
        oracle.official()


def test_the_worst_images_come_first(tmp_path: Path) -> None:
    names = write(tmp_path, 4, labels=34)
    truth = load(tmp_path / f"gtFine/val/{names[2]}_gtFine_labelIds.png")
    save(tmp_path / f"results/{names[2]}_leftImg8bit.png", truth)
    save(tmp_path / f"results/{names[3]}_leftImg8bit.png", np.zeros_like(truth))
    qualities = CityscapesIoU().qualities(measured(tmp_path))
    assert qualities[names[2]] == 1 == max(qualities.values()) and qualities[names[3]] == 0
    alone = scores(measured(tmp_path, images=[names[0]]))
    assert qualities[names[0]] == alone["mIoU"].value


def test_numbers_of_another_kind_and_shifted_ones_are_told(tmp_path: Path) -> None:
    """Ids that are said to be train ids and the other way round, and both shifted by one; not the right ones."""
    write(tmp_path, 8, evaluated=True)

    def told(labels: str) -> list[tuple[str, str]]:
        metric = CityscapesIoU(labels=labels)
        target = metric.read_target(tmp_path / "gtFine/val")
        predictions = metric.read_predictions(tmp_path / "results", target)
        notes = metric.input_notes(predictions, target, metric.measure(predictions, target))
        return [(note.what, note.option) for note in notes if note.kind == "misread_labels"]

    ids = np.array([label.id for label in CLASSES])
    results = sorted((tmp_path / "results").rglob("*.png"))
    truths = [
        load(next((tmp_path / "gtFine/val").rglob(path.name.replace("leftImg8bit", "gtFine_labelIds"))))
        for path in results
    ]
    train = np.full(256, 255, np.uint8)
    train[ids] = np.arange(len(ids))
    as_ids = np.full(256, 7, np.uint8)  # what is not evaluated, as road
    as_ids[ids] = ids

    def put(change) -> None:
        for path, truth in zip(results, truths, strict=True):
            save(path, change(as_ids[truth]).astype(np.uint8))

    put(lambda found: found)
    assert told("ids") == []
    put(lambda found: train[found])
    assert told("trainIds") == []
    assert told("ids") == [("numbers in predicted maps look like trainIds, not ids", "labels: trainIds")]
    put(lambda found: np.minimum(found + 1, 33))
    assert told("ids") == [("numbers in predicted maps look too large by one", "")]
    put(lambda found: np.minimum(train[found] + 1, 18))
    assert told("trainIds") == [("numbers in predicted maps look too large by one", "")]
