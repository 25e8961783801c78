#!/usr/bin/env bash
# Dice of a class that is neither annotated nor predicted: left out, 1, 0 or NaN, by package; and with MONAI's default
# a class that is predicted where it is not annotated costs nothing.
#
# Versions: torchmetrics 1.9.0, MONAI 1.6.1, segmentation-models-pytorch 0.6.0, medpy 0.5.2, torch 2.14.1; NumPy 2.4.6
# and, for medpy, 2.2.6.
#
# The input are two label maps of four pixels: class 1 is in the first, class 2 in the second, and predicted at one
# pixel of the first; class 3 is nowhere. Means of Dice over the four classes:
#
#   call                                                    mean of                                        value
#   torchmetrics DiceScore, aggregation_level="global"      classes, over all pixels; 3 left out           0.730
#   torchmetrics MulticlassF1Score, average=None, its mean  classes, over all pixels; 3 is 0               0.548
#   smp f1_score, reduction="macro"                         classes, over all pixels; 3 is 1               0.798
#   torchmetrics DiceScore (its default)                    pictures, over their classes                   0.644
#   MONAI DiceMetric, ignore_empty=False                    pictures, over all classes; absent is 1        0.767
#   smp f1_score, reduction="macro-imagewise"               the same                                       0.767
#   MONAI DiceMetric (its default)                          pictures, over the classes annotated in them   0.783
#
# MONAI's default leaves out what is not annotated even where it was predicted: class 2 of the first picture. By class
# (reduction="mean_batch") it gives 0 for class 3. medpy's `dc` of two empty masks is 1 up to NumPy 2.2, and since
# NumPy 2.3 NaN with a warning: its except clause waits for a ZeroDivisionError, which NumPy's numbers do not raise.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6 monai==1.6.1 \
    segmentation-models-pytorch==0.6.0
env/bin/pip install --quiet --disable-pip-version-check medpy==0.5.2
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6

cat >dice.py <<'E'
import segmentation_models_pytorch as smp
import torch
from monai.metrics import DiceMetric
from torchmetrics.classification import MulticlassF1Score
from torchmetrics.segmentation import DiceScore

truth = torch.tensor([[[0, 0, 1, 1]], [[0, 0, 2, 2]]])
found = torch.tensor([[[0, 0, 1, 2]], [[0, 2, 2, 2]]])
hot = [torch.nn.functional.one_hot(one, 4).movedim(-1, 1) for one in (found, truth)]
counts = smp.metrics.get_stats(found, truth, mode="multiclass", num_classes=4)


def torchmetrics(**options):
    score = DiceScore(4, average="macro", input_format="index", **options)
    score.update(found, truth)
    return score.compute()


def monai(**options):
    score = DiceMetric(**options)
    score(*hot)
    return score.aggregate()


VALUES = {
    "torchmetrics global": torchmetrics(aggregation_level="global"),
    "torchmetrics F1": MulticlassF1Score(4, average=None)(found, truth).mean(),
    "smp macro": smp.metrics.f1_score(*counts, reduction="macro"),
    "torchmetrics": torchmetrics(),
    "MONAI, ignore_empty=False": monai(ignore_empty=False),
    "smp macro-imagewise": smp.metrics.f1_score(*counts, reduction="macro-imagewise"),
    "MONAI": monai(),
}
for name, value in VALUES.items():
    print(f"{name}: {float(value):.3f}")
print("MONAI by class:", " ".join(f"{value:.3f}" for value in monai(reduction="mean_batch").tolist()))
E
cat >empty.py <<'E'
import numpy as np
from medpy.metric.binary import dc

print(f"medpy, NumPy {np.__version__}: {dc(np.zeros(4, bool), np.zeros(4, bool)):.0f}")
E
cat >expected.txt <<'E'
torchmetrics global: 0.730
torchmetrics F1: 0.548
smp macro: 0.798
torchmetrics: 0.644
MONAI, ignore_empty=False: 0.767
smp macro-imagewise: 0.767
MONAI: 0.783
MONAI by class: 0.833 0.667 0.800 0.000
medpy, NumPy 2.4.6: nan
medpy, NumPy 2.2.6: 1
E
env/bin/python dice.py 2>/dev/null >seen.txt
env/bin/python empty.py 2>/dev/null >>seen.txt
env/bin/pip install --quiet --disable-pip-version-check numpy==2.2.6
env/bin/python empty.py 2>/dev/null >>seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
