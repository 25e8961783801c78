"""In which precision onnxruntime computes a network of float16: what it has no kernels for, it casts to float32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hrbench.models.adapters.shared import library


def opened_in_words(open_session: Callable[[Any], Any], options: Any) -> tuple[Any, str]:
    """A session, and how many of its layers compute in float32.

    open_session: opens a session with options.
    options: `onnxruntime.SessionOptions`, which is changed: the graph that will be run is written to be counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "as_run.onnx"
        options.optimized_model_filepath = str(path)
        return open_session(options), _in_words(path)


def _in_words(path: Path) -> str:
    """Of layers with weights of a graph, how many have them in float32."""
    onnx = library("onnx")
    try:
        graph = onnx.load(str(path)).graph
    except Exception:  # not written, or larger than its format takes
        return "in which precision it computes is not known"
    kinds = {weight.name: weight.data_type for weight in graph.initializer if len(weight.dims) > 1}
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    layers = [kind for node in graph.node if (kind := _first(node, kinds)) in floats]
    cast = layers.count(onnx.TensorProto.FLOAT)
    if not cast:
        return "computes in float16"
    return f"casts to float32 and computes {cast} of {len(layers)} layers with weights in it"


def _first(node: Any, kinds: dict[str, int]) -> int | None:
    return next((kinds[name] for name in node.input if name in kinds), None)
