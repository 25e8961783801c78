"""A one-stage pose network in an ONNX file, as ultralytics exports YOLOv8-pose, whose output is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper


def write_yolo(path: Path, candidates: np.ndarray, input: tuple[int, int], author: str = "Ultralytics") -> None:
    """Writes a network of fixed size that gives the same candidates for every image of grey or more.

    candidates: (5 + 3 K, A): x and y of the box's centre, width, height, score, K joints of x, y, confidence.
    input: (height, width).
    author: in the metadata, which say what the file is for.
    """
    floats = onnx.TensorProto.FLOAT
    images = helper.make_tensor_value_info("images", floats, [1, 3, *input])
    output = helper.make_tensor_value_info("output0", floats, [1, *candidates.shape])
    held = [
        numpy_helper.from_array(candidates[None].astype(np.float32), "candidates"),
        numpy_helper.from_array(np.float32(0), "nothing"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["light"], keepdims=0),
        helper.make_node("Mul", ["light", "nothing"], ["dark"]),
        helper.make_node("Add", ["candidates", "dark"], ["output0"]),
    ]
    graph = helper.make_graph(nodes, "yolo", [images], [output], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"author": author, "task": "pose", "kpt_shape": "[17, 3]", "names": "{0: 'person'}"})
    onnx.save(model, str(path))


def people_as_candidates(people: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """People (M, K, 3) of a network's input, and for each a worse double and one of no score: (5 + 3 K, 3 M)."""
    low, high = people[..., :2].min(axis=1), people[..., :2].max(axis=1)
    boxes = np.concatenate([(low + high) / 2, high - low], axis=1)
    joints = people.reshape(len(people), -1)
    doubles = joints + np.tile([7.0, -5.0, 0.0], people.shape[1])
    rows = [
        np.concatenate([boxes, scores[:, None], joints], axis=1),
        np.concatenate([boxes + np.array([0.5, 0.5, 0, 0]), scores[:, None] * 0.9, doubles], axis=1),
        np.concatenate([boxes, 0 * scores[:, None], doubles], axis=1),
    ]
    return np.concatenate(rows).T
