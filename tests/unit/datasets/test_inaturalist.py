"""iNaturalist's layout drawn small: whole images, and those with boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hrbench.datasets.inaturalist import INaturalist
from hrbench.errors import InputError
from hrbench.metrics.topk import TopK


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "inaturalist-2017"
    images = []
    for number, place in ((31, "Aves/Corvus corax"), (7, "Plantae/Abies alba"), (12, "Aves/Pica pica")):
        file = f"train_val_images/{place}/{number}.jpg"
        (root / file).parent.mkdir(parents=True)
        Image.fromarray(np.full((30, 40, 3), number, np.uint8)).save(root / file)
        images.append({"id": number, "file_name": file, "width": 40, "height": 30})
    categories = [
        {"id": 0, "name": "Abies alba", "supercategory": "Plantae"},
        {"id": 1, "name": "Corvus corax", "supercategory": "Aves"},
        {"id": 2, "name": "Pica pica", "supercategory": "Aves"},
    ]
    rows: list[dict[str, Any]] = [
        {"id": n, "image_id": i, "category_id": c} for n, i, c in ((1, 31, 1), (2, 7, 0), (3, 12, 2))
    ]
    (root / "train_val2017").mkdir()
    whole = {"images": images, "categories": categories, "annotations": rows}
    (root / "train_val2017" / "val2017.json").write_text(json.dumps(whole))
    boxed = [{**row, "bbox": [4, 5, 20, 10], "iscrowd": 0} for row in rows if row["category_id"]]
    (root / "val_2017_bboxes.json").write_text(json.dumps({**whole, "annotations": boxed}))
    return tmp_path


def test_whole_images(data: Path) -> None:
    dataset = INaturalist(data)
    assert dataset.missing({}) == [] and dataset.scheme.names == ("Abies alba", "Corvus corax", "Pica pica")
    samples = dataset.samples({})
    assert [(sample.id, sample.group, sample.content) for sample in samples] == [
        (7, "Abies alba", None), (12, "Pica pica", None), (31, "Corvus corax", None)
    ]  # fmt: skip
    assert all(sample.path.is_file() and dataset.look(sample) == [] for sample in samples)
    assert dataset.facts() == {"images": 3, "annotations": 3, "classes": 3}
    assert TopK(**dataset.metric_options()).read_target(dataset.target).labels == ((0,), (2,), (1,))


def test_boxes(data: Path) -> None:
    dataset = INaturalist(data, annotations="val_2017_bboxes.json", boxes=True)
    assert dataset.missing({}) == [] and dataset.scheme.names == ("Corvus corax", "Pica pica")
    assert [(sample.id, sample.content) for sample in dataset.samples({})] == [
        (12, (4.0, 5.0, 20.0, 10.0)), (31, (4.0, 5.0, 20.0, 10.0))
    ]  # fmt: skip
    assert dataset.digest({}) != INaturalist(data).digest({})


def test_annotations_without_boxes_are_refused(data: Path) -> None:
    with pytest.raises(InputError, match="its annotations have no boxes"):
        INaturalist(data, boxes=True).samples({})


def test_what_is_missing(data: Path, tmp_path: Path) -> None:
    (data / "inaturalist-2017" / "train_val_images" / "Aves" / "Pica pica" / "12.jpg").unlink()
    (gap,) = INaturalist(data).missing({})
    assert gap.startswith("1 of 3 images are missing from ") and "Pica pica/12.jpg" in gap
    (gap,) = INaturalist(tmp_path / "nowhere").missing({})
    assert "annotations are missing" in gap and "val2017.json" in gap


def test_faults_of_a_sample(data: Path) -> None:
    path = data / "inaturalist-2017" / "val_2017_bboxes.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [50, 5, 20, 10]
    path.write_text(json.dumps(content))
    dataset = INaturalist(data, annotations=path.name, boxes=True)
    assert "lies outside of" in dataset.look(dataset.samples({})[1])[0]
    content["images"][0]["width"] = 41
    path.write_text(json.dumps(content))
    dataset = INaturalist(data, annotations=path.name, boxes=True)
    assert "40x30 pixels, its annotation says 41x30" in dataset.look(dataset.samples({})[1])[0]
