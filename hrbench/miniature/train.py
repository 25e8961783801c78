"""Trains the miniature networks on drawn people: `python -m hrbench.miniature train NAME`.

A recipe fixes everything that matters: the seed of the drawn people (never that of the test set), the number of
iterations and of examples in each, the optimiser (AdamW with a linear warm-up and a cosine), targets and augmentation.
Sums of floats differ between processors, so another machine gets another network of like accuracy; the same machine
gets the same one. What the shipped weights reached on the test sets, by the ordinary path with ground-truth boxes:

    network                       iterations    CPU minutes    reached
    pose_hrnet_miniature_coco     5,000         9.3            OKS AP 0.877
    pose_resnet_miniature_coco    4,000         3.8            OKS AP 0.723
    pose_hrnet_miniature_mpii     1,200         2.5            PCKh@0.5 0.965
    pose_resnet_miniature_mpii    2,000         2.6            PCKh@0.5 0.932

A minute of drawing comes first. The MPII networks start from the trained COCO ones, all but the last layer, and so need
fewer iterations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hrbench.catalog import variants
from hrbench.datasets.coco import FLIP_PAIRS
from hrbench.datasets.mpii import SCHEME
from hrbench.miniature.draw_pose import coco_annotations, mpii_annotated, mpii_annotation
from hrbench.miniature.halves import Halves
from hrbench.miniature.pose_training import (
    Augmentation,
    Example,
    augmented,
    heatmap_targets,
    normalised,
)
from hrbench.miniature.scenes import Kind, scenes
from hrbench.models import weights
from hrbench.resolve import resolve
from hrbench.tasks.pose_geometry import PADDING, box_to_centre_scale
from hrbench.types import UsageError, Variant
from hrbench.version import __version__

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained. start: the network whose trained weights it begins with, or "".

    images: how many drawn scenes to learn from. sigma: of the targets, in heatmap pixels. rate: peak learning rate.
    """

    kind: Kind
    iterations: int
    images: int = 4000
    start: str = ""
    batch: int = 32
    rate: float = 3e-3
    decay: float = 0.01
    warmup: int = 200
    sigma: float = 1.25
    seed: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)


RECIPES = {
    "pose_hrnet_miniature_coco": Recipe("coco", iterations=5000, batch=24),
    "pose_resnet_miniature_coco": Recipe("coco", iterations=4000, batch=32),
    "pose_hrnet_miniature_mpii": Recipe("mpii", 1200, 2500, "pose_hrnet_miniature_coco", batch=24, rate=2e-3),
    "pose_resnet_miniature_mpii": Recipe("mpii", 2000, 2500, "pose_resnet_miniature_coco", batch=32, rate=2e-3),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """Told every so often. rate: iterations a second; left: seconds to go; loss: mean since the last telling."""

    done: int
    total: int
    loss: float
    rate: float
    left: float


def recipe(name: str) -> Recipe:
    """The recipe of a miniature network; UsageError names those there are."""
    if name not in RECIPES:
        raise UsageError(f"there is no miniature network {name!r} to train; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def train_and_save(
    name: str,
    out: Path | None,
    iterations: int | None,
    tell: Callable[[str | Progress], None],
) -> Path:
    """Train one network by its recipe and write its weights as float16 safetensors; returns the file.

    out: the file, by default the one that ships. iterations: instead of the recipe's.
    """
    plan = recipe(name)
    if iterations is not None:
        plan = replace(plan, iterations=iterations)
    path = out or WEIGHTS / f"{name}.safetensors"
    variant = variants()[name]
    tell(f"drawing {plan.images} images")
    people = examples(plan.kind, plan.seed, plan.images, variant.input)
    tell(f"training {name} on {len(people)} people for {plan.iterations} iterations")
    net = build(variant, plan)
    train(net, variant, plan, people, tell)
    made_by = {"network": name, "iterations": str(plan.iterations), "seed": str(plan.seed), "hrbench": __version__}
    weights.save(net, path, torch.float16, made_by)
    return path


def build(variant: Variant, plan: Recipe) -> nn.Module:
    """The network with random weights, or those of the recipe's `start` wherever the shapes agree."""
    torch.manual_seed(plan.seed)
    net: nn.Module = resolve("hrbench.models", variant.use)(**variant.args)
    if plan.start:
        earlier = weights.read_state(WEIGHTS / f"{plan.start}.safetensors")
        fresh = {key: value for key, value in net.state_dict().items() if key.startswith("final_layer.")}
        net.load_state_dict({**earlier, **fresh}, strict=True)
    return net


def examples(kind: Kind, seed: int, images: int, input: tuple[int, int]) -> list[Example]:
    """People of drawn scenes with the regions that the protocol would crop for their ground-truth boxes."""
    people: list[Example] = []
    for scene in scenes(kind, seed, images):
        if kind == "mpii":
            rows = [mpii_annotation(scene, figure) for figure in scene.figures if mpii_annotated(figure)]
            people += [_mpii_example(scene.image, row) for row in rows]
        else:
            rows = [row for row in coco_annotations(scene) if row["num_keypoints"] > 0]
            people += [_coco_example(scene.image, row, input) for row in rows]
    return people


def _coco_example(image: np.ndarray, row: dict, input: tuple[int, int]) -> Example:
    triples = np.array(row["keypoints"], dtype=np.float64).reshape(-1, 3)
    centre, scale = box_to_centre_scale(row["bbox"], input)
    return Example(image, triples[:, :2], (triples[:, 2] > 0).astype(np.float32), centre, scale)


def _mpii_example(image: np.ndarray, row: dict) -> Example:
    # MPII's protocol: the centre moves down, the region grows, and 1-based becomes 0-based.
    centre = np.array(row["center"]) + np.array([0.0, 15 * row["scale"]]) - 1
    scale = np.array([row["scale"], row["scale"]]) * PADDING
    return Example(image, np.array(row["joints"]) - 1, np.array(row["joints_vis"], dtype=np.float32), centre, scale)


def flip_pairs(kind: Kind) -> tuple[tuple[int, int], ...]:
    """Joints that a mirror exchanges."""
    return SCHEME.flip_pairs if kind == "mpii" else FLIP_PAIRS


def batches(people: list[Example], variant: Variant, plan: Recipe) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless batches: inputs (N, 3, h, w) normalised, targets (N, K, h/4, w/4), weights (N, K).

    Every person comes once before anybody comes again.
    """
    rng = np.random.default_rng([plan.seed, 11])
    height, width = variant.input
    queue: list[int] = []
    while True:
        while len(queue) < plan.batch:
            queue += rng.permutation(len(people)).tolist()
        chosen, queue = queue[: plan.batch], queue[plan.batch :]
        crops = [augmented(people[k], (height, width), flip_pairs(plan.kind), plan.augmentation, rng) for k in chosen]
        images = np.stack([image for image, _, _ in crops])  # as OpenCV draws them: blue, green, red
        if variant.colour == "rgb":
            images = np.ascontiguousarray(images[..., ::-1])
        targets, shown = heatmap_targets(
            np.stack([joints for _, joints, _ in crops]),
            np.stack([visible for _, _, visible in crops]),
            (width, height),
            (width // 4, height // 4),
            plan.sigma,
            quantised=False,
        )
        yield normalised(images, variant.mean, variant.std), torch.from_numpy(targets), torch.from_numpy(shown)


def train(
    net: nn.Module,
    variant: Variant,
    plan: Recipe,
    people: list[Example],
    tell: Callable[[Progress], None] = lambda progress: None,
    every: int = 100,
) -> list[float]:
    """Train in place; returns the loss of every iteration. The network ends in evaluation mode."""
    net.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    # Norms and biases are left out of the decay: it would only fight the statistics.
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": plan.decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=plan.rate)
    halves = Halves(net)
    losses: list[float] = []
    source = batches(people, variant, plan)
    batch = next(source)
    started = time.perf_counter()
    for step in range(plan.iterations):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * schedule(step, plan.iterations, plan.warmup)
        passes = halves.start(batch)
        batch = next(source)  # drawn while the network works
        losses.append(halves.gather(passes))
        optimiser.step()
        halves.spread()
        if (step + 1) % every == 0 or step + 1 == plan.iterations:
            rate = (step + 1) / (time.perf_counter() - started)
            recent = float(np.mean(losses[-every:]))
            tell(Progress(step + 1, plan.iterations, recent, rate, (plan.iterations - step - 1) / rate))
    halves.finish()
    net.eval()
    return losses


def schedule(step: int, iterations: int, warmup: int) -> float:
    """Factor of the learning rate: a linear rise over `warmup` steps, then half a cosine down to nearly zero.

    >>> schedule(0, 1000, 100), schedule(99, 1000, 100), round(schedule(999, 1000, 100), 4)
    (0.01, 1.0, 0.0)
    """
    warmup = min(warmup, iterations // 2)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step + 1 - warmup) / max(1, iterations - warmup)))
