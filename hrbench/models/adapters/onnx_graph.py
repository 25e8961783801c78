"""What an ONNX file says of itself: its input, outputs, weights; and its operations, replayed over meta tensors."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hrbench.core.onnx_external import external_files
from hrbench.errors import EntryError, InputError, UsageError
from hrbench.models.adapters.shared import library

DTYPES = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}  # TensorProto.DataType
BYTES = 2  # uint8
LONGEST_NAMES = 1 << 20
"""Characters of all names of classes in a file's metadata; a longer text is not looked at."""
WHOLE = (6, 7, 12, 13)  # int32, int64 and unsigned: shapes and indices
NORMS = {"BatchNormalization": slice(3, 5)}  # inputs that are running statistics

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """An ONNX graph in plain values.

    shape: of the input as (N, 3, H, W), None for a dynamic dimension.
    dtype: that it computes in, as far as torch is concerned: float32 for a file that takes bytes.
    takes: the type of its input's elements.
    channels_last: whether the file takes (N, H, W, 3), and gives maps so.
    names: of its classes in order, where its metadata tell them; else empty.
    yolo_task: "pose" and others of a file that ultralytics exported, as its metadata say; else "".
    """

    path: Path
    input: str
    shape: tuple[int | None, ...]
    dtype: str
    outputs: tuple[str, ...]
    parameters: tuple[Shape, ...]
    statistics: tuple[Shape, ...]
    takes: str = ""
    channels_last: bool = False
    names: tuple[str, ...] = ()
    yolo_task: str = ""


def read_graph(path: Path) -> OnnxGraph:
    """The graph of a file.

    Raises InputError for what is no ONNX or lacks a file of its weights, UsageError for inputs that are no images.
    """
    onnx = library("onnx")
    model = _model(onnx, path)
    weights = {weight.name: weight for weight in model.graph.initializer}
    _check_data(path)
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise UsageError(f"{path.name} takes {len(inputs)} inputs ({names}); a network here takes one, the images")
    kind = inputs[0].type.tensor_type
    shape = tuple(each.dim_value if each.HasField("dim_value") else None for each in kind.shape.dim)
    channels_last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
    if channels_last:
        shape = (shape[0], shape[3], shape[1], shape[2])
    if len(shape) != 4 or shape[1] not in (3, None) or kind.elem_type not in (*DTYPES, BYTES):
        stated = "x".join("?" if each is None else str(each) for each in shape)
        names = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
        element = names.get(kind.elem_type, f"numbers of type {kind.elem_type}")
        raise UsageError(
            f"{path.name} takes {element} of shape {stated}; images are floats or bytes, (N, 3, H, W) or (N, H, W, 3)"
        )
    running = {name for node in model.graph.node if node.op_type in NORMS for name in node.input[NORMS[node.op_type]]}
    sizes = {name: tuple(weight.dims) for name, weight in weights.items() if weight.data_type not in WHOLE}
    odd = next((name for name, size in sizes.items() if min(size, default=0) < 0 or math.prod(size) >= 2**62), None)
    if odd is not None:
        raise InputError(f"{path}: damaged: the tensor {odd!r} states the shape {list(sizes[odd])}")
    metadata = {each.key: each.value for each in model.metadata_props}
    return OnnxGraph(
        path,
        inputs[0].name,
        shape,
        DTYPES.get(kind.elem_type, "float32"),
        tuple(value.name for value in model.graph.output),
        tuple(size for name, size in sizes.items() if name not in running),
        tuple(size for name, size in sizes.items() if name in running),
        DTYPES.get(kind.elem_type, "uint8"),
        channels_last,
        _names(metadata),
        metadata.get("task", "")[:40] if metadata.get("author") == "Ultralytics" else "",
    )


def _names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Names of classes under the key `names`, as exporters write them: a list, or a mapping of numbers from 0.

    >>> _names({"names": "{0: 'cat', 1: 'dog'}"}), _names({"names": '["cat"]'}), _names({"names": "cats"})
    (('cat', 'dog'), ('cat',), ())
    """
    text = metadata.get("names", "")
    if not text or len(text) > LONGEST_NAMES:
        return ()
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # what else is written there names none
        return ()
    if isinstance(found, dict):
        numbered = {str(key): value for key, value in found.items()}
        found = [numbered.get(str(index)) for index in range(len(numbered))]
    if not isinstance(found, list | tuple):
        return ()
    names = tuple(name for name in found if isinstance(name, str))
    return names if len(names) == len(found) else ()


def _model(onnx: Any, path: Path, data: bool = False) -> Any:
    """The file as ONNX's own message. data: with the values that lie in files of their own beside it."""
    try:
        model = onnx.load(str(path), load_external_data=data)
    except FileNotFoundError as error:
        raise InputError(f"{path}: a file of its weights is not there: {error}") from error
    except Exception as error:  # a damaged message raises nearly anything
        raise InputError(f"{path}: not a whole ONNX file (damaged or truncated?): {type(error).__name__}") from error
    if not all(isinstance(node.op_type, str) for node in model.graph.node):  # bytes that are no text stay bytes
        raise InputError(f"{path}: not a whole ONNX file (damaged?): an operator has a name that is no text")
    bare = next((node for node in model.graph.node if not node.output), None)
    if bare is not None:
        raise InputError(f"{path}: not a whole ONNX file (damaged?): the operator {bare.op_type} has no output")
    if not model.graph.node:
        raise InputError(f"{path}: not an ONNX file, or one without a network")
    return model


def _check_data(path: Path) -> None:
    """Raises InputError, naming them, where files that hold values of a network are not beside it, or lie outside."""
    lacking = [str(file.relative_to(path.parent)) for file in external_files(path) if not file.is_file()]
    if lacking:
        files = f"the file {lacking[0]}" if len(lacking) == 1 else f"{len(lacking)} files ({', '.join(lacking[:3])})"
        raise InputError(f"{path}: {files} with its weights, written beside it when it was exported, is not there")


# --- operations ------------------------------------------------------------------------------------------------------


def replay(graph: OnnxGraph, images: Tensor) -> list[Tensor]:
    """The operators of the graph called on meta tensors of its shapes, so that torch's operations can be counted.

    images: (N, 3, H, W) on the meta device. Shapes are ONNX's own shape inference, or those of one run over zeros where
    it leaves some open; each node that computes something calls torch's operator of that meaning once, each that moves
    numbers calls none. Returns the outputs, as shapes. Raises EntryError if a shape is unknown or a node has no
    operator here: nothing is left out silently.
    """
    onnx = library("onnx")
    if graph.shape[0] not in (None, len(images)):
        raise EntryError(f"operations are not counted: {graph.path.name} takes {graph.shape[0]} images at once")
    model = _model(onnx, graph.path, data=True)
    if graph.channels_last:
        images = images.permute(0, 2, 3, 1)
    shapes = _shapes(onnx, model, graph, tuple(images.shape))
    unknown = sorted({node.op_type for node in model.graph.node} - set(REPLAYS) - IDLE)
    if unknown:
        listed = ", ".join(unknown)
        raise EntryError(f"operations are not counted: {graph.path.name} has operators without a rule, {listed}")
    used = [value for node in model.graph.node if node.op_type in REPLAYS for value in (*node.input, node.output[0])]
    open_ = [name for name in dict.fromkeys((*used, *graph.outputs)) if name and name not in shapes]
    if open_:
        shapes |= _shapes_of_a_run(onnx, model, graph, open_, images)
    for node in model.graph.node:
        if node.op_type in REPLAYS:
            attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            names = [name for name in node.input if name]
            if node.op_type in BIASED and len(names) > 2 and names[2] not in shapes:
                shapes[names[2]] = ()  # of a bias, all that counts is that it is there
            given = [_shape_of(shapes, name, node, graph) for name in names]
            _replay_node(node, given, _shape_of(shapes, node.output[0], node, graph), attributes, graph, images.dtype)
    return [_meta(_shape_of(shapes, name, None, graph), images.dtype) for name in graph.outputs]


def _replay_node(
    node: Any, given: list[Shape], out: Shape, attributes: Mapping[str, Any], graph: OnnxGraph, dtype: torch.dtype
) -> None:
    """Calls torch's operator for one node; EntryError if the node's shapes and attributes are at odds."""
    try:
        REPLAYS[node.op_type](given, out, attributes, dtype)
    except Exception as error:  # torch's, of many kinds; the operator does not exist for such shapes
        cause = " ".join(str(error).split())[:200]
        raise EntryError(
            f"operations are not counted: {node.op_type} {node.name or node.output[0]} of {graph.path.name} does not "
            f"fit its inputs {', '.join(map(str, given))}: {cause}"
        ) from error


def _shapes(onnx: Any, model: Any, graph: OnnxGraph, given: Shape) -> dict[str, Shape]:
    """Value -> its shape, for an input of the given shape.

    Shapes that the file states with open dimensions would stand in the way and are taken out before; those it states
    without hold for every input, also where nothing can be inferred.
    """
    fixed = model.graph
    stated = _known(fixed.value_info)
    del fixed.value_info[:]
    for value in fixed.output:
        value.type.tensor_type.ClearField("shape")
    first = next(value for value in fixed.input if value.name == graph.input)
    for dimension, size in zip(first.type.tensor_type.shape.dim, given, strict=True):
        dimension.dim_value = size
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:
        raise EntryError(f"operations are not counted: shapes of {graph.path.name} cannot be inferred") from error
    weights = {weight.name: tuple(weight.dims) for weight in inferred.initializer}
    return {**stated, **weights, **_known((*inferred.input, *inferred.value_info, *inferred.output))}


def _shapes_of_a_run(onnx: Any, model: Any, graph: OnnxGraph, names: list[str], images: Tensor) -> dict[str, Shape]:
    """Shapes of values as they come out for an image of zeros; nothing where onnxruntime does not run the model."""
    made = {name for node in model.graph.node for name in node.output}
    wanted = [name for name in names if name in made]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL  # the file's own values remain
    try:
        kind = torch.uint8 if graph.takes == "uint8" else images.dtype
        zeros = torch.zeros(images.shape, dtype=kind, device="cpu").numpy()
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return {
            name: value.shape for name, value in zip(wanted, session.run(wanted, {graph.input: zeros}), strict=True)
        }
    except Exception:  # of no common class; what is still open is named by who asks for it
        return {}


def _known(values: Iterable[Any]) -> dict[str, Shape]:
    """Shapes of the values that have one without open dimensions."""
    found = {}
    for value in values:
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(each.HasField("dim_value") for each in kind.shape.dim):
            found[value.name] = tuple(each.dim_value for each in kind.shape.dim)
    return found


def _shape_of(shapes: Mapping[str, Shape], name: str, node: Any, graph: OnnxGraph) -> Shape:
    if name not in shapes:
        at = f" at {node.op_type} {node.name}".rstrip() if node is not None else ""
        raise EntryError(f"operations are not counted: the shape of {name}{at} in {graph.path.name} is not known")
    return shapes[name]


def _meta(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(tuple(shape), dtype=dtype, device="meta")


InputShapes = list[Shape]
Replay = Callable[[InputShapes, Shape, Mapping[str, Any], torch.dtype], Any]


def _convolution(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    """The input as it is after padding, which is what stride, kernel and output make of it."""
    weight, spatial = given[1], len(given[1]) - 2
    stride = list(attributes.get("strides", [1] * spatial))
    dilation = list(attributes.get("dilations", [1] * spatial))
    padded = [(o - 1) * s + d * (k - 1) + 1 for o, s, d, k in zip(out[2:], stride, dilation, weight[2:], strict=True)]
    run = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    bias = _meta(weight[:1], dtype) if len(given) > 2 else None
    groups = int(attributes.get("group", 1))
    image = _meta((*given[0][:2], *padded), dtype)
    return run(image, _meta(weight, dtype), bias, stride=stride, dilation=dilation, groups=groups)


def _transposed(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    weight, spatial = given[1], len(given[1]) - 2
    stride = list(attributes.get("strides", [1] * spatial))
    dilation = list(attributes.get("dilations", [1] * spatial))
    sides = zip(given[0][2:], out[2:], stride, dilation, weight[2:], strict=True)
    cut = [(i - 1) * s + d * (k - 1) + 1 - o for i, o, s, d, k in sides]  # what padding takes off, both ends together
    padding = [max(0, math.ceil(each / 2)) for each in cut]
    more = [2 * pad - each for pad, each in zip(padding, cut, strict=True)]
    run = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[spatial - 1]
    groups = int(attributes.get("group", 1))
    bias = _meta((weight[1] * groups,), dtype) if len(given) > 2 else None
    return run(_meta(given[0], dtype), _meta(weight, dtype), bias, stride, padding, more, groups, dilation)


def _gemm(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    features = given[0][0] if attributes.get("transA") else given[0][1]
    bias = _meta((out[1],), dtype) if len(given) > 2 else None
    return F.linear(_meta((out[0], features), dtype), _meta((out[1], features), dtype), bias)


def _matmul(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    return torch.matmul(_meta(given[0], dtype), _meta(given[1], dtype))


def _einsum(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    return torch.einsum(attributes["equation"].decode(), *(_meta(each, dtype) for each in given))


def _batch_norm(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    image, scale, shift, mean, variance = (_meta(each, dtype) for each in given[:5])
    return F.batch_norm(image, mean, variance, scale, shift)


def _instance_norm(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    return F.instance_norm(_meta(given[0], dtype), weight=_meta(given[1], dtype), bias=_meta(given[2], dtype))


def _layer_norm(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    weight = _meta(given[1], dtype)
    return F.layer_norm(_meta(given[0], dtype), given[1], weight, _meta(given[2], dtype) if len(given) > 2 else None)


def _resize(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    mode = attributes.get("mode", b"nearest")
    if len(out) != 4:
        return F.interpolate(_meta(given[0], dtype), size=list(out[2:]))
    ours = {b"linear": "bilinear", b"cubic": "bicubic"}.get(mode, "nearest")
    return F.interpolate(_meta(given[0], dtype), list(out[2:]), mode=ours)


def _pool(function: Callable[[Tensor, list[int], list[int]], Any]) -> Replay:
    def run(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Any:
        kernel = list(attributes["kernel_shape"])
        stride = list(attributes.get("strides", [1] * len(kernel)))
        padded = [(o - 1) * s + k for o, s, k in zip(out[2:], stride, kernel, strict=True)]
        return function(_meta((*given[0][:2], *padded), dtype), kernel, stride)

    return run


def _elementwise(function: Callable[..., Any]) -> Replay:
    """An operator on each element of the output, or on operands that are broadcast to it."""

    def run(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Any:
        return function(_meta(out, dtype))

    return run


def _binary(function: Callable[[Tensor, Tensor], Any]) -> Replay:
    def run(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Any:
        return function(_meta(given[0], dtype), _meta(given[-1], dtype))

    return run


def _unary(function: Callable[[Tensor], Any]) -> Replay:
    def run(given: InputShapes, out: Shape, attributes: Mapping[str, Any], dtype: torch.dtype) -> Any:
        return function(_meta(given[0], dtype))

    return run


BIASED = ("Conv", "ConvTranspose", "Gemm")  # with a bias as third input

REPLAYS: dict[str, Replay] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Einsum": _einsum,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "Resize": _resize,
    "Upsample": _resize,
    "MaxPool": _pool(lambda x, kernel, stride: F.max_pool2d(x, kernel, stride)),
    "AveragePool": _pool(lambda x, kernel, stride: F.avg_pool2d(x, kernel, stride)),
    "GlobalAveragePool": _unary(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "GlobalMaxPool": _unary(lambda x: F.adaptive_max_pool2d(x, 1)),
    **{
        name: _unary(function)
        for name, function in {
            "ReduceMean": torch.mean, "ReduceSum": torch.sum, "ReduceMax": torch.amax, "ReduceL2": torch.norm,
            "ArgMax": torch.argmax,
        }.items()
    },
    **{
        name: _binary(function)
        for name, function in {
            "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow,
            "Max": torch.maximum, "Min": torch.minimum, "PRelu": lambda x, slope: torch.where(x > 0, x, x * slope),
        }.items()
    },
    **{
        name: _elementwise(function)
        for name, function in {
            "Relu": torch.relu, "LeakyRelu": F.leaky_relu, "Elu": F.elu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh,
            "HardSigmoid": F.hardsigmoid, "HardSwish": F.hardswish, "Gelu": F.gelu, "Softplus": F.softplus,
            "Erf": torch.erf, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt, "Reciprocal": torch.reciprocal,
            "Neg": torch.neg, "Abs": torch.abs, "Clip": lambda x: torch.clamp(x, 0, 1), "Mish": F.mish,
            "Softmax": lambda x: torch.softmax(x, -1), "LogSoftmax": lambda x: torch.log_softmax(x, -1),
            "Swish": F.silu,
        }.items()
    },
}  # fmt: skip
"""Operator of ONNX -> torch's of the same meaning, called on what a node is given and gives."""

MOVES = """
    Cast CastLike Concat Constant ConstantOfShape DepthToSpace Dropout Expand Flatten Gather GatherElements GatherND
    Identity Pad Range Reshape ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose
    Unsqueeze Where Equal Greater Less Not And Or Floor Ceil Round
"""
IDLE = frozenset(MOVES.split())
"""Operators that move numbers, or compute shapes, indices and conditions from them."""
