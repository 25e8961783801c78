"""Files of LVIS's form: what is read of images and classes, by both readers alike, and the first fault by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_ways import both_ways
from random_lvis import case

from hrbench.errors import InputError
from hrbench.formats.coco.forms import CocoForm
from hrbench.formats.coco.instances import read_truth
from hrbench.formats.coco.rle import Masks


def small() -> dict[str, Any]:
    box = {"bbox": [1, 2, 5, 6], "area": 30.0, "segmentation": [[1, 2, 6, 2, 6, 8, 1, 8]]}
    image = {"id": 9, "height": 20, "width": 30, "coco_url": "http://images.cocodataset.org/val2017/9.jpg"}
    return {
        "images": [{**image, "neg_category_ids": [3, 5], "not_exhaustive_category_ids": [4]}],
        "annotations": [{"id": 1, "image_id": 9, "category_id": 4, **box}],
        "categories": [
            {"id": i, "name": f"class {i}", "frequency": often} for i, often in ((5, "r"), (3, "f"), (4, "c"))
        ],
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@both_ways
@pytest.mark.parametrize("masks", [False, True])
def test_what_is_said_of_images_and_classes(masks: bool, tmp_path: Path, way: str) -> None:
    truth = read_truth(write(tmp_path / "t.json", small()), masks, federated=True)
    assert truth.federation is not None
    assert truth.federation.negative.tolist() == [[9, 3], [9, 5]] and truth.federation.partial.tolist() == [[9, 4]]
    assert truth.categories.tolist() == [3, 4, 5] and truth.federation.frequency == ("f", "c", "r")
    assert not truth.truths.crowd.any() and not truth.flagged.any()


@both_ways
def test_flags_are_those_of_their_own_row(tmp_path: Path, way: str) -> None:
    """A row without a flag has none, whatever a row before it in the file has."""
    content = small()
    first = content["annotations"][0]
    content["annotations"] = [
        {**first, "id": n + 1, **({"iscrowd": 1} if n % 2 else {}), **({"ignore": 1} if n % 3 == 1 else {})}
        for n in range(40_000)  # more than a block
    ]
    truth = read_truth(write(tmp_path / "t.json", content), False, federated=True)
    assert truth.flagged.tolist() == [n % 2 == 1 for n in range(40_000)]
    assert truth.truths.ignore.tolist() == [n % 3 == 1 for n in range(40_000)]
    assert not truth.truths.crowd.any()


@pytest.mark.parametrize("masks", [False, True])
def test_both_readers_read_alike(masks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(6):
        path = write(tmp_path / "t.json", case(seed, masks=masks)[0])
        found = []
        for compiled in "10":
            monkeypatch.setenv("HRBENCH_COMPILED", compiled)
            found.append(read_truth(path, masks, federated=True))
        one, other = found
        assert one.federation is not None and other.federation is not None
        assert one.federation.frequency == other.federation.frequency
        pairs = [(getattr(one.truths, name), getattr(other.truths, name)) for name in ("image", "area", "ignore")]
        pairs += [(one.flagged, other.flagged), (one.federation.negative, other.federation.negative)]
        assert all(np.array_equal(a, b) for a, b in pairs)
        if isinstance(one.shape, Masks):
            assert isinstance(other.shape, Masks) and one.shape.counts() == other.shape.counts()


def changed(where: str, key: str, value: Any = None) -> dict[str, Any]:
    """The small file with another value in the first row of a list, or without the key."""
    content = small()
    row = content[where][0]
    if value is None:
        del row[key]
    else:
        row[key] = value
    return content


FAULTS = {
    "image 0 (id 9): 'neg_category_ids' is missing; LVIS needs it": changed("images", "neg_category_ids"),
    "image 0 (id 9): 'not_exhaustive_category_ids' is missing": changed("images", "not_exhaustive_category_ids"),
    "image 0 (id 9): neg_category_ids is a number; it must be a list": changed("images", "neg_category_ids", 3),
    "neg_category_ids[1] is 5.0; it must be a whole number": changed("images", "neg_category_ids", [3, 5.0]),
    "neg_category_ids[0] is true; it must be a whole number": changed("images", "neg_category_ids", [True]),
    "category 0 (id 5): frequency is missing; LVIS needs r, c or f": changed("categories", "frequency"),
    'category 0 (id 5): frequency is "often"; LVIS needs r, c or f': changed("categories", "frequency", "often"),
    "annotation 0 (id 1, image_id 9): iscrowd is 2; it must be 0 or 1": changed("annotations", "iscrowd", 2),
    "annotation 0 (id 1, image_id 9): 'area' is missing": changed("annotations", "area"),
}


@both_ways
@pytest.mark.parametrize("message", FAULTS)
def test_the_first_fault_is_named(message: str, tmp_path: Path, way: str) -> None:
    with pytest.raises(InputError) as error:
        read_truth(write(tmp_path / "t.json", FAULTS[message]), False, federated=True)
    assert message in str(error.value) and "iscrowd: 0" not in str(error.value)


def test_a_file_of_coco_still_needs_to_say_what_is_a_crowd(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'iscrowd' is missing, as in all files of LVIS's form: lvis-boxes") as error:
        read_truth(write(tmp_path / "t.json", small()), False)
    assert error.value.option == "iscrowd: 0"
    assert read_truth(write(tmp_path / "t.json", small()), False, CocoForm(iscrowd=0)).federation is None
