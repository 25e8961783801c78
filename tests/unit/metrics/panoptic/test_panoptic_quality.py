"""Panoptic quality against panopticapi's evaluation, by closed forms, and what it refuses and notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_panoptic
from both_ways import both_ways
from seeds import halved

from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.metrics.panoptic import reference
from hrbench.metrics.panoptic.quality import PanopticQuality
from hrbench.types import Prediction, State

ROAD, SKY, PERSON, CAR = 7, 3, 24, 26


def measured(truth: Path, results: Path, metric: PanopticQuality | None = None) -> State:
    metric = metric or PanopticQuality()
    target = metric.read_target(truth)
    return metric.measure(metric.read_predictions(results, target), target)


def numbers(state: State, per_class: bool = True) -> dict[str, float | None]:
    return {one.quantity.name: one.value for one in PanopticQuality(per_class).summarise(state, 0)}


def scene(folder: Path, own: Any, segments: list[Any], found: Any, predicted: list[Any], **more: Any) -> State:
    """The state of one image. segments: (id, category, iscrowd) of annotated ones; predicted: (id, category)."""
    return measured(*files(folder, own, segments, found, predicted, **more))


def files(
    folder: Path, own: Any, segments: list[Any], found: Any, predicted: list[Any], area: dict[int, float] | None = None
) -> tuple[Path, Path]:
    own, found = np.array(own), np.array(found)
    areas = {one: int((own == one).sum()) for one, *_ in segments} | (area or {})
    annotated = [
        {"id": one, "category_id": category, "iscrowd": crowd, "area": areas[one]} for one, category, crowd in segments
    ]
    listed = [{"id": one, "category_id": category} for one, category in predicted]
    categories = [{"id": one, "name": name, "isthing": thing} for one, name, thing in random_panoptic.CATEGORIES]
    row = {"image_id": 5, "file_name": "5.png"}
    height, width = own.shape
    made = {
        "truth": {
            "images": [{"id": 5, "file_name": "5.jpg", "width": width, "height": height}],
            "annotations": [{**row, "segments_info": annotated}],
            "categories": categories,
        },
        "results": {"annotations": [{**row, "segments_info": listed}]},
        "truth_ids": {5: own},
        "found_ids": {5: found},
    }
    return random_panoptic.write(folder, made)


# --- as panopticapi -------------------------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("seed", halved(24))
def test_every_number_is_that_of_the_evaluation(seed: int, way: str, tmp_path: Path) -> None:
    """To the last bit: ties, crowds, void, images and classes without segments, some images alone."""
    truth, results = random_panoptic.write(tmp_path, random_panoptic.case(100 + seed, text=seed % 2 == 0))
    metric = PanopticQuality(per_class=True)
    target = metric.read_target(truth)
    found = metric.read_predictions(results, target)
    for some in (None, list(target.images)[1:4]):
        theirs = metric.verify(truth, results, some)
        ours = metric.summarise(metric.measure(found, target, some), 0)
        for score in ours:
            expected = theirs[score.quantity.name]
            assert score.value == (None if np.isnan(expected) else expected), score.quantity.name
            assert bool(score.reason) == (score.value is None)
        assert len(theirs) == len(ours)


def test_a_set_without_stuff_has_no_number_of_it(tmp_path: Path) -> None:
    """panopticapi divides by zero there."""
    truth, results = files(tmp_path, [[1, 1, 0]], [(1, PERSON, 0)], [[4, 4, 0]], [(4, PERSON)])
    scores = {one.quantity.name: one for one in PanopticQuality().summarise(measured(truth, results), 0)}
    assert scores["PQ"].value == scores["PQ_things"].value == 1.0
    assert scores["PQ_stuff"].value is None
    assert "a class of stuff occurs neither" in str(scores["PQ_stuff"].reason)
    assert np.isnan(PanopticQuality().verify(truth, results)["PQ_stuff"])


# --- closed forms ---------------------------------------------------------------------------------------------------


def test_a_match_a_miss_and_a_false_positive(tmp_path: Path) -> None:
    """IoU 2/3 of one; the other is missed, and what is predicted there is false."""
    state = scene(
        tmp_path,
        [[1, 1, 1, 2, 2, 0]],
        [(1, CAR, 0), (2, CAR, 0)],
        [[8, 8, 0, 9, 0, 0]],
        [(8, CAR), (9, CAR)],
    )
    found = numbers(state)
    assert found["PQ/car"] == pytest.approx((2 / 3) / (1 + 0.5 + 0.5))
    assert (found["SQ/car"], found["RQ/car"]) == (pytest.approx(2 / 3), 0.5)
    assert found["PQ"] == found["PQ_things"] == found["PQ/car"] and found["PQ_stuff"] is None


def test_one_half_is_no_match_and_void_is_left_out_of_the_union(tmp_path: Path) -> None:
    half = scene(tmp_path / "half", [[1, 1, 2, 2]], [(1, ROAD, 0), (2, SKY, 0)], [[5, 0, 6, 6]], [(5, ROAD), (6, SKY)])
    assert (numbers(half)["PQ/road"], numbers(half)["PQ/sky"]) == (0.0, 1.0)
    void = scene(tmp_path / "void", [[1, 1, 0, 0]], [(1, ROAD, 0)], [[5, 5, 5, 5]], [(5, ROAD)])
    assert numbers(void)["PQ/road"] == 1.0


@pytest.mark.parametrize(("more", "false"), [(2, 0), (1, 1)])
def test_what_lies_mostly_in_void_or_in_its_crowd_is_not_false(tmp_path: Path, more: int, false: int) -> None:
    """Of four pixels: one in void, and `more` in a crowd of the same category; half is not most."""
    own = [[0, 9, 9, 2] if more == 2 else [0, 9, 2, 2]]
    state = scene(tmp_path, own, [(9, CAR, 1), (2, SKY, 0)], [[4, 4, 4, 4]], [(4, CAR)])
    assert numbers(state)["RQ/car"] == (None if not false else 0.0)
    other = scene(tmp_path / "other", own, [(9, PERSON, 1), (2, SKY, 0)], [[4, 4, 4, 4]], [(4, CAR)])
    assert numbers(other)["RQ/car"] == 0.0, "a crowd of another category"


def test_of_several_crowds_of_a_category_the_last_counts(tmp_path: Path) -> None:
    """panopticapi keeps one for each category; hrbench says so."""
    own, found = [[8, 8, 9, 2, 2]], [[4, 4, 0, 0, 0]]
    crowds = [(8, CAR, 1), (9, CAR, 1), (2, SKY, 0)]
    truth, results = files(tmp_path, own, crowds, found, [(4, CAR)])
    state = measured(truth, results)
    assert numbers(state)["RQ/car"] == 0.0 == PanopticQuality(True).verify(truth, results)["RQ/car"]
    other = scene(tmp_path / "other", own, [crowds[1], crowds[0], crowds[2]], found, [(4, CAR)])
    assert numbers(other)["RQ/car"] is None
    notes = {note.kind: note for note in PanopticQuality().input_notes(None, None, state)}
    assert notes["crowds_of_one_category"].count == 1


def test_the_area_of_the_file_is_taken_and_told(tmp_path: Path) -> None:
    own, found = [[1, 1, 0, 0]], [[3, 3, 0, 0]]
    truth, results = files(tmp_path, own, [(1, CAR, 0)], found, [(3, CAR)], area={1: 3})
    state = measured(truth, results)
    assert numbers(state)["SQ/car"] == pytest.approx(2 / 3) == PanopticQuality(True).verify(truth, results)["SQ/car"]
    notes = {note.kind: note for note in PanopticQuality().input_notes(None, None, state)}
    assert (notes["larger_areas"].count, notes["larger_areas"].option) == (1, "truth_area: pixels")
    counted = PanopticQuality(True, truth_area="pixels")
    state = measured(truth, results, counted)
    assert numbers(state)["SQ/car"] == 1.0 == counted.verify(truth, results)["SQ/car"]
    assert state.params["truth_area"] == "pixels"


def test_an_annotated_segment_without_a_pixel_is_missed_and_told(tmp_path: Path) -> None:
    state = scene(tmp_path, [[1, 1]], [(1, CAR, 0), (2, CAR, 0)], [[3, 3]], [(3, CAR)])
    assert numbers(state)["RQ/car"] == pytest.approx(1 / 1.5)
    assert [note.kind for note in PanopticQuality().input_notes(None, None, state)] == ["empty_segments"]


# --- classes, files -------------------------------------------------------------------------------------------------


def test_n_is_classes_of_a_mean_and_segments_of_a_class(tmp_path: Path) -> None:
    state = scene(tmp_path, [[1, 1, 2, 2]], [(1, CAR, 0), (2, SKY, 0)], [[3, 3, 0, 5]], [(3, CAR), (5, CAR)])
    n = {one.quantity.name: one.n for one in PanopticQuality(True).summarise(state, 0)}
    assert (n["PQ"], n["PQ_things"], n["PQ_stuff"], n["SQ/car"], n["RQ/sky"], n["PQ/rug"]) == (2, 1, 1, 2, 1, 0)


def test_a_folder_of_predictions_is_read_as_its_json_file(tmp_path: Path) -> None:
    made = random_panoptic.case(3)
    truth, results = random_panoptic.write(tmp_path, made)
    expected = numbers(measured(truth, results))
    nested = tmp_path / "nested"
    nested.mkdir()
    results.rename(nested / "mine.json")
    (tmp_path / "results").rename(nested / "mine")
    assert numbers(measured(truth, nested)) == numbers(measured(truth, nested / "mine.json")) == expected
    for png in (nested / "mine").iterdir():
        png.rename(nested / png.name)
    (nested / "mine").rmdir()
    assert numbers(measured(truth, nested)) == numbers(measured(truth, nested / "mine.json")) == expected
    (tmp_path / "alone").mkdir()
    alone = tmp_path / "alone" / "mine.json"
    alone.write_bytes((nested / "mine.json").read_bytes())
    with pytest.raises(MissingError, match=r"mine.json: its PNGs are neither in a folder mine nor beside it"):
        measured(truth, alone)
    (nested / "other.json").write_text("{}")
    with pytest.raises(InputError, match=r"nested: holds 2 JSON files \(mine.json, other.json\)"):
        measured(truth, nested)


def test_pngs_of_the_ground_truth_may_lie_elsewhere(tmp_path: Path) -> None:
    truth, results = random_panoptic.write(tmp_path, random_panoptic.case(3))
    expected = numbers(measured(truth, results))
    (tmp_path / "truth").rename(tmp_path / "pngs")
    with pytest.raises(MissingError, match="option png_folder names another folder"):
        measured(truth, results)
    assert numbers(measured(truth, results, PanopticQuality(png_folder="pngs"))) == expected


def test_what_was_written_is_read(tmp_path: Path) -> None:
    ids = np.array([[0, 1 << 23], [70_000, 70_000]])
    segments = [{"id": 1 << 23, "category_id": CAR}, {"id": 70_000, "category_id": SKY}]
    truth, _ = files(tmp_path, ids, [(1 << 23, CAR, 0), (70_000, SKY, 0)], ids, [])
    PanopticQuality().write_predictions([Prediction(5, (ids, segments))], tmp_path / "mine")
    assert numbers(measured(truth, tmp_path / "mine"))["PQ"] == 1.0
    for value, says in (
        ((ids[0], segments), r"a map of segment ids \(H, W\)"),
        ((ids - 1, segments), "segment ids run from -1"),
        ((ids.astype(float), segments), "a map of segment ids"),
    ):
        with pytest.raises(InputError, match=says):
            PanopticQuality().write_predictions([Prediction(5, value)], tmp_path / "other")
    assert not (tmp_path / "other").exists()


# --- what is refused ------------------------------------------------------------------------------------------------


def change(path: Path, edit: Any) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def first(content: Any) -> Any:
    return content["annotations"][0]["segments_info"][0]


SIMPLE = ([[1, 1, 0, 2]], [(1, CAR, 0), (2, SKY, 0)], [[3, 3, 0, 4]], [(3, CAR), (4, SKY)])


@pytest.mark.parametrize(
    ("which", "edit", "says"),
    [
        ("results", lambda c: first(c).update(category_id=0), r"results.json: image 5: segment 3 has category_id 0, "
         r"which is none of the 7 of truth.json: 7 \(road\), 3 \(sky\), 24 \(person\), 26 \(car\), ...; write ids"),
        ("results", lambda c: c["annotations"][0]["segments_info"].pop(0), r"5.png: image 5: holds segment id 3 at 2 "
         r"pixels, which its segments_info does not describe; list it there with its category_id"),
        ("results", lambda c: c["annotations"][0]["segments_info"].append({"id": 9, "category_id": 3}),
         r"5.png: image 5: segments_info lists segment 9, which has no pixel"),
        ("results", lambda c: first(c).update(id=4), "results.json: image 5: segments_info lists segment 4 twice"),
        ("results", lambda c: first(c).update(id=0), "results.json: image 5: a segment has the id 0; ids are 1 to"),
        ("results", lambda c: first(c).update(id=1 << 24), "has the id 16777216"),
        ("results", lambda c: c["annotations"].clear(), "no prediction for 1 of 1 images, the first is 5"),
        ("results", lambda c: c["annotations"][0].update(image_id=6), "image 6 is not annotated in .*such as 5"),
        ("results", lambda c: c["annotations"][0].update(image_id="5"), "image '5' is not annotated in .*such as 5"),
        ("results", lambda c: c["annotations"].append(c["annotations"][0]), "image 5 is annotated twice"),
        ("results", lambda c: c["annotations"].append({**c["annotations"][0], "image_id": 6}),
         "image 6 has the PNG 5.png of image 5; each has one of its own"),
        ("results", lambda c: c["annotations"][0].update(file_name="../5.png"), "leads out of the folder"),
        ("results", lambda c: c["annotations"][0].pop("file_name"), "missing required field `file_name`"),
        ("truth", lambda c: first(c).pop("area"), "truth.json: image 5: segment 1 has no area; option truth_area"),
        ("truth", lambda c: first(c).pop("iscrowd"), "segment 1 has no iscrowd; option iscrowd: 0"),
        ("truth", lambda c: first(c).update(iscrowd=2), "segment 1 has iscrowd 2; it is 0 or 1"),
        ("truth", lambda c: first(c).update(area=-1), "segment 1 has area -1; option truth_area: pixels"),
        ("truth", lambda c: first(c).update(area=1),
         "5.png: image 5: segment 1 has the area 1 and 2 pixels in the PNG; option truth_area: pixels"),
        ("truth", lambda c: c["annotations"][0]["segments_info"].pop(0),
         r"5.png: image 5: holds segment id 1 at 2 pixels, which its segments_info does not describe; describe it"),
        ("truth", lambda c: c["categories"][0].update(isthing=2), "category 7 has isthing 2"),
        ("truth", lambda c: c["categories"][0].pop("isthing"), "missing required field `isthing`"),
        ("truth", lambda c: c["categories"][0].update(id=3), "categories lists the id 3 twice"),
        ("truth", lambda c: c["categories"].clear(), "lists no categories"),
        ("truth", lambda c: c["annotations"].clear(), "annotates no image"),
        ("truth", lambda c: c["images"].append(c["images"][0]), "images lists the id 5 twice"),
        ("truth", lambda c: c["images"][0].update(width=9), r"5.png: image 5 is 4x1 pixels, and listed with 9x1"),
        ("truth", lambda c: c["images"][0].update(width=0), "image 5 is listed with 0x1 pixels"),
        ("truth", lambda c: c["annotations"].append({**c["annotations"][0], "image_id": "6"}), "numbers and texts"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_that_names_file_and_image(tmp_path: Path, which: str, edit: Any, says: str) -> None:
    paths = dict(zip(("truth", "results"), files(tmp_path, *SIMPLE), strict=True))
    change(paths[which], edit)
    with pytest.raises(InputError, match=says) as error:
        measured(paths["truth"], paths["results"])
    assert "\n" not in str(error.value)
    option = str(error.value).partition("; option ")[2]
    assert not option or option.startswith(error.value.option)


def test_options_allow_what_they_say(tmp_path: Path) -> None:
    truth, results = files(tmp_path, *SIMPLE)
    expected = numbers(measured(truth, results))
    change(
        truth, lambda c: [one.pop(key) for one in c["annotations"][0]["segments_info"] for key in ("area", "iscrowd")]
    )
    metric = PanopticQuality(truth_area="pixels", iscrowd=0)
    assert numbers(measured(truth, results, metric)) == expected
    assert metric.verify(truth, results)["PQ"] == expected["PQ"]
    for wrong in ({"truth_area": "box"}, {"iscrowd": 1}):
        with pytest.raises(UsageError, match="was expected, not"):
            PanopticQuality(**wrong)


def test_another_size_is_refused(tmp_path: Path) -> None:
    truth, results = files(tmp_path, *SIMPLE)
    random_panoptic.save(tmp_path / "results/5.png", np.array([[3, 3, 4]]))
    with pytest.raises(InputError, match=r"results/5.png: image 5 is 3x1 pixels, its ground truth .*truth/5.png 4x1"):
        measured(truth, results)


def test_an_image_that_is_asked_for_must_be_annotated(tmp_path: Path) -> None:
    truth, results = files(tmp_path, *SIMPLE)
    metric = PanopticQuality()
    target = metric.read_target(truth)
    with pytest.raises(InputError, match="image 6, asked for, is not among its 1"):
        metric.measure(metric.read_predictions(results, target), target, [6])


def test_states_of_ids_of_other_kinds_are_not_merged(tmp_path: Path) -> None:
    states = []
    for text in (False, True):
        made = random_panoptic.case(3, text=text)
        states.append(measured(*random_panoptic.write(tmp_path / str(text), made)))
    with pytest.raises(InputError, match="ids of images: numbers and texts"):
        PanopticQuality().merge(states)


def test_what_the_evaluation_refuses_is_told_in_a_line(tmp_path: Path) -> None:
    truth, results = files(tmp_path, *SIMPLE)
    rows = [json.loads(path.read_text())["annotations"][0] for path in (truth, results)]
    rows[1]["segments_info"].pop()
    with pytest.raises(EntryError, match="panopticapi gives up: In the image with ID 5 segment with ID 4"):
        reference.official_numbers(
            [(rows[0], rows[1])], (tmp_path / "truth", tmp_path / "results"), {CAR: {"isthing": 1}}
        )
