#!/usr/bin/env bash
# torchmetrics has four "mean IoU" of one input, and the one that papers report has another name.
#
# Versions: torchmetrics 1.9.0, torch 2.14.1.
#
# The input are three label maps of four pixels and three classes, each of which shows two of the classes:
#
#   call                                                          mean of                              value
#   MeanIoU(3, input_format="index")                              pictures, over their classes         0.514
#   MeanIoU(3, input_format="index", per_class=True)              classes, over their pictures         0.560
#   mean_iou(..., per_class=True), its mean                       the same with -1 for absent ones     0.009
#   MulticlassJaccardIndex(3)                                     classes, over all pixels             0.611
#
# mIoU of PASCAL VOC, Cityscapes and ADE20K is the last: pixels of all pictures are counted before the division. With a
# class more in `num_classes` than the data show it stays 0.611, since absent classes are left out; with `average=None`
# they are 0, and a mean of those is 0.458.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6

cat >means.py <<'E'
import torch
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.functional.segmentation import mean_iou
from torchmetrics.segmentation import MeanIoU

found = torch.tensor([[[0, 0, 0, 1]], [[2, 2, 2, 0]], [[1, 1, 1, 1]]])
truth = torch.tensor([[[0, 0, 1, 1]], [[2, 2, 0, 0]], [[1, 1, 1, 0]]])
VALUES = {
    "MeanIoU": MeanIoU(3, input_format="index")(found, truth),
    "MeanIoU, per_class": MeanIoU(3, input_format="index", per_class=True)(found, truth),
    "mean_iou, per_class": mean_iou(found, truth, num_classes=3, input_format="index", per_class=True),
    "MulticlassJaccardIndex": MulticlassJaccardIndex(3)(found, truth),
    "MulticlassJaccardIndex, a class more": MulticlassJaccardIndex(4)(found, truth),
    "MulticlassJaccardIndex, a class more, average=None": MulticlassJaccardIndex(4, average=None)(found, truth),
}
for name, value in VALUES.items():
    print(f"{name}: {value.mean():.3f}")
E
cat >expected.txt <<'E'
MeanIoU: 0.514
MeanIoU, per_class: 0.560
mean_iou, per_class: 0.009
MulticlassJaccardIndex: 0.611
MulticlassJaccardIndex, a class more: 0.611
MulticlassJaccardIndex, a class more, average=None: 0.458
E
env/bin/python means.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
