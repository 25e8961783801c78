"""Programs of torch.export: the same numbers, batches of any size, and what is said of files that do not fit."""

from __future__ import annotations

import copy
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hrbench.cost.operations import count_operations, on_meta, parameter_costs
from hrbench.models.adapters.exported import build
from hrbench.types import EntryError, InputError, MissingError, UsageError

SIZE = (32, 24)


@pytest.mark.parametrize("name", ["small", "one"])
def test_it_gives_what_the_network_gives_at_any_batch(small: nn.Module, files: Path, images: Tensor, name: str):
    net = build(str(files / f"{name}.pt2"), task="pose", input=SIZE).eval()
    with torch.inference_mode():
        torch.testing.assert_close(net(images), small(images))
        torch.testing.assert_close(copy.deepcopy(net)(images[:1]), small(images[:1]))


@pytest.mark.parametrize("name", ["small", "one"])
def test_costs_are_those_of_the_network(small: nn.Module, files: Path, name: str):
    net = on_meta(lambda: build(str(files / f"{name}.pt2"), task="pose", input=SIZE))
    ours, theirs = count_operations(net, (1, 3, *SIZE)), count_operations(small, (1, 3, *SIZE))
    assert {view: ours.total(view) for view in ours.views} == {view: theirs.total(view) for view in theirs.views}
    assert parameter_costs(net)[0].value == parameter_costs(small)[0].value


def test_it_computes_in_its_own_dtype_only(files: Path, images: Tensor):
    net = build(str(files / "one.pt2"), task="pose").to(torch.float64)
    assert {value.dtype for value in net.parameters()} == {torch.float32} and net.precision == torch.float32
    with pytest.raises(RuntimeError, match=r"one\.pt2 computes in float32, not in float64"):
        net(images.double())


def test_a_size_that_is_not_the_file_s_is_told(files: Path):
    with pytest.raises(UsageError, match=r"one\.pt2 takes images of 32x24 \(height x width\), not of 64x48"):
        build(str(files / "one.pt2"), task="pose", input=(64, 48))


def test_files_that_are_none(files: Path, tmp_path: Path):
    with pytest.raises(MissingError, match=r"nothing\.pt2 is not there"):
        build(str(tmp_path / "nothing.pt2"))
    broken = tmp_path / "broken.pt2"
    for content in (b"", b"no archive", (files / "one.pt2").read_bytes()[:3000]):
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.pt2: not a whole file of torch\.export\.save"):
            build(str(broken))


class Runs:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_nothing_is_unpickled_but_tensors(files: Path, tmp_path: Path):
    evil, mark = tmp_path / "evil.pt2", tmp_path / "ran"
    with zipfile.ZipFile(files / "one.pt2") as source, zipfile.ZipFile(evil, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if "example_inputs" in name or "sample_inputs" in name:
                content = pickle.dumps(Runs(mark))
            target.writestr(name, content)
    try:
        build(str(evil))
    except InputError as error:
        assert "evil.pt2" in str(error)
    assert not mark.exists()


def test_outputs_that_do_not_fit_the_task(files: Path, images: Tensor):
    with pytest.raises(EntryError, match=r"returned \(1, 5, 16, 12\); a network for classification returns logits"):
        build(str(files / "one.pt2"), task="classification")(images)
    with pytest.raises(EntryError, match="a detector returns boxes, scores, labels"):
        build(str(files / "one.pt2"), task="detection")([images[0]])


class Placed(nn.Module):
    """Two outputs by name, and a tensor that it makes for itself on the device of its images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        ramp = torch.arange(x.shape[3], device=x.device, dtype=x.dtype)
        logits = self.layer(x) + ramp
        return {"out": logits, "aux": -logits}


def test_a_program_goes_where_its_weights_go_and_keeps_its_heads(tmp_path: Path, images: Tensor):
    path = tmp_path / "placed.pt2"
    torch.export.save(torch.export.export(Placed().eval(), (images[:2],)), path)
    auxiliary, main = build(str(path), task="segmentation")(images)  # 5 images, two at a time
    assert main.shape == (5, 4, 32, 24) and torch.equal(auxiliary, -main)
    alone = build(str(path), task="segmentation")(images[4:])[-1]
    torch.testing.assert_close(alone, main[4:])
    shaped = on_meta(lambda: build(str(path), task="segmentation"))
    assert count_operations(shaped, (2, 3, *SIZE)).total("macs") == 2 * 3 * 4 * 32 * 24
