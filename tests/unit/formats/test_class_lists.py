"""Lists of images and classes: every layout, every fault in one line that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.errors import HrbenchError, InputError, MissingError
from hrbench.formats.class_lists import read, stem


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def folders(root: Path, *files: str) -> Path:
    for file in files:
        written(root / file, "an image")
    return root


def test_class_folders_in_sorted_order(tmp_path: Path) -> None:
    root = folders(tmp_path, "dog/b.jpg", "dog/deep/a.JPEG", "cat/2.png", "cat/1.png", "cat/notes.txt", ".git/x.png")
    lists = read(root)
    assert lists.ids == ("cat/1", "cat/2", "dog/b", "dog/deep/a")
    assert lists.labels == ((0,), (0,), (1,), (1,)) and lists.classes == ("cat", "dog")
    assert lists.files["dog/deep/a"] == "dog/deep/a.JPEG"


def test_class_folders_in_the_order_of_names(tmp_path: Path) -> None:
    root = folders(tmp_path, "cat/1.png", "dog/1.png")
    lists = read(root, ["dog", "emu", "cat"])
    assert lists.ids == ("dog/1", "cat/1") and lists.labels == ((0,), (2,))


def test_a_class_folder_too_many_is_named(tmp_path: Path) -> None:
    root = folders(tmp_path, "cat/1.png", "dog/1.png", "junk/1.png")
    with pytest.raises(InputError, match=r"junk is a class folder too many: the classes are cat, dog; take it out"):
        read(root, ["cat", "dog"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("a.png",), "there is no folder of a class in it"),
        (("cat/notes.txt",), "no image is in its 1 folders"),
        (("cat/1.png", "cat/1.jpg"), "cat/1.png and cat/1.jpg differ in their endings alone"),
    ],
)
def test_folders_that_are_none(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(folders(tmp_path, *files))


@pytest.mark.parametrize(
    "text",
    ["a.JPEG 2\nsub/b c.png 0\n", "a.JPEG,2\nsub/b c.png,0", "\ufeffimage,label\na.JPEG,2\n\n" + '"sub/b c.png",0\n'],
    ids=["caffe", "commas", "heading"],
)
def test_images_with_indices(tmp_path: Path, text: str) -> None:
    lists = read(written(tmp_path / "val.txt", text))
    assert lists.ids == ("a", "sub/b c") and lists.labels == ((2,), (0,)) and lists.classes == ()


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [
        ("a,b.jpg,dog", "a,b", "dog"),
        ("a, b.jpg, dog", "a, b", "dog"),
        ('"a, b.jpg",dog', "a, b", "dog"),
        ('"say ""a"".jpg",dog', 'say "a"', "dog"),
        ('a.jpg,"dog, small"', "a", "dog, small"),
        ('"my photo.jpg" dog', "my photo", "dog"),
        ("my photo.jpg   dog", "my photo", "dog"),
        ("n01/my photo.jpg, dog", "n01/my photo", "dog"),
    ],
)
def test_separators_within_names_and_labels(line: str, name: str, label: str, tmp_path: Path) -> None:
    lists = read(written(tmp_path / "val.txt", line + "\n"))
    assert lists.ids == (name,) and lists.classes == (label,)


def test_a_line_longer_than_any_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"val\.txt, line 1: 'aaa.* is not an image and its class"):
        read(written(tmp_path / "val.txt", "a" * 200_000 + ",1\n"))


def test_images_with_names_of_classes(tmp_path: Path) -> None:
    path = written(tmp_path / "val.csv", "image,label\n1.png,dog\n2.png,cat\n3.png,dog\n")
    assert read(path).classes == ("cat", "dog") and read(path).labels == ((1,), (0,), (1,))
    assert read(path, ["dog", "emu", "cat"]).labels == ((0,), (2,), (0,))


def test_kaggles_solution(tmp_path: Path) -> None:
    path = written(
        tmp_path / "LOC_val_solution.csv",
        "ImageId,PredictionString\nILSVRC2012_val_00048981,n03995372 85 1 499 272 \n"
        "ILSVRC2012_val_00037956,n03481172 131 0 499 254 n03481172 1 2 3 4 \n",
    )
    lists = read(path)
    assert lists.ids == ("ILSVRC2012_val_00048981", "ILSVRC2012_val_00037956")
    assert lists.classes == ("n03481172", "n03995372") and lists.labels == ((1,), (0,))


def test_the_devkits_ids_are_not_taken_for_indices(tmp_path: Path) -> None:
    lists = read(written(tmp_path / "ILSVRC2012_validation_ground_truth.txt", "490\n361\n"))
    assert lists.unmapped and lists.labels == ((490,), (361,))
    assert lists.ids == ("ILSVRC2012_val_00000001", "ILSVRC2012_val_00000002")


def test_real_labels_by_place_and_by_name(tmp_path: Path) -> None:
    lists = read(written(tmp_path / "real.json", [[970, 795], [], [5]]))
    assert lists.ids[2] == "ILSVRC2012_val_00000003" and lists.labels == ((970, 795), (), (5,))
    named = read(written(tmp_path / "mine.json", {"a/1.png": [3, 3], "a/2.png": 1, "b": []}))
    assert named.ids == ("a/1", "a/2", "b") and named.labels == ((3,), (1,), ())


def inaturalist(boxes: bool) -> dict[str, Any]:
    above = {7: "Aves", 3: "Aves", 9: "Plantae"}
    content: dict[str, Any] = {
        "images": [{"id": i, "file_name": f"t/{i}.jpg", "width": 80, "height": 60} for i in (12, 5, 8)],
        "categories": [{"id": i, "name": f"species {i}", "supercategory": name} for i, name in above.items()],
        "annotations": [{"id": 1, "image_id": 12, "category_id": 7}, {"id": 2, "image_id": 5, "category_id": 3}],
    }
    if boxes:
        for row in content["annotations"]:
            row["bbox"] = [1, 2, 30, 40.5]
    return content


def test_inaturalist(tmp_path: Path) -> None:
    lists = read(written(tmp_path / "val2017.json", inaturalist(boxes=False)))
    assert lists.ids == (5, 12) and lists.labels == ((0,), (1,))  # image 8 has no annotation
    assert lists.classes == ("species 3", "species 7", "species 9")
    assert lists.files[12] == "t/12.jpg" and lists.sizes[5] == (80, 60) and not lists.boxes


def test_inaturalists_boxes_restrict_the_classes_to_their_supercategories(tmp_path: Path) -> None:
    lists = read(written(tmp_path / "boxes.json", inaturalist(boxes=True)))
    assert lists.classes == ("species 3", "species 7") and lists.boxes[12] == (1.0, 2.0, 30.0, 40.5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("val.txt", "", "it is empty"),
        ("val.txt", "image,label\n", "it lists no image"),
        ("val.txt", "a.png 1\na.jpg 2", "line 2: image a.jpg is there twice"),
        ("val.txt", "a.png 1\nb.png", "line 2: 'b.png' is not an image and its class"),
        ("val.txt", "a.png 1\nb.png dog", "line 2: there is no class 'dog'; the classes are cat, emu"),
        ("val.txt", "a.png 1\nb.png 2", "line 2: class 2 of 2; they are counted from 0"),
        ("val.json", "[1, ", "it is no JSON"),
        ("val.json", [[0], "x"], "the labels of image ILSVRC2012_val_00000002 are not a list of indices"),
        ("val.json", {"a": [0, -1]}, "the labels of image a are not a list of indices"),
        ("val.json", {"a": [2]}, "image a: class 2 of 2"),
        ("val.json", {"a.png": [1], "a.jpg": [1]}, "image a.jpg is there twice"),
        ("val.json", 5, "neither lists of labels"),
        ("val.json", {"annotations": 1}, "'images' is not a list"),
    ],
)
def test_faults_are_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(InputError, match=message) as caught:
        read(path, ["cat", "emu"])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"].append({"image_id": 5, "category_id": 7}), "image 5 has two annotations"),
        (
            lambda c: c["annotations"].append({"image_id": 99, "category_id": 7}),
            "image 99 and category 7",
        ),
        (
            lambda c: c["annotations"].append({"image_id": "5", "category_id": 7}),
            "'image_id' is '5' in",
        ),
        (lambda c: c["annotations"].clear(), "it has no annotations"),
        (lambda c: c["categories"].append(c["categories"][0]), "ids that differ"),
        (lambda c: c["images"][0].update(width=-4, height=3), "is -4x3 pixels; both sides are above 0"),
        (lambda c: c["images"][0].update(width=2**40, height=3), "both sides are above 0"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 0, 4]), r"has no box \[x, y, width, height\]"),
    ],
)
def test_faults_of_inaturalist(tmp_path: Path, change: Any, message: str) -> None:
    content = inaturalist(boxes=False)
    change(content)
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "val2017.json", content))


def test_what_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no such file"):
        read(tmp_path / "val.txt")
    (tmp_path / "val.txt").write_bytes(b"a\xff 1")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read(tmp_path / "val.txt")


def test_ids() -> None:
    assert stem("./x/y.jpeg") == "x/y" and stem("n01440764_1.5") == "n01440764_1.5" and stem("a.PNG") == "a"


LINES = st.lists(st.sampled_from(["a.png 1", "b,2", "c", "7", "image,label", '"', "d.jpg cat", "\x00", "é 1"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["images", "categories", "annotations", "id", "image_id", "category_id", "bbox", "a.png"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80)
@given(data=st.data())
def test_whatever_is_written_is_read_or_refused(tmp_path: Path, data) -> None:
    ending, content = data.draw(
        st.one_of(
            st.tuples(st.just(".txt"), LINES.map("\n".join).map(str.encode)),
            st.tuples(st.sampled_from([".txt", ".json"]), st.binary(max_size=60)),
            st.tuples(st.just(".json"), JSON.map(json.dumps).map(str.encode)),
        )
    )
    path = tmp_path / f"list{ending}"
    path.write_bytes(content)
    try:
        lists = read(path, data.draw(st.sampled_from([(), ("cat", "dog")])))
    except HrbenchError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert len(lists.ids) == len(lists.labels) == len(set(lists.ids)) > 0
