"""Programs of torch.export: the same numbers, batches of any size, and what is said of files that do not fit."""

from __future__ import annotations

import copy
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hrbench.cost.operations.count import count_operations, on_meta
from hrbench.cost.parameters import parameter_costs
from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.models.adapters.exported import build

pytestmark = pytest.mark.numeric

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
    assert {name: ours.total(name) for name in ours.conventions} == {
        name: theirs.total(name) for name in theirs.conventions
    }
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
    flipped = bytearray((files / "one.pt2").read_bytes())
    with zipfile.ZipFile(files / "one.pt2") as archive:
        record = max(archive.infolist(), key=lambda info: info.file_size if "weight" in info.filename else 0)
    flipped[record.header_offset + len(record.filename) + 100] ^= 255
    broken.write_bytes(flipped)
    with pytest.raises(InputError, match=r"broken\.pt2: not a whole file of torch\.export\.save"):
        build(str(broken))
    torch.save(nn.Conv2d(3, 4, 1), broken)
    with pytest.raises(InputError, match=r"not a file of torch\.export\.save; it is a file of torch\.save"):
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


def altered(source: Path, path: Path, change: Callable[[str, bytes], bytes], **more: bytes) -> Path:
    """A copy of an archive with records changed, and some more below "data"."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(path, "w") as target:
        for name in archive.namelist():
            target.writestr(name, change(name, archive.read(name)))
        for name, content in more.items():
            target.writestr(f"{archive.namelist()[0].partition('/')[0]}/data/{name.replace('__', '/')}", content)
    return path


def of_graph(change: Callable[[dict], None]) -> Callable[[str, bytes], bytes]:
    def changed(name: str, content: bytes) -> bytes:
        if not name.endswith(("models/model.json", "serialized_exported_program.json")):
            return content
        graph = json.loads(content)
        change(graph["graph_module"]["graph"])
        return json.dumps(graph).encode()

    return changed


def renamed_target(name: str) -> Callable[[str, bytes], bytes]:
    return of_graph(lambda graph: graph["nodes"][0].update(target=name))


def evaluated(graph: dict) -> None:
    sizes = graph["tensor_values"]["x"]["sizes"]
    sizes[0]["as_expr"]["expr_str"] = f"__import__('pathlib').Path('ran').touch() or {sizes[0]['as_expr']['expr_str']}"


REFUSED = {
    "the size": of_graph(evaluated),
    "the operator 'torch.serialization.os.system'": renamed_target("torch.serialization.os.system"),
    "the operator 'torch.ops.load_library'": renamed_target("torch.ops.load_library"),
    "the operator '_operator.call'": renamed_target("_operator.call"),
    "the name 'x=print'": of_graph(lambda graph: graph["nodes"][0].update(name="x=print")),
}


@pytest.mark.parametrize("said", REFUSED)
def test_a_program_of_more_than_operators_is_refused_unread(said: str, files: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = altered(files / "small.pt2", tmp_path / "evil.pt2", REFUSED[said])
    with pytest.raises(InputError, match=r"evil\.pt2: refused unread, .*" + re.escape(said)):
        build(str(path))
    assert not (tmp_path / "ran").exists()


def test_pickled_objects_and_compiled_code_are_refused_unread(files: Path, tmp_path: Path):
    mark = tmp_path / "ran"
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    config = json.dumps({"config": {"thing": entry}}).encode()
    path = altered(
        files / "one.pt2",
        tmp_path / "evil.pt2",
        lambda name, content: config if name.endswith("constants_config.json") else content,
        constants__opaque_obj_0=pickle.dumps(Runs(mark)),
    )
    if hasattr(torch.export, "pt2_archive"):  # before, objects lay in one pickle, which is read as tensors alone
        with pytest.raises(InputError, match="the object opaque_obj_0, a pickle"):
            build(str(path))
    assert not mark.exists()
    path = altered(files / "one.pt2", tmp_path / "compiled.pt2", lambda _, content: content, aotinductor__model__a=b"")
    with pytest.raises(InputError, match="holds compiled code"):
        build(str(path))


def test_sizes_that_follow_from_the_image_are_read(tmp_path: Path, capfd: pytest.CaptureFixture):
    class Any(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            half = nn.functional.max_pool2d(nn.functional.pad(x, (1, 0, 1, 0)), 3, 2)
            return torch.cat([nn.functional.interpolate(half, size=x.shape[2:]), x.flatten(2).view(x.shape)], 1)

    sides = {2: torch.export.Dim("h", min=8, max=512), 3: torch.export.Dim("w", min=8, max=512)}
    path = tmp_path / "any.pt2"
    image = torch.rand(1, 3, 20, 28)
    torch.export.save(torch.export.export(Any(), (image,), dynamic_shapes=(sides,)), path)
    image = torch.rand(1, 3, 12, 18)
    assert torch.equal(build(str(path), task="pose")(image), Any()(image))
    assert not capfd.readouterr().err


def test_a_batch_that_is_filled_up_is_not_counted(tmp_path: Path):
    path = tmp_path / "two.pt2"
    torch.export.save(torch.export.export(nn.Conv2d(3, 4, 1), (torch.rand(2, 3, 8, 8),)), path)
    net = on_meta(lambda: build(str(path)))
    with pytest.raises(EntryError, match="takes 2 images at once"):
        count_operations(net, (1, 3, 8, 8))
    assert count_operations(net, (2, 3, 8, 8)).total("macs") == 2 * 3 * 4 * 64


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
