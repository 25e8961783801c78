"""Trains the miniature networks on generated images: `python -m hrbench.miniature train NAME`.

A recipe fixes everything: the seed of the generated images (never that of the test set), the number of iterations and
of examples in each, the optimiser (AdamW with a linear warm-up and a cosine), and the training task: targets, losses
and augmentation.
Sums of floats differ between processors, so another machine gives a different network of similar accuracy; the same
machine gives the same one. Scores of the shipped weights on the test sets, poses with ground-truth boxes:

    network                             iterations    CPU minutes    reached
    pose_hrnet_miniature_coco           5,000         9.3            OKS AP 0.877
    pose_resnet_miniature_coco          4,000         3.8            OKS AP 0.723
    pose_hrnet_miniature_mpii           1,200         2.5            PCKh@0.5 0.965
    pose_resnet_miniature_mpii          2,000         2.6            PCKh@0.5 0.932
    seg_hrnet_miniature_cityscapes      2,400         7.2            mIoU 0.774, iIoU 0.798
    seg_refinenet_miniature_cityscapes  2,400         5.1            mIoU 0.732, iIoU 0.759
    cls_hrnet_miniature_imagenet        1,500         3.0            Top-1 0.907
    cls_resnet_miniature_imagenet       1,500         1.4            Top-1 0.823
    mask_rcnn_hrnetv2p_miniature_coco   1,500         6.5            box AP 0.673, mask AP 0.592
    retinanet_spinenet_miniature_coco   1,500         5.3            box AP 0.534

Generating the images takes about a minute more. The MPII networks start from the trained COCO networks except the last
layer, and so need fewer iterations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hrbench.catalog import variants
from hrbench.errors import UsageError
from hrbench.miniature.train.classification import ShapesTrainingTask
from hrbench.miniature.train.detection import DetectionTrainingTask
from hrbench.miniature.train.loop import WEIGHTS, Progress, Recipe, build, saved, train
from hrbench.miniature.train.pose import PoseTrainingTask
from hrbench.miniature.train.segmentation import StreetsTrainingTask

COCO, MPII = PoseTrainingTask("coco"), PoseTrainingTask("mpii")
STREETS = StreetsTrainingTask()
SHAPES = ShapesTrainingTask()
OBJECTS = DetectionTrainingTask()
LAST = ("final_layer.",)

RECIPES = {
    "pose_hrnet_miniature_coco": Recipe(COCO, iterations=5000, batch=24),
    "pose_resnet_miniature_coco": Recipe(COCO, iterations=4000, batch=32),
    "pose_hrnet_miniature_mpii": Recipe(MPII, 1200, 2500, "pose_hrnet_miniature_coco", LAST, batch=24, rate=2e-3),
    "pose_resnet_miniature_mpii": Recipe(MPII, 2000, 2500, "pose_resnet_miniature_coco", LAST, batch=32, rate=2e-3),
    "seg_hrnet_miniature_cityscapes": Recipe(STREETS, iterations=2400, images=720, batch=16, rate=4e-3),
    "seg_refinenet_miniature_cityscapes": Recipe(STREETS, iterations=2400, images=720, batch=16, rate=2e-3, clip=1.0),
    "cls_hrnet_miniature_imagenet": Recipe(SHAPES, iterations=1500, images=10000, batch=64),
    "cls_resnet_miniature_imagenet": Recipe(SHAPES, iterations=1500, images=10000, batch=64),
    "mask_rcnn_hrnetv2p_miniature_coco": Recipe(OBJECTS, 1500, 2000, batch=8, rate=2e-3, clip=10.0),
    "retinanet_spinenet_miniature_coco": Recipe(OBJECTS, 1500, 2000, batch=8, clip=10.0),
}


def find_recipe(name: str) -> Recipe:
    """The recipe of a miniature network; UsageError for a name without a recipe lists those with one."""
    if name not in RECIPES:
        raise UsageError(f"there is no miniature network {name!r} to train; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def train_and_save(
    name: str,
    out: Path | None,
    iterations: int | None,
    on_progress: Callable[[str | Progress], None],
) -> Path:
    """Train one network by its recipe and write its weights as float16 safetensors; returns the file.

    out: the file, by default the one that ships. iterations: instead of the recipe's.
    """
    recipe = find_recipe(name)
    if iterations is not None:
        recipe = replace(recipe, iterations=iterations)
    variant = variants()[name]
    on_progress(f"generating {recipe.images} images")
    examples = recipe.task.examples(variant, recipe)
    on_progress(f"training {name} on {len(examples)} {recipe.task.unit} for {recipe.iterations} iterations")
    net = build(variant, recipe)
    train(net, variant, recipe, examples, on_progress)
    return saved(net, out or WEIGHTS / f"{name}.safetensors", name, recipe)
