"""Files of fixed sizes, channels last, bytes, class numbers, single channels: fed and read by a stated conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from hrbench.errors import EntryError
from hrbench.models.adapters.onnx import build
from hrbench.models.inputs.onnx import library_input
from hrbench.tasks.segmentation.task import Segmentation
from hrbench.types import ClassScheme, Sample, Variant

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
FLOAT, BYTE = 1, 2


def file(folder: Path, shape: list[Any], nodes: list[Any], kind: int = FLOAT, out: int = FLOAT) -> Path:
    """A file whose nodes make "y" of "x"."""
    helper = onnx.helper
    given = helper.make_tensor_value_info("x", kind, shape)
    graph = helper.make_graph(nodes, "net", [given], [helper.make_tensor_value_info("y", out, None)])
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def node(kind: str, given: str, made: str, **more: Any) -> Any:
    return onnx.helper.make_node(kind, [given], [made], **more)


class Two:
    scheme = ClassScheme(("dark", "bright", "third"))


def maps_of(path: Path, image: Path, classes: int = 3, **settings: Any) -> np.ndarray:
    """The class map of an image by a file's network, fed as the file says."""
    said = library_input(str(path), task="segmentation", input=None, args={})
    assert said is not None and said.protocol
    variant = Variant("net", f"onnx:{path}", "segmentation", said.input or (1, 1), mean=said.mean, std=said.std)
    data = Two()
    data.scheme = ClassScheme(Two.scheme.names[:classes])
    task = Segmentation(variant, data, {**said.protocol, "stated_by": said.stated_by, **settings})
    height, width = cv2.imread(str(image)).shape[:2]
    sample = Sample(1, image, (width, height))
    items = task.prepare(sample)
    raws = task.forward(build(str(path), task="segmentation"), items)
    return task.finish(sample, list(zip(items, raws, strict=True))).value


@pytest.fixture
def picture(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A picture of 40x60 whose greatest channel, red first, is the class of each pixel."""
    classes = np.random.default_rng(0).integers(0, 3, (40, 60))
    pixels = np.full((40, 60, 3), 20, np.uint8)
    np.put_along_axis(pixels, classes[..., None], 200, 2)
    cv2.imwrite(str(tmp_path / "x.png"), pixels[..., ::-1])
    return tmp_path / "x.png", classes


def test_a_fixed_size_is_fed_as_it_is(tmp_path: Path, picture: tuple[Path, np.ndarray]) -> None:
    path = file(tmp_path, [1, 3, 40, 60], [node("Relu", "x", "y")])
    said = library_input(str(path), task="segmentation", input=None, args={})
    assert said is not None and said.input == (40, 60)
    assert said.protocol == {"name": "plain", "size": "squash", "crop": [40, 60], "multiple": 1}
    assert said.stated_by == "the file net.onnx of fixed 40x60"
    np.testing.assert_array_equal(maps_of(path, picture[0]), picture[1])
    other = library_input(str(path), task="detection", input=(40, 60), args={})
    assert other is not None and other.protocol == {"name": "plain", "resize": "fixed"}
    open_size = file(tmp_path, [1, 3, "h", "w"], [node("Relu", "x", "y")])
    assert library_input(str(open_size), task="segmentation", input=None, args={}) is None


def test_another_size_is_told_with_both(tmp_path: Path) -> None:
    net = build(str(file(tmp_path, [1, 3, 40, 60], [node("Relu", "x", "y")])), task="segmentation")
    with pytest.raises(
        EntryError, match=r"takes images of 40x60 \(height x width\) and was given 64x64: .* multiple: 1"
    ):
        net(torch.rand(1, 3, 64, 64))


def test_an_error_of_the_runtime_is_told_whole(tmp_path: Path) -> None:
    shape = onnx.helper.make_node("Constant", [], ["s"], value_ints=[1, 3, 100])
    fails = file(tmp_path, ["n", 3, "h", "w"], [shape, onnx.helper.make_node("Reshape", ["x", "s"], ["y"])])
    with pytest.raises(Exception, match="Reshape"):
        build(str(fails), task="segmentation")(torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize("kind", [FLOAT, BYTE])
def test_channels_last_and_bytes(kind: int, tmp_path: Path, picture: tuple[Path, np.ndarray]) -> None:
    cast = node("Cast", "x", "y", to=FLOAT)
    path = file(tmp_path, [1, 40, 60, 3], [cast], kind)
    net = build(str(path), task="segmentation")
    levels = torch.arange(256, dtype=torch.float32)[:240].reshape(1, 1, 4, 60).expand(1, 3, 4, 60).repeat(1, 1, 10, 1)
    returned = net(levels / 255)
    assert returned.shape == (1, 3, 40, 60)
    torch.testing.assert_close(returned, levels if kind == BYTE else levels / 255, rtol=0, atol=0)
    np.testing.assert_array_equal(maps_of(path, picture[0]), picture[1])
    said = library_input(str(path), task="segmentation", input=None, args={})
    assert said is not None and said.stated_by.endswith("with channels last")
    if kind == BYTE:
        assert said.mean == (0, 0, 0) and said.std == (1, 1, 1)
        with pytest.raises(
            EntryError, match=r"takes bytes from 0 to 255, .* set mean: \[0, 0, 0\] and std: \[1, 1, 1\]"
        ):
            net(levels / 255 - 1)


@pytest.mark.parametrize("kept", [0, 1])
def test_class_numbers_are_taken_where_the_protocol_says_so(
    kept: int, tmp_path: Path, picture: tuple[Path, np.ndarray]
) -> None:
    path = file(tmp_path, [1, 3, 40, 60], [node("ArgMax", "x", "y", axis=1, keepdims=kept)], out=7)
    with pytest.raises(EntryError, match=r"if these are class numbers, set protocol.outputs to classes"):
        maps_of(path, picture[0])
    np.testing.assert_array_equal(maps_of(path, picture[0], outputs="classes"), picture[1])
    with pytest.raises(EntryError, match="returned class 2; the data set has 2 classes"):
        maps_of(path, picture[0], classes=2, outputs="classes")


def test_one_channel_is_class_1_of_two(tmp_path: Path, picture: tuple[Path, np.ndarray]) -> None:
    mean = onnx.helper.make_node("ReduceMean", ["z"], ["y"], axes=[1], keepdims=1)
    first = onnx.helper.make_node("Slice", ["x", "a", "b", "c"], ["z"])
    ends = [onnx.helper.make_node("Constant", [], [n], value_ints=[v]) for n, v in (("a", 1), ("b", 2), ("c", 1))]
    path = file(tmp_path, [1, 3, 40, 60], [*ends, first, mean])
    with pytest.raises(EntryError, match=r"set protocol.outputs to one logit or one probability"):
        maps_of(path, picture[0], classes=2)
    np.testing.assert_array_equal(maps_of(path, picture[0], classes=2, outputs="one logit"), picture[1] == 1)
    logit = onnx.helper.make_node("ReduceMean", ["z"], ["m"], axes=[1], keepdims=1)
    squeezed = file(tmp_path, [1, 3, 40, 60], [*ends, first, logit, node("Sigmoid", "m", "y")])
    np.testing.assert_array_equal(maps_of(squeezed, picture[0], classes=2, outputs="one probability"), picture[1] == 1)
