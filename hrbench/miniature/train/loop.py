"""How any miniature network is trained: a recipe, a lesson and one loop for all tasks.

A `Lesson` says what a network learns from and how wrong it was; a `Recipe` says with which lesson, how long and how
fast; `train` does it, and `saved` writes the weights. What a task adds is one class:

    @dataclass(frozen=True, slots=True)
    class ShapesLesson:
        what: ClassVar[str] = "images"
        def examples(self, variant, plan): return [draw(plan.seed, index) for index in range(plan.images)]
        def batches(self, examples, variant, plan):
            rng = np.random.default_rng([plan.seed, 11])
            for chosen in shuffled(len(examples), plan.batch, rng):
                yield inputs_of(examples, chosen), targets_of(examples, chosen)
        def loss(self, net, half):
            inputs, targets = half
            return cross_entropy(net(inputs), targets)

Everything random comes from `plan.seed`, so the same machine makes the same network.
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

from hrbench.miniature.train.two_replicas import Batch, Halves
from hrbench.models import build as networks
from hrbench.models.weights import load
from hrbench.types import Variant
from hrbench.version import __version__

WEIGHTS = Path(__file__).parents[1] / "weights"


class Lesson(Protocol):
    """What a network of one task learns from. A frozen dataclass, its fields the settings of this task alone.

    what: the examples in one word, for messages ("people", "scenes").
    """

    what: ClassVar[str]

    def examples(self, variant: Variant, plan: Recipe) -> Sequence[Any]:
        """All that is learned from, drawn from `plan.seed` (never a test set's): of `plan.images` images."""
        ...

    def batches(self, examples: Sequence[Any], variant: Variant, plan: Recipe) -> Iterator[Batch]:
        """Endless batches of `plan.batch` examples, augmented and normalised as the network takes them.

        Either a tuple of tensors, each with one row for an example, or a list of examples of any kind (where images or
        targets differ in size). Runs in one thread while the network works on the batch before.
        """
        ...

    def loss(self, net: nn.Module, half: Any) -> Tensor:
        """A scalar: how wrong the network, in training mode, is about half a batch, given in the form of the batch.

        Runs in one of two threads, each with a network of its own; it must not draw random numbers from a global
        generator, whose order would depend on timing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained. start: the network whose trained weights it begins with, or "".

    iterations: steps of the optimiser, AdamW with a linear warm-up and a cosine. images: how many are drawn to learn
    from. fresh: beginnings of the names of layers that do not come from `start`. batch: examples of a step. rate: peak
    learning rate. decay: of weights with more than one dimension. clip: the greatest norm of all gradients together, 0
    for no limit.
    """

    lesson: Lesson
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
    """Told every so often. rate: iterations a second; left: seconds to go; loss: mean since the last telling."""

    done: int
    total: int
    loss: float
    rate: float
    left: float


def build(variant: Variant, plan: Recipe) -> nn.Module:
    """The network with random weights, or those of the recipe's `start` in all layers but the fresh ones."""
    torch.manual_seed(plan.seed)
    net = networks.build(variant)
    if plan.start:
        earlier = load.read_state(WEIGHTS / f"{plan.start}.safetensors")
        fresh = {key: value for key, value in net.state_dict().items() if key.startswith(plan.fresh)}
        net.load_state_dict({**earlier, **fresh}, strict=True)
    return net


def train(
    net: nn.Module,
    variant: Variant,
    plan: Recipe,
    examples: Sequence[Any],
    tell: Callable[[Progress], None] = lambda progress: None,
    every: int = 100,
) -> list[float]:
    """Train in place; returns the loss of every iteration. The network ends in evaluation mode."""
    net.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = _optimiser(net, plan)
    halves = Halves(net, plan.lesson.loss)
    losses: list[float] = []
    source = plan.lesson.batches(examples, variant, plan)
    batch = next(source)
    started = time.perf_counter()
    for step in range(plan.iterations):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * schedule(step, plan.iterations, plan.warmup)
        passes = halves.start(batch)
        batch = next(source)  # drawn while the network works
        losses.append(halves.gather(passes))
        if plan.clip:
            nn.utils.clip_grad_norm_(net.parameters(), plan.clip)
        optimiser.step()
        halves.spread()
        if (step + 1) % every == 0 or step + 1 == plan.iterations:
            rate = (step + 1) / (time.perf_counter() - started)
            recent = float(np.mean(losses[-every:]))
            tell(Progress(step + 1, plan.iterations, recent, rate, (plan.iterations - step - 1) / rate))
    halves.finish()
    net.eval()
    return losses


def _optimiser(net: nn.Module, plan: Recipe) -> torch.optim.AdamW:
    # Norms and biases are left out of the decay: it would only fight the statistics.
    learned = [p for p in net.parameters() if p.requires_grad]
    decayed = [p for p in learned if p.ndim > 1]
    others = [p for p in learned if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": plan.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.rate)


def saved(net: nn.Module, path: Path, name: str, plan: Recipe) -> Path:
    """Writes the weights as float16 safetensors that say how they were made; returns `path`."""
    made_by = {"network": name, "iterations": str(plan.iterations), "seed": str(plan.seed), "hrbench": __version__}
    load.save(net, path, torch.float16, made_by)
    return path


def shuffled(count: int, batch: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Endless lists of `batch` positions below `count`: every one comes once before any comes again."""
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
