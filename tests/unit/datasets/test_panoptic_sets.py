"""Panoptic data sets in COCO's layout and in the one that cityscapesscripts writes."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_panoptic
import random_streets
from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic
from PIL import Image

from hrbench import catalog
from hrbench.contracts import TruthInSeveralFiles
from hrbench.core.plugins import resolve
from hrbench.datasets.cityscapes_panoptic import CityscapesPanoptic
from hrbench.datasets.coco_panoptic import CocoPanoptic
from hrbench.errors import InputError, UsageError
from hrbench.formats.panoptic.pixels import read_ids
from hrbench.metrics.panoptic.quality import PanopticQuality
from hrbench.runner.score import metric_args_of


def photo(path: Path, size: tuple[int, int] = (32, 24)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 8, 7)).save(path)


def coco(root: Path, annotations: str = "annotations/panoptic_val2017.json") -> dict[str, Any]:
    """COCO's layout below `root`/coco; what was drawn."""
    made = random_panoptic.case(4, images=5)
    path = root / "coco" / annotations
    random_panoptic.write(path.parent, made)
    (path.parent / "truth.json").rename(path)
    (path.parent / "truth").rename(path.with_suffix(""))
    for image in made["truth"]["images"]:
        photo(root / "coco/val2017" / image["file_name"])
    return made


def test_cocos_layout(tmp_path: Path) -> None:
    made = coco(tmp_path)
    data = CocoPanoptic(tmp_path)
    assert data.missing({}) == [] and data.notes({}) == [] and data.metric_options() == {}
    samples = data.samples({})
    assert [sample.id for sample in samples] == sorted(made["truth_ids"])
    assert all(sample.path.is_file() and sample.size == (32, 24) for sample in samples)
    assert data.scheme.ids == tuple(one for one, _, _ in random_panoptic.CATEGORIES)
    segments = [one for row in made["truth"]["annotations"] for one in row["segments_info"]]
    assert data.facts() == {
        "images": 5, "segments": len(segments), "of these crowds": sum(one["iscrowd"] for one in segments),
        "classes of things": 3, "classes of stuff": 4,
    }  # fmt: skip
    assert [data.look(sample) for sample in samples] == [[]] * 5
    assert isinstance(data, TruthInSeveralFiles)


@pytest.mark.parametrize(
    ("gone", "says"),
    [
        ("annotations/panoptic_val2017.json", "annotations are missing"),
        ("annotations/panoptic_val2017", "PNGs of segments are missing"),
        ("val2017", "images are missing"),
        ("annotations/panoptic_val2017/{}.png", "1 of 5 PNGs of segments are missing"),
        ("val2017/{}.jpg", "1 of 5 images are missing"),
    ],
)
def test_what_is_missing_is_told_once(tmp_path: Path, gone: str, says: str) -> None:
    image = min(coco(tmp_path)["truth_ids"])
    path = tmp_path / "coco" / gone.format(f"{image:012d}")
    path.rename(tmp_path / "elsewhere")
    (told,) = CocoPanoptic(tmp_path).missing({})
    assert told.startswith(says) and str(path if "{}" not in gone else path.parent) in told


def test_every_file_of_the_ground_truth_is_in_its_digest(tmp_path: Path) -> None:
    image = min(coco(tmp_path)["truth_ids"])
    png = tmp_path / f"coco/annotations/panoptic_val2017/{image:012d}.png"
    before = CocoPanoptic(tmp_path)
    seen = (before.ground_truth_sha256(), before.digest({}))
    photo(tmp_path / f"coco/val2017/{image:012d}.jpg", (330, 240))
    now = CocoPanoptic(tmp_path)
    assert now.ground_truth_sha256() == seen[0] and now.digest({}) != seen[1]
    random_panoptic.save(png, np.zeros((24, 32), np.int64))
    assert CocoPanoptic(tmp_path).ground_truth_sha256() != seen[0]


def test_data_of_ones_own_lie_where_they_are_said_to(tmp_path: Path) -> None:
    coco(tmp_path, "mine/boards.json")
    (tmp_path / "coco/mine/boards").rename(tmp_path / "pngs")
    data = CocoPanoptic(
        tmp_path, annotations="mine/boards.json", segments="../pngs", images="val2017", orientation="stored"
    )
    assert data.missing({}) == [] and len(data.samples({})) == 5
    assert data.metric_options() == {"png_folder": "../../pngs"}
    metric = PanopticQuality(**data.metric_options())
    target = metric.read_target(data.target)
    found = metric.read_predictions(tmp_path / "coco/mine/results.json", target)
    assert len(metric.measure(found, target).arrays["image"]) == 5
    with pytest.raises(UsageError, match="truth_area: file or pixels was expected"):
        CocoPanoptic(tmp_path, truth_area="box")
    with pytest.raises(InputError, match="is a folder; COCO annotations are one JSON file"):
        CocoPanoptic(tmp_path, annotations="mine")


def test_faults_of_an_image_are_told(tmp_path: Path) -> None:
    coco(tmp_path)
    first, second, third, *_ = CocoPanoptic(tmp_path).samples({})
    folder = tmp_path / "coco/annotations/panoptic_val2017"
    photo(first.path, (30, 24))
    random_panoptic.save(folder / f"{second.id:012d}.png", np.full((24, 32), 77))
    (folder / f"{third.id:012d}.png").write_bytes(b"")
    data = CocoPanoptic(tmp_path)
    assert any("30x24" in fault for fault in data.look(first))
    assert any(f"image {second.id}: holds segment id 77 at 768 pixels" in fault for fault in data.look(second))
    assert any("is empty" in fault for fault in data.look(third))
    annotations = folder.with_suffix(".json")
    content = json.loads(annotations.read_text())
    content["images"].pop(0)
    annotations.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is annotated, and images names no file of it"):
        CocoPanoptic(tmp_path).samples({})


# --- Cityscapes -----------------------------------------------------------------------------------------------------


def cityscapes(root: Path) -> list[str]:
    """Scenes below `root`/cityscapes with what csCreatePanopticImgs makes of them; their names."""
    names = random_streets.write(root / "cityscapes", 5, scenes=4, labels=34)
    with contextlib.redirect_stdout(io.StringIO()):
        convert2panoptic(str(root / "cityscapes/gtFine"), setNames=["val"])
    for name in names:
        photo(root / f"cityscapes/leftImg8bit/val/{name}_leftImg8bit.png", (40, 24))
    return names


def test_the_layout_that_cityscapesscripts_writes(tmp_path: Path) -> None:
    names = cityscapes(tmp_path)
    data = CityscapesPanoptic(tmp_path, cities={"aachen": 2, "bochum": 1})
    assert data.missing({}) == []
    assert data.notes({}) == ["cities that do not belong to Cityscapes val count as well: ulm"]
    samples = data.samples({})
    assert [f"{sample.group}/{sample.id}" for sample in samples] == names
    assert all(sample.path.is_file() and sample.size == (40, 24) for sample in samples)
    assert [data.look(sample) for sample in samples] == [[]] * 4
    assert data.facts()["classes of things"] == 8 and data.facts()["classes of stuff"] == 11
    assert "person" in data.scheme.names and 24 in data.scheme.ids
    (told,) = CityscapesPanoptic(tmp_path, cities={"ulm": 3}).missing({})
    assert told.startswith("2 of 3 images of city ulm are missing from ")


def test_cityscapes_numbers_are_those_of_its_script(tmp_path: Path) -> None:
    """Predictions are scenes of another draw, in the same form."""
    cityscapes(tmp_path)
    data = CityscapesPanoptic(tmp_path)
    content = json.loads(data.target.read_text())
    results, rng = tmp_path / "results", np.random.default_rng(0)
    results.mkdir()
    for row in content["annotations"]:
        ids = read_ids(data.target.with_suffix("") / row["file_name"], "ids").astype(np.int64)
        ids[:, :7] = np.roll(ids, int(rng.integers(1, 9)), 1)[:, :7]
        random_panoptic.save(results / row["file_name"], ids)
        row["segments_info"] = [
            {"id": one["id"], "category_id": one["category_id"]}
            for one in row["segments_info"]
            if (ids == one["id"]).any()
        ]
    (results / "mine.json").write_text(json.dumps({"annotations": content["annotations"]}))
    metric = PanopticQuality(per_class=True)
    target = metric.read_target(data.target)
    scores = metric.summarise(metric.measure(metric.read_predictions(results, target), target), 0)
    theirs = metric.verify(data.target, results)
    for score in scores:
        expected = theirs[score.quantity.name]
        assert score.value == (None if np.isnan(expected) else expected)
    assert 0.2 < {one.quantity.name: one.value or 0.0 for one in scores}["PQ"] < 1


def test_an_image_of_another_name_is_refused(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    target = CityscapesPanoptic(tmp_path).target
    target.write_text(target.read_text().replace('"ulm_', '"ulm'))
    with pytest.raises(InputError, match=r"is not called \{city\}_\{sequence\}_\{frame\}"):
        CityscapesPanoptic(tmp_path).samples({})


def test_catalog_rows_are_judged_by_panoptic_quality() -> None:
    rows = [row for row in catalog.datasets().values() if row.task == "panoptic"]
    assert {row.use for row in rows} == {"coco-panoptic", "cityscapes-panoptic"}
    for row in rows:
        assert row.metrics == ("panoptic-quality",) and resolve("hrbench.datasets", row.use).task == row.task


def test_options_of_the_metric_are_passed_on(tmp_path: Path) -> None:
    asked = {"panoptic-quality": {"per_class": True}}
    for make in (CocoPanoptic, CityscapesPanoptic):
        assert metric_args_of("panoptic-quality", make(tmp_path, metric_args=asked)) == {"per_class": True}
        assert metric_args_of("panoptic-quality", make(tmp_path)) == {}
