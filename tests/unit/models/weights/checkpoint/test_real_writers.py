"""Checkpoints as trainers write them, by torch.save with their real classes: what is taken of them and what is said."""

from __future__ import annotations

import argparse
import subprocess
import sys
import types
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hrbench.errors import InputError
from hrbench.models.weights.load import check_fit, load, read_layout, read_state
from hrbench.types import Note


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


@pytest.fixture
def trained() -> dict[str, Tensor]:
    return {key: torch.full_like(value, 3) for key, value in net().state_dict().items()}


@pytest.fixture
def averaged() -> dict[str, Tensor]:
    return {key: torch.full_like(value, 5) for key, value in net().state_dict().items()}


def value_of(path: Path, key: str = "") -> tuple[float, tuple[str, ...]]:
    """The value that all weights of the file have, once loaded, and the notes on loading; `check_fit` says the same."""
    built = net()
    report = load(built, path, key=key)
    assert check_fit(net().to("meta"), path, key=key) == report.notes
    values = {float(each) for value in built.state_dict().values() for each in value.flatten()}
    assert len(values) == 1
    return values.pop(), tuple(map(str, report.notes))


def foreign(monkeypatch: pytest.MonkeyPatch, dotted: str, **members: Any) -> Any:
    """An object of a class of a package that is not installed when the file is read."""
    module, _, name = dotted.rpartition(".")
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    cls = type(name, (), {"__module__": module, "__qualname__": name, **members})
    setattr(sys.modules[module], name, cls)
    return cls


def test_hrnet_s_checkpoint_with_numpy_s_numbers(trained, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    content = {
        "epoch": 210,
        "model": "pose_hrnet",
        "state_dict": {f"module.{key}": value for key, value in trained.items()},
        "best_state_dict": {f"module.{key}": value for key, value in trained.items()},
        "perf": np.float64(0.744),
        "curve": np.arange(3),
        "kind": np.dtype("int16"),
        "optimizer": torch.optim.Adam(net().parameters()).state_dict(),
    }
    for legacy in (False, True):
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        value, notes = value_of(path)
        assert value == 3
        assert notes[0] == (
            "the weights are 'state_dict' of the checkpoint, which also has 'best_state_dict' "
            "(option weights: {file: ..., key: best_state_dict})"
        )
        assert notes[1] == "prefix 'module.' dropped from all keys"


def test_timm_s_and_torchvision_s_with_their_arguments(trained, averaged, tmp_path: Path) -> None:
    arguments = argparse.Namespace(lr=0.1, model="resnet18", path=Path("here"), betas=(0.9, 0.999))
    timm = {"epoch": 1, "arch": "x", "state_dict": trained, "args": arguments, "amp_scaler": {"scale": 65536.0},
            "state_dict_ema": averaged, "metric": 71.2, "version": 2}  # fmt: skip
    torch.save(timm, tmp_path / "timm.pth.tar")
    value, notes = value_of(tmp_path / "timm.pth.tar")
    assert (value, len(notes)) == (3, 1)
    assert "'state_dict' of the checkpoint, which also has 'state_dict_ema'" in notes[0]
    value, notes = value_of(tmp_path / "timm.pth.tar", "state_dict_ema")
    assert (value, notes) == (5, ("the weights are 'state_dict_ema' of the checkpoint, as asked for",))

    model = net()
    ema = torch.optim.swa_utils.AveragedModel(nn.DataParallel(model))
    ema.module.module.load_state_dict(averaged)
    content = {"model": trained, "model_ema": ema.state_dict(), "args": arguments, "epoch": 3}
    torch.save(content, tmp_path / "model_3.pth")
    assert value_of(tmp_path / "model_3.pth")[0] == 3
    value, notes = value_of(tmp_path / "model_3.pth", "model_ema")
    assert value == 5
    assert notes[1:] == (
        "prefix 'module.module.' dropped from all keys",
        "n_averaged beside the network: how many models were averaged (torch.optim.swa_utils)",
    )


def test_mmengine_s_with_its_log(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "epoch_1.pth"
    with monkeypatch.context() as patch:
        cls = foreign(patch, "mmengine.logging.history_buffer.HistoryBuffer")
        buffer = cls()
        buffer._log_history, buffer._count_history = np.array([0.1, 0.2]), np.array([1, 1])
        buffer._statistics_methods = OrderedDict()
        meta = {"epoch": 1, "cfg": "model = dict()", "dataset_meta": {"classes": ("person",)}, "seed": 0}
        hub = {"log_scalars": OrderedDict({"train/loss": buffer}), "runtime_info": {}, "resumed_keys": {}}
        torch.save({"meta": meta, "state_dict": trained, "message_hub": hub}, path)
    assert "mmengine" not in sys.modules
    assert value_of(path) == (3, ("the weights are 'state_dict' of the checkpoint",))


def test_lightning_s_and_wrappers_whose_tensors_lie_in_a_state_dict(
    trained, averaged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        attributes = foreign(patch, "lightning_fabric.utilities.data.AttributeDict")()
        callback = foreign(patch, "ultralytics.utils.IterableSimpleNamespace")()
        content = {
            "epoch": 3, "global_step": 10, "pytorch-lightning_version": "2.5.0", "loops": defaultdict(dict),
            "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "kth": {}}},
            "state_dict": {f"model._orig_mod.{key}": value for key, value in trained.items()},
            "hyper_parameters": attributes,
        }  # fmt: skip
        torch.save(content, tmp_path / "last.ckpt")
        detr = {"model": trained, "ema": {"module": averaged, "updates": 10}, "date": "today", "train_args": callback}
        torch.save(detr, tmp_path / "best.pt")
    value, notes = value_of(tmp_path / "last.ckpt")
    assert value == 3
    assert notes == (
        "the weights are 'state_dict' of the checkpoint",
        "prefix 'model._orig_mod.' dropped from all keys",
    )
    value, notes = value_of(tmp_path / "best.pt")
    assert value == 3
    assert "also has 'ema.module' (option weights: {file: ..., key: ema.module})" in notes[0]
    for key in ("ema", "ema.module"):
        assert value_of(tmp_path / "best.pt", key) == (
            5,
            ("the weights are 'ema.module' of the checkpoint, as asked for",),
        )


def test_a_network_pickled_whole_is_refused_with_a_command_that_saves_its_state_dict(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    built = nn.Sequential(nn.Linear(2, 1))
    for name, content, said in (
        ("net.pth", built, r"it holds no state dict but an object .*\(torch\.nn\.modules\.container\.Sequential\)"),
        ("wrapped.pt", {"model": built, "ema": None, "epoch": 3}, r"its 'model' is no state dict but an object"),
    ):
        torch.save(content, folder / name)
        with pytest.raises(InputError, match=said) as caught:
            read_state(folder / name)
        refusal, command = str(caught.value).splitlines()
        assert "can be imported" not in refusal  # torch is there
        interpreter = f"exec {sys.executable}"
        subprocess.run(command.replace("python", interpreter, 1), shell=True, check=True)
        saved = folder / f"{name.partition('.')[0]}_state_dict.pth"
        assert torch.equal(read_state(saved)["0.weight"], built[0].weight)


def test_a_whole_network_of_a_package_says_which_must_be_importable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cls = foreign(patch, "ultralytics.nn.tasks.DetectionModel", __init__=lambda self: nn.Module.__init__(self))
        model = cls.__new__(cls)
        model.__dict__ = nn.Linear(1, 1).__dict__
        torch.save({"epoch": -1, "ema": model, "model": None, "train_args": {}}, tmp_path / "best.pt")
    with pytest.raises(InputError, match=r"its 'ema' is .*DetectionModel.*once, where ultralytics can be imported:\n"):
        read_state(tmp_path / "best.pt")
    with pytest.raises(InputError, match=r"its 'ema' is "):
        read_layout(tmp_path / "best.pt", "ema")


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_torchscript_is_refused_with_a_command_that_saves_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.trace(nn.Sequential(nn.Linear(2, 1)), torch.zeros(1, 2)).save(str(path))
    with pytest.raises(InputError, match=r"net\.pt: a TorchScript archive, not a state dict") as caught:
        read_state(path)
    command = str(caught.value).splitlines()[1]
    subprocess.run(command.replace("python", f"exec {sys.executable}", 1), shell=True, check=True)
    assert read_state(tmp_path / "net_state_dict.pth").keys() == {"0.weight", "0.bias"}


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        ({"student": 0, "teacher": 1}, "", r"has 2 parts that could be the network \(student, teacher\): choose one"),
        ({"student": 0}, "techer", r"has no weights at the key 'techer': its parts with tensors: student$"),
        ({"student": 0, "epoch": 3}, "epoch", r"at the key 'epoch': there is a int; its parts with tensors: student$"),
        ({"epoch": 3}, "model", r"at the key 'model': it has no parts with tensors$"),
    ],
)
def test_parts_that_no_rule_chooses_are_refused(content, key, said, trained, averaged, tmp_path: Path) -> None:
    states = [trained, averaged]
    content = {name: states[value] if value in (0, 1) else value for name, value in content.items()}
    torch.save(content, tmp_path / "w.pth")
    for read in (read_state, read_layout):
        with pytest.raises(InputError, match=said):
            read(tmp_path / "w.pth", key)


def test_the_only_part_is_taken_whatever_its_name_and_told(averaged, tmp_path: Path) -> None:
    torch.save({"generator": averaged, "epoch": torch.tensor(3)}, tmp_path / "w.pth")
    assert value_of(tmp_path / "w.pth") == (5, ("the weights are 'generator' of the checkpoint",))
    torch.save({"ema": averaged}, tmp_path / "w.pth")
    assert value_of(tmp_path / "w.pth") == (5, ("the weights are 'ema' of the checkpoint",))


def test_a_key_is_for_checkpoints_alone(trained, tmp_path: Path) -> None:
    from hrbench.models.weights.load import save

    save(trained, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"key 'ema' chooses a part of a checkpoint of torch\.save, which"):
        read_state(tmp_path / "w.safetensors", "ema")


@pytest.mark.parametrize("prefix", ["module.module.", "_orig_mod.module.", "model.model.backbone.", "backbone."])
def test_prefixes_may_be_repeated_and_nested(prefix: str, trained, tmp_path: Path) -> None:
    torch.save({prefix + key: value for key, value in trained.items()}, tmp_path / "w.pth")
    assert value_of(tmp_path / "w.pth") == (3, (f"prefix {prefix!r} dropped from all keys",))


def test_as_few_prefixes_are_dropped_as_make_it_fit(tmp_path: Path) -> None:
    built = nn.ModuleDict({"model": nn.Linear(1, 1)})
    state = {f"module.model.{key}": torch.full_like(value, 2) for key, value in built.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    assert load(built, tmp_path / "w.pth").notes == ("prefix 'module.model.' dropped from all keys",)
    assert float(built.state_dict()["model.bias"]) == 2


def test_torch_compile_of_parts_leaves_its_prefix_within_keys(trained, tmp_path: Path) -> None:
    inner = {key.replace("0.", "0._orig_mod.", 1) if key.startswith("0.") else key: v for key, v in trained.items()}
    torch.save({f"module.{key}": value for key, value in inner.items()}, tmp_path / "w.pth")
    value, notes = value_of(tmp_path / "w.pth")
    assert value == 3
    assert notes == (
        "prefix 'module.' dropped from all keys",
        "prefix '_orig_mod.' (of torch.compile) dropped within 1 key",
    )


def test_a_prefix_of_most_keys_is_named_in_the_refusal(trained, tmp_path: Path) -> None:
    state = {f"model.{key}": value for key, value in trained.items()} | {"criterion.weight": torch.ones(2)}
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    with pytest.raises(
        InputError, match=r"prefix 'model\.' is on 8 of 9 keys, not on criterion\.weight: only one that"
    ):
        load(net(), tmp_path / "w.pth")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_noted(bad: float, trained, tmp_path: Path) -> None:
    trained["1.running_var"] = torch.tensor([1, 1, bad, 1])
    trained["2.bias"] = torch.full((2,), -bad)
    torch.save(trained, tmp_path / "w.pth")
    (note,) = load(net(), tmp_path / "w.pth").notes
    assert isinstance(note, Note)
    assert (note.kind, note.count, note.of) == ("weights_not_finite", 2, 8)
    assert "the first 1.running_var" in note.what
    trained["2.bias"] = torch.full((2,), 1e300, dtype=torch.float64)
    torch.save(trained, tmp_path / "w.pth")
    assert str(load(net(), tmp_path / "w.pth").notes[-1]).startswith("2 of 8 tensors")  # what narrowing made infinite
