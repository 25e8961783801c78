"""From a variant to its network: what a source is told, and where the weights of its networks lie."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.measured_costs import measured_costs
from torch import nn

import hrbench
from hrbench.core import plugins
from hrbench.core.plugins import sources
from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.models import build as networks
from hrbench.models.weights import sources as sources_module
from hrbench.models.weights.sources import WeightsFile
from hrbench.runner.settings import Settings
from hrbench.types import Entry, Variant

TOLD: list[dict] = []


def all_of_it(name: str, *, task: str, input: tuple[int, int], weights: bool, width: int = 1) -> nn.Module:
    TOLD.append({"name": name, "task": task, "input": input, "weights": weights, "width": width})
    return nn.Conv2d(3, width, 1)


def nothing(name: str) -> nn.Module:
    TOLD.append({"name": name})
    return nn.Identity()


class Taking(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch):
    """Two sources of a stranger's."""
    TOLD.clear()
    known = {**sources(), "theirs": f"{__name__}:all_of_it", "silent": f"{__name__}:nothing"}
    for module in ("hrbench.core.plugins", "hrbench.core.plugins"):
        monkeypatch.setattr(f"{module}.sources", lambda: known)


def variant(use: str, **more) -> Variant:
    return Variant("v", use, "pose", (64, 48), **more)


def test_a_source_is_told_of_the_network_what_it_takes():
    networks.build(variant("theirs:a:b", args={"width": 2}))
    networks.build_loaded(variant("theirs:c"))
    networks.build(variant("silent:d"))
    told = {"task": "pose", "input": (64, 48)}
    assert list(TOLD) == [
        {"name": "a:b", **told, "weights": False, "width": 2},
        {"name": "c", **told, "weights": True, "width": 1},
        {"name": "d"},
    ]
    assert not networks.build(variant("theirs:a")).training


def test_a_network_within_another_is_asked_for_as_a_backbone():
    args = {"backbone": {"use": "theirs:x", "args": {"width": 5}}}
    net = networks.build(variant(f"{__name__}:Taking", args=args))
    assert net.backbone.out_channels == 5
    assert TOLD == [{"name": "x", "task": "backbone", "input": (64, 48), "weights": False, "width": 5}]


def test_arguments_are_laid_over_those_of_the_networks_among_them():
    args = {"backbone": {"use": "theirs:x", "args": {"width": 5}}}
    row = variant(f"{__name__}:Taking", args=args)
    assert networks.build(row, backbone={"args": {"width": 7}}).backbone.out_channels == 7
    assert networks.build(row, backbone={"use": "theirs:x", "args": {}}).backbone.out_channels == 5
    assert networks.build(row, backbone={"use": "theirs:y"}).backbone.out_channels == 1
    assert [told["name"] for told in TOLD] == ["x", "x", "y"]
    assert isinstance(networks.build(row, backbone=nn.Identity()).backbone, nn.Identity)


@pytest.mark.parametrize(
    ("backbone", "says"),
    [
        ({"use": "theirs:x", "width": 7}, "not 'width': write backbone: {use: \"theirs:x\", args: {width: 7}}"),
        ({"width": "96"}, 'not \'width\': write backbone: {use: "theirs:x", args: {width: "96"}}'),
        ({"use": 3}, "backbone: `use` must name a network, not be 3"),
        ({"use": "theirs:x", "args": 3}, "backbone: `args` must be a mapping of arguments of theirs:x, not 3"),
    ],
)
def test_a_network_among_arguments_holds_use_and_args_alone(backbone: dict, says: str):
    row = variant(f"{__name__}:Taking", args={"backbone": {"use": "theirs:x", "args": {"width": 5}}})
    with pytest.raises(UsageError) as caught:
        networks.build(row, backbone=backbone)
    assert str(caught.value).startswith("v: ") and says in str(caught.value)
    if "use" in backbone:
        with pytest.raises(UsageError):
            networks.build(replace(row, args={"backbone": backbone}))
    assert not TOLD


def test_what_use_names_is_built_too():
    for build in (networks.build, hrbench.build):  # the public one hands on what it is told
        assert build("theirs:a:b", width=2, task="pose", input=(64, 48)).out_channels == 2
    networks.build("theirs:c")
    assert list(TOLD) == [
        *[{"name": "a:b", "task": "pose", "input": (64, 48), "weights": False, "width": 2}] * 2,
        {"name": "c", "task": "", "input": None, "weights": False, "width": 1},
    ]
    assert isinstance(networks.build(f"{__name__}:Taking", backbone=nn.Identity()), Taking)
    with pytest.raises(UsageError, match=r"named by its source, onnx:nets/net\.onnx"):
        networks.build("nets/net.onnx")
    with pytest.raises(UsageError, match="did you mean cls_hrnet_w18"):
        networks.build("cls_hrnt_w18")


def test_what_cannot_be_called_or_is_no_network():
    with pytest.raises(UsageError, match=r"theirs:a cannot be called so: .*depth"):
        networks.build(variant("theirs:a", args={"depth": 2}))
    with pytest.raises(EntryError, match="returned a dict; it should return a torch module"):
        networks.build(variant("json:loads", args={"s": "{}"}))
    with pytest.raises(UsageError, match="cannot be built: nobody knows it"):
        networks.build(variant("theirs:a", absent="nobody knows it"))


def test_code_that_ends_the_program_ends_its_own_entry_only():
    with pytest.raises(EntryError, match="building sys:exit failed: SystemExit: "):
        networks.build(variant("sys:exit"))


def test_the_digest_of_weights_in_several_files_covers_them(tmp_path: Path):
    index = WeightsFile(tmp_path / "model.safetensors.index.json", "transformers")
    index.path.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    (tmp_path / "one.safetensors").write_text("1")
    (tmp_path / "two.safetensors").write_text("2")
    before = sources_module.weights_digest(index)
    assert sources_module.weights_digest(index) == before and len(before) == 64
    (tmp_path / "two.safetensors").write_text("3")
    assert sources_module.weights_digest(index) != before
    index.path.write_text("[]")
    with pytest.raises(InputError, match=r"index\.json: not a list of weights files"):
        sources_module.weights_digest(index)


def test_weights_that_lie_with_a_network(tmp_path: Path):
    assert "nothing.onnx is not there" in str(
        sources_module.weights_of(variant("onnx:nothing.onnx"), None, tmp_path, False)
    )
    net = tmp_path / "net.onnx"
    net.touch()
    assert sources_module.weights_of(variant(f"onnx:{net}"), None, tmp_path, False) == WeightsFile(net, "onnx")
    folder = variant(f"transformers:{tmp_path}")
    assert "no folder with a config.json" in str(sources_module.weights_of(folder, None, tmp_path, False))
    (tmp_path / "config.json").write_text("{}")
    assert "there are no weights in" in str(sources_module.weights_of(folder, None, tmp_path, False))
    (tmp_path / "model.safetensors").touch()
    assert sources_module.weights_of(folder, None, tmp_path, False) == WeightsFile(
        tmp_path / "model.safetensors", "transformers"
    )
    timm = replace(variant("timm:resnet10t"), weights={"timm": "timm/resnet10t.c3_in1k"})
    assert "not there" in str(sources_module.weights_of(timm, None, tmp_path, False))


@pytest.mark.parametrize("offline", [False, True])
def test_offline_is_an_argument_and_leaves_the_process_as_it_was(monkeypatch: pytest.MonkeyPatch, offline: bool):
    asked = []

    def folder_of(name: str, *, fetch: bool, weights: bool) -> str:
        asked.append((name, fetch, weights))
        return f"{name} is not here"

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    before = dict(os.environ)
    monkeypatch.setattr("hrbench.models.adapters.transformers.folder_of", folder_of)
    monkeypatch.setattr("hrbench.models.weights.sources.folder_of", folder_of)
    for build in (networks.build, networks.build_loaded):
        with pytest.raises(MissingError, match="someone/net is not here"):
            build(variant("transformers:someone/net"), offline=offline)
    with pytest.raises(MissingError, match="someone/backbone is not here"):
        networks.build(
            variant("theirs:x", args={"backbone": {"use": "transformers:someone/backbone"}}), offline=offline
        )
    entry = Entry("e", variant("transformers:someone/net"), None, {}, (), {"operations": False, "latency": None})
    with pytest.raises(MissingError):
        measured_costs(entry, Settings(device="cpu", offline=offline))
    assert asked == [
        ("someone/net", not offline, False), ("someone/net", not offline, True),
        ("someone/backbone", not offline, False), ("someone/net", not offline, False),
    ]  # fmt: skip
    assert dict(os.environ) == before


def test_a_user_who_forbids_the_network_is_obeyed(monkeypatch: pytest.MonkeyPatch):
    fetched = []
    monkeypatch.setattr(
        "hrbench.models.adapters.transformers.folder_of", lambda name, *, fetch, weights: fetched.append(fetch) or "no"
    )
    for value in ("1", "on", "0", ""):
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        with pytest.raises(MissingError):
            networks.build(variant("transformers:someone/net"))
    assert fetched == [False, False, True, True]


def test_the_name_of_a_source_is_not_a_module_s():
    found = plugins.resolve("hrbench.models", "torchvision:resnet18")
    assert found.args == ("resnet18",) and found.func.__module__ == "hrbench.models.adapters.torchvision"
    assert isinstance(networks.build(Variant("r", "torchvision:resnet18", "classification", (32, 32))), nn.Module)
    assert torch.is_grad_enabled()
