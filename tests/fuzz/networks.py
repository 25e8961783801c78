"""Files of networks: weights in every format that is read, and ONNX files and exported programs, read and counted."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from hrbench.core.onnx_external import external_files
from hrbench.errors import HrbenchError
from tests.fuzz import damage, trees
from tests.fuzz.case import Case, NonsenseError, unchanged


def _net() -> Any:
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def _state() -> dict[str, Any]:
    import torch

    torch.manual_seed(0)
    return _net().state_dict()


def _safetensors(folder: Path) -> None:
    import safetensors.torch

    (folder / "net.safetensors").write_bytes(safetensors.torch.save(_state()))


def _checkpoint(folder: Path, old: bool) -> None:
    import torch

    content = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in _state().items()}, "best": 0.5}
    torch.save(content, folder / "net.pth", _use_new_zipfile_serialization=not old)


def _arrays(folder: Path) -> None:
    with (folder / "net.npz").open("wb") as stream:
        np.savez(stream, **{key: value.numpy() for key, value in _state().items()})


def _keras(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "net.h5", "w") as file:
        for key, value in _state().items():
            file[key] = value.numpy()


def _loaded(name: str, folder: Path) -> dict[str, str]:
    """Digest of each tensor of a network that a file was loaded into, all of them finite where the file's are."""
    from hrbench.models.weights.load import load, read_state

    net = _net()
    read = read_state(folder / name)
    load(net, folder / name)
    state = net.state_dict()
    for key, value in read.items():
        if key in state and not np.array_equal(value.to(state[key].dtype).numpy(), state[key].numpy(), equal_nan=True):
            raise NonsenseError(f"{key} is not what the file holds")
    return {key: hashlib.sha256(value.numpy().tobytes()).hexdigest() for key, value in state.items()}


def _loaded_safetensors(folder: Path) -> dict[str, str]:
    """As `_loaded`; the tensors are those that a plain reading of the file finds."""
    found = _loaded("net.safetensors", folder)
    data = (folder / "net.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    head = json.loads(data[8 : 8 + length])
    kinds = {"F32": "<f4", "I64": "<i8", "F16": "<f2", "F64": "<f8"}
    for key in found:
        stated = head[key]
        first, end = stated["data_offsets"]
        if stated["dtype"] not in kinds:
            continue
        plain = np.frombuffer(data[8 + length + first : 8 + length + end], kinds[stated["dtype"]])
        with np.errstate(all="ignore"):
            plain = plain.astype("<i8" if "num_batches" in key else "<f4")
        if hashlib.sha256(plain.tobytes()).hexdigest() != found[key]:
            raise NonsenseError(f"{key} is not what lies in the file")
    return found


def _header(data: bytes, random: Random) -> bytes:
    """A safetensors file, damaged, or its head changed as a tree and its length right."""
    if random.random() < 0.4:
        return damage.mutant(data, random)
    (length,) = struct.unpack_from("<Q", data)
    head = trees.mutant(trees.tree(json.loads(data[8 : 8 + length])), random, trees.JSON_WORDS)
    head_bytes = head.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(head_bytes)) + head_bytes + data[8 + length :]


# --- ONNX ------------------------------------------------------------------------------------------------------------


def _onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {"w": (4, 3, 3, 3), "b": (4,), "m": (4,), "v": (4,), "f": (2, 4)}
    initial = [numpy_helper.from_array(rng.random(shape).astype(np.float32), name) for name, shape in weights.items()]
    initial.append(numpy_helper.from_array(np.array([1, -1], np.int64), "shape"))
    nodes = [
        helper.make_node("Conv", ["images", "w", "b"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "b", "b", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["q"]),
        helper.make_node("Gemm", ["q", "f"], ["logits"], transB=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 16, 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    graph = helper.make_graph(nodes, "net", [images], [logits], initial)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), folder / "net.onnx")


def _message(data: bytes, random: Random) -> bytes:
    """An ONNX file, damaged, or a field of its message with another value."""
    import onnx

    if random.random() < 0.35:
        return damage.mutant(data, random)
    model = onnx.load(io.BytesIO(data))
    for _ in range(random.choice((1, 1, 2))):
        _edit(model, random)
    return model.SerializeToString()


def _edit(model: Any, random: Random) -> None:
    message, at = model, 0
    while True:  # down to some field
        fields = [field for field in message.DESCRIPTOR.fields if field.name not in ("metadata_props", "doc_string")]
        set_ = {field.name for field, _ in message.ListFields()}
        likely = [field for field in fields if field.name in set_] or fields
        field = random.choice(likely if random.random() < 0.9 else fields)
        value, at = getattr(message, field.name), at + 1
        repeated = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
        if field.message_type is None:
            break
        if repeated:
            if not len(value) or random.random() < 0.15:
                if len(value):
                    del value[random.randrange(len(value))]
                return
            message = value[random.randrange(len(value))]
        else:
            message = value
        if at > 8:
            return
    _replace(message, field, value, repeated, random)


def _replace(message: Any, field: Any, value: Any, repeated: bool, random: Random) -> None:
    integers = [*damage.INTEGERS, 3, 7, 16, 17, 100]
    made: Any = {
        str: lambda: random.choice(
            (*trees.TEXTS[:18], "w", "b", "images", "Conv", "MatMul", "Resize", "Loop", "Einsum")
        ),
        bytes: lambda: random.choice((b"", b"abc", b"w", random.randbytes(40))),
        float: lambda: random.choice((0.0, float("nan"), 1e30, -1.0)),
        int: lambda: random.choice(integers),
    }[{9: str, 12: bytes, 1: float, 2: float}.get(field.type, int)]()
    try:
        if not repeated:
            setattr(message, field.name, made)
        elif len(value) and random.random() < 0.6:
            value[random.randrange(len(value))] = made
        elif random.random() < 0.5:
            value.append(made)
        else:
            del value[:]
    except (ValueError, TypeError, UnicodeError):  # out of the field's range
        return


def _read_onnx(folder: Path) -> dict[str, Any]:
    """What a file says of itself, and its operations counted over meta tensors."""
    import torch

    from hrbench.models.adapters.onnx import build
    from hrbench.models.adapters.onnx_graph import read_graph, replay

    path = folder / "net.onnx"
    external_files(path)
    graph = read_graph(path)
    net = build(str(path), task="classification", input=(16, 16))
    said = {"parameters": sum(value.numel() for value in net.parameters()), "outputs": graph.outputs}
    size = (graph.shape[0] or 1, 3, 16, 16)
    try:
        said["shapes"] = [tuple(value.shape) for value in replay(graph, torch.zeros(size, device="meta"))]
    except HrbenchError as error:
        said["not counted"] = str(error)
    return said


# --- torch.export ----------------------------------------------------------------------------------------------------


def _exported(folder: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(*_net(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    any_batch = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(
        torch.export.export(net, (torch.rand(2, 3, 16, 16),), dynamic_shapes=any_batch), folder / "net.pt2"
    )


def _graph(data: bytes, random: Random) -> bytes:
    """An exported program with another tree in one of its JSON members, and right checksums; or other bytes."""
    if random.random() < 0.3:
        return damage.zip_mutant(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    number = random.choice([at for at, (name, _) in enumerate(members) if name.endswith(".json")])
    name, content = members[number]
    text = trees.mutant(trees.tree(json.loads(content)), random, trees.JSON_WORDS)
    members[number] = (name, text.encode("utf-8", "surrogatepass"))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, inside in members:
            archive.writestr(zipfile.ZipInfo(member), inside)
    return stream.getvalue()


def _read_exported(folder: Path) -> dict[str, Any]:
    """The parameters of a program, and its operations counted over meta tensors."""
    from hrbench.cost.operations.count import count_operations
    from hrbench.models.build import build

    net: Any = build(f"exported:{folder / 'net.pt2'}", task="classification", input=(16, 16))
    said: dict[str, Any] = {"parameters": sum(value.numel() for value in net.parameters()), "batch": net.fixed_batch}
    try:
        said["macs"] = count_operations(net, (net.fixed_batch or 1, 3, 16, 16)).total("macs")
    except HrbenchError as error:
        said["not counted"] = str(error)
    return said


CASES = [
    Case("weights in safetensors", _safetensors, {"net.safetensors": _header}, _loaded_safetensors, share=2),
    Case("weights in a checkpoint", partial(_checkpoint, old=False), {"net.pth": damage.zip_mutant},
         partial(_loaded, "net.pth"), share=2),
    Case("weights in a damaged checkpoint", partial(_checkpoint, old=False), {"net.pth": damage.mutant},
         partial(_loaded, "net.pth"), unchanged),
    Case("weights in an old checkpoint", partial(_checkpoint, old=True), {"net.pth": damage.mutant},
         partial(_loaded, "net.pth")),
    Case("weights in npz", _arrays, {"net.npz": damage.zip_mutant}, partial(_loaded, "net.npz")),
    Case("weights in a damaged npz", _arrays, {"net.npz": damage.mutant}, partial(_loaded, "net.npz"), unchanged),
    Case("weights in h5", _keras, {"net.h5": damage.mutant}, partial(_loaded, "net.h5")),
    Case("onnx", _onnx, {"net.onnx": _message}, _read_onnx, share=2),
    Case("exported program", _exported, {"net.pt2": _graph}, _read_exported, share=2),
    Case("damaged exported program", _exported, {"net.pt2": damage.mutant}, _read_exported, unchanged),
]  # fmt: skip
