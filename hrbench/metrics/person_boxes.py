"""How good a detector's person boxes are: whether a box file is the one behind the published tables."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from hrbench.types import InputError


def person_box_ap(annotations: Path, boxes: Path, category: int = 1) -> float:
    """Box AP@[.5:.95] of one class by pycocotools, a fraction in [0, 1], or -1 where nothing is annotated.

    annotations: a COCO file whose annotations carry `bbox`, `area` and `iscrowd`; boxes: a COCO results list.
    Takes some ten seconds for the 100,000 boxes of val2017. Raises InputError where pycocotools refuses a file.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        try:
            truth = COCO(str(annotations))
            rows = [row for row in json.loads(boxes.read_bytes()) if row["category_id"] == category]
            found = truth.loadRes(rows)  # type: ignore[arg-type]
            evaluation = COCOeval(truth, found, "bbox")
            evaluation.params.catIds = [category]
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        except (AssertionError, KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"boxes {boxes} cannot be scored against {annotations}: {error}") from None
    return float(evaluation.stats[0])
