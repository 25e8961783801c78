"""How good a detector's person boxes are: whether a box file is the one behind the published tables."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from hrbench.types import InputError


def person_box_ap(annotations: Path, boxes: Path, category: int = 1) -> float:
    """Box AP@[.5:.95] of one class by pycocotools, a fraction in [0, 1], or -1 where nothing is annotated.

    annotations: a COCO file whose annotations carry `bbox`, `area` and `iscrowd`; boxes: a COCO results list, of which
    other classes and images that `annotations` does not list are left out. Takes some ten seconds for the 100,000
    boxes of val2017. Raises InputError where none is left, or pycocotools refuses a file.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        try:
            truth = COCO(str(annotations))
            listed = set(truth.getImgIds())
            every = json.loads(boxes.read_bytes())
            rows = [row for row in every if row["category_id"] == category and row["image_id"] in listed]
            if not rows:
                raise ValueError(f"none of its {len(every)} boxes is of category {category} in an image listed there")
            found = truth.loadRes(rows)  # type: ignore[arg-type]
            evaluation = COCOeval(truth, found, "bbox")
            evaluation.params.catIds = [category]
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        except (AssertionError, KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"boxes {boxes} cannot be scored against {annotations}: {error}") from None
    return float(evaluation.stats[0])
