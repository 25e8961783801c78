"""hrbench measures high-resolution vision networks: accuracy, operations, latency, and tables like the papers'.

    net = hrbench.build("pose_hrnet_w32_coco_256x192", weights="pose_hrnet_w32_256x192.pth")
    suite = hrbench.load_suite("suites/pose.yaml")
    results = list(hrbench.run(suite, folder="runs/pose"))
    frame = hrbench.frame("runs/pose")
    scores = hrbench.score("coco-keypoints", ground_truth="person_keypoints_val2017.json", predictions="results.json")
    frame = hrbench.compare("runs/before", "runs/after").frame()
    decision = hrbench.gate("runs/pose", against="v1.2")

Importing this imports nothing else: each function loads what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.version import __version__

if TYPE_CHECKING:
    import pandas
    from torch import nn

    from hrbench.judge.gate import Decision
    from hrbench.judge.rows import Comparison
    from hrbench.types import Measurement, Result, Suite, Variant

__all__ = ["__version__", "build", "compare", "flat", "frame", "gate", "load", "load_suite", "run", "score"]


def build(
    model: str | Variant,
    weights: str | Path | Mapping[str, str] | None = None,
    *,
    folder: str | Path | None = None,
    task: str = "",
    input: tuple[int, int] | None = None,
    **overrides: Any,
) -> nn.Module:
    """A network of the catalog, of another source, or user-defined, in eval mode, with the official keys.

        net = hrbench.build("cls_hrnet_w18")                                    # random weights
        net = hrbench.build("cls_hrnet_w18", weights="runs/hrnet_w18.pth")      # a checkpoint
        net = hrbench.build("cls_hrnet_w18", weights="timm")                    # what `hrbench fetch weights` got
        net = hrbench.build("pose_hrnet_w32_coco_256x192", joints=21)           # another argument
        net = hrbench.build("mask_rcnn_spinenet_49", backbone={"args": {"variant": "96"}})
        net = hrbench.build("timm:hrnet_w18", num_classes=10)                   # as `use:` of a suite names it
        net = hrbench.build("onnx:net.onnx", task="pose", input=(256, 192))     # a file brings its own weights

    model: a name of the catalog; "SOURCE:NAME" with the source timm, torchvision, transformers, smp, onnx or exported;
        or "package.module:callable".
    weights: None for random weights; the path of a file in any format and key names that a suite's `weights:` takes
        (official, OpenMMLab, timm, torchvision, Keras; .pth, .safetensors ...); or a source of the catalog's row. Every
        key of the file must match one of the network, and the other way round. {"file": ..., "key": "model_ema"} takes
        that part of a training checkpoint.
    folder: where the file of a source is looked for; by default HRBENCH_WEIGHTS, or weights/.
    task: of the network, for a source that needs it.
    input: (height, width) in pixels, for a source that needs it.
    overrides: replace arguments of the catalog's row; without a row, all arguments.

    Raises UsageError for an unknown name, argument or source, MissingError for a file that is not there, InputError
    for one that does not fit (with the keys listed), is damaged, or holds a network pickled whole.
    """
    from hrbench.runner import evaluate

    return evaluate.build(model, weights, folder, task=task, input=input, **overrides)


def load_suite(
    path: str | Path, *, overrides: Iterable[str] = (), only: str | None = None, limit: int | None = None
) -> Suite:
    """A suite file, or a shipped suite by name, parsed and resolved.

    path: of the file, or the name of a shipped suite.
    overrides: "KEY=VALUE", set in every entry.
    only: shell pattern for names of entries.
    limit: number of images, spread over the set; None for all.

    Raises UsageError listing every error.
    """
    from hrbench.suite import load as suite
    from hrbench.suite import registry

    return suite.load_suite(path, registry.known(), overrides=tuple(overrides), only=only, limit=limit)


def run(suite: Suite, folder: str | Path | None = None, **settings: Any) -> Iterator[Result]:
    """Runs a suite and yields each entry's result when it is complete; the same call again resumes.

    folder: where results are stored, by default runs/<suite>.
    settings: fields of `runner.settings.Settings` (data, weights, device, workers, verify, offline, rescore,
        in_process); data and weights may be addresses such as "s3://bucket/data". What belongs to the suite (only,
        limit, overrides) is an argument of `load_suite`.

    Raises UsageError for another setting.
    """
    from dataclasses import fields

    from hrbench.core.remote.mirror import local_folder
    from hrbench.errors import UsageError
    from hrbench.runner.settings import Settings
    from hrbench.runner.suite import run_suite
    from hrbench.store.run_folder import RunFolder

    known = [each.name for each in fields(Settings)]
    if unknown := [key for key in settings if key not in known]:
        of_suite = "; only, limit and overrides are given to load_suite"
        raise UsageError(f"run takes no {', '.join(unknown)}; it takes folder, {', '.join(known)}{of_suite}")
    for key in {"data", "weights"} & set(settings):
        settings[key] = local_folder(settings[key])
    return run_suite(suite, RunFolder(folder or Path("runs") / suite.name), Settings(**settings))


def load(folder: str | Path) -> list[Result]:
    """The stored results of a run folder, in the suite's order."""
    from hrbench.errors import MissingError
    from hrbench.store.run_folder import RunFolder

    if not Path(folder).is_dir():
        raise MissingError(f"there is no run folder {folder}")
    return RunFolder(folder).results()


def frame(*sources: Iterable[Result] | str | Path, samples: bool = False) -> pandas.DataFrame:
    """One row for each number of each result, scores and costs alike.

        hrbench.frame("runs/pose")                              # a run folder
        hrbench.frame("runs/before", "runs/after")              # several; the column `run` tells them apart
        hrbench.frame(hrbench.load("runs/pose"), samples=True)  # results, with a column of raw measurements

    sources: run folders, or results.
    samples: whether a last column `samples` has the raw measurements, a list in the order taken: of a latency seconds.

    The columns, in this order; later versions add theirs at the end. Numbers have all their digits. Texts name no
    folder of a machine: a path is relative to the current folder, begins with `~`, or is a file's name.

        run: name of the run folder, with folders above it where names are equal; "" for a result that is not stored
        date: when it was measured, ISO 8601 in UTC; of an earlier hrbench, when its run began
        entry: of the suite
        model: name of the network
        use: what builds the network, "timm:hrnet_w18"; of a file its name
        input: height x width in pixels, "256x192"
        dataset: name of the data set; none for costs only
        protocol: every setting of the protocol by name, as JSON
        status: of the entry: done, submitted, costs_only, empty or failed
        limited: the --limit that was used; none for all images
        metric: name of the metric; "cost" for costs
        quantity: name of the number within its metric, "AP50", or of the cost, "latency"
        unit: of value, low, high, spread and samples: a base unit, such as fraction, seconds, bytes
        value: the number with all its digits; none if there is none, and reason says why
        low: lower end of its 95 % interval; none without one
        high: upper end of its 95 % interval
        n: objects behind a score (people, joints, images); none for a cost
        reason: why there is no number; of an unstable one, what disturbed it; "" for nothing
        batch: of a cost: images in a forward pass
        dtype: of a cost: "float32"
        device: the processor or GPU that a score's predictions or a cost were made on; none for what is counted
        runtime: how the network was run, "eager", "compile, threads 2"; none for what is counted or given
        threads: of a cost: CPU threads of a pass
        mode: of a time: how long it was measured: quick, gate or smoke
        inputs: of a cost: what was fed, "standard normal" or "8 images of NAME"
        weights: whose weights the network had: one of its sources, "file" or "random"
        weights_file: name of the file of the score's weights
        weights_sha256: of that file, or of the tensors of a network that brings its own
        data_sha256: of the annotations and images that a score was measured on
        caches: of a latency: "warm", or "cold" if they were flushed before each pass
        passes: how many samples were taken
        spread: of a cost on several images: standard deviation over these
        p90_bound: of a latency: upper bound of the 90th percentile in seconds; none with too few samples
        p99_bound: of a latency: upper bound of the 99th percentile in seconds
        stability: of a time: stable, unstable or unknown
        unstable_because: what disturbed a measurement, or why its stability is not known; "" for nothing
        hrbench: version that measured it
        label: what tables and the terminal call the quantity, "Top-1"; `quantity` is its name in files and
            policies

    An entry without any number has one row with its reason.

    Raises MissingError for a run folder that is not there.
    """
    from hrbench.store import dataframe

    results = [result for source in sources for result in (load(source) if isinstance(source, str | Path) else source)]
    return dataframe.frame(results, samples)


def flat(result: Result) -> dict[str, float]:
    """The numbers of a result by name, as W&B, TensorBoard and other trackers log them.

        wandb.init(project="pose").log(hrbench.flat(result))
        for name, number in hrbench.flat(result).items():
            SummaryWriter("logs").add_scalar(name, number, step)

    A score is METRIC/NAME ("coco-keypoints/AP"), a cost cost/NAME with its conditions ("cost/latency/batch-1", and the
    dtype if it is not float32); NAME/low and NAME/high are the ends of a 95 % interval. Numbers are in base units:
    fractions, seconds, bytes. Names have letters, digits and "_./-" only; of two that differ in other characters alone
    the second ends in "-2". A number that does not exist is left out: no value is NaN or infinite.
    """
    from hrbench.store.flat import flat as flattened

    return flattened(result)


def score(
    metric: str,
    *,
    ground_truth: str | Path,
    predictions: str | Path,
    verify: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    **options: Any,
) -> list[Measurement]:
    """Scores of predictions computed anywhere, with 95 % intervals.

    metric: its name, e.g. "coco-keypoints".
    ground_truth: file or folder that the metric reads, or its address in an object store ("s3://bucket/truth.json").
    predictions: file or folder of predictions, or its address.
    verify: whether to compare with the metric's reference implementation, too.
    resamples: of the bootstrap; 0 for no intervals.
    seed: of the bootstrap.
    options: arguments of the metric, such as sigmas or per_class.
    """
    from hrbench.runner.score import score_file

    return score_file(
        metric,
        ground_truth=ground_truth,
        predictions=predictions,
        options=options,
        verify=verify,
        resamples=resamples,
        seed=seed,
    ).scores


def compare(
    first: str | Path, second: str | Path, *, baselines: str | Path = "reports/baselines", **options: Any
) -> Comparison:
    """Judges the second of two run folders, baselines, or RUN:ENTRY against the first, under the default policy.

    baselines: folder in which names of baselines are looked for.
    options: fields of `judge.evidence.Options` (seed, classes, across, common_images, groups, slices, trust_stored);
        slices: name -> ids of images as text, as `judge.slices.read_slices` reads them from a file.

    Raises MissingError for a side that is not there.
    """
    from hrbench.judge.compare import compare as compared
    from hrbench.judge.evidence import Options
    from hrbench.judge.sides import read_side

    sides = [read_side(str(side), Path(baselines)) for side in (first, second)]
    return compared(sides[0], sides[1], options=Options(**options))


def gate(
    run: str | Path,
    *,
    against: str | Path,
    policy: str | Path | None = None,
    strict: bool = False,
    baselines: str | Path = "reports/baselines",
    only: str = "",
    **options: Any,
) -> Decision:
    """Whether a run may pass, judged against a baseline: `.outcome`, `.exit_code`, `.blocking`, `.comparison`.

    against: a baseline by name or path, or a run folder.
    policy: a file; None for `gate:` of the suite that is stored in the run, or the default policy.
    strict: whether a required number that cannot be told blocks.
    baselines: folder in which the name is looked for.
    only: pattern of the entries that are judged; "" for all.
    options: as for `compare`.

    It writes no file. Raises MissingError for a side that is not there, InputError for a baseline that was changed,
    UsageError for a faulty policy.
    """
    from hrbench.judge.compare import compare as compared
    from hrbench.judge.evidence import Options
    from hrbench.judge.gate import check_baseline, check_release, decide
    from hrbench.judge.sides import read_side, selected
    from hrbench.statistics.paired import MOST
    from hrbench.suite.gate import policy_of_run, read_policy

    before, release = (read_side(str(side), Path(baselines)) for side in (against, run))
    check_baseline(before)
    check_release(release)
    rules = read_policy(Path(policy)) if policy is not None else policy_of_run(release.path)
    before, release = selected(before, only), selected(release, only)
    return decide(compared(before, release, rules, Options(**options), most=MOST, only=bool(only)), strict)
