"""hrbench measures high-resolution vision networks: accuracy, operations, latency, and tables like the papers'.

    net = hrbench.build("pose_hrnet_w32_coco_256x192", weights="pose_hrnet_w32_256x192.pth")
    suite = hrbench.load_suite("suites/pose.yaml")
    results = list(hrbench.run(suite, folder="runs/pose"))
    frame = hrbench.frame(hrbench.load("runs/pose"))
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

__all__ = ["__version__", "build", "compare", "frame", "gate", "load", "load_suite", "run", "score"]


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
        in_process). What belongs to the suite (only, limit, overrides) is an argument of `load_suite`.

    Raises UsageError for another setting.
    """
    from dataclasses import fields

    from hrbench.errors import UsageError
    from hrbench.runner.settings import Settings
    from hrbench.runner.suite import run_suite
    from hrbench.store.run_folder import RunFolder

    known = [each.name for each in fields(Settings)]
    if unknown := [key for key in settings if key not in known]:
        of_suite = "; only, limit and overrides are given to load_suite"
        raise UsageError(f"run takes no {', '.join(unknown)}; it takes folder, {', '.join(known)}{of_suite}")
    for key in {"data", "weights"} & set(settings):
        settings[key] = Path(settings[key])
    return run_suite(suite, RunFolder(folder or Path("runs") / suite.name), Settings(**settings))


def load(folder: str | Path) -> list[Result]:
    """The stored results of a run folder, in the suite's order."""
    from hrbench.errors import MissingError
    from hrbench.store.run_folder import RunFolder

    if not Path(folder).is_dir():
        raise MissingError(f"there is no run folder {folder}")
    return RunFolder(folder).results()


def frame(results: Iterable[Result]) -> pandas.DataFrame:
    """One row for each number of each result: entry, model, data set, quantity, value, interval, conditions."""
    from hrbench.store import dataframe

    return dataframe.frame(results)


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
    ground_truth: file or folder that the metric reads.
    predictions: file or folder of predictions.
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
