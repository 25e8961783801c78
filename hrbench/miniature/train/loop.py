"""How any miniature network is trained: a recipe, a training task and one loop for all tasks.

A `TrainingTask` gives the examples, the batches and the loss; a `Recipe` names the task, the iterations and the
learning rate; `train` runs the loop, and `saved` writes the weights. To add a task, write one class:

    @dataclass(frozen=True, slots=True)
    class ShapesTrainingTask:
        unit: ClassVar[str] = "images"
        def examples(self, variant, recipe): return list(pictures(recipe.seed, recipe.images))
        def batches(self, examples, variant, recipe):
            rng = np.random.default_rng([recipe.seed, 11])
            for chosen in shuffled(len(examples), recipe.batch, rng):
                yield inputs_of(examples, chosen), targets_of(examples, chosen)
        def loss(self, net, half):
            inputs, targets = half
            return cross_entropy(net(inputs), targets)

All random numbers come from `recipe.seed`, so the same machine gives the same network.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from hrbench.miniature.train.two_replicas import Batch, TwoReplicas
from hrbench.models import build as networks
from hrbench.models.weights import load
from hrbench.types import Variant
from hrbench.version import __version__

WEIGHTS = Path(__file__).parents[1] / "weights"


class TrainingTask(Protocol):
    """Examples, batches and loss of one task. A frozen dataclass; its fields are the settings of this task alone.

    unit: what one example is, in the plural, for messages ("people", "scenes").
    """

    unit: ClassVar[str]

    def examples(self, variant: Variant, recipe: Recipe) -> Sequence[Any]:
        """The training examples of `recipe.images` images, generated from `recipe.seed` (never a test set's seed)."""
        ...

    def batches(self, examples: Sequence[Any], variant: Variant, recipe: Recipe) -> Iterator[Batch]:
        """Endless batches of `recipe.batch` examples, augmented and normalised as the network takes them.

        Either a tuple of tensors, each with one row for an example, or a list of examples of any type (if images or
        targets differ in size). Runs in one thread while the network computes the previous batch.
        """
        ...

    def loss(self, net: nn.Module, half: Any) -> Tensor:
        """The loss, a scalar, of the network in training mode on half a batch, which has the form of a batch.

        Runs in one of two threads, each with its own network; it must not use a global random generator,
        because the order of its numbers would depend on timing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained.

    task: gives examples, batches and loss.
    iterations: steps of the optimiser, AdamW with a linear warm-up and a cosine.
    images: number of training images that are generated.
    start: the network whose trained weights it begins with, or "".
    fresh: prefixes of the names of layers that do not come from `start`.
    batch: examples of a step.
    rate: peak learning rate.
    decay: weight decay of parameters with more than one dimension.
    warmup: iterations of the linear warm-up.
    clip: maximum norm of all gradients together, 0 for no limit.
    seed: of the training images, the initial weights and the order of examples.
    """

    task: TrainingTask
    iterations: int
    images: int = 4000
    start: str = ""
    fresh: tuple[str, ...] = ()
    batch: int = 32
    rate: float = 3e-3
    decay: float = 0.01
    warmup: int = 200
    clip: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """Reported every `every` iterations of `train`.

    done, total: iterations.
    loss: mean of the iterations since the last report.
    rate: iterations per second.
    left: seconds that remain.
    """

    done: int
    total: int
    loss: float
    rate: float
    left: float


def build(variant: Variant, recipe: Recipe) -> nn.Module:
    """The network with random weights, or those of the recipe's `start` in all layers except the fresh ones."""
    torch.manual_seed(recipe.seed)
    net = networks.build(variant)
    if recipe.start:
        earlier = load.read_state(WEIGHTS / f"{recipe.start}.safetensors")
        fresh = {key: value for key, value in net.state_dict().items() if key.startswith(recipe.fresh)}
        net.load_state_dict({**earlier, **fresh}, strict=True)
    return net


def train(
    net: nn.Module,
    variant: Variant,
    recipe: Recipe,
    examples: Sequence[Any],
    on_progress: Callable[[Progress], None] = lambda progress: None,
    every: int = 100,
) -> list[float]:
    """Trains in place; returns the loss of every iteration. The network ends in evaluation mode."""
    net.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = _optimiser(net, recipe)
    halves = TwoReplicas(net, recipe.task.loss)
    losses: list[float] = []
    source = recipe.task.batches(examples, variant, recipe)
    batch = next(source)
    started = time.perf_counter()
    for step in range(recipe.iterations):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * schedule(step, recipe.iterations, recipe.warmup)
        passes = halves.start(batch)
        batch = next(source)  # made while the network computes
        losses.append(halves.gather(passes))
        if recipe.clip:
            nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
        optimiser.step()
        halves.spread()
        if (step + 1) % every == 0 or step + 1 == recipe.iterations:
            rate = (step + 1) / (time.perf_counter() - started)
            recent = float(np.mean(losses[-every:]))
            on_progress(Progress(step + 1, recipe.iterations, recent, rate, (recipe.iterations - step - 1) / rate))
    halves.finish()
    net.eval()
    return losses


def _optimiser(net: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    # Norms and biases are left out of the decay: it would only fight the statistics.
    learned = [p for p in net.parameters() if p.requires_grad]
    decayed = [p for p in learned if p.ndim > 1]
    others = [p for p in learned if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def saved(net: nn.Module, path: Path, name: str, recipe: Recipe) -> Path:
    """Writes the weights as float16 safetensors with metadata on how they were trained; returns `path`."""
    made_by = {"network": name, "iterations": str(recipe.iterations), "seed": str(recipe.seed), "hrbench": __version__}
    load.save(net, path, torch.float16, made_by)
    return path


def shuffled(count: int, batch: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Endless lists of `batch` positions below `count`: every position comes once before any is repeated."""
    queue: list[int] = []
    while True:
        while len(queue) < batch:
            queue += rng.permutation(count).tolist()
        chosen, queue = queue[:batch], queue[batch:]
        yield chosen


def normalised(images: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Images (N, h, w, 3) uint8 -> (N, 3, h, w) float32, channels last in memory, by channel position."""
    scaled = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    return scaled.sub_(torch.tensor(mean).view(1, 3, 1, 1)).div_(torch.tensor(std).view(1, 3, 1, 1))


def schedule(step: int, iterations: int, warmup: int) -> float:
    """Factor of the learning rate: a linear rise over `warmup` steps, then half a cosine down to nearly zero.

    >>> schedule(0, 1000, 100), schedule(99, 1000, 100), round(schedule(999, 1000, 100), 4)
    (0.01, 1.0, 0.0)
    """
    warmup = min(warmup, iterations // 2)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step + 1 - warmup) / max(1, iterations - warmup)))
