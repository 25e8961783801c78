"""Run folders of releases whose Top-1 is made up image by image: what a history is tried on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrbench.judge.sides import read_side, state_of
from hrbench.metrics.topk import TopK
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import write_state
from hrbench.types import Result

DATA = Path(__file__).parents[1] / "data"


def write_release(folder: Path, right: np.ndarray, date: str, entry: str = "classes", **changes: object) -> Result:
    """A run folder with one entry of an image classifier.

    right: (I,) bool, whether each image's class is the first predicted.
    date: when it was measured, in ISO 8601.
    changes: of the result's fields.
    """
    template = read_side("baseline_1", DATA).results["classes"]
    state, many = state_of(template, "topk"), len(right)
    arrays = {
        "image": np.array([f"n{number:06d}" for number in range(many)]),
        "rank": np.where(right, 0, 2).astype(state.arrays["rank"].dtype),
        "valid": np.ones(many, state.arrays["valid"].dtype),
        "confidence": np.full(many, 0.5),
        "truth_digest": np.arange(many, dtype=np.uint64),
    }
    state = replace(state, arrays=arrays)
    run = RunFolder(folder)
    part = run.begin(entry)
    write_state(state, part / "states.npz")
    lines = (f"{image},{place}" for image, place in zip(arrays["image"], arrays["rank"], strict=True))
    (part / "predictions.csv").write_text("\n".join(["image,place", *lines]))
    scores = tuple(TopK().summarise(state, resamples=100))
    made = run.commit(part, replace(template, name=entry, scores=scores, **changes))
    (folder / "environment.json").write_text(json.dumps({"date": date}))
    return made


def drifting(releases: int, loss: float, images: int = 4000, noise: float = 0.1, seed: int = 0) -> Iterable[np.ndarray]:
    """(I,) bool of each release: whether a latent ease is above 0, less by `loss` with every release."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(0.9, 1.0, images)
    for number in range(releases):
        yield ease - loss * number + rng.normal(0, noise, images) > 0
