"""Networks in ONNX files: the same numbers, batches of any size, and what is said of files that do not fit."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from hrbench.cost.operations.count import count_operations, on_meta
from hrbench.cost.parameters import parameter_costs
from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.models.adapters.onnx import build

pytestmark = pytest.mark.numeric

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
SIZE = (32, 24)


@pytest.mark.parametrize("name", ["small", "one"])
def test_it_gives_what_the_network_gives_at_any_batch(small: nn.Module, files: Path, images: Tensor, name: str):
    net = build(str(files / f"{name}.onnx"), task="pose", input=SIZE).eval()
    with torch.inference_mode():
        torch.testing.assert_close(net(images), small(images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(copy.deepcopy(net)(images[:1]), small(images[:1]), rtol=1e-4, atol=1e-5)


def test_a_fixed_batch_is_filled_up(images: Tensor, tmp_path: Path):
    path = handmade(tmp_path, shape=[2, 3, 32, 24])
    net = build(str(path), task="pose")
    torch.testing.assert_close(net(images), torch.relu(images))
    with pytest.raises(EntryError, match="takes 2 images at once"):
        count_operations(on_meta(lambda: build(str(path), task="pose")), (1, 3, *SIZE))


@pytest.mark.parametrize("name", ["small", "one"])
def test_costs_are_those_of_the_network(small: nn.Module, files: Path, name: str):
    net = on_meta(lambda: build(str(files / f"{name}.onnx"), task="pose", input=SIZE))
    ours, theirs = count_operations(net, (1, 3, *SIZE)), count_operations(small, (1, 3, *SIZE))
    for view in ("macs", "flops", "hrnet-paper"):
        assert ours.total(view) == theirs.total(view) > 0
    counts = [cost.value for cost in parameter_costs(net)]
    assert counts[0] == pytest.approx(parameter_costs(small)[0].value, abs=16)  # a norm folded, or not
    assert all(value.is_meta for value in net.parameters())


def test_a_weight_of_no_dimension_counts_as_one(tmp_path: Path, images: Tensor):
    path = handmade(tmp_path, operators=[("Mul", "y")], weights={"half": torch.tensor(0.5)})
    net = on_meta(lambda: build(str(path), task="pose"))
    assert parameter_costs(net)[0].value == 1
    torch.testing.assert_close(build(str(path), task="pose")(images), images * 0.5)


def test_parameters_take_no_memory_and_move(files: Path):
    net = build(str(files / "one.onnx"), task="pose")
    assert all(value.untyped_storage().nbytes() == 4 for value in net.parameters())
    moved = net.to(torch.float64)
    assert {value.dtype for value in moved.parameters()} == {torch.float64}
    assert all(value.untyped_storage().nbytes() == 8 for value in moved.parameters())


def test_it_computes_in_its_own_dtype_only(files: Path, images: Tensor, tmp_path: Path):
    with pytest.raises(RuntimeError, match=r"one\.onnx computes in float32, not in float64"):
        build(str(files / "one.onnx"), task="pose")(images.double())
    half = build(str(handmade(tmp_path, kind=onnx.TensorProto.FLOAT16)), task="pose")
    assert half.precision == torch.float16
    torch.testing.assert_close(half(images.half()), torch.relu(images.half()))


def test_a_size_that_is_not_the_file_s_is_told(files: Path):
    with pytest.raises(UsageError, match=r"one\.onnx takes images of 32x24 \(height x width\), not of 64x48"):
        build(str(files / "one.onnx"), task="pose", input=(64, 48))


def test_files_that_are_none(files: Path, tmp_path: Path):
    with pytest.raises(MissingError, match=r"nothing\.onnx is not there"):
        build(str(tmp_path / "nothing.onnx"))
    broken = tmp_path / "broken.onnx"
    for content in (b"", b"\x00\x01 no message", (files / "one.onnx").read_bytes()[:900]):
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.onnx: not "):
            build(str(broken))
    alone = tmp_path / "small.onnx"
    alone.write_bytes((files / "small.onnx").read_bytes())  # without the file that holds its weights
    with pytest.raises(InputError, match=r"small\.onnx: the file small\.onnx\.data with its weights, .* is not there"):
        build(str(alone), task="pose")
    (tmp_path / "small.onnx.data").write_bytes(b"short")
    with pytest.raises(EntryError, match="onnxruntime does not open"):
        build(str(alone), task="pose")(torch.rand(1, 3, *SIZE))


def test_inputs_that_are_no_images(tmp_path: Path):
    with pytest.raises(UsageError, match=r"takes float of shape 1x32x24x4; images are floats or bytes, \(N, 3, H, W\)"):
        build(str(handmade(tmp_path, shape=[1, 32, 24, 4])))
    with pytest.raises(UsageError, match="takes int64 of shape"):
        build(str(handmade(tmp_path, kind=onnx.TensorProto.INT64)))
    with pytest.raises(UsageError, match="takes numbers of type 127 of shape"):
        build(str(handmade(tmp_path, kind=127)))
    with pytest.raises(UsageError, match=r"takes 2 inputs \(x, more\)"):
        build(str(handmade(tmp_path, inputs=("x", "more"))))


def test_shapes_that_no_tensor_has(tmp_path: Path):
    path = handmade(tmp_path, operators=[("PRelu", "y")], weights={"slope": torch.ones(3, 1, 1)})
    model = onnx.load(str(path))
    for side in (-1, 2**62):
        model.graph.initializer[0].dims[1] = side
        onnx.save(model, str(path))
        with pytest.raises(InputError, match=rf"damaged: the tensor 'slope' states the shape \[3, {side}, 1\]"):
            build(str(path), task="pose")


def test_an_operator_that_does_not_fit_its_inputs_is_not_counted(tmp_path: Path):
    path = handmade(tmp_path, operators=[("Conv", "y")], weights={"w": torch.ones(4, 5, 1, 1)})
    with pytest.raises(
        EntryError, match=r"not counted: Conv y of handmade\.onnx does not fit its inputs|cannot be inferred"
    ):
        count_operations(on_meta(lambda: build(str(path), task="pose")), (1, 3, *SIZE))


def test_outputs_that_do_not_fit_the_task(files: Path, images: Tensor):
    net = build(str(files / "one.onnx"), task="classification")
    with pytest.raises(EntryError, match=r"returned \(5, 5, 16, 12\); a network for classification returns logits"):
        net(images)
    with pytest.raises(EntryError, match="a detector's are named boxes, scores, labels"):
        build(str(files / "one.onnx"), task="detection")([images[0]])


def test_a_detector_s_outputs_go_by_their_names(tmp_path: Path):
    path = handmade(tmp_path, operators=[("Constant", "boxes"), ("Constant", "scores"), ("Constant", "labels")])
    (found,) = build(str(path), task="detection")([torch.rand(3, 32, 24)])
    assert found["boxes"].tolist() == [[1, 2, 3, 4]] and found["labels"].tolist() == [7]
    assert found["labels"].dtype == torch.int64 and found["scores"].shape == (1,)


def test_an_operator_without_a_rule_is_named(tmp_path: Path):
    path = handmade(tmp_path, operators=[("Sin", "y")])
    with pytest.raises(EntryError, match="has operators without a rule, Sin"):
        count_operations(on_meta(lambda: build(str(path), task="pose")), (1, 3, *SIZE))


def test_shapes_that_cannot_be_inferred_are_those_of_a_run(small: nn.Module, tmp_path: Path):
    helper, of = onnx.helper, onnx.numpy_helper.from_array
    half = torch.tensor([1.0, 1.0, 0.5, 0.5]).numpy()  # computed in floats, which shape inference does not follow
    nodes = [
        helper.make_node("Shape", ["x"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["sides"], to=1),
        helper.make_node("Mul", ["sides", "factors"], ["product"]),
        helper.make_node("Cast", ["product"], ["sizes"], to=7),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["less"], mode="nearest"),
        helper.make_node("Conv", ["less", "weight"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", 1, ["n", 3, "h", "w"])
    held = [of(half, "factors"), of(torch.ones(4, 3, 1, 1).numpy(), "weight")]
    graph = helper.make_graph(nodes, "resized", [given], [helper.make_tensor_value_info("y", 1, None)], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "r.onnx")
    net = on_meta(lambda: build(str(tmp_path / "r.onnx"), task="pose"))
    assert count_operations(net, (1, 3, 32, 24)).total("macs") == 3 * 4 * 16 * 12


def test_what_ran_the_operators_is_told(files: Path, images: Tensor, monkeypatch: pytest.MonkeyPatch):
    net = build(str(files / "small.onnx"), task="pose")
    assert net.notes() == []  # nothing has run yet
    net(images)
    (said,) = net.notes()
    release = re.escape(runtime.__version__)
    assert re.fullmatch(
        rf"onnxruntime {release}: [1-9]\d* operators by CPUExecutionProvider; its memory arena on.*", said
    )
    assert copy.deepcopy(net).notes() == []

    session = net._session(torch.device("cpu"))
    kinds = {"CPUExecutionProvider": 3, "CUDAExecutionProvider": 7}
    parts = [SimpleNamespace(ep_name=name, get_nodes=lambda count=count: [0] * count) for name, count in kinds.items()]
    monkeypatch.setattr(session, "get_provider_graph_assignment_info", lambda: parts)
    assert "7 operators by CUDAExecutionProvider, 3 operators by CPUExecutionProvider;" in net.notes()[0]
    monkeypatch.setattr(session, "get_provider_graph_assignment_info", None)  # older releases have none
    assert "providers CPUExecutionProvider;" in net.notes()[0]


def test_a_device_that_onnxruntime_does_not_have(files: Path, monkeypatch: pytest.MonkeyPatch):
    net = build(str(files / "one.onnx"), task="pose")
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EntryError, match=r"is to run on cuda:0; .*has only CPUExecutionProvider: pip install"):
        net._session(torch.device("cuda", 0))


CONSTANTS = {"boxes": [[[1.0, 2.0, 3.0, 4.0]]], "scores": [[0.5]], "labels": [[7.0]]}


def handmade(
    folder: Path, shape=("n", 3, 32, 24), kind=1, inputs=("x",), operators=(("Relu", "y"),), weights=None
) -> Path:
    """A file of a few operators, each applied to the input "x" and the weights."""
    helper = onnx.helper
    nodes, outputs = [], []
    for operator, name in operators:
        if operator == "Constant":
            value = torch.tensor(CONSTANTS[name]).numpy()
            nodes.append(helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value)))
            outputs.append(helper.make_tensor_value_info(name, kind, value.shape))
        else:
            nodes.append(helper.make_node(operator, ["x", *(weights or {})], [name]))
            outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
    given = [helper.make_tensor_value_info(name, kind, list(shape)) for name in inputs]
    held = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "handmade", given, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = folder / "handmade.onnx"
    onnx.save(model, str(path))
    return path


def test_several_heads_are_a_list_and_one_is_none(tmp_path: Path, images: Tensor):
    path = handmade(tmp_path, operators=[("Relu", "first"), ("Neg", "second")])
    heads = build(str(path), task="segmentation")(images)
    assert torch.equal(heads[0], torch.relu(images)) and torch.equal(heads[1], -images)
    with pytest.raises(EntryError, match=r"returned a dict of first \(5, 3, 32, 24\), second .*; a network for pose"):
        build(str(path), task="pose")(images)


def test_an_operator_whose_name_is_no_text_is_refused(tmp_path: Path):
    path = handmade(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"Relu", b"R\xff\xfeu"))
    with pytest.raises(InputError, match=r"not a whole ONNX file"):
        build(str(path), task="pose")(torch.zeros(1, 3, *SIZE, device="meta"))


def test_an_operator_without_an_output_is_refused(tmp_path: Path):
    path = handmade(tmp_path)
    model = onnx.load(str(path))
    bare = model.graph.node.add()
    bare.op_type = "Relu"
    bare.input.append("x")
    onnx.save(model, str(path))
    with pytest.raises(InputError, match=r"the operator Relu has no output"):
        build(str(path), task="pose")
