"""Networks as arguments of networks: a detector's backbone in a suite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from hrbench.core.plugins import sources
from hrbench.errors import UsageError
from hrbench.suite.load import load_suite
from hrbench.suite.registry import CostOptions
from hrbench.types import Known, Variant

BACKBONE = {"use": "spine", "args": {"variant": "49", "norm": "batch"}}
DETECTOR = Variant(
    "det_49", "det", "detection", (64, 64), {"backbone": BACKBONE, "classes": 80},
    weights={"official": "a.pth"}, parameters=7, title="D",
)  # fmt: skip
ARGUMENTS = {"det": ("backbone", "classes"), "spine": ("variant", "norm", "body"), "onnx:": ()}


@dataclass(frozen=True)
class Boxed:
    """A protocol of another task."""

    name: str = "boxed"
    version: int = 1


KNOWN = Known(
    variants={"det_49": DETECTOR},
    datasets={},
    protocols={"pose": Boxed},
    metrics=(),
    exists=lambda group, name: name in ARGUMENTS or name.partition(":")[0] in sources(),
    arguments=lambda group, name, folders: ARGUMENTS.get(name),
    costs=CostOptions(),
)


def load(folder: Path, args: str, **more) -> Variant:
    path = folder / "s.yaml"
    path.write_text(f"suite: s\nentries:\n  - model:\n      base: det_49\n      args:\n{args}")
    (entry,) = load_suite(path, KNOWN, **more).entries
    return entry.variant


def refusal(folder: Path, args: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, args)
    return str(caught.value).replace(f"{folder}/", "")


def test_arguments_are_laid_over_those_of_the_base_s_backbone(tmp_path: Path):
    made = load(tmp_path, '        backbone: {args: {variant: "96"}}\n')
    backbone = {"use": "spine", "args": {"variant": "96", "norm": "batch"}}
    assert made.args == {"backbone": backbone, "classes": 80}
    assert (made.weights, made.parameters, made.title) == ({}, None, "")
    same = load(tmp_path, '        backbone: {use: spine, args: {variant: "49"}}\n')
    assert same == DETECTOR
    assert (
        load(tmp_path, "        classes: 80\n", overrides=['model.args.backbone.args.variant="96"']).args == made.args
    )


def test_another_backbone_takes_arguments_of_its_own(tmp_path: Path):
    made = load(tmp_path, '        backbone: {use: "onnx:nets/b.onnx"}\n')
    assert made.args["backbone"] == {"use": f"onnx:{tmp_path}/nets/b.onnx"}
    given = ['model.args.backbone={use: "timm:resnet50"}']
    laid = load(tmp_path, "        backbone: {use: spine, args: {norm: group}}\n", overrides=given)
    assert laid.args["backbone"] == {"use": "timm:resnet50"}


@pytest.mark.parametrize(
    ("backbone", "line", "says"),
    [
        ('use: spine\n          variant: "96"', 8, 'write backbone: {use: spine, args: {variant: "96"}}'),
        ("variant: a", 7, "not 'variant': write backbone: {use: spine, args: {variant: a}}"),
        ("use: spine\n          foo: 1\n          bar: 2", 8, "not 'foo', 'bar': write"),
        ("use: spine\n          args:\n            varient: a", 9, "spine takes no argument 'varient'"),
        ("args:\n            varient: a", 8, "spine takes no argument 'varient'; did you mean variant?"),
        ("use: spin", 7, "no model is called 'spin'; did you mean spine?"),
        ("use: spine\n          args: 3", 8, "`args` must be a mapping of arguments of spine, not 3"),
        ("use: [spine]", 7, "`use` must name a network, not be ['spine']"),
        ("args:\n            body:\n              use: spine\n              x: 1", 10, "body is a network, of which"),
        ("args:\n            body:\n              use: spin", 9, "no model is called 'spin'; did you mean spine?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_backbone_is_told_with_its_line(tmp_path: Path, backbone: str, line: int, says: str):
    said = refusal(tmp_path, f"        backbone:\n          {backbone}\n")
    assert said.startswith(f"s.yaml:{line}: ") and says in said and "\n" not in said
