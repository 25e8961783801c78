"""Label maps of Cityscapes' size and likeness: 2048x1024, 30 instances, predictions with shifted borders and errors.

Files come out at 20 to 30 KB each, as those of the data set do.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 1024, 2048
EVALUATED = np.array([7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33], np.uint8)
THINGS = (24, 24, 24, 25, 26, 26, 26, 26, 26, 27, 28, 29, 31, 32, 33, 33)


def _blob(rng: np.random.Generator, centre: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    points = np.array(centre) + rng.normal(0, 1, (20, 2)) * np.array(spread)
    return cv2.convexHull(points.astype(np.int32))


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label ids uint8, instance ids uint16, predicted label ids uint8, (1024, 2048) each."""
    labels = np.full((HEIGHT, WIDTH), 23, np.uint8)
    left = 0
    while left < WIDTH:
        right = left + int(rng.integers(60, 300))
        labels[int(rng.integers(50, 460)) :, left:right] = rng.choice([11, 11, 21, 12, 13])
        left = right
    for _ in range(14):
        hull = _blob(rng, (rng.uniform(0, WIDTH), rng.uniform(180, 550)), (60, 60))
        cv2.fillPoly(labels, [hull], int(rng.choice([21, 21, 22, 11])))
    labels[532:] = 8
    cv2.fillPoly(labels, [np.array([[964, 512], [1084, 512], [1843, HEIGHT], [204, HEIGHT]], np.int32)], 7)
    labels[952:] = 1
    for _ in range(40):
        x, y = int(rng.integers(WIDTH)), int(rng.integers(200, 480))
        across, down = (int(rng.integers(4, 14)), 600 - y) if rng.random() < 0.6 else (int(rng.integers(10, 40)),) * 2
        labels[y : y + down, x : x + across] = rng.choice([17, 19, 20])
    instances = labels.astype(np.uint16)
    for number in range(30):
        label, size = int(rng.choice(THINGS)), rng.uniform(12, 100)
        wide = 0.4 if label < 26 else 1.2
        hull = _blob(rng, (rng.uniform(0, WIDTH), 512 + 1.5 * size), (wide * size, size))
        cv2.fillPoly(labels, [hull], label)
        cv2.fillPoly(instances, [hull], label if number % 10 == 0 else label * 1000 + number)
    return labels, instances, _predicted(rng, labels)


def _predicted(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Borders off by a few pixels, a twentieth of the 32x32 blocks wrong, evaluated labels only."""
    guess = np.roll(labels, tuple(rng.integers(-4, 5, 2).tolist()), (0, 1))

    def coarse(values: np.ndarray, step: int) -> np.ndarray:
        drawn = rng.choice(values, (HEIGHT // step, WIDTH // step)).astype(np.uint8)
        return cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)

    guess = np.where(coarse(np.arange(20), 32) == 0, coarse(EVALUATED, 8), guess)
    return np.where(np.isin(guess, EVALUATED), guess, 7).astype(np.uint8)


def write(folder: Path, scenes: int = 6, seed: int = 0) -> tuple[list[Path], list[Path]]:
    """Files of label ids, with instance ids beside them, below gtFine/val, and of predictions below results."""
    rng = np.random.default_rng(seed)
    truths, guesses = [], []
    for number in range(scenes):
        name = f"town/town_{number:06d}_000019"
        truths.append(folder / f"gtFine/val/{name}_gtFine_labelIds.png")
        guesses.append(folder / f"results/{name}_leftImg8bit.png")
        instances = folder / f"gtFine/val/{name}_gtFine_instanceIds.png"
        for path, array in zip((truths[-1], instances, guesses[-1]), scene(rng), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return truths, guesses
