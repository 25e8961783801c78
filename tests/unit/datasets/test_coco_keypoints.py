"""COCO-format people: where files are looked for, what is missing, one's own joints."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from pycocotools.cocoeval import Params

from hrbench.datasets.coco_keypoints import LIMBS, NAMES, OFFICIAL_BOXES, CocoKeypointsDataset
from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.skeletons import COCO_SIGMAS

GROUND_TRUTH = {"boxes": "ground_truth"}


def person(**changes):
    whole = {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 30], "area": 300, "iscrowd": 0,
        "keypoints": [15, 15, 2] * 17, "num_keypoints": 17,
    }  # fmt: skip
    return whole | changes


def write(folder: Path, annotations, images=None, category=None) -> Path:
    path = folder / "coco" / "annotations" / "person_keypoints_val2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    images = images or [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}]
    category = category or {"id": 1, "name": "person"}
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    pictures = folder / "coco" / "val2017"
    pictures.mkdir(exist_ok=True)
    for image in images:
        (pictures / image["file_name"]).write_bytes(b"image")
    return path


def boxes_of(data: CocoKeypointsDataset):
    return [box.box for of in data.people(GROUND_TRUTH).values() for box in of]


def test_boxes_are_clamped_to_the_image(tmp_path):
    write(tmp_path, [person(bbox=[-5, -4, 300, 300])])
    assert boxes_of(CocoKeypointsDataset(tmp_path)) == [(0, 0, 99, 79)]


@pytest.mark.parametrize(
    "change",
    [{"iscrowd": 1}, {"area": 0}, {"keypoints": [0] * 51}, {"category_id": 2}, {"bbox": [200, 10, 20, 30]}],
)
def test_people_the_official_loader_leaves_out(tmp_path, change):
    write(tmp_path, [person(**change), person(id=2)])
    assert len(boxes_of(CocoKeypointsDataset(tmp_path))) == 1


def test_everything_missing_is_named_at_once(tmp_path):
    gaps = CocoKeypointsDataset(tmp_path).missing({"boxes": "detector"})
    assert len(gaps) == 3
    assert "person_keypoints_val2017.json" in gaps[0] and "cocodataset.org" in gaps[0]
    assert OFFICIAL_BOXES["val2017"] in gaps[1]
    assert "val2017" in gaps[2]


def test_missing_images_are_counted(tmp_path):
    images = [{"id": i, "file_name": f"{i}.png", "width": 9, "height": 9} for i in (1, 2, 3)]
    write(tmp_path, [], images)
    (tmp_path / "coco" / "val2017" / "2.png").unlink()
    (gap,) = CocoKeypointsDataset(tmp_path).missing(GROUND_TRUTH)
    assert gap.startswith("1 of 3 images are missing") and "2.png" in gap


def test_both_official_image_folders(tmp_path):
    write(tmp_path, [person()])
    assert CocoKeypointsDataset(tmp_path).images == tmp_path / "coco" / "val2017"
    nested = tmp_path / "coco" / "images" / "val2017"
    nested.mkdir(parents=True)
    (nested / "a.png").write_bytes(b"image")
    data = CocoKeypointsDataset(tmp_path)
    assert data.images == nested and data.missing(GROUND_TRUTH) == []


def test_the_digest_knows_annotations_boxes_and_images_but_no_paths(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        write(folder, [person()])
        (folder / "coco" / "boxes.json").write_text("[]")
    digest = CocoKeypointsDataset(first).digest(GROUND_TRUTH)
    assert CocoKeypointsDataset(second).digest(GROUND_TRUTH) == digest
    assert CocoKeypointsDataset(first).digest({"boxes": "boxes.json"}) != digest
    (second / "coco" / "val2017" / "a.png").write_bytes(b"another image")
    assert CocoKeypointsDataset(second).digest(GROUND_TRUTH) != digest
    write(second, [person(area=301)])
    assert CocoKeypointsDataset(second).digest(GROUND_TRUTH) != digest


def test_ones_own_joints(tmp_path):
    category = {"id": 7, "name": "hand", "keypoints": ["palm", "left tip", "right tip"], "skeleton": [[1, 2], [1, 3]]}
    write(tmp_path, [person(category_id=7, keypoints=[15, 15, 2] * 3)], category=category)
    data = CocoKeypointsDataset(tmp_path, sigmas=[0.1, 0.2, 0.2], flip_pairs=[["left tip", "right tip"]])
    scheme = data.scheme
    assert scheme.names == ("palm", "left tip", "right tip")
    assert scheme.flip_pairs == ((1, 2),) and scheme.limbs == ((0, 1), (0, 2)) and scheme.category == 7
    assert data.metric_options() == {"sigmas": [0.1, 0.2, 0.2], "category": 7}
    assert len(boxes_of(data)) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "OKS needs a sigma for each"),
        ({"sigmas": [0.1, 0.1, 0.1]}, "set dataset.flip_pairs"),
        ({"sigmas": [0.1], "flip_pairs": []}, "1 sigmas were given for the 3 joints"),
        ({"sigmas": [0.1] * 3, "flip_pairs": [["palm", "thumb"]]}, "does not name two of the joints"),
        ({"sigmas": [0.1] * 3, "flip_pairs": [[0, 3]]}, "two different joints from 0 to 2"),
        ({"sigmas": [0.1] * 3, "flip_pairs": [[1, 1]]}, "two different joints"),
    ],
)
def test_what_ones_own_joints_need(tmp_path, options, words):
    category = {"id": 1, "name": "hand", "keypoints": ["palm", "left tip", "right tip"]}
    write(tmp_path, [person(keypoints=[15, 15, 2] * 3)], category=category)
    with pytest.raises(UsageError, match=words):
        _ = CocoKeypointsDataset(tmp_path, **options).scheme


def test_the_constants_are_those_of_pycocotools():
    """To the last bit."""
    assert tuple(Params("keypoints").kpt_oks_sigmas.tolist()) == COCO_SIGMAS


@pytest.mark.parametrize("spell", [str, str.title, lambda name: name.replace(" ", "_"), lambda n: n.replace(" ", "-")])
def test_cocos_joints_are_known_however_they_are_spelt(tmp_path, spell):
    names = [spell(name) for name in NAMES]
    write(tmp_path, [person()], category={"id": 1, "name": "person", "keypoints": names})
    scheme = CocoKeypointsDataset(tmp_path).scheme
    assert scheme.names == tuple(names) and scheme.sigmas == COCO_SIGMAS and scheme.limbs == LIMBS


def test_seventeen_joints_of_another_kind_are_not_taken_for_cocos(tmp_path):
    names = [f"{side} {joint}" for side in ("left", "right") for joint in "abcdefgh"] + ["tail"]
    write(tmp_path, [person()], category={"id": 1, "name": "horse", "keypoints": names})
    with pytest.raises(UsageError, match="17 joints that are not COCO's 17 in COCO's order; OKS needs"):
        _ = CocoKeypointsDataset(tmp_path).scheme
    with pytest.raises(UsageError, match=r"set dataset\.flip_pairs"):
        _ = CocoKeypointsDataset(tmp_path, sigmas=[0.1] * 17).scheme
    scheme = CocoKeypointsDataset(tmp_path, sigmas=[0.1] * 17, flip_pairs=[[0, 8]]).scheme
    assert scheme.flip_pairs == ((0, 8),) and scheme.limbs == ()


def test_the_test_split_is_judged_by_its_server_on_its_own_boxes(tmp_path):
    data = CocoKeypointsDataset(tmp_path, split="test-dev2017")
    listed, boxes, images = data.missing({"boxes": "detector"})
    assert "image_info_test-dev2017.json" in listed and images.startswith("images are missing") and "test2017" in images
    assert "COCO_test-dev2017_detections_AP_H_609_person.json" in boxes
    assert "COCO publishes none of test-dev2017" in data.missing(GROUND_TRUTH)[1]
    assert "its server" in data.server and CocoKeypointsDataset(tmp_path).server == ""
    assert data.published_box_ap({"boxes": "detector"}) is None
    own = CocoKeypointsDataset(tmp_path, split="test2017", annotations="ours.json")
    assert own.server == "" and "ours.json" in own.missing(GROUND_TRUTH)[0]


def test_people_of_the_test_split_are_those_of_the_detector(tmp_path):
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "test2017").mkdir()
    (folder / "test2017" / "a.png").write_bytes(b"image")
    categories = [{"id": 2, "name": "bicycle"}, {"id": 1, "name": "person"}]
    images = [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}]
    path = folder / "annotations" / "image_info_test-dev2017.json"
    path.write_text(json.dumps({"images": images, "categories": categories}))
    file = folder / "person_detection_results" / OFFICIAL_BOXES["test-dev2017"]
    file.parent.mkdir()
    file.write_text(json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]))
    data = CocoKeypointsDataset(tmp_path, split="test-dev2017")
    protocol = {"boxes": "detector"}
    assert data.missing(protocol) == [] and data.scheme.names == NAMES and data.scheme.category == 1
    (sample,) = data.samples(protocol)
    assert sample.content[0].box == (1, 2, 3, 4) and sample.path.parent.name == "test2017"


def test_the_archive_of_results_is_named_as_the_server_wants(tmp_path):
    rows = tmp_path / "predictions.json"
    rows.write_text('[{"image_id": 1}]')
    path = CocoKeypointsDataset(tmp_path, split="test-dev2017").submit({"coco-keypoints": rows}, tmp_path / "out")
    assert path == tmp_path / "out" / "person_keypoints_test-dev2017_hrbench_results.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["person_keypoints_test-dev2017_hrbench_results.json"]
        assert archive.read(archive.namelist()[0]) == rows.read_bytes()


def test_what_the_file_lists_is_counted_and_looked_at(tmp_path):
    write(tmp_path, [person(), person(id=2, keypoints=[0] * 51), person(id=3, keypoints=[1, 2]), person(category_id=2)])
    data = CocoKeypointsDataset(tmp_path)
    assert data.facts() == {
        "images": 1, "images with people": 1, "people": 3, "of these with joints": 2, "joints": 17,
    }  # fmt: skip
    broken, joints = data.look(data.samples(GROUND_TRUTH)[0])
    assert "a.png" in broken and "person 3 of image 1 has 2 numbers in keypoints; 17 joints need 51" in joints


def test_no_published_boxes_for_another_split(tmp_path):
    with pytest.raises(UsageError, match="no published person detector's boxes exist for split train2017"):
        CocoKeypointsDataset(tmp_path, split="train2017").missing({"boxes": "detector"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not what a COCO file holds"),
        ('{"annotations": []}', "missing required field `images`"),
        ('{"images": []}', "lists no images"),
        ('{"images": [{"id": 1}]}', r"\$\.images\[0\]"),
    ],
)
def test_annotations_that_are_none(tmp_path, content, words):
    path = write(tmp_path, [])
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        CocoKeypointsDataset(tmp_path).samples(GROUND_TRUTH)


def test_a_box_that_is_no_number(tmp_path):
    write(tmp_path, [person()])
    (tmp_path / "coco" / "boxes.json").write_text(
        '[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1e999, 5], "score": 1}]'
    )
    with pytest.raises(InputError, match=r"boxes\.json"):
        CocoKeypointsDataset(tmp_path).samples({"boxes": "boxes.json"})


def test_boxes_of_no_category_in_use_are_refused(tmp_path):
    write(tmp_path, [person(category_id=7)], category={"id": 7, "name": "rider"})
    path = tmp_path / "coco" / "boxes.json"
    rows = [{"image_id": 1, "category_id": c, "bbox": [0, 0, 5, 5], "score": 0.5} for c in (18, 1, 18)]
    path.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"its 3 boxes are of category 1, 18; none is of category 7 \(rider\)"):
        CocoKeypointsDataset(tmp_path).samples({"boxes": "boxes.json"})
    path.write_text(json.dumps([{**rows[0], "category_id": c} for c in range(20, 40)]))
    with pytest.raises(
        InputError, match=r"28, 29, \.\.\.; none is .* category_id 7, or set protocol.boxes to ground_truth"
    ):
        CocoKeypointsDataset(tmp_path).samples({"boxes": "boxes.json"})
    path.write_text(json.dumps([*rows, {**rows[0], "category_id": 7, "score": 0.1}]))
    assert len(CocoKeypointsDataset(tmp_path).people({"boxes": "boxes.json"})[1]) == 1
    # a threshold that no box reaches leaves nobody, which is no fault of the file
    assert CocoKeypointsDataset(tmp_path).people({"boxes": "boxes.json", "image_threshold": 0.3}) == {}


def test_boxes_of_ones_own_are_noted(tmp_path):
    write(tmp_path, [person()])
    (tmp_path / "coco" / "boxes.json").write_text("[]")
    notes = CocoKeypointsDataset(tmp_path).notes({"boxes": "boxes.json"})
    assert notes == ["boxes come from boxes.json, not from the detector behind the published tables"]
    assert CocoKeypointsDataset(tmp_path).notes({}) == []  # predictions alone: no boxes are used


def test_no_published_boxes_are_named_for_people_of_ones_own(tmp_path):
    file = write(tmp_path, [person()])
    own = CocoKeypointsDataset(tmp_path, folder=".", annotations=str(file), images="coco")
    (tmp_path / "boxes.json").write_text("[]")
    assert own.notes({"boxes": "boxes.json"}) == [] and own.notes({}) == []


def test_coco_has_no_annotated_centres(tmp_path):
    with pytest.raises(UsageError, match="use detector or ground_truth"):
        CocoKeypointsDataset(tmp_path).missing({"boxes": "annotated"})


def test_people_who_are_shown_to_nobody_are_told(tmp_path):
    people = [{}, {"area": 0}, {"keypoints": [0] * 51, "num_keypoints": 0}, {"bbox": [200, 10, 20, 30]}, {"iscrowd": 1}]
    write(tmp_path, [person(id=number, **change) for number, change in enumerate(people, 1)])
    notes = {note.kind: note for note in CocoKeypointsDataset(tmp_path).notes(GROUND_TRUTH)}
    assert (notes["not_shown"].count, notes["not_shown"].of) == (2, 4)
    assert notes["without_joints"].count == 1
    write(tmp_path, [person()])
    assert CocoKeypointsDataset(tmp_path).notes(GROUND_TRUTH) == []
