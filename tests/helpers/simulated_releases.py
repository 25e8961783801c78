"""Releases whose true difference is known: two sides predicted on a generated pool of many images.

A pool has what four metrics keep of each image, for a former and a new release. Test sets are drawn from it, and the
difference over the whole pool is the truth that verdicts and intervals are held to.

    python tests/helpers/simulated_releases.py            the whole simulation, about half an hour on two cores

prints how often gates fail at the border, how often exchangeable releases are called worse, power, and coverage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from hrbench.judge.by_image import evidence_by_image
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.verdict import Judgement, judge
from hrbench.metrics.coco.curves import Number
from hrbench.metrics.coco.instances import INSTANCES
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.states import by_image
from hrbench.metrics.labels.mean_iou import numbers as iou_numbers
from hrbench.metrics.pckh import percentages
from hrbench.statistics.paired import BLOCK, MOST
from hrbench.store.state_format_2 import occupied
from hrbench.types import ByImage, Margin, Quantity

POOL = 100_000
IMAGES = 1000
THRESHOLDS = (0.5, 0.65, 0.8)
SETTINGS = MatchSettings(THRESHOLDS, INSTANCES.recalls, (("all", 0.0, 1e10),), (100,))
AP = Quantity("AP", "AP", "fraction", "higher")
JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head", "rwri", "relb", "rsho", "lsho",
    "lelb", "lwri",
)  # fmt: skip
Choose = Callable[[np.ndarray], ByImage]
"""Indices of pool images -> a side on the test set of these images."""


@dataclass(frozen=True)
class Pool:
    """Two releases on many images. quantity: the number that is judged."""

    quantity: Quantity
    first: Choose
    second: Choose
    size: int

    def truth(self) -> float:
        """The difference over the whole pool."""
        values = [float(side(np.arange(self.size)).at(np.ones((1, self.size), np.int64))[0, 0]) for side in
                  (self.first, self.second)]  # fmt: skip
        return values[1] - values[0]

    def draw(self, rng: np.random.Generator, images: int, seed: int = 0) -> Evidence:
        """The evidence on a test set of so many images."""
        some = np.sort(rng.choice(self.size, images, replace=False))
        rows = [Evidence("entry", "entry", self.quantity.name, self.quantity)]
        found = evidence_by_image(self.first(some), self.second(some), rows, Options(seed=seed))
        assert not isinstance(found, str)
        return found[0]


# --- what each metric keeps ------------------------------------------------------------------------------------------


def average_precision(rng: np.random.Generator, losses: Sequence[float], noise: float, size: int = POOL) -> Pool:
    """Two objects an image or so; a detection's overlap with its object says at which of three thresholds it hits."""
    objects = rng.integers(1, 4, size)
    image = np.repeat(np.arange(size), objects)
    shared = rng.normal(0.82, 0.10, len(image)) + np.repeat(rng.normal(0, 0.04, size), objects)
    stray = rng.poisson(0.4, size)
    at = np.repeat(np.arange(size), stray)
    sides = []
    for loss in losses:
        overlap = shared - loss + rng.normal(0, noise, len(image))
        found = overlap > 0.5
        score = np.concatenate([np.clip(overlap + rng.normal(0, 0.08, len(image)), 0, 1)[found],
                                rng.uniform(0.3, 0.8, len(at))])  # fmt: skip
        bits = np.searchsorted(THRESHOLDS, overlap[found], side="right")
        hits = np.concatenate([(1 << bits) - 1, np.zeros(len(at), int)]).astype(np.uint16)
        where = np.concatenate([image[found], at])
        order = np.lexsort((-score, where))
        sides.append(_matches_on(where[order], score[order], hits[order], objects, size))
    return Pool(AP, sides[0], sides[1], size)


def _matches_on(where: np.ndarray, score: np.ndarray, hits: np.ndarray, objects: np.ndarray, size: int) -> Choose:
    starts = np.searchsorted(where, np.arange(size + 1))

    def on(images: np.ndarray) -> ByImage:
        lengths = starts[images + 1] - starts[images]
        rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in images.tolist()])
        matches = Matches(
            images,
            np.array([1]),
            np.concatenate(([0], np.cumsum(lengths))),
            score[rows],
            np.zeros(len(rows), np.uint16),
            hits[rows][:, None],
            np.zeros((len(rows), 1), np.uint16),
            *occupied(objects[images].astype(np.int32)[:, None, None]),
        )
        return by_image(matches, SETTINGS, [Number("AP", "precision", None, 0)], None)

    return on


def mean_iou(rng: np.random.Generator, losses: Sequence[float], noise: float, size: int = POOL) -> Pool:
    """Nineteen classes of unlike size; an image has some of them, and is easy or hard as a whole."""
    classes = 19
    annotated = rng.gamma(0.8, 1.0, (size, classes)) * np.geomspace(1, 0.02, classes)
    annotated *= rng.random((size, classes)) < np.linspace(0.95, 0.15, classes)
    annotated = np.round(20_000 * annotated / annotated.sum(axis=1, keepdims=True).clip(1e-9))
    shared = np.linspace(2.6, 0.9, classes) + rng.normal(0, 0.5, (size, 1)) + rng.normal(0, 0.4, (size, classes))
    sides = []
    for loss in losses:
        recall = 1 / (1 + np.exp(-(shared - loss + rng.normal(0, noise, (size, classes)))))
        right = np.round(annotated * recall)
        wrong = (annotated - right).sum(axis=1, keepdims=True) * np.geomspace(1, 0.1, classes) / classes
        table = np.stack([right, annotated, right + np.round(wrong)], axis=1)
        sides.append(_sums_on(table, lambda sums: iou_numbers(sums)[..., :1]))
    return Pool(Quantity("mIoU", "mIoU", "fraction", "higher"), sides[0], sides[1], size)


def pckh(rng: np.random.Generator, losses: Sequence[float], noise: float, size: int = POOL) -> Pool:
    """One to three people an image, most joints visible, distances long-tailed."""
    people = rng.integers(1, 4, size)
    image = np.repeat(np.arange(size), people)
    visible = rng.random((len(image), 16)) < 0.85
    shared = rng.normal(-1.7, 0.7, (len(image), 16)) + rng.normal(0, 0.4, (len(image), 1))
    sides = []
    for loss in losses:
        distance = np.exp(shared + loss + rng.normal(0, noise, shared.shape))
        rows = np.stack([*(visible & (distance <= bound) for bound in (0.5, 0.11, 0.1)), visible], axis=1)
        table = np.zeros((size, 4, 16))
        np.add.at(table, image, rows)
        sides.append(_sums_on(table, lambda sums: percentages(sums, JOINTS)[..., 7:8] / 100))
    return Pool(Quantity("pckh@0.5/mean", "Mean", "fraction", "higher"), sides[0], sides[1], size)


def _sums_on(table: np.ndarray, numbers: Callable[[np.ndarray], np.ndarray]) -> Choose:
    flat = table.reshape(len(table), -1)

    def on(images: np.ndarray) -> ByImage:
        mine = flat[images]

        def at(weights: np.ndarray) -> np.ndarray:
            return numbers((weights @ mine).reshape(len(weights), *table.shape[1:]))

        return ByImage(images, ("it",), 1, at, dict, 100)

    return on


def top1(rng: np.random.Generator, losses: Sequence[float], noise: float, size: int = POOL) -> Pool:
    """Easy and hard images, right if a latent ease is above 0."""
    shared = rng.normal(0.9, 1.0, size)
    sides = []
    for loss in losses:
        right = shared - loss + rng.normal(0, noise, size) > 0
        sides.append(_right_on(right))
    return Pool(Quantity("top1", "Top-1", "fraction", "higher"), sides[0], sides[1], size)


def _right_on(right: np.ndarray) -> Choose:
    def on(images: np.ndarray) -> ByImage:
        mine = right[images][:, None]

        def at(weights: np.ndarray) -> np.ndarray:
            return (weights @ mine.astype(float)) / weights.sum(axis=1)[:, None]

        return ByImage(images, ("it",), 1, at, dict, 100, right=mine)

    return on


METRICS: dict[str, tuple[Callable[..., Pool], float, float]] = {
    "AP": (average_precision, 0.010, 0.03),
    "mIoU": (mean_iou, 0.06, 0.25),
    "PCKh": (pckh, 0.05, 0.25),
    "Top-1": (top1, 0.05, 0.30),
}
"""Metric -> what makes its pool, a loss of one to two points in its own terms, and the noise of each release."""


def pool_of(metric: str, seed: int, share: float = 1.0, size: int = POOL) -> Pool:
    """The pool of a metric whose second release has so much of the loss; 0: two exchangeable releases."""
    make, loss, noise = METRICS[metric]
    pool = make(np.random.default_rng([seed, sorted(METRICS).index(metric)]), (0.0, share * loss), noise, size)
    named = {"quantity": pool.quantity}
    return Pool(named["quantity"], pool.first, pool.second, pool.size)


# --- the four questions ----------------------------------------------------------------------------------------------


def judged(pools: Sequence[Pool], margins: Sequence[float], seed: int, images: int = IMAGES) -> list[Judgement]:
    """One gate: a test set from each pool, judged as one family."""
    rng = np.random.default_rng([seed, 7])
    rows = [pool.draw(rng, images, seed) for pool in pools]
    return judge([(row, Margin(points=100 * margin)) for row, margin in zip(rows, margins, strict=True)])


def border(pools: Sequence[Pool], truths: Sequence[float], gates: range, images: int = IMAGES) -> tuple[int, int]:
    """(gates with a regressed row, rows that pass) where each row's margin is the loss of its own pool."""
    failed = passed = 0
    for seed in gates:
        rows = judged(pools, [-truth for truth in truths], seed, images)
        failed += any(row.verdict == "regressed" for row in rows)
        passed += sum(row.verdict in ("improved", "unchanged", "not worse") for row in rows)
    return failed, passed


def exchangeable(pools: Sequence[Pool], gates: range, images: int = IMAGES) -> int:
    """Gates with a regressed row, of releases that differ by chance alone and a margin of 0."""
    return sum(
        any(row.verdict == "regressed" for row in judged(pools, [0.0] * len(pools), seed, images)) for seed in gates
    )


def power(
    pool: Pool, truth: float, error: float, z: float, trials: range, images: int = IMAGES, most: int = BLOCK
) -> int:
    """How often a loss of margin + (z + 1.645) standard errors is regressed; the margin is what makes it so.

    z: 1.96 for one row; 2.87 for the first step of twelve, where eleven rows without a difference are beside it.
    most: replicates of a row that is close to its level; a gate takes up to 50,000.
    """
    margin = -truth - (z + 1.645) * error
    assert margin >= 0, "the pool's loss is too small for this question"
    found = 0
    for seed in trials:
        row = pool.draw(np.random.default_rng([seed, 11]), images, seed)
        quiet = Evidence("quiet", "quiet", "AP", AP, first=0.5, second=0.5, difference=0.0, interval=(0.0, 0.0),
                         means="bootstrap", units=images, replicates=2000, p=lambda bound: 1.0)  # fmt: skip
        family = [(row, Margin(points=100 * margin))] + [(quiet, Margin(points=30.0))] * (11 if z > 2 else 0)
        found += judge(family, most=most)[0].verdict == "regressed"
    return found


def coverage(pool: Pool, truth: float, trials: range, images: int = IMAGES) -> int:
    """How often the 95 % interval holds the true difference."""
    found = 0
    for seed in trials:
        row = pool.draw(np.random.default_rng([seed, 13]), images, seed)
        assert row.interval is not None
        found += row.interval[0] <= truth <= row.interval[1]
    return found


def spread(pool: Pool, trials: range, images: int = IMAGES) -> float:
    """The standard deviation of the difference over test sets: its true standard error."""
    values = []
    for seed in trials:
        some = np.sort(np.random.default_rng([seed, 17]).choice(pool.size, images, replace=False))
        once = np.ones((1, images), np.int64)
        values.append(float(pool.second(some).at(once)[0, 0] - pool.first(some).at(once)[0, 0]))
    return float(np.std(values, ddof=1))


# --- the whole simulation --------------------------------------------------------------------------------------------

POWER_SHARE = 4.0
"""Of the losses in `METRICS`: power is asked for a loss of several standard errors."""

TWELVE = [(metric, seed) for seed in range(3) for metric in METRICS]


def _parts(count: int, parts: int) -> Iterator[range]:
    step = -(-count // parts)
    for start in range(0, count, step):
        yield range(start, min(count, start + step))


def _border_part(gates: range) -> tuple[int, int]:
    pools = [pool_of(metric, seed) for metric, seed in TWELVE]
    return border(pools, [pool.truth() for pool in pools], gates)


def _exchangeable_part(gates: range) -> int:
    return exchangeable([pool_of(metric, seed, 0.0) for metric, seed in TWELVE], gates)


def _power_part(job: tuple[str, float]) -> tuple[str, float, int]:
    metric, z = job
    pool = pool_of(metric, 5, POWER_SHARE)
    return metric, z, power(pool, pool.truth(), spread(pool, range(10_000)), z, range(400), most=MOST)


def _coverage_part(job: tuple[str, int]) -> tuple[str, int, int]:
    metric, images = job
    pool = pool_of(metric, 6)
    return metric, images, coverage(pool, pool.truth(), range(2000), images)


def main(which: Sequence[str]) -> None:
    with ProcessPoolExecutor(2) as workers:
        if "border" in which:
            parts = list(workers.map(_border_part, _parts(1000, 10)))
            print(
                "border: gates failed of 1000, rows passed of 12000:", *map(sum, zip(*parts, strict=True)), flush=True
            )
        if "exchangeable" in which:
            print("exchangeable: of 1000:", sum(workers.map(_exchangeable_part, _parts(1000, 10))), flush=True)
        if "power" in which:
            for job in workers.map(_power_part, [(metric, z) for metric in METRICS for z in (1.96, 2.87)]):
                print("power: metric, z, regressed of 400:", *job, flush=True)
        if "coverage" in which:
            sizes = (30, 50, 200, IMAGES)
            for job in workers.map(_coverage_part, [(metric, size) for size in sizes for metric in METRICS]):
                print("coverage: metric, images, of 2000:", *job, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["border", "exchangeable", "power", "coverage"])
