"""The segmentation miniature on disk: generated streets in the official layout of Cityscapes.

    <folder>/leftImg8bit/val/<town>/<town>_000000_000019_leftImg8bit.png     (H, W, 3) uint8
    <folder>/gtFine/val/<town>/<town>_000000_000019_gtFine_labelIds.png      (H, W) uint8
    <folder>/gtFine/val/<town>/<town>_000000_000019_gtFine_instanceIds.png   (H, W) uint16

The same seed gives the same pixels on every machine. A set is written beside its folder and renamed at the end, so a
folder never holds half a set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hrbench.miniature.generate.street_scenes import TEST_SEED, StreetScene, scenes
from hrbench.miniature.generate.write import save_png, write_dataset

IMAGES = 120
SPLIT = "val"


def generate(folder: Path) -> None:
    """Generates the Cityscapes miniature in `folder`, a new one. Raises UsageError if it cannot be written."""
    write_dataset(folder, _write)


def _write(folder: Path) -> None:
    numbers: dict[str, int] = {}
    for scene in scenes(TEST_SEED, IMAGES):
        number = numbers.get(scene.town, 0)
        numbers[scene.town] = number + 1
        for path, pixels in _files(scene, number):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            save_png(folder / path, pixels)


def _files(scene: StreetScene, number: int) -> list[tuple[Path, np.ndarray]]:
    """Paths of one scene's files below the set's folder, and their content. number: of the scene in its town."""
    stem = f"{scene.town}_{number:06d}_000019"
    images, labels = (Path(part, SPLIT, scene.town) for part in ("leftImg8bit", "gtFine"))
    return [
        (images / f"{stem}_leftImg8bit.png", scene.image),
        (labels / f"{stem}_gtFine_labelIds.png", scene.labels),
        (labels / f"{stem}_gtFine_instanceIds.png", scene.instances),
    ]
