"""Rows for the drawings, from prediction files of any size; what a drawing shows."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hrbench.errors import InputError
from hrbench.formats.coco import rows as module
from hrbench.tasks.pose.render import LEFT, LONG_SIDE, MIDDLE, RIGHT, SHORT_SIDE, read_rows, render_people
from hrbench.types import KeypointScheme, Person, Sample

SCHEME = KeypointScheme(names=("nose", "left eye", "right eye"), flip_pairs=((1, 2),), limbs=((1, 2), (0, 1)))


def sample(key, *people):
    return Sample(id=key, path=Path("none.png"), content=tuple(Person(index) for index in people))


def rows_of(*images):
    return [
        {"image_id": image, "category_id": 1, "keypoints": [n + 0.5, -1e-7, 1], "score": 0.1}
        for n, image in enumerate(images)
    ]


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 19])
@pytest.mark.parametrize("indent", [None, 1])
def test_rows_of_the_chosen_images_in_the_files_order(block, indent, tmp_path, monkeypatch):
    rows = rows_of(5, 9, "a", 5, 5, 11)
    for n, row in enumerate(rows):  # text that looks like the end of a row, and nested objects
        row["note"] = ['}, {"image_id": 5', {"a": {}, "b": [{}, {}]}, "]", "},"][n % 4]
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(rows, indent=indent))
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    found = read_rows(path, [sample("a"), sample(5), sample(77)])
    assert found == {
        "a": [{"keypoints": [2.5, -1e-7, 1]}],
        5: [{"keypoints": [n + 0.5, -1e-7, 1]} for n in (0, 3, 4)],
        77: [],
    }


@pytest.mark.parametrize("text", ["[]", " [\n]\n"])
def test_a_file_in_which_nobody_was_found(text, tmp_path):
    path = tmp_path / "predictions.json"
    path.write_text(text)
    assert read_rows(path, [sample(5)]) == {5: []}


@pytest.mark.parametrize("block", [20, 1 << 19])
@pytest.mark.parametrize(
    "text",
    ["", "{}", '[{"image_id": 5}]', '[{"image_id": 5, "keypoints": [1]}, {"image_id": 5, "keyp', "[3]",
     '[{"image_id": 5, "keypoints": "none"}]', '[{"image_id": 5, "keypoints": [1]}, {"image_id": []}, {}]'],
)  # fmt: skip
def test_a_file_that_is_none_is_named(text, block, tmp_path, monkeypatch):
    path = tmp_path / "predictions.json"
    path.write_text(text)
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    with pytest.raises(InputError, match=r"predictions\.json: holds no list of predicted people"):
        read_rows(path, [sample(5)])


def test_memory_does_not_grow_with_the_file(tmp_path):
    """As the metrics write it, a row to a line: 20 MB are read in the memory of a few blocks."""
    path = tmp_path / "predictions.json"
    row = json.dumps({"image_id": 1, "category_id": 1, "keypoints": [123.456789] * 51, "score": 0.5})
    count = 20_000_000 // len(row)
    path.write_text("[\n" + ",\n".join([row] * count + [row.replace('"image_id": 1', '"image_id": 2')]) + "\n]\n")
    tracemalloc.start()
    try:
        found = read_rows(path, [sample(2)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == {2: [{"keypoints": [123.456789] * 51}]}
    assert peak < 10 * module.BLOCK_BYTES < path.stat().st_size / 3


def test_an_array_holds_people_by_their_index(tmp_path):
    array = np.arange(3 * 16 * 3, dtype=np.float32).reshape(3, 16, 3)
    np.save(tmp_path / "predictions.npy", array)
    found = read_rows(tmp_path / "predictions.npy", [sample("b.jpg", 2, 0), sample("a.jpg", 1)])
    flat = array.reshape(3, -1).tolist()
    assert [row["keypoints"].tolist() for row in found["b.jpg"]] == [flat[2], flat[0]]
    assert [row["keypoints"].tolist() for row in found["a.jpg"]] == [flat[1]]


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((60, 60), (SHORT_SIDE, SHORT_SIDE)), ((60, 600), (48, LONG_SIDE)), ((300, 400), (300, 400))],
)
def test_drawings_have_a_readable_size(size, drawn):
    assert render_people(np.zeros((*size, 3), np.uint8), [], SCHEME).shape == (*drawn, 3)


def test_joints_and_limbs_have_their_sides_colour_and_unsure_ones_are_left_out():
    image = np.zeros((300, 300, 3), np.uint8)
    sure = {"keypoints": [150, 50, 1, 50, 150, 1, 250, 150, 1]}
    canvas = render_people(image, [sure], SCHEME)
    assert [tuple(canvas[y, x].tolist()) for x, y in ((150, 50), (50, 150), (250, 150))] == [MIDDLE, LEFT, RIGHT]
    assert tuple(canvas[150, 150].tolist()) == MIDDLE  # between left and right
    assert not image.any()
    unsure = {"keypoints": [150, 50, 1, 50, 150, 0.2, 250, 150, 1]}
    canvas = render_people(image, [unsure], SCHEME)
    assert canvas[50, 150].any() and not canvas[150, 50].any() and not canvas[150, 150].any()
