"""Every segmentation set of the catalog, read from a tiny set drawn in its layout and judged by its metric."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from segmentation_layouts import LAYOUTS, Layout, draw, indices, save

from hrbench import catalog
from hrbench.core import plugins
from hrbench.errors import MissingError
from hrbench.formats.labels import LABELS, read_labels
from hrbench.types import Prediction

ROWS = {name: row for name, row in catalog.datasets().items() if row.use == "label-folders"}
PUBLIC = [name for name, made in LAYOUTS.items() if made.labels]
COUNTS = {
    "pascal-context-59": 59, "pascal-context-60": 60, "lip-val": 20, "lip-test": 20, "voc2012-val": 21,
    "voc2012-test": 21, "ade20k-val": 150, "nyudv2-40": 40, "sunrgbd-37": 37, "pascal-person-part": 7,
    "coco-stuff-10k": 171, "coco-stuff-164k-val2017": 171, "camvid-11": 11,
}  # fmt: skip


def read(name: str, root: Path, **other: Any):
    """The data set of a row, however many images it has."""
    row = ROWS[name]
    return plugins.resolve("hrbench.datasets", row.use)(root, **{**row.args, "count": 0, **other})


def at(root: Path, made: Layout, what: str, number: int = 0) -> Path:
    return root / getattr(made, what).format(name=made.names[number])


def test_every_row_has_its_layout_here():
    assert list(ROWS) == list(LAYOUTS) == list(COUNTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_classes_and_colours_are_as_many_as_the_set_has(name: str, tmp_path: Path):
    scheme = read(name, tmp_path).scheme
    assert len(scheme.names) == len(scheme.ids) == len(scheme.palette) == COUNTS[name]
    assert len(set(scheme.names)) == len(scheme.names)
    judged = {label: index for label, index in LAYOUTS[name].classes.items() if index is not None}
    assert dict(zip(scheme.ids, range(len(scheme.ids)), strict=True)) == judged


def test_flip_pairs_of_lip_exchange_left_and_right(tmp_path: Path):
    scheme = read("lip-val", tmp_path).scheme
    pairs = [(scheme.names[left], scheme.names[right]) for left, right in scheme.flip_pairs]
    assert pairs == [("left-arm", "right-arm"), ("left-leg", "right-leg"), ("left-shoe", "right-shoe")]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_in_its_own_layout_is_all_there(name: str, tmp_path: Path):
    made = LAYOUTS[name]
    draw(tmp_path, made)
    dataset = read(name, tmp_path)
    assert dataset.missing({}) == [] and dataset.notes({}) == []
    samples = dataset.samples({})
    order = made.names if made.list else tuple(sorted(made.names))
    assert tuple(sample.id for sample in samples) == order
    assert [sample.path for sample in samples] == [tmp_path / made.images.format(name=name) for name in order]
    assert [fault for sample in samples for fault in dataset.look(sample)] == []
    assert dataset.facts()["images"] == len(order)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_digest_follows_labels_and_images_and_not_the_place(name: str, tmp_path: Path):
    made = LAYOUTS[name]
    digests = []
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        draw(tmp_path / place, made, seed)
        digests.append(read(name, tmp_path / place).digest({}))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.args.get("count")])
def test_a_set_that_is_not_there_whole_says_how_many_are_missing(name: str, tmp_path: Path):
    draw(tmp_path, LAYOUTS[name])
    count = ROWS[name].args["count"]
    (gap,) = read(name, tmp_path, count=count).missing({})
    assert f"{count - len(LAYOUTS[name].names)} of {count} images are missing" in gap and ROWS[name].home in gap


@pytest.mark.parametrize("name", PUBLIC)
def test_missing_parts_are_named_with_their_path_and_home(name: str, tmp_path: Path):
    made = LAYOUTS[name]
    draw(tmp_path, made)
    at(tmp_path, made, "labels", 1).unlink()
    (gap,) = read(name, tmp_path).missing({})
    assert gap.startswith(f"1 of {len(made.names)} label files are missing from {at(tmp_path, made, 'labels').parent}")
    assert f"the first is {made.names[1]}.png" in gap and ROWS[name].home in gap
    for file in at(tmp_path, made, "images").parent.iterdir():
        file.unlink()
    gaps = read(name, tmp_path).missing({})
    assert "images are missing" in gaps[0] and str(at(tmp_path, made, "images").parent) in gaps[0]


@pytest.mark.parametrize("name", [name for name, made in LAYOUTS.items() if made.list])
def test_a_list_that_is_missing_is_named(name: str, tmp_path: Path):
    draw(tmp_path, LAYOUTS[name])
    (tmp_path / LAYOUTS[name].list).unlink()
    (gap,) = read(name, tmp_path).missing({})
    assert f"the list of names is missing: {tmp_path / LAYOUTS[name].list}" in gap


@pytest.mark.parametrize("name", PUBLIC)
def test_damage_is_one_clear_line_naming_the_file(name: str, tmp_path: Path):
    made = LAYOUTS[name]
    truth = draw(tmp_path, made)
    dataset = read(name, tmp_path)
    first, second = dataset.samples({})[:2]
    labels = tmp_path / made.labels.format(name=first.id)
    content = labels.read_bytes()
    labels.write_bytes(content[: len(content) // 2])
    (fault,) = dataset.look(first)
    assert str(labels) in fault and "truncated" in fault and "\n" not in fault
    strange = next(value for value in range(254, 0, -1) if value not in made.values)
    values = truth[str(first.id)].copy()
    values[3, 5] = strange
    save(labels, values, made.coloured)
    (fault,) = dataset.look(first)
    assert f"labels {labels} hold {strange} at (5, 3)" in fault and "1 of 432 pixels" in fault
    save(labels, truth[str(first.id)][:-1], made.coloured)
    (fault,) = dataset.look(first)
    assert f"labels {labels} are 24x17 pixels, their image {first.path} is 24x18" in fault
    content = second.path.read_bytes()
    second.path.write_bytes(content[: len(content) * 2 // 3])
    (fault,) = dataset.look(second)
    assert fault.startswith(f"image {second.path} cannot be read whole (truncated")


@pytest.mark.parametrize("name", PUBLIC)
def test_the_metric_takes_what_the_set_gives_and_finds_a_perfect_prediction_perfect(name: str, tmp_path: Path):
    made = LAYOUTS[name]
    truth = draw(tmp_path, made)
    dataset = read(name, tmp_path)
    metric = plugins.resolve("hrbench.metrics", ROWS[name].metrics[0])(**dataset.metric_options())
    predictions = [Prediction(sample, indices(labels, made.classes)) for sample, labels in truth.items()]
    scores = {}
    for what in ("right", "wrong"):
        folder = tmp_path / what
        metric.write_predictions(iter(predictions), folder)
        target = metric.read_target(dataset.target)
        state = metric.measure(metric.read_predictions(folder, target), target)
        scores[what] = {score.quantity.name: score.value for score in metric.summarise(state, resamples=0)}
        values = predictions[0].value.copy()
        judged = [label for label, index in made.classes.items() if index is not None]
        place = np.argwhere(np.isin(truth[str(predictions[0].sample)], judged))[0]
        values[tuple(place)] = (values[tuple(place)] + 1) % COUNTS[name]
        predictions[0] = replace(predictions[0], value=values)
    main = metric.main
    assert scores["right"][main] == 1 and 0 < scores["wrong"][main] < 1


def test_what_lip_s_server_takes(tmp_path: Path):
    truth = draw(tmp_path, LAYOUTS["lip-test"])
    dataset = read("lip-test", tmp_path)
    assert dataset.missing({}) == [] and "judges" in dataset.server
    for name, labels in truth.items():
        save(tmp_path / "predictions" / f"{name}.png", labels)
    path = dataset.submit({"miou": tmp_path / "predictions"}, tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{name}.png" for name in LAYOUTS["lip-test"].names]
        with Image.open(io.BytesIO(archive.read(archive.namelist()[0]))) as picture:
            assert np.array_equal(np.asarray(picture), truth["100012_501646"])
    again = dataset.submit({"miou": tmp_path / "predictions"}, tmp_path / "again")
    assert again.read_bytes() == path.read_bytes()
    (tmp_path / "predictions" / "100012_501646.png").unlink()
    with pytest.raises(MissingError, match="no prediction of 100012_501646"):
        dataset.submit({"miou": tmp_path / "predictions"}, tmp_path / "third")
    assert not list((tmp_path / "third").iterdir())


def test_what_voc_s_server_takes(tmp_path: Path):
    truth = draw(tmp_path, LAYOUTS["voc2012-test"])
    dataset = read("voc2012-test", tmp_path)
    for name, labels in truth.items():
        save(tmp_path / "predictions" / f"{name}.png", labels)
    path = dataset.submit({"miou": tmp_path / "predictions"}, tmp_path)
    with tarfile.open(path) as archive:
        assert archive.getnames()[0] == "results/VOC2012/Segmentation/comp6_test_cls/2007_000033.png"
        archive.extractall(tmp_path / "unpacked", filter="data")
    file = tmp_path / "unpacked" / "results/VOC2012/Segmentation/comp6_test_cls/2007_000033.png"
    assert np.array_equal(read_labels(file, LABELS), truth["2007_000033"])
    with Image.open(file) as picture:
        colours = picture.getpalette()
    assert colours is not None and tuple(colours[15 * 3 : 16 * 3]) == (192, 128, 128)  # VOC's person


def test_towns_of_the_miniature_are_those_drawn() -> None:
    from hrbench.miniature.generate.street_dataset import IMAGES
    from hrbench.miniature.generate.street_scenes import TOWNS

    assert catalog.datasets()["miniature-cityscapes"].args["cities"] == {
        town.name: IMAGES // len(TOWNS) for town in TOWNS
    }
