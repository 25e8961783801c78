from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hrbench.core.digests import sha256
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.models.weights.load import load, read_state, save


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Values of `small()` that its own drawing would not give."""
    return {
        key: torch.full_like(value, 7) if key.endswith("tracked") else torch.randn(value.shape) + 5
        for key, value in small().state_dict().items()
    }


class Touch:
    """Pickled, it asks to write a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def assert_loaded(net: nn.Module, state: dict[str, Tensor]) -> None:
    for key, value in net.state_dict().items():
        assert torch.equal(value, state[key]), key


# --- what is read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.pt", "w.pth.tar", "old.pth"])
def test_every_format_gives_the_tensors_back(name: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name != "old.pth")
    net = small()
    report = load(net, path)
    assert_loaded(net, state)
    assert report.digest == sha256(path)
    assert report.tensors == len(state)
    assert report.notes == ()


@pytest.mark.parametrize("prefix", ["module.", "model."])
def test_training_checkpoint_with_a_prefix(prefix: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    prefixed = {prefix + key: value for key, value in state.items()}
    torch.save({"epoch": 210, "model": "pose_hrnet", "state_dict": prefixed}, path)
    assert read_state(path).keys() == state.keys()
    net = small()
    report = load(net, path)
    assert_loaded(net, state)
    assert tuple(map(str, report.notes)) == (
        "the weights are 'state_dict' of the checkpoint",
        f"prefix {prefix!r} dropped from all keys",
    )


def test_a_prefix_that_the_network_carries_too_stays(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    net = nn.ModuleDict({"model": small()})
    save({f"model.{key}": value for key, value in state.items()}, path)
    assert load(net, path).notes == ()
    assert_loaded(net["model"], state)


def test_a_prefix_of_some_keys_only_is_not_dropped(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save({key if key == "2.bias" else f"module.{key}": value for key, value in state.items()}, path)
    with pytest.raises(InputError, match=r"left over: module\.0\.weight"):
        load(small(), path)


def test_float16_is_widened_and_float64_narrowed_with_a_note(state: dict[str, Tensor], tmp_path: Path) -> None:
    half, double = tmp_path / "half.safetensors", tmp_path / "double.safetensors"
    save(state, half, dtype=torch.float16)
    save(state, double, dtype=torch.float64)
    assert read_state(half)["0.weight"].dtype == torch.float16
    assert read_state(half)["1.num_batches_tracked"].dtype == torch.int64
    net = small()
    assert load(net, half).notes == ()
    assert_loaded(net, {k: v.half().float() if v.is_floating_point() else v for k, v in state.items()})
    assert net.state_dict()["0.weight"].dtype == torch.float32
    assert load(net, double).notes == ("values narrowed from float64 to float32",)
    assert_loaded(net, state)


def test_old_checkpoint_without_any_counter(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({key: value for key, value in state.items() if not key.endswith("tracked")}, path)
    net = small()
    (note,) = load(net, path).notes
    assert "num_batches_tracked" in note
    assert int(net.state_dict()["1.num_batches_tracked"]) == 0
    assert torch.equal(net.state_dict()["1.running_mean"], state["1.running_mean"])


def test_some_counters_missing_is_an_error(tmp_path: Path) -> None:
    net = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2))
    path = tmp_path / "w.safetensors"
    save({key: value for key, value in net.state_dict().items() if key != "1.num_batches_tracked"}, path)
    with pytest.raises(InputError, match=r"1 missing from the file: 1\.num_batches_tracked"):
        load(net, path)


def test_save_takes_channels_last_and_tied_tensors_and_leaves_no_partial_file(tmp_path: Path) -> None:
    net = small().to(memory_format=torch.channels_last)
    tied = net.state_dict()["1.weight"]
    save({**net.state_dict(), "tied": tied}, tmp_path / "deep" / "w.safetensors")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["w.safetensors"]
    assert torch.equal(read_state(tmp_path / "deep" / "w.safetensors")["tied"], tied)


def test_saving_where_a_file_is_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"w\.safetensors: cannot be written"):
        save(small(), tmp_path / "file" / "w.safetensors")


# --- what does not fit ---------------------------------------------------------------------------------------------


def test_misfits_are_listed_and_nothing_is_loaded(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    del state["2.bias"]
    state["2.weight"] = torch.zeros(5, 4, 1, 1)
    state["head.weight"] = torch.zeros(1)
    state["1.num_batches_tracked"] = torch.zeros(())
    save(state, path)
    net = small()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load(net, path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "1 missing from the file: 2.bias" in message
    assert "1 left over: head.weight" in message
    assert "1 of another shape: 2.weight (file 5x4x1x1, network 2x4x1x1)" in message
    assert "1 of another kind: 1.num_batches_tracked (file torch.float32, network torch.int64)" in message
    assert_loaded(net, before)


def test_of_many_misfits_the_first_ten_are_named(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save({**state, **{f"extra{i:02d}": torch.zeros(1) for i in range(13)}}, path)
    with pytest.raises(InputError, match=r"13 left over: extra00, .*extra09 and 3 more$"):
        load(small(), path)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zip", "legacy", "protocol 4", "state_dict"])
def test_what_a_pickle_asks_to_run_is_not_run_and_nothing_of_it_is_taken(kind: str, tmp_path: Path) -> None:
    path, trap = tmp_path / "w.pth", tmp_path / "sprung"
    content: Any = {"a": torch.zeros(2), "b": Touch(trap)}
    if kind == "state_dict":
        torch.save({"state_dict": {"a": torch.ones(2)}, "optimizer": Touch(trap)}, path)
        assert torch.equal(read_state(path)["a"], torch.ones(2))
    else:
        options = {"zip": {}, "protocol 4": {"pickle_protocol": 4}}
        torch.save(content, path, **options.get(kind, {"_use_new_zipfile_serialization": False}))
        with pytest.raises(InputError, match=rf"w\.pth: 'b' is a {os.mkdir.__module__}\.mkdir, not a tensor"):
            read_state(path)
    assert not trap.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_plain_pickle_is_no_checkpoint_and_not_run(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"b": Touch(tmp_path / "sprung")}, protocol=protocol))
    with pytest.raises(InputError, match=r"neither a zip archive nor a legacy file of torch\.save$"):
        read_state(tmp_path / "w.pth")
    assert not (tmp_path / "sprung").exists()


def test_the_trap_of_these_tests_does_spring(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Touch(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


def test_what_mmengine_and_torchvision_keep_around_a_state_dict_is_passed_over(tmp_path: Path) -> None:
    net = small()
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    meta = {"epoch": 210, "iter": 1, "cfg": "model = dict()", "dataset_meta": {"classes": ("person",)}, "seed": 0}
    state = {"meta": meta, "state_dict": net.state_dict(), "optimizer": sgd.state_dict(), "param_schedulers": [{}]}
    torch.save(state, tmp_path / "epoch_210.pth")
    torch.save({"model": net.state_dict(), "epoch": 25}, tmp_path / "model_25.pth")
    for name in ("epoch_210.pth", "model_25.pth"):
        assert read_state(tmp_path / name).keys() == net.state_dict().keys()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "old.pth"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_truncated_files(name: str, keep: float, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name != "old.pth")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InputError) as caught:
        read_state(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_flipped_bit_in_a_tensor_fails_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(300)}, path)
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("w/data/0").header_offset
    content = bytearray(path.read_bytes())
    content[offset + 500] ^= 0x40
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"damaged: w/data/0 does not match its checksum"):
        read_state(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([torch.zeros(2)], "holds a list"),
        ({}, "holds a dict"),
        ({"a": torch.zeros(2), "lr": 3}, "'lr' is a int, not a tensor"),
        ({1: torch.zeros(2)}, "1 is a Tensor, not"),
    ],
)
def test_files_that_hold_something_else(content: Any, says: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=says):
        read_state(tmp_path / "w.pth")


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"absent\.pth"):
        read_state(tmp_path / "absent.pth")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(InputError, match="folder"):
        read_state(tmp_path / "folder.pth")
    (tmp_path / "w.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"\.safetensors and \.pth, \.pt, \.ckpt, \.bin, \.tar, \.npz, \.h5 files"):
        read_state(tmp_path / "w.onnx")
    (tmp_path / "text.pth").write_text("<html>404: not found</html>")
    with pytest.raises(InputError, match=r"text\.pth: not a whole PyTorch checkpoint"):
        read_state(tmp_path / "text.pth")
    (tmp_path / "text.safetensors").write_text("<html>404: not found</html>")
    with pytest.raises(InputError, match=r"text\.safetensors: not a whole safetensors file"):
        read_state(tmp_path / "text.safetensors")
