"""The drawn streets on disk, as the loader of Cityscapes finds them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hrbench.datasets.cityscapes import CityscapesDataset
from hrbench.errors import UsageError
from hrbench.miniature.generate import street_dataset
from hrbench.miniature.generate.street_dataset import generate
from hrbench.miniature.generate.street_scenes import TEST_SEED, TOWNS, scenes

FEW = 6


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(street_dataset, "IMAGES", FEW)
    return FEW


def test_a_set_is_a_hundred_scenes_or_more_and_as_many_of_each_town() -> None:
    assert street_dataset.IMAGES >= 100 and street_dataset.IMAGES % len(TOWNS) == 0


def test_the_loader_finds_every_file(tmp_path: Path, few: int) -> None:
    generate(tmp_path / "deep" / "streets")
    cities = {town.name: few // 3 for town in TOWNS}
    loader = CityscapesDataset(tmp_path, folder="deep/streets", cities=cities)
    assert loader.missing({}) == []
    samples = list(loader.samples({}))
    assert len(samples) == few and {sample.group for sample in samples} == set(cities)
    assert [loader.look(sample) for sample in samples] == [[]] * few
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["streets"]


def test_files_hold_the_scene(tmp_path: Path, few: int) -> None:
    generate(tmp_path / "streets")
    for scene in scenes(TEST_SEED, few):
        stem = f"val/{scene.town}/{scene.town}_{scene.index // 3:06d}_000019"
        for path, pixels in (
            (f"leftImg8bit/{stem}_leftImg8bit.png", scene.image),
            (f"gtFine/{stem}_gtFine_labelIds.png", scene.labels),
            (f"gtFine/{stem}_gtFine_instanceIds.png", scene.instances),
        ):
            read = cv2.imread(str(tmp_path / "streets" / path), cv2.IMREAD_UNCHANGED)
            assert read is not None and read.dtype == pixels.dtype
            np.testing.assert_array_equal(read, pixels)


def test_a_second_drawing_is_the_same_to_the_byte(tmp_path: Path, few: int) -> None:
    generate(tmp_path / "one")
    generate(tmp_path / "two")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png"))
    assert len(files) == 3 * few
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_a_failed_drawing_leaves_nothing(tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, image: np.ndarray) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(street_dataset, "save_png", full)
    with pytest.raises(UsageError, match=r"streets: the miniature cannot be drawn there: No space left"):
        generate(tmp_path / "streets")
    assert list(tmp_path.iterdir()) == []
