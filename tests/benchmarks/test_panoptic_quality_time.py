"""Panoptic quality of 500 images of COCO's size against panopticapi's evaluation, in the same run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import random_panoptic
from both_ways import both_ways
from by_turns import least_cpu

from hrbench.metrics.panoptic.quality import PanopticQuality

IMAGES, DRAWN = 500, 25
SIZE = (480, 640)
SEGMENTS = 10


def regions(rng: np.random.Generator, seeds: np.ndarray) -> np.ndarray:
    """(H, W) the nearest of (S, 2) seeds, with borders that waver as those of objects do."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    for place, other in ((y, x.copy()), (x, y.copy())):
        place += sum(rng.uniform(2, 9) * np.sin(other / rng.uniform(5, 40) + rng.uniform(0, 6)) for _ in range(4))
    return np.argmin((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2, axis=-1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of 500 images with 10 segments each; 25 pairs of PNGs are drawn, and 20 images have links to each."""
    folder, rng = tmp_path_factory.mktemp("panoptic"), np.random.default_rng(0)
    categories = [{"id": one + 1, "name": f"class {one}", "isthing": int(one < 80)} for one in range(133)]
    drawn = []
    for number in range(DRAWN):
        seeds = rng.uniform((0, 0), SIZE, (SEGMENTS, 2))
        rows = []
        for which, moved in (("truth", 0.0), ("results", 12.0)):
            (folder / which).mkdir(exist_ok=True)
            ids = rng.choice(1 << 24, SEGMENTS, replace=False)
            where = regions(rng, seeds + rng.normal(0, moved, seeds.shape))
            made = folder / which / f"{number}.png"
            random_panoptic.save(made, ids[where])
            for image in range(number + DRAWN, IMAGES, DRAWN):
                made.with_name(f"{image}.png").hardlink_to(made)
            here = np.bincount(where.ravel(), minlength=SEGMENTS)
            rows.append([(int(ids[one]), int(area), one) for one, area in enumerate(here.tolist()) if area])
        drawn.append((rows, rng.choice(133, SEGMENTS)))
    for at, which in enumerate(("truth", "results")):
        annotations = []
        for image in range(IMAGES):
            rows, category = drawn[image % DRAWN]
            info = [
                {"id": one, "category_id": int(category[place]) + 1, "area": area, "iscrowd": 0}
                for one, area, place in rows[at]
            ]
            annotations.append({"image_id": image, "file_name": f"{image}.png", "segments_info": info})
        content = {"annotations": annotations, "categories": categories}
        (folder / f"{which}.json").write_text(json.dumps(content))
    return folder / "truth.json", folder / "results.json"


@pytest.fixture(scope="module")
def official(files) -> tuple[dict[str, float], float]:
    """What panopticapi's evaluation gives, and its CPU seconds; a minute of them, so it runs once."""
    started = time.process_time()
    found = PanopticQuality().verify(*files)
    return found, time.process_time() - started


@both_ways
def test_half_of_the_time_of_panopticapi(benchmark, files, official, way: str) -> None:
    """The whole way, checks and states included: half of its CPU time at most, where a third was measured. Two thirds
    of that is decoding PNGs, which both do by Pillow."""
    truth, results = files
    expected, theirs = official
    metric = PanopticQuality()

    def ours() -> dict[str, float | None]:
        target = metric.read_target(truth)
        state = metric.measure(metric.read_predictions(results, target), target)
        return {one.quantity.name: one.value for one in metric.summarise(state, 0)}

    assert ours() == expected and expected["PQ"] > 0.5
    (own,) = least_cpu(1, ours)
    benchmark.pedantic(ours, rounds=1)
    benchmark.extra_info.update(cpu_per_image=own / IMAGES, official_cpu=theirs / IMAGES, ratio=own / theirs)
    assert own <= theirs / 2
