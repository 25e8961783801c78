"""hrbench.build with weights: a checkpoint in any of the formats and key names that a suite takes, or a source."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor

import hrbench
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.models.weights.load import save
from hrbench.types import Variant

NAME = "cls_hrnet_w18"
TIMM_FILE = "hrnet_w18.ms_in1k.safetensors"


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model("hrnet_w18", pretrained=False).eval()


@pytest.fixture(scope="module")
def state(theirs: torch.nn.Module) -> dict[str, Tensor]:
    return theirs.state_dict()


@pytest.mark.parametrize("name", ["plain.pth", "wrapped.pth.tar", "plain.safetensors"])
def test_a_file_of_timm_s_gives_timm_s_outputs(name: str, theirs, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save(state, path)
    elif name.startswith("wrapped"):
        torch.save({"epoch": 1, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    else:
        torch.save(state, path)
    net = hrbench.build(NAME, weights=path if name.startswith("wrapped") else str(path))
    assert not net.training
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(image), theirs(image), rtol=1e-4, atol=1e-5)


def test_a_source_is_looked_for_in_the_folder_of_weights(
    state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    save(state, tmp_path / "here" / TIMM_FILE)
    loaded = hrbench.build(NAME, weights="timm", folder=tmp_path / "here").state_dict()
    assert torch.equal(loaded["conv1.weight"], state["conv1.weight"])
    monkeypatch.setenv("HRBENCH_WEIGHTS", str(tmp_path / "here"))
    assert torch.equal(hrbench.build(NAME, weights="timm").state_dict()["conv1.weight"], state["conv1.weight"])
    monkeypatch.delenv("HRBENCH_WEIGHTS")
    (tmp_path / "here").rename(tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(hrbench.build(NAME, weights="timm").state_dict()["conv1.weight"], state["conv1.weight"])
    with pytest.raises(MissingError, match=rf"no weights of {NAME} found: .*hrnetv2_w18_imagenet_pretrained\.pth is"):
        hrbench.build(NAME, weights="official")


def test_a_key_too_many_is_refused_and_listed(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({**state, "head.extra": torch.ones(2)}, tmp_path / "more.pth")
    with pytest.raises(InputError, match=r"more\.pth: does not fit .*1 left over: head\.extra"):
        hrbench.build(NAME, weights=tmp_path / "more.pth")


def test_what_is_no_file_and_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingError, match=r"the weights nothere\.pth are not there; sources of cls_hrnet_w18: off"):
        hrbench.build(NAME, weights="nothere.pth")
    with pytest.raises(UsageError, match=r"no weights source 'oficial'; did you mean official\?"):
        hrbench.build(NAME, weights="oficial")
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"junk\.pth: not a whole PyTorch checkpoint"):
        hrbench.build(NAME, weights="junk.pth")


class Asking(torch.nn.Conv2d):
    """A user-defined network with an argument called weights."""

    def __init__(self, weights: str, width: int) -> None:
        super().__init__(3, width, 1)
        self.asked = weights


def test_an_argument_called_weights_stays_possible(tmp_path: Path) -> None:
    args = {"weights": "imagenet", "width": 2}
    own = Variant("own", f"{__name__}:Asking", "classification", (8, 8), args=args)
    assert hrbench.build(own).asked == "imagenet"
    save({"weight": torch.ones(5, 3, 1, 1), "bias": torch.ones(5)}, tmp_path / "own.safetensors")
    net = hrbench.build(own, weights=tmp_path / "own.safetensors", width=5)
    assert net.asked == "imagenet" and net.state_dict()["bias"].tolist() == [1] * 5


def test_without_weights_they_are_drawn() -> None:
    one, other = (hrbench.build(NAME).state_dict()["conv1.weight"] for _ in range(2))
    assert not torch.equal(one, other)
