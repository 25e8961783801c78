"""Label maps as tools export them give the numbers of plain maps, once an option says how they are stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrbench.errors import InputError, UsageError
from hrbench.metrics.labels.mean_iou import MeanIoU

PALETTE = [[10, 20, 30], [200, 0, 0], [0, 0, 255]]
VOID = [224, 224, 192]
Store = Callable[[np.ndarray, Path], None]


def grey(labels: np.ndarray, path: Path) -> None:
    Image.fromarray(labels).save(path.with_suffix(".png"))


def in_colours(labels: np.ndarray, path: Path) -> None:
    table = np.zeros((256, 3), np.uint8)
    table[:3], table[255] = PALETTE, VOID
    Image.fromarray(table[labels]).save(path.with_suffix(".png"))


def three_channels(labels: np.ndarray, path: Path) -> None:
    Image.fromarray(np.repeat(labels[..., None], 3, 2)).save(path.with_suffix(".png"))


def array(labels: np.ndarray, path: Path) -> None:
    np.save(path.with_suffix(".npy"), labels.astype(np.int64))


def upper_case(labels: np.ndarray, path: Path) -> None:
    Image.fromarray(labels).save(path.with_suffix(".PNG"))
    path.with_name(f"._{path.name}.png").write_bytes(b"Mac")
    path.with_name(".DS_Store").write_bytes(b"Mac")
    path.with_name("Thumbs.db").write_bytes(b"Windows")


def maps(folder: Path, truth: Store, predicted: Store, seed: int = 0, classes: int = 3) -> tuple[Path, Path]:
    rng = np.random.default_rng(seed)
    for name in ("gt", "pred"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(4):
        labels = rng.integers(0, classes, (12, 17)).astype(np.uint8)
        other = rng.integers(0, classes, labels.shape).astype(np.uint8)
        guess = np.where(rng.random(labels.shape) < 0.7, labels, other)
        labels[:2] = 255
        truth(labels, folder / "gt" / f"im{number}")
        predicted(guess, folder / "pred" / f"im{number}")
    return folder / "gt", folder / "pred"


def values(metric: MeanIoU, paths: tuple[Path, Path]) -> list[float | None]:
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    scores = [score.value for score in metric.summarise(state, resamples=0)]
    checked = metric.verify(*paths).values()
    assert scores == [None if value != value else value for value in checked]
    return scores


@pytest.mark.parametrize(
    ("store", "options", "words"),
    [
        (in_colours, {"palette": PALETTE, "ignore_colours": [VOID]}, "option palette: "),
        (three_channels, {"channels": "equal"}, "option channels: equal"),
        (array, {}, ""),
        (upper_case, {}, ""),
    ],
)
def test_every_way_to_store_a_map_gives_the_same_numbers(store, options, words, tmp_path: Path) -> None:
    plain = values(MeanIoU(classes=3), maps(tmp_path / "plain", grey, grey))
    for name, truth, predicted in (("both", store, store), ("truth", store, grey), ("predicted", grey, store)):
        paths = maps(tmp_path / name, truth, predicted)
        assert values(MeanIoU(classes=3, **options), paths) == plain
        if words:
            with pytest.raises(InputError, match=words):
                values(MeanIoU(classes=3), paths)
            target = MeanIoU(classes=3, **options).read_target(paths[0])
            metric = MeanIoU(classes=3, **options)
            assert {*options} & {*metric.measure(metric.read_predictions(paths[1], target), target).params}


def test_values_say_what_every_number_means(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    rng, table = np.random.default_rng(2), np.array([0, 255], np.uint8)
    for number in range(3):
        for name in ("gt", "pred"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "plain" / name).mkdir(parents=True, exist_ok=True)
            labels = (rng.random((9, 9)) < 0.4).astype(np.uint8)
            grey(table[labels], folder / name / f"{number}")
            grey(labels, tmp_path / "plain" / name / f"{number}")
    plain = values(MeanIoU(classes=2, ignore=()), (tmp_path / "plain/gt", tmp_path / "plain/pred"))
    metric = MeanIoU(values={0: 0, 255: 1})
    assert metric.classes.ids == (0, 255) and not metric.classes.ignore
    assert values(metric, (folder / "gt", folder / "pred")) == plain
    # what a network writes: indices of classes
    assert values(metric, (folder / "gt", tmp_path / "plain/pred")) == plain
    assert values(MeanIoU(values={"0": 0, "255": 1}, names=["sky", "land"]), (folder / "gt", folder / "pred")) == plain


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": {0: 0, 255: 2}}, "class 1 has no label; classes run from 0 to 2"),
        ({"values": {0: 0, 1: -1}}, "class indices from 0 were expected"),
        ({"values": {}}, "class indices from 0 were expected"),
        ({"values": [0, 255]}, "a mapping of labels to class indices was expected"),
        ({"values": {0: 0}, "ids": [0]}, "leave out ids and mapping"),
        ({"values": {0: 0, 255: 1}, "classes": 3}, "counted differently"),
        ({"classes": 3, "palette": PALETTE[:2]}, "palette has 2 colours for 3 classes"),
        ({"classes": 3, "channels": "three"}, "channels: one or equal"),
        ({"classes": 3, "ignore_colours": [VOID]}, "give `palette`"),
    ],
)
def test_options_that_contradict_each_other(options, words) -> None:
    with pytest.raises(UsageError, match=words):
        MeanIoU(**options)


def test_a_label_without_a_meaning_names_the_options(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds 255 at .* option ignore: .* option values: \{label: class"):
        values(MeanIoU(classes=3, ignore=()), maps(tmp_path, grey, grey))


@pytest.mark.parametrize(
    ("palette", "words"),
    [
        ([PALETTE[0], PALETTE[1], [0, 0, 254]], r"not in the palette \(near \[0, 0, 254\], which is\); "),
        ([PALETTE[0], PALETTE[1], [0, 90, 0]], "not in the palette; "),
    ],
)
def test_a_wrong_colour_of_a_class_names_the_palette(palette: list[list[int]], words: str, tmp_path: Path) -> None:
    metric = MeanIoU(palette=palette, ignore_colours=[VOID])
    with pytest.raises(InputError, match=rf"holds the colour \[0, 0, 255\] .*{words}.*correct option palette"):
        values(metric, maps(tmp_path, in_colours, in_colours))
