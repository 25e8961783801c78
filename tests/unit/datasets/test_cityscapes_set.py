"""Scenes in the layout of Cityscapes: order, cities, what is missing, faults, and what its server takes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from segmentation_layouts import save

from hrbench import catalog
from hrbench.core import plugins
from hrbench.datasets.cityscapes import CityscapesDataset, instance_faults
from hrbench.errors import InputError, MissingError
from hrbench.types import Prediction

SCENES = ("munster/munster_000001_000019", "frankfurt/frankfurt_000000_000576", "frankfurt/frankfurt_000000_000294")
ORDER = sorted(SCENES)


def draw(root: Path, scenes: tuple[str, ...] = SCENES, split: str = "val", seed: int = 0) -> Path:
    """Scenes of 12x8 pixels with every label id and some instances of cars (26); returns the folder of the set."""
    rng = np.random.default_rng(seed)
    folder = root / "cityscapes"
    for scene in scenes:
        labels = rng.integers(0, 34, (8, 12), dtype=np.uint8)
        instances = labels.astype(np.uint16)
        instances[labels == 26] = 26 * 1000 + rng.integers(0, 5)
        save(
            folder / "leftImg8bit" / split / f"{scene}_leftImg8bit.png",
            rng.integers(0, 256, (8, 12, 3), dtype=np.uint8),
        )
        if split != "test":
            save(folder / "gtFine" / split / f"{scene}_gtFine_labelIds.png", labels)
            save(folder / "gtFine" / split / f"{scene}_gtFine_instanceIds.png", instances)
    return folder


def test_scenes_come_in_the_official_order_with_their_city(tmp_path: Path):
    folder = draw(tmp_path)
    data = CityscapesDataset(tmp_path)
    assert data.missing({}) == [] and data.notes({}) == []
    samples = data.samples({})
    assert [sample.id for sample in samples] == ORDER
    assert [sample.group for sample in samples] == ["frankfurt", "frankfurt", "munster"]
    assert samples[0].path == folder / "leftImg8bit/val" / f"{ORDER[0]}_leftImg8bit.png"
    assert data.target == folder / "gtFine/val"
    assert data.facts() == {"images": 3, "label ids": 3, "instance ids": 3, "cities": 2}
    options = data.metric_options()
    assert options["files"] == [f"{scene}_gtFine_labelIds.png" for scene in ORDER]
    assert sorted(options["ids"] + options["ignore"]) == list(range(34)) and len(options["names"]) == 19
    assert [fault for sample in samples for fault in data.look(sample)] == []


def test_classes_are_those_of_the_official_scripts():
    scripts = pytest.importorskip("cityscapesscripts.helpers.labels")
    judged = sorted((label for label in scripts.labels if 0 <= label.trainId < 255), key=lambda label: label.trainId)
    scheme = CityscapesDataset.scheme
    assert scheme.names == tuple(label.name for label in judged)
    assert scheme.ids == tuple(label.id for label in judged)
    assert scheme.palette == tuple(label.color for label in judged)


def test_nothing_there(tmp_path: Path):
    gaps = CityscapesDataset(tmp_path).missing({})
    assert len(gaps) == 2 and all("www.cityscapes-dataset.com" in gap and str(tmp_path) in gap for gap in gaps)
    assert "gtFine_trainvaltest.zip" in gaps[0] and "leftImg8bit_trainvaltest.zip" in gaps[1]
    (tmp_path / "cityscapes/gtFine/val").mkdir(parents=True)
    (tmp_path / "cityscapes/leftImg8bit/val").mkdir(parents=True)
    assert "holds no {city}/*_leftImg8bit.png" in CityscapesDataset(tmp_path).missing({})[0]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("gtFine/val/{}_gtFine_labelIds.png", "1 of 3 label ids are missing"),
        ("gtFine/val/{}_gtFine_instanceIds.png", "1 of 3 instance ids are missing"),
        ("leftImg8bit/val/{}_leftImg8bit.png", "1 of 3 images are missing"),
    ],
)
def test_one_file_missing(tmp_path: Path, file: str, words: str):
    folder = draw(tmp_path)
    path = folder / file.format(SCENES[0])
    path.unlink()
    (gap,) = CityscapesDataset(tmp_path).missing({})
    assert gap.startswith(words) and f"the first is {SCENES[0]}" in gap and "get it from" in gap


def test_a_missing_city_of_the_official_split_is_named(tmp_path: Path):
    draw(tmp_path)
    cities = catalog.datasets()["cityscapes-val"].args["cities"]
    assert sum(cities.values()) == 500
    gaps = CityscapesDataset(tmp_path, cities=cities).missing({})
    assert gaps[0].startswith(f"265 of 267 images of city frankfurt are missing: {tmp_path}")
    assert gaps[1].startswith("city lindau of Cityscapes val is missing: nothing is in") and "lindau" in gaps[1]
    assert gaps[2].startswith("173 of 174 images of city munster") and len(gaps) == 3
    assert CityscapesDataset(tmp_path, cities={"frankfurt": 2}).notes({}) == [
        "cities that do not belong to Cityscapes val count as well: munster"
    ]


def test_the_digest_follows_labels_instances_and_images(tmp_path: Path):
    draw(tmp_path / "a")
    draw(tmp_path / "b")
    one, other = CityscapesDataset(tmp_path / "a"), CityscapesDataset(tmp_path / "b")
    assert one.digest({}) == other.digest({})
    for kind in ("gtFine_labelIds", "gtFine_instanceIds"):
        path = tmp_path / "b/cityscapes/gtFine/val" / f"{SCENES[0]}_{kind}.png"
        content = path.read_bytes()
        save(path, np.zeros((8, 12), np.uint8))
        assert one.digest({}) != other.digest({})
        path.write_bytes(content)
    path = tmp_path / "b/cityscapes/leftImg8bit/val" / f"{SCENES[0]}_leftImg8bit.png"
    path.write_bytes(path.read_bytes() + b"x")
    assert one.digest({}) != other.digest({})


def test_faults_of_a_scene_are_one_line_each(tmp_path: Path):
    folder = draw(tmp_path)
    data = CityscapesDataset(tmp_path)
    sample = data.samples({})[0]
    labels, instances = (folder / "gtFine/val" / f"{sample.id}_gtFine_{kind}Ids.png" for kind in ("label", "instance"))
    right = (labels.read_bytes(), instances.read_bytes())
    values = np.full((8, 12), 7, np.uint8)
    values[2, 3] = 77
    save(labels, values)
    (fault,) = data.look(sample)
    assert f"labels {labels} hold 77 at (3, 2)" in fault and "0 to 33" in fault
    labels.write_bytes(right[0][:60])
    (fault,) = data.look(sample)
    assert str(labels) in fault and "truncated" in fault
    labels.write_bytes(right[0])
    instances.write_bytes(right[1][:70])
    (fault,) = data.look(sample)
    assert str(instances) in fault
    save(instances, np.full((8, 12), 7, np.uint16))
    (fault,) = data.look(sample)
    assert fault.startswith(f"instance ids {instances} say 7 at (") and str(labels) in fault
    save(instances, np.full((8, 13), 7, np.uint16))
    assert "are 13x8 pixels" in data.look(sample)[0]


def test_instances_stand_for_labels_by_thousands():
    labels = np.array([[26, 26, 24]], np.uint8)
    path = Path("a")
    assert instance_faults(path, labels, path, np.array([[26001, 26, 24999]], np.uint16)) == []
    assert "say 27001 at (1, 0)" in instance_faults(path, labels, path, np.array([[26001, 27001, 24]], np.uint16))[0]


def test_the_metric_finds_a_perfect_prediction_perfect(tmp_path: Path):
    draw(tmp_path)
    data = CityscapesDataset(tmp_path)
    metric = plugins.resolve("hrbench.metrics", "cityscapes")(**data.metric_options())
    table = np.zeros(34, np.uint8)
    table[list(data.scheme.ids)] = np.arange(19)
    truth = {scene: np.asarray(Image.open(data.target / f"{scene}_gtFine_labelIds.png")) for scene in ORDER}
    predictions = [Prediction(scene, table[labels]) for scene, labels in truth.items()]
    metric.write_predictions(iter(predictions), tmp_path / "predictions")
    target = metric.read_target(data.target)
    state = metric.measure(metric.read_predictions(tmp_path / "predictions", target), target)
    scores = {score.quantity.name: score.value for score in metric.summarise(state, resamples=0)}
    assert scores[metric.main] == 1


def test_the_test_set_has_a_server_and_an_archive_for_it(tmp_path: Path):
    scenes = ("berlin/berlin_000000_000019", "munich/munich_000001_000019")
    draw(tmp_path, scenes, "test")
    data = CityscapesDataset(tmp_path, "test")
    assert data.missing({}) == [] and "server" in data.server and CityscapesDataset(tmp_path).server == ""
    assert [sample.id for sample in data.samples({})] == list(scenes)
    assert data.look(data.samples({})[0]) == [] and len(data.digest({})) == 64
    place = tmp_path / "predictions"
    for scene in scenes:
        save(place / f"{scene}.png", np.full((8, 12), 26, np.uint8))
    path = data.submit({"cityscapes": place}, tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{scene.partition('/')[2]}_pred_labelIds.png" for scene in scenes]
        assert np.all(np.asarray(Image.open(io.BytesIO(archive.read(archive.namelist()[0])))) == 26)
    (place / "labels.txt").write_text("trainIds\n")
    with pytest.raises(InputError, match="holds class index 26; there are 19 classes"):
        data.submit({"cityscapes": place}, tmp_path / "out")
    for scene in scenes:
        save(place / f"{scene}.png", np.full((8, 12), 13, np.uint8))
    with zipfile.ZipFile(data.submit({"cityscapes": place}, tmp_path / "out")) as archive:
        assert np.all(np.asarray(Image.open(io.BytesIO(archive.read(archive.namelist()[0])))) == 26)
    (place / f"{scenes[1]}.png").unlink()
    with pytest.raises(MissingError, match="no prediction of munich/munich_000001_000019"):
        data.submit({"cityscapes": place}, tmp_path / "out")
    (place / "labels.txt").write_text("colours\n")
    with pytest.raises(InputError, match="holds 'colours'"):
        data.submit({"cityscapes": place}, tmp_path / "out")
    assert sum(catalog.datasets()["cityscapes-test"].args["cities"].values()) == 1525
