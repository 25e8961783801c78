"""The catalog: every name of the design, every row true, every error named."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from empty import on_meta
from ruamel.yaml import YAML

from hrbench.catalog import datasets, read, variants
from hrbench.core.modules import arguments
from hrbench.core.plugins import exists, names, resolve
from hrbench.core.resources import shared
from hrbench.errors import InputError
from hrbench.judge.comparability import same_value

NAMES = [
    *(f"pose_hrnet_w{w}_coco_{size}" for w in (32, 48) for size in ("256x192", "384x288")),
    *(f"pose_hrnet_w{w}_mpii_256x256" for w in (32, 48)),
    *(f"pose_resnet_{d}_coco_{size}" for d in (50, 101, 152) for size in ("256x192", "384x288")),
    *(f"pose_resnet_{d}_mpii_{size}" for d in (50, 101, 152) for size in ("256x256", "384x384")),
    *(f"pose_resnet_{d}_caffe_coco_256x192" for d in (50, 101, 152)),
    *(f"pose_resnet_{d}_coco_{size}_mmpose" for d in (50, 152) for size in ("256x192", "384x288")),
    "pose_resnet_101_coco_256x192_mmpose",
    *(f"pose_resnet_{d}_mpii_256x256_mmpose" for d in (50, 101, 152)),
    *(f"pose_hrnet_w{w}_coco_{size}_dark" for w in (32, 48) for size in ("256x192", "384x288")),
    *(f"pose_hrnet_w{w}_coco_{size}_udp" for w in (32, 48) for size in ("256x192", "384x288")),
    *(f"pose_resnet_{d}_coco_{size}_dark" for d in (50, 101, 152) for size in ("256x192", "384x288")),
    "pose_hrnet_w32_coco_256x192_udp_combined",
    "pose_hrnet_w32_coco_256x192_ablation_a_final_only",
    "pose_hrnet_w32_coco_256x192_ablation_b_across_stage_only",
    *(f"pose_hrnet_w32_coco_256x192_head_{head}" for head in (1, 2, 3, 4)),
    *(f"pose_{family}_miniature_{data}" for family in ("hrnet", "resnet") for data in ("coco", "mpii")),
]


SETS = {"crowdpose": 14, "wholebody": 133, "aic": 14, "ap10k": 17, "ochuman": 17, "halpe": 136, "posetrack18": 17}
"""Joints of the further sets, by their part of a network's name."""

OF_SETS = sorted(name for name in variants() if name.startswith("pose_") and set(name.split("_")) & set(SETS))


def test_every_pose_name_is_there():
    assert sorted(name for name in variants() if name.startswith("pose_")) == sorted([*NAMES, *OF_SETS])
    assert Counter(next(one for one in name.split("_") if one in SETS) for name in OF_SETS) == {
        "crowdpose": 5, "wholebody": 12, "aic": 2, "ap10k": 4, "ochuman": 10, "halpe": 1, "posetrack18": 5
    }  # fmt: skip


def test_networks_of_further_sets_differ_in_their_heads_alone():
    """A joint more is a filter more of the last layer, 1 x 1, and its bias."""
    rows = variants()
    for name in OF_SETS:
        row = rows[name]
        _, family, size, data, input, *decoding = name.split("_")
        option, joints = "depth" if family == "resnet" else "width", SETS[data]
        value = row.args[option]
        assert dict(row.args) == {option: value, "joints": joints} and str(value) == size.removeprefix("w")
        more = 257 if family == "resnet" else value + 1
        assert row.parameters == rows[f"pose_{family}_{size}_coco_256x192"].parameters + (joints - 17) * more
        assert f"{row.input[0]}x{row.input[1]}" == input and row.colour == "rgb" and row.task == "pose" and row.title
        assert row.protocol.get("name", "top-down") == (decoding[0] if decoding else "top-down")
        assert set(row.weights) == {"openmmlab"} and bool(row.published) == (data != "posetrack18")


@pytest.mark.parametrize("name", ["pose_hrnet_w48_halpe_384x288_dark", "pose_resnet_152_wholebody_384x288"])
def test_networks_of_many_joints_build_with_their_parameter_count(name: str):
    test_row_builds_with_its_parameter_count(name)


def test_published_parameter_counts():
    """The counts of PROTOCOLS: COCO with 17 joints, MPII with 16."""
    rows = variants()
    known = {"hrnet_w32": (28536113, 28536080), "hrnet_w48": (63595745, 63595696), "resnet_50": (33999697, 33999440)}
    for network, (coco, mpii) in known.items():
        assert rows[f"pose_{network}_coco_256x192"].parameters == coco
        assert rows[f"pose_{network}_mpii_256x256"].parameters == mpii


@pytest.mark.parametrize("name", NAMES)
def test_row_builds_with_its_parameter_count(name: str):

    row = variants()[name]
    with on_meta():
        net = resolve("hrbench.models", row.use)(**row.args)
    assert sum(parameter.numel() for parameter in net.parameters()) == row.parameters


@pytest.mark.parametrize("name", NAMES)
def test_pose_row_is_in_order(name: str):
    row = variants()[name]
    assert row.name == name and row.title and row.task == "pose"
    assert row.colour == ("bgr" if row.use == "pose_resnet" and not name.endswith(("mmpose", "dark")) else "rgb")
    _, decoding, more = name.partition("_udp" if "_udp" in name else "_dark")
    assert row.protocol == ({"name": f"{decoding[1:]}{more}".replace("_", "-")} if decoding else {})
    if not row.miniature:
        assert name.split("_")[4 if "caffe" in name else 3] in ("coco", "mpii")
        assert row.args["joints"] == (17 if "_coco_" in name else 16) * (3 if "combined" in name else 1)
        assert f"{row.input[0]}x{row.input[1]}" in name


def test_weights_have_the_publishers_names():
    rows = variants()
    assert list(rows["pose_hrnet_w32_coco_256x192"].weights) == ["official", "openmmlab"]
    assert rows["pose_hrnet_w32_coco_256x192"].weights["official"] == "pose_hrnet_w32_256x192.pth"
    assert rows["pose_hrnet_w48_mpii_256x256"].weights["official"] == "pose_hrnet_w48_256x256.pth"
    assert rows["pose_resnet_50_mpii_384x384"].weights == {"simple-baseline": "pose_resnet_50_384x384.pth.tar"}
    assert list(rows["pose_resnet_152_coco_384x288"].weights.values()) == [
        "pose_resnet_152_384x288.pth",
        "pose_resnet_152_384x288.pth.tar",
    ]


def test_networks_of_mmpose_read_rgb():
    """A network that official code trained on BGR is not the same network in OpenMMLab's files."""
    theirs = [row for row in variants().values() if row.task == "pose" and "openmmlab" in row.weights]
    assert len(theirs) == 29 + len(OF_SETS)
    assert {row.colour for row in theirs} == {"rgb"}


def test_no_two_networks_share_a_weights_file():
    files = [file for row in variants().values() for file in row.weights.values()]
    assert len(files) == len(set(files))


@pytest.mark.parametrize("name", [name for name, row in variants().items() if row.published])
def test_published_row_of_a_network_is_there(name: str):
    """Exactly one row of the published figures is what the network says of its place in the literature, or one for
    each way it was tested: then each table of a layout takes the row of its own way.
    """
    link = dict(variants()[name].published)
    rows = published(link.pop("file"))[link.pop("section")]
    found = [row for row in rows if all(key in row and same_value(row[key], value) for key, value in link.items())]
    assert len({(str(row.get("flip")), str(row.get("multi_scale"))) for row in found}) == len(found) > 0
    alike = [{key: row.get(key) for key in ("model", "source", "params_M", "gflops")} for row in found]
    assert all(row == alike[0] for row in alike)
    assert "model" in found[0], "find_row looks for rows with a model"


@cache
def published(name: str) -> dict[str, list[dict[str, Any]]]:
    return YAML(typ="safe").load((shared("reports/published") / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [path.stem for path in sorted(shared("reports/published").glob("*.yaml"))])
def test_published_rows_say_where_they_were_seen(name: str):
    for section, rows in published(name).items():
        if section not in ("notes", "not_seen"):
            assert rows and all(row["model"] and row["source"] for row in rows), section


@pytest.mark.parametrize("name", datasets())
def test_data_set_row_is_in_order(name: str):
    row = datasets()[name]
    assert row.name == name and row.title and row.home
    assert exists("hrbench.datasets", row.use)
    assert row.task in names("hrbench.tasks")
    assert set(row.metrics) <= set(names("hrbench.metrics")) and row.metrics
    taken = arguments(f"{resolve('datasets', row.use).__module__}:{resolve('datasets', row.use).__name__}")
    assert taken is not None and set(row.args) <= set(taken)
    assert bool(row.draw) == row.miniature == name.startswith("miniature-")


def test_every_decoding_takes_the_boxes_of_a_set():
    for row in datasets().values():
        if row.task == "pose" and "boxes" in row.protocols.get("top-down", {}):
            assert all(row.protocols[name] == row.protocols["top-down"] for name in ("dark", "udp", "udp-combined"))


def test_miniatures_come_last():
    for rows in (variants(), datasets()):
        flags = [row.miniature for row in rows.values()]
        assert flags == sorted(flags) and len(set(flags)) == 2


def test_answers_are_fresh():
    variants().clear()
    assert variants()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {a: {use: u, task: t, input: [1, 2], colur: rgb}}", "a: unknown field 'colur'; did you mean colour"),
        ("models: {a: {use: u, task: t, input: [1, 2], colour: grey}}", "a: colour: Input should be 'rgb' or 'bgr'"),
        ("models: {a: {use: u, task: t}}", "a: input: .*required"),
        ("models: {a: 3}", "a: a row is a mapping"),
        ("models: {defaults: 3, a: {use: u}}", "defaults are a mapping of fields"),
        ("models: [a]", "mappings of name to fields"),
        ("model: {}", "unknown section 'model'; did you mean models?"),
        ("datasets: {a: {use: u, task: t, metrics: 3}}", "a: metrics:"),
        ("a: 1\na: 2", "duplicate key"),
        ("[1]", "a catalog file is a mapping"),
    ],
)
def test_errors_name_the_row(tmp_path: Path, text: str, message: str):
    path = tmp_path / "rows.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"^rows\.yaml:\d: .*{message}"):
        read([path])


def test_a_name_is_taken_once(tmp_path: Path):
    row = "models: {a: {use: u, task: t, input: [1, 2]}}"
    paths = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for path in paths:
        path.write_text(row)
    with pytest.raises(InputError, match=r"two\.yaml:1: a: this name is taken"):
        read(paths)


def test_defaults_are_laid_under_rows(tmp_path: Path):
    path = tmp_path / "rows.yaml"
    path.write_text("models: {defaults: {task: t, input: [1, 2]}, a: {use: u}, b: {use: u, task: v}}")
    rows, _ = read([path])
    assert [(row.name, row.task, row.input) for row in rows.values()] == [("a", "t", (1, 2)), ("b", "v", (1, 2))]


def test_listing_needs_no_torch():
    code = "import sys; from hrbench.catalog import variants; variants(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
