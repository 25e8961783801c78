#!/usr/bin/env bash
# transformers' panoptic post-processing gives two segments one number, so that a thing and another cannot be told apart.
#
# Versions: transformers 5.24.0, torch 2.14.1, numpy 2.4.6, pillow 13.0.0.
#
# `label_ids_to_fuse` names the classes whose parts are one segment, as COCO wants it of stuff. Where a later query is of
# such a class that was there before, `compute_segments` sets its counter back to that segment's number, and the next new
# segment gets the number after it, which another segment has already. (Mask2Former's own code keeps its counter.)
#
#   query   class     number by the library   by Mask2Former's own code
#   1       cat       1                       1
#   2       grass     2                       2
#   3       dog       3                       3
#   4       grass     2                       2
#   5       horse     3                       4
#
# Dog and horse are one segment of two classes in the map, and `segments_info` has its number twice. Whoever writes COCO's
# panoptic files from it loses one of the two, and no evaluator can say so. It is the same in MaskFormer and OneFormer.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.14.1 \
  numpy==2.4.6 pillow==13.0.0

cat >fuse.py <<'E2'
from types import SimpleNamespace

import torch
from transformers import MaskFormerImageProcessorPil

NAMES = ["cat", "dog", "horse", "grass"]
queries = ["cat", "grass", "dog", "grass", "horse"]
classes, masks = torch.full((1, 5, 5), -9.0), torch.full((1, 5, 10, 10), -20.0)
for number, name in enumerate(queries):
    classes[0, number, NAMES.index(name)] = 9.0
    masks[0, number, 2 * number : 2 * number + 2] = 20.0  # each has two rows of the picture
outputs = SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)
(found,) = MaskFormerImageProcessorPil().post_process_panoptic_segmentation(outputs, label_ids_to_fuse={3})
rows = found["segmentation"][::2, 0].tolist()
for name, row, one in zip(queries, rows, found["segments_info"], strict=True):
    print(f"{name:6} {row} {one['id']}")
E2
cat >expected.txt <<'E2'
cat    1 1
grass  2 2
dog    3 3
grass  2 2
horse  3 3
E2
env/bin/python fuse.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
