"""Records what torchmetrics, MONAI, segmentation-models-pytorch and medpy call Dice of one drawn set.

Run in an environment of its own: python record_dice.py, with torchmetrics 1.9.0, monai 1.6.1,
segmentation-models-pytorch 0.6.0, medpy 0.5.2, torch 2.15.0 and numpy 2.4.6. All of them count in float32 but medpy.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np

CLASSES = 5  # the last occurs nowhere


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """(6, 8, 9) annotated and predicted indices; images lack classes, one is right at all pixels."""
    rng = np.random.default_rng(14)
    truth, guess = np.zeros((2, 6, 8, 9), np.int64)
    for image, some in enumerate(([0, 1], [0, 2, 3], [1], [0, 1, 2, 3], [2, 3], [0])):
        truth[image] = rng.choice(some, (8, 9))
        noise = rng.choice([0, 1, 2, 3][: 2 + image % 3], (8, 9))
        guess[image] = np.where(rng.random((8, 9)) < (0.0 if image == 2 else 0.4), noise, truth[image])
    return truth, guess


def recorded() -> dict[str, object]:
    """Every number as a list."""
    import segmentation_models_pytorch as smp
    import torch
    from medpy.metric import binary
    from monai.metrics import DiceMetric
    from torchmetrics.segmentation import DiceScore

    truth, guess = map(torch.from_numpy, drawn())
    hot_truth, hot_guess = (torch.nn.functional.one_hot(one, CLASSES).movedim(-1, 1) for one in (truth, guess))
    found: dict[str, object] = {}
    for level in ("global", "samplewise"):
        for average in ("macro", "none"):
            score = DiceScore(CLASSES, average=average, input_format="index", aggregation_level=level)
            score.update(guess, truth)
            found[f"torchmetrics {level} {average}"] = score.compute().tolist()
    for empty in (True, False):
        for reduction in ("mean", "mean_batch"):
            metric = DiceMetric(reduction=reduction, ignore_empty=empty)
            metric(hot_guess, hot_truth)
            found[f"monai ignore_empty={empty} {reduction}"] = metric.aggregate().tolist()
    counts = smp.metrics.get_stats(guess, truth, mode="multiclass", num_classes=CLASSES)
    for reduction in ("macro", "macro-imagewise"):
        found[f"smp {reduction}"] = float(smp.metrics.f1_score(*counts, reduction=reduction))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (each.numpy() for each in (guess, truth))
        found["medpy"] = [float(binary.dc(one == label, other == label)) for label in range(CLASSES)]
    return found


if __name__ == "__main__":
    text = json.dumps(recorded(), indent=1).replace("NaN", "null")
    (Path(__file__).parent / "data/seg_cls_det/protocol/dice.json").write_text(text + "\n")
