"""Panoptic quality against numbers that panopticapi itself gave (`record_panoptic.py`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import random_panoptic
from record_panoptic import SEEDS, digest, drawn

from hrbench.metrics.panoptic.quality import PanopticQuality

RECORD = json.loads((Path(__file__).parent / "data/panoptic/numbers.json").read_text())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_numbers_of_panopticapi(seed: int, tmp_path: Path) -> None:
    """To the last bit those of one process; as it is run its sums follow the number of processors."""
    made, record = drawn(seed), RECORD[str(seed)]
    assert digest(made) == record["digest"], "what is drawn has changed: record again"
    truth, results = random_panoptic.write(tmp_path, made)
    metric = PanopticQuality(per_class=True)
    target = metric.read_target(truth)
    scores = metric.summarise(metric.measure(metric.read_predictions(results, target), target), 0)
    found = {score.quantity.name: score.value for score in scores}
    assert [score.n for score in scores if score.quantity.name == "PQ"] == [record["n"]]
    for group, three in record["means"].items():
        assert [found[f"{part}{group}"] for part in ("PQ", "SQ", "RQ")] == three
        assert three == pytest.approx(record["as it is run"][group], rel=1e-14)
    for name, three in record["classes"].items():  # panopticapi has 0 for a class that does not occur
        assert [found[f"{part}/{name}"] or 0.0 for part in ("PQ", "SQ", "RQ")] == three
