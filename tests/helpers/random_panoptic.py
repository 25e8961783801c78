"""Random panoptic data sets in COCO's form: void, crowds, ties at an IoU of one half, empty images and classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CATEGORIES = (
    (7, "road", 0), (3, "sky", 0), (24, "person", 1), (26, "car", 1), (90, "tree", 0), (44, "bottle", 1),
    (200, "rug", 0),
)  # fmt: skip
"""Id, name, isthing, not in the order of ids; the last one never occurs."""


def case(
    seed: int, images: int = 8, size: tuple[int, int] = (24, 32), worse: bool = False, text: bool = False
) -> dict[str, Any]:
    """{"truth", "results"} as the JSON files, and {"truth_ids", "found_ids"}: image id -> (H, W) ids.

    text: whether ids of images are texts, as those of Cityscapes. worse: predictions are further from the truth.
    """
    rng, guesses = (np.random.default_rng([seed, which]) for which in (0, 1))
    numbers = rng.choice(100_000, images, replace=False).tolist()
    ids = [f"ulm_{number:06d}_000019" for number in numbers] if text else numbers
    own: dict[Any, np.ndarray] = {}
    found: dict[Any, np.ndarray] = {}
    truth, results = [], []
    for place, image in enumerate(ids):
        name = f"{image}.png" if text else f"{image:012d}.png"
        own[image], segments = _annotated(rng, size, empty=place == 1)
        found[image], predicted = _predicted(guesses, own[image], segments, empty=place == 2, worse=worse)
        truth.append({"image_id": image, "file_name": name, "segments_info": segments})
        results.append({"image_id": image, "file_name": name, "segments_info": predicted})
    listed = [
        {
            "id": image,
            "file_name": f"{image}.jpg" if text else f"{image:012d}.jpg",
            "width": own[image].shape[1],
            "height": own[image].shape[0],
        }
        for image in ids
    ]
    categories = [{"id": one, "name": name, "isthing": thing} for one, name, thing in CATEGORIES]
    return {
        "truth": {"images": listed, "annotations": truth, "categories": categories},
        "results": {"annotations": [results[at] for at in guesses.permutation(images)]},
        "truth_ids": own,
        "found_ids": found,
    }


def _annotated(rng: np.random.Generator, size: tuple[int, int], empty: bool) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Ids (H, W) of rectangles laid over one another, and their segments."""
    ids = np.zeros(size, np.int64)
    segments = []
    for one in [] if empty else rng.choice(1 << 24, int(rng.integers(3, 14)), replace=False).tolist():
        top, left = rng.integers(0, size[0] - 4), rng.integers(0, size[1] - 4)
        ids[top : top + rng.integers(4, 24), left : left + rng.integers(4, 32)] = max(one, 1)
    for one in np.unique(ids[ids > 0]).tolist():
        category, _, thing = CATEGORIES[int(rng.integers(len(CATEGORIES) - 1))]
        crowd = int(thing and rng.random() < 0.3)
        area = int((ids == one).sum())
        segments.append({"id": one, "category_id": category, "iscrowd": crowd, "area": area, "bbox": [0, 0, 1, 1]})
    rng.shuffle(segments)
    return ids, segments


def _predicted(
    rng: np.random.Generator, truth: np.ndarray, segments: list[dict[str, Any]], empty: bool, worse: bool
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Ids of the annotated segments moved, cut in halves (ties) or kept, of other categories at times."""
    ids = np.zeros(truth.shape, np.int64)
    if empty:
        return ids, []
    moved, halved, gone, swapped = (0.4, 0.6, 0.75, 0.3) if worse else (0.2, 0.3, 0.35, 0.1)
    listed: dict[int, int] = {}
    for each in segments:
        mask = truth == each["id"]
        fate = rng.random()
        if fate < moved:
            mask = np.roll(mask, rng.integers(-6, 7, 2).tolist(), (0, 1))
        elif fate < halved:  # half of its pixels: an IoU of exactly one half where they are even in number
            pixels = np.flatnonzero(mask)
            mask = np.zeros_like(mask)
            mask.reshape(-1)[pixels[: (len(pixels) + 1) // 2]] = True
        elif fate < gone:
            continue
        one = int(rng.integers(1, 1 << 24))
        ids[mask] = one
        other = CATEGORIES[int(rng.integers(len(CATEGORIES) - 1))][0]
        listed[one] = other if rng.random() < swapped else each["category_id"]
    for one in rng.integers(1, 1 << 24, int(rng.integers(0, 3))).tolist():
        ids[-6:, int(rng.integers(0, 20)) :][:, :7] = one
        listed[one] = CATEGORIES[int(rng.integers(len(CATEGORIES) - 1))][0]
    here = set(np.unique(ids).tolist())
    return ids, [{"id": one, "category_id": category} for one, category in listed.items() if one in here]


def write(folder: Path, made: dict[str, Any]) -> tuple[Path, Path]:
    """Writes truth.json and results.json with their folders of PNGs; their paths."""
    for name in ("truth", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(made[name]))
        maps = made["truth_ids" if name == "truth" else "found_ids"]
        for each in made[name]["annotations"]:
            save(folder / name / each["file_name"], maps[each["image_id"]])
    return folder / "truth.json", folder / "results.json"


def save(path: Path, ids: np.ndarray) -> None:
    """Writes ids (H, W) as a PNG: R + 256 G + 65536 B."""
    Image.fromarray(np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)).save(path)
