"""Random label maps in the layout of Cityscapes: every label, instances, regions that are not told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
THINGS = range(24, 34)


def scene(
    rng: np.random.Generator, labels: np.ndarray, size: tuple[int, int] = (24, 40), block: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label ids uint8, instance ids uint16 and predicted label ids uint8, all (H, W), of blocks drawn from `labels`."""
    height, width = size

    def blocks(values: np.ndarray) -> np.ndarray:
        drawn = rng.choice(values, (-(-height // block), -(-width // block)))
        return np.kron(drawn, np.ones((block, block), np.int64))[:height, :width]

    truth = blocks(labels)
    number = blocks(np.arange(-1, 3))  # -1: part of a group
    instances = np.where(np.isin(truth, THINGS) & (number >= 0), truth * 1000 + number, truth)
    guess = np.where(rng.random(size) < 0.6, truth, rng.choice(np.arange(34), size))
    return truth.astype(np.uint8), instances.astype(np.uint16), guess.astype(np.uint8)


def write(folder: Path, seed: int, scenes: int = 6, labels: int | None = None, evaluated: bool = False) -> list[str]:
    """Writes `folder`/gtFine/val/{city}/... and `folder`/results/{city}/...; returns the names of the scenes.

    labels: how many of the 34 labels occur, None for a random number. evaluated: predict evaluated labels only.
    """
    rng = np.random.default_rng(seed)
    every = rng.permutation(34)[: labels or int(rng.integers(2, 35))]
    names = []
    for number in range(scenes):
        city = ("aachen", "bochum", "ulm")[number % 3]
        name = f"{city}/{city}_{number:06d}_000019"
        truth, instances, guess = scene(rng, every)
        if evaluated:
            guess = np.where(np.isin(guess, EVALUATED), guess, 7).astype(np.uint8)
        for kind, array in (("labelIds", truth), ("instanceIds", instances)):
            save(folder / f"gtFine/val/{name}_gtFine_{kind}.png", array)
        save(folder / f"results/{name}_leftImg8bit.png", guess)
        names.append(name)
    return sorted(names)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def load(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)
