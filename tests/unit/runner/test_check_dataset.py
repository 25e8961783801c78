"""What `check` says of a data set: every kind of finding, in order, and of how many images."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrbench.runner.check_dataset import SAMPLE_SIZE, check_dataset, spread
from hrbench.types import DatasetRow

ARGS = {"names": ["sea", "land"], "folder": "made"}
ROW = DatasetRow("made", "label-folders", "segmentation", ("miou",), ARGS)


def draw(root: Path, count: int) -> Path:
    for number in range(count):
        for what, shape in (("images", (4, 6, 3)), ("labels", (4, 6))):
            path = root / "made" / what / f"{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros(shape, np.uint8)).save(path)
    return root / "made"


def test_a_sample_is_decoded_or_all(tmp_path: Path):
    folder = draw(tmp_path, SAMPLE_SIZE + 20)
    steps: list[tuple[int, int]] = []
    findings = list(check_dataset(ROW, tmp_path, {}, progress=lambda done, total: steps.append((done, total))))
    assert [finding.kind for finding in findings] == ["files", "looked", "sizes", "digest"]
    assert findings[2].text == "1 size among 100 images: 6x4 pixels"
    assert findings[1].text == "100 images of 120 decoded with what is annotated of them: no fault"
    assert steps == [(done, SAMPLE_SIZE) for done in range(1, SAMPLE_SIZE + 1)]
    (folder / "labels" / "0119.png").write_bytes(b"")
    (folder / "labels" / "0003.png").write_bytes(b"")
    assert [one.kind for one in check_dataset(ROW, tmp_path, {})].count(
        "fault"
    ) >= 1  # the last is always among the sample
    texts = [one.text for one in check_dataset(ROW, tmp_path, {}, every=True) if one.bad]
    assert len(texts) == 1 and "0003.png: is empty" in texts[0] and "(2 alike, in 2 images: 0003, 0119)" in texts[0]


def test_a_fault_of_all_images_is_one_finding_with_the_first_names(tmp_path: Path):
    folder = draw(tmp_path, 30)
    for number in range(30):
        path = folder / "labels" / f"{number:04d}.png"
        labels = np.zeros((4, 6), np.uint8)
        labels[number % 4, : 1 + number % 6] = 255
        Image.fromarray(labels if number else np.zeros((2, 2), np.uint8)).save(path)
    (sizes, labels), looked = (
        [one.text for one in check_dataset(ROW, tmp_path, {}) if one.kind == kind] for kind in ("fault", "looked")
    )
    assert "are 2x2 pixels, their image" in sizes and "alike" not in sizes
    assert "option values: {0: 0, 255: 1}" in labels
    assert labels.endswith("(29 alike, in 29 images: 0001, 0002, 0003 and 26 more)")
    assert looked == ["30 images of 30 decoded with what is annotated of them: faults in 30 of them"]


def test_turned_photographs_are_counted_and_a_fault_until_the_set_says_what_they_mean(tmp_path: Path):
    folder, exif = draw(tmp_path, 3), Image.Exif()
    exif[0x0112] = 6
    for number in (0, 2):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(folder / "images" / f"{number:04d}.png", exif=exif)
    words = {}
    for args in ({}, {"orientation": "stored"}, {"orientation": "applied"}):
        found = list(check_dataset(replace(ROW, args={**ARGS, **args}), tmp_path, {}))
        words[args.get("orientation", "")] = next(one for one in found if one.text.startswith("2 of 3 images "))
        sizes = [one.text for one in found if "are 6x4 pixels, their image" in one.text]
        assert len(sizes) == (1 if args.get("orientation") == "applied" else 0)
        assert all("is 4x6; its EXIF orientation is 6" in text and "2 alike" in text for text in sizes)
    assert words[""].kind == "fault" and "set `orientation: stored`" in words[""].text
    assert words["stored"].kind == words["applied"].kind == "note"


def test_what_is_missing_ends_it(tmp_path: Path):
    findings = list(check_dataset(ROW, tmp_path, {}))
    assert [finding.kind for finding in findings] == ["missing", "missing"] and all(one.bad for one in findings)


def test_a_drawn_set_of_which_a_part_is_gone_is_drawn_again(tmp_path: Path):
    folder = draw(tmp_path, 2)
    use = "hrbench.miniature.generate.street_dataset:generate"
    drawn = replace(ROW, args={**ARGS, "count": 2}, draw=use, miniature=True)
    assert not any(one.bad for one in check_dataset(drawn, tmp_path, {}))
    (folder / "labels" / "0001.png").unlink()
    assert f"delete {folder}, and it is generated again on next use" in [*check_dataset(drawn, tmp_path, {})][-1].text


def test_what_cannot_be_read_is_a_fault_in_words(tmp_path: Path):
    folder = draw(tmp_path, 1)
    (folder / "val.txt").write_text("a b c\n")
    row = DatasetRow("made", "label-folders", "segmentation", ("miou",), {**ARGS, "list": "val.txt"})
    (finding,) = check_dataset(row, tmp_path, {})
    assert finding.kind == "fault" and "val.txt:1:" in finding.text
    (finding,) = check_dataset(DatasetRow("odd", "no-such-reader", "pose", ()), tmp_path, {})
    assert finding.kind == "fault" and "no-such-reader" in finding.text


def test_ground_truth_that_a_metric_cannot_read_is_a_fault(tmp_path: Path):
    draw(tmp_path, 2)
    for metric, words in (
        ("coco-keypoints", "does not take what this data set gives it: that is, names, ids, files, ignore, interval"),
        ("no-such", "no-such"),
    ):
        row = DatasetRow("made", "label-folders", "segmentation", (metric,), ARGS)
        (fault,) = (finding.text for finding in check_dataset(row, tmp_path, {}) if finding.bad)
        assert words in fault


@pytest.mark.parametrize(("size", "count"), [(1, 5), (5, 5), (6, 5), (500, 100), (5000, 100), (101, 100), (3, 2)])
def test_a_sample_is_evenly_spread(size: int, count: int):
    chosen = spread(range(size), count)
    assert len(chosen) == min(size, count) == len(set(chosen))
    assert chosen[0] == 0 and chosen[-1] == size - 1
    steps = {after - before for before, after in pairwise(chosen)}
    assert not steps or max(steps) - min(steps) <= 1


def test_an_error_of_any_kind_is_a_fault_of_that_data_set_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*given: object) -> None:
        raise IsADirectoryError(21, "Is a directory", "train")

    monkeypatch.setattr("hrbench.runner.check_dataset.dataset_of", fails)
    assert [(one.kind, one.text) for one in check_dataset(ROW, tmp_path, {})] == [("fault", "Is a directory: train")]
