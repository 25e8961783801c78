"""Small seeded sets with panoptic segments, in COCO's layout and in Cityscapes', with predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import random_panoptic
from PIL import Image

IMAGES = 30


def draw(folder: Path, worse: bool = False) -> list[dict[str, Any]]:
    """Draws both below `folder`, which is a suite's, with data in `folder`/data; returns entries of a suite.

    worse: whether more of the predicted segments lie beside the annotated ones, which stay the same.
    """
    return [
        _drawn(folder, worse, "coco", "coco-panoptic-val2017"),
        _drawn(folder, worse, "cityscapes", "cityscapes-panoptic-val"),
    ]


def _drawn(folder: Path, worse: bool, layout: str, base: str) -> dict[str, Any]:
    cities = layout == "cityscapes"
    made = random_panoptic.case(14, images=IMAGES, size=(36, 48), text=cities, worse=worse)
    root = folder / f"data/panoptic/{layout}"
    truth = root / ("gtFine/cityscapes_panoptic_val.json" if cities else "annotations/panoptic_val2017.json")
    predictions = folder / f"panoptic-{layout}{'-worse' if worse else ''}"
    pictures = np.random.default_rng(0)
    for image in made["truth"]["images"]:
        name = f"leftImg8bit/val/ulm/{image['id']}_leftImg8bit.png" if cities else f"val2017/{image['file_name']}"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures.integers(0, 256, (36, 48, 3), np.uint8)).save(root / name)
    _write(truth, made["truth"], made["truth_ids"])
    _write(predictions / "predictions.json", made["results"], made["found_ids"])
    dataset = {"base": base, "folder": f"panoptic/{layout}", "name": f"drawn-{layout}-panoptic"}
    if cities:
        dataset["cities"] = {"ulm": IMAGES}
    return {"name": f"panoptic-{layout}", "predictions": predictions.name, "dataset": dataset}


def _write(path: Path, content: dict[str, Any], maps: dict[Any, np.ndarray]) -> None:
    path.with_suffix("").mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    for each in content["annotations"]:
        random_panoptic.save(path.with_suffix("") / each["file_name"], maps[each["image_id"]])
