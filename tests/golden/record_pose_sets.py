"""Records what xtcocotools makes of random cases of pose sets, for `test_pose_sets.py`.

    python record_pose_sets.py FOLDER

writes FOLDER/NAME.json for each rule of evaluation: the numbers of every case, and a digest of the case, which
`tests/helpers/random_poses.py` draws again from its seed.

Runs in an environment of its own, none of whose packages hrbench needs: Python 3.11, numpy 1.26.4, xtcocotools 1.14.3
(built with cython, setuptools, wheel, and --no-build-isolation), matplotlib, and pycocotools for what draws the cases.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
import random_poses
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

CASES = 40
# the demos of xtcocotools (demos/demo_crowdpose.py, demos/demo_coco_wholebody.py) have these constants
_HAND = [
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.02, 0.019, 0.022, 0.031,
]  # fmt: skip
WHOLEBODY = [
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094, 0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020,
    0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041, 0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011,
    0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012, 0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009,
    0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034, 0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009,
    0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.01, 0.008, *_HAND, *_HAND,
]  # fmt: skip
# those of mmpose 1.x, configs/_base_/datasets/ap10k.py, aic.py and halpe26.py
AP10K = [0.025, 0.025, 0.026, *WHOLEBODY[3:17]]
AIC = [
    0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144, 0.03909642, 0.03686941, 0.01981803,
    0.03843971, 0.03412318, 0.02415081, 0.01291456, 0.01236173,
]  # fmt: skip
HALPE = [*WHOLEBODY[:17], 0.026, 0.026, 0.066, *[0.079] * 6]
CROWDPOSE = [0.079] * 2 + [0.072] * 2 + [0.062] * 2 + [0.107] * 2 + [0.087] * 2 + [0.089] * 2 + [0.079] * 2


def numbers(case: tuple[dict, list], kind: str, sigmas: Sequence[float], area: bool = True, images: Any = None) -> list:
    """`COCOeval.stats`; without results nothing can be loaded, so that such a case is None."""
    truth, results = case
    if not results:
        return []
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.json"
        path.write_text(json.dumps(truth))
        (Path(folder) / "results.json").write_text(json.dumps(results))
        coco = COCO(str(path))
        evaluation = COCOeval(coco, coco.loadRes(str(Path(folder) / "results.json")), kind, np.array(sigmas), area)
        if images is not None:
            evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def crowdpose(seed: int) -> tuple[tuple[dict, list], dict[str, list]]:
    case = random_poses.crowdpose(seed)
    found = {"crowd": numbers(case, "keypoints_crowd", CROWDPOSE, False)}
    for name, low, high in (("easy", -1, 0.2), ("medium", 0.2, 0.8), ("hard", 0.8, 2)):
        some = [image["id"] for image in case[0]["images"] if low <= image["crowdIndex"] < high]
        # unrounded, of the images of the split alone
        found[name] = numbers(case, "keypoints_crowd", CROWDPOSE, False, some)[:1] if some else [-1.0]
    return case, found


def wholebody(seed: int) -> tuple[tuple[dict, list], dict[str, list]]:
    case = random_poses.wholebody(seed)
    bounds = {"body": (0, 17), "foot": (17, 23), "face": (23, 91), "lefthand": (91, 112), "righthand": (112, 133)}
    found = {"wholebody": numbers(case, "keypoints_wholebody", WHOLEBODY)}
    for part, (low, high) in bounds.items():
        found[part] = numbers(case, f"keypoints_{part}", WHOLEBODY[low:high])
    return case, found


def ap10k(seed: int) -> tuple[tuple[dict, list], dict[str, list]]:
    """Animals of three classes."""
    case = random_poses.with_areas(seed, 17, 3)
    return case, {"keypoints": numbers(case, "keypoints", AP10K)}


def aic(seed: int) -> tuple[tuple[dict, list], dict[str, list]]:
    case = random_poses.without_areas(seed, 14)
    return case, {"keypoints": numbers(case, "keypoints", AIC, False)}


def halpe(seed: int) -> tuple[tuple[dict, list], dict[str, list]]:
    case = random_poses.with_areas(seed, 26)
    return case, {"keypoints": numbers(case, "keypoints", HALPE)}


def posetrack(seed: int) -> tuple[tuple[dict, list], dict[str, list]]:
    case = random_poses.without_areas(seed, 17)
    return case, {"keypoints": numbers(case, "keypoints", WHOLEBODY[:17], False)}


RULES: dict[str, Callable[[int], tuple[tuple[dict, list], dict[str, list]]]] = {
    "crowdpose": crowdpose,
    "wholebody": wholebody,
    "ap10k": ap10k,
    "aic": aic,
    "halpe": halpe,
    "posetrack": posetrack,
}


def digest(case: Any) -> str:
    return hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()[:16]


def main() -> None:
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    packages = {name: version(name) for name in ("xtcocotools", "numpy")}
    for name, rule in RULES.items():
        rows = []
        for seed in range(CASES):
            case, found = rule(seed)
            rows.append({"seed": seed, "digest": digest(case), **found})
        lines = ",\n".join(json.dumps(row) for row in rows)
        (folder / f"{name}.json").write_text(f'{{"packages": {json.dumps(packages)}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
