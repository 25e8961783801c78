"""Suites that name networks of other sources, or predictions in a network's place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import pytest

from hrbench.core.plugins import sources
from hrbench.errors import UsageError
from hrbench.suite.load import load_suite
from hrbench.suite.registry import CostOptions
from hrbench.types import DatasetRow, Entry, Known, Suite, Variant


@dataclass(frozen=True)
class Boxed:
    """A protocol like that of pose."""

    name: str = "boxed"
    version: int = 1
    boxes: str = "detector"


NET = Variant("net_a", "net", "pose", (64, 48), {"width": 1}, weights={"official": "a.pth"}, published={"file": "pose"})
KNOWN = Known(
    variants={"net_a": NET, "seg_a": replace(NET, name="seg_a", task="segmentation")},
    datasets={
        "people": DatasetRow("people", "people", "pose", ("ap",)),
        "mpii": DatasetRow("mpii", "people", "pose", ("ap",), fixed={"boxes": "annotated"}),
    },
    protocols={"pose": Boxed},
    metrics=("ap",),
    exists=lambda group, name: name in ("net", "people") or name.partition(":")[0] in sources(),
    arguments=lambda group, name, folders: () if name.startswith("onnx:") else None,
    costs=CostOptions(),
)


def load(folder: Path, entries: str, **more) -> Suite:
    path = folder / "s.yaml"
    path.write_text("suite: s\nentries:\n" + dedent(entries).strip("\n") + "\n")
    return load_suite(path, KNOWN, **more)


def one(folder: Path, line: str, **more) -> Entry:
    (entry,) = load(folder, f"  - {line}", **more).entries
    return entry


def refusal(folder: Path, line: str) -> str:
    with pytest.raises(UsageError) as caught:
        one(folder, line)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_network_of_another_source_in_one_line(tmp_path: Path):
    timm = one(tmp_path, '{model: {use: "timm:hrnet_w18.ms_aug_in1k", input: [224, 224]}}')
    assert (timm.variant.use, timm.variant.task) == ("timm:hrnet_w18.ms_aug_in1k", "classification")
    assert timm.name == timm.variant.name == "hrnet_w18.ms_aug_in1k"
    assert timm.dataset is None and timm.protocol == {}
    hub = one(tmp_path, '{model: {use: "transformers:org/vit-b", task: pose, input: [64, 48]}, dataset: people}')
    assert hub.variant.use == "transformers:org/vit-b" and hub.name == "vit-b" and hub.protocol["boxes"] == "detector"
    assert one(tmp_path, '{model: {use: "smp:Unet", input: [64, 64]}}').variant.task == "segmentation"
    assert refusal(tmp_path, '{model: {use: "torchvision:fcn_resnet50", input: [64, 64]}}') == (
        "s.yaml:3: a model in place lacks task; give that or `base: NAME`"
    )


def test_files_are_relative_to_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir("/")
    onnx = one(tmp_path, '{model: {use: "onnx:nets/net.v2.onnx", task: pose, input: [64, 48]}, dataset: people}')
    assert onnx.variant.use == f"onnx:{tmp_path}/nets/net.v2.onnx" and onnx.name == "net.v2"
    folder = one(tmp_path, '{model: {use: "transformers:./vit", task: pose, input: [64, 48]}}')
    assert folder.variant.use == f"transformers:{tmp_path}/vit"
    given = one(tmp_path, "{predictions: files/mine.json, dataset: people}")
    assert given.predictions == str(tmp_path / "files" / "mine.json")


def test_what_is_refused_of_a_source(tmp_path: Path):
    line = '{model: {use: "onnx:a.onnx", task: pose, input: [64, 48]WITH}, dataset: people, weights: b.pth}'
    assert refusal(tmp_path, line.replace("WITH", "")).endswith("has its weights in its own file: leave `weights` out")
    assert "onnx:a.onnx takes no argument 'width'" in refusal(tmp_path, line.replace("WITH", ", args: {width: 1}"))
    said = refusal(tmp_path, '{model: {use: "tim:hrnet_w18", task: classification, input: [64, 64]}}')
    assert said == "s.yaml:3: no module 'tim' beside the suite or installed; did you mean timm?"


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection", "backbone"])
def test_a_task_without_a_protocol_is_costed_and_not_evaluated(tmp_path: Path, task: str):
    model = f'model: {{use: "timm:x", task: {task}, input: [64, 64]}}'
    made = one(tmp_path, f"{{{model}, protocol: {{boxes: ground_truth}}}}")  # as `defaults` might have it
    assert made.protocol == {} and made.dataset is None and made.metrics == ()
    said = refusal(tmp_path, f"{{{model}, dataset: people}}")
    assert f"model x is for {task} and data set people for pose: they do not fit" in said
    assert "no task" not in said
    assert f"{task} has no protocol in this version: leave dataset out to measure costs" in said


def test_a_task_that_nobody_knows_is_refused(tmp_path: Path):
    assert "no task is called 'poze'; did you mean pose?" in refusal(
        tmp_path, '{model: {use: "timm:x", task: poze, input: [64, 64]}}'
    )


def test_predictions_stand_in_a_network_s_place(tmp_path: Path):
    made = one(tmp_path, "{predictions: mine.json, dataset: people, seed: 3}")
    assert made.variant == Variant("mine", "", "pose", (0, 0)) and made.name == "mine"
    assert made.protocol == {} and made.metrics == ("ap",) and made.seed == 3
    assert one(tmp_path, "{name: ours, predictions: mine.json, dataset: people}").variant.name == "ours"


def test_what_is_said_of_how_predictions_were_made(tmp_path: Path):
    stated = one(tmp_path, "{predictions: p.json, dataset: people, protocol: {boxes: ground_truth}}")
    assert stated.protocol == {"name": "boxed", "version": 1, "boxes": "ground_truth"}
    assert one(tmp_path, "{predictions: p.json, dataset: mpii, protocol: {}}").protocol["boxes"] == "annotated"
    assert one(tmp_path, "{predictions: p.json, dataset: mpii}").protocol == {}


def test_a_model_beside_predictions_says_what_is_costed(tmp_path: Path):
    made = one(tmp_path, "{predictions: p.json, model: net_a, dataset: people, weights: official}")
    assert made.variant == NET and made.weights is None


def test_what_is_refused_of_predictions(tmp_path: Path):
    assert refusal(tmp_path, "{predictions: p.json}").endswith("scored on a data set: give `dataset`")
    assert refusal(tmp_path, "{predictions: p.json, dataset: none}").endswith("scored on a data set: give `dataset`")
    several = refusal(tmp_path, "{predictions: p.json, models: [net_a], dataset: people}")
    assert several.endswith("one file of predictions is of one `model` on one `dataset`, and no runtime makes it")
    assert "do not fit" in refusal(tmp_path, "{predictions: p.json, model: seg_a, dataset: people}")
    assert "predictions must" in refusal(tmp_path, "{predictions: 3, dataset: people}")
    with pytest.raises(UsageError, match="predictions cannot be the same for every entry"):
        load(tmp_path, "  - {model: net_a, dataset: people}", overrides=["predictions=p.json"])


def test_two_files_of_predictions_are_two_entries_and_the_same_file_is_one(tmp_path: Path):
    two = load(tmp_path, "  - {predictions: a.json, dataset: people}\n  - {predictions: b.json, dataset: people}")
    assert [entry.name for entry in two.entries] == ["a", "b"]
    with pytest.raises(UsageError, match="asks for the same as entry 'a'"):
        load(tmp_path, "  - {predictions: a.json, dataset: people}\n  - {predictions: ./a.json, dataset: people}")
