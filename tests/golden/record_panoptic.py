"""Records panopticapi's own numbers of random data sets, in an environment of its own.

    uv venv peer && uv pip install -p peer --no-deps panopticapi-lite==0.2.0
    uv pip install -p peer numpy==1.26.4 pillow
    PYTHONPATH=tests/helpers peer/bin/python tests/golden/record_panoptic.py > tests/golden/data/panoptic/numbers.json

panopticapi is on no package index; panopticapi-lite 0.2.0 is a copy of it there. Recorded with NumPy 1.26.4 and
Pillow 13.0.0. Of every data set: the digest of what was drawn, the numbers of one process that takes images by rising
id, and those of `pq_compute` as it is run, with as many processes as there are processors.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import random_panoptic

SEEDS = range(12)


def drawn(seed: int) -> dict[str, Any]:
    """The data set of a seed."""
    return random_panoptic.case(seed, text=seed % 3 == 2, worse=seed % 2 == 1)


def digest(made: dict[str, Any]) -> str:
    """SHA-256 of a data set."""
    whole = hashlib.sha256(json.dumps([made["truth"], made["results"]]).encode())
    for which in ("truth_ids", "found_ids"):
        for each in made[which].values():
            whole.update(each.astype("<i8").tobytes())
    return whole.hexdigest()


def three(one: dict[str, float]) -> list[float]:
    return [float(one[key]) for key in ("pq", "sq", "rq")]


def recorded(seed: int, folder: Path) -> dict[str, Any]:
    """What panopticapi gives for the data set of a seed."""
    from panopticapi import evaluation

    made = drawn(seed)
    known = digest(made)  # the evaluation writes areas into what it is given
    truth, results = random_panoptic.write(folder, made)
    categories = {one["id"]: one for one in made["truth"]["categories"]}
    predicted = {one["image_id"]: one for one in made["results"]["annotations"]}
    rising = sorted(made["truth"]["annotations"], key=lambda one: one["image_id"])
    pairs = [(one, predicted[one["image_id"]]) for one in rising]
    stat = evaluation.pq_compute_single_core(0, pairs, str(folder / "truth"), str(folder / "results"), categories)
    means = {}
    for name, things in (("", None), ("_things", True), ("_stuff", False)):
        mean, single = stat.pq_average(categories, isthing=things)
        means[name] = three(mean)
        if things is None:
            classes = {categories[one]["name"]: three(numbers) for one, numbers in single.items()}
    whole = evaluation.pq_compute(str(truth), str(results))
    kinds = {"": "All", "_things": "Things", "_stuff": "Stuff"}
    return {
        "digest": known,
        "means": means,
        "classes": classes,
        "n": whole["All"]["n"],
        "as it is run": {name: three(whole[kind]) for name, kind in kinds.items()},
    }


def main() -> None:
    made = {}
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            made[seed] = recorded(seed, Path(folder))
    json.dump(made, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
