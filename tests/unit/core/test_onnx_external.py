"""Files of external data that an ONNX file names: read by the format, and held to onnx's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.onnx_messages import field, naming, tensor, varint

from hrbench.core.onnx_external import external_files
from hrbench.errors import InputError, MissingError

NAMES = ["w", "a" * 127, "a" * 128, "a" * 150 + "/" + "b" * 149, "größe/重み.bin", "net.onnx.data", "a b/c\nd"]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_length_and_letters(tmp_path: Path, name: str):
    assert external_files(written(tmp_path, naming(name))) == [tmp_path / name]


def test_a_name_that_is_no_text_is_the_file_of_those_bytes(tmp_path: Path):
    (found,) = external_files(written(tmp_path, naming("\udcff.bin")))
    assert found == tmp_path / "\udcff.bin"


def test_many_tensors_of_one_file_name_it_once_and_files_are_sorted(tmp_path: Path):
    assert external_files(written(tmp_path, naming("b", "a", "b"))) == [tmp_path / "a", tmp_path / "b"]


def test_what_is_not_external_does_not_count(tmp_path: Path):
    graph = field(5, tensor("w.bin", external=False)) + field(5, field(9, naming("raw.bin")))
    node = field(5, field(1, b"kernel") + field(4, naming("a.bin")))  # a text that looks like a model
    assert external_files(written(tmp_path, field(7, graph + field(1, node)))) == []
    assert external_files(written(tmp_path, b"")) == []


def test_of_two_locations_the_last_holds(tmp_path: Path):
    twice = b"".join(field(13, field(1, b"location") + field(2, name)) for name in (b"first", b"last"))
    assert external_files(written(tmp_path, field(7, field(5, twice + field(14, 1))))) == [tmp_path / "last"]


@pytest.mark.parametrize(
    "within",
    [
        lambda t: field(7, field(1, field(5, field(5, t)))),  # an attribute of a node
        lambda t: field(7, field(1, field(5, field(10, t)))),
        lambda t: field(7, field(1, field(5, field(6, field(5, t))))),  # the body of a Loop
        lambda t: field(7, field(1, field(5, field(11, field(1, field(5, field(6, field(5, t)))))))),  # an If within it
        lambda t: field(7, field(15, field(1, t))),  # values, and indices, of a sparse tensor
        lambda t: field(7, field(15, field(2, t))),
        lambda t: field(7, field(1, field(5, field(22, field(1, t))))),
        lambda t: field(7, field(1, field(5, field(23, field(2, t))))),
        lambda t: field(25, field(7, field(5, field(5, t)))),  # a function's node, and the default of its attribute
        lambda t: field(25, field(11, field(5, t))),
        lambda t: field(20, field(1, field(5, t))),  # training
        lambda t: field(7, b"") + field(7, field(5, t)),  # a message in two pieces
    ],
)
def test_tensors_are_found_wherever_the_format_has_them(tmp_path: Path, within: Any):
    assert external_files(written(tmp_path, field(1, 8) + within(tensor("w.bin")))) == [tmp_path / "w.bin"]


@pytest.mark.parametrize("name", ["../w.bin", "/w.bin", "..", "sub/../../w.bin", "./../w.bin", ""])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="must lie in the folder"):
        external_files(written(tmp_path, naming("fine", name)))


@pytest.mark.parametrize("name", ["./w.bin", "sub/../w.bin", "..w.bin", "a/..b"])
def test_a_path_within_the_folder_is_none_of_these(tmp_path: Path, name: str):
    assert external_files(written(tmp_path, naming(name))) == [tmp_path / name]


def test_every_cut_that_is_no_whole_message_is_refused(tmp_path: Path):
    whole = naming("w.bin", "a" * 200)
    fine = [end for end in range(len(whole)) if not _refused(tmp_path, whole[:end])]
    assert fine == [0, 2]  # nothing, and the version alone


@pytest.mark.parametrize(
    "junk", [b"junk", b"\x00\x01", b"\xff" * 20, b"\x3a\xff\xff\xff\xff\x7f", b"\x0b", b"PK\x03\x04"]
)
def test_junk_is_refused(tmp_path: Path, junk: bytes):
    assert _refused(tmp_path, junk)


def test_messages_nested_without_end_are_refused(tmp_path: Path):
    graph = b""
    for _ in range(200):
        graph = field(1, field(5, field(6, graph)))
    assert _refused(tmp_path, field(7, graph))


def test_no_file(tmp_path: Path):
    with pytest.raises(MissingError):
        external_files(tmp_path / "net.onnx")


def _refused(folder: Path, content: bytes) -> bool:
    try:
        external_files(written(folder, content))
    except InputError as error:
        assert "not a whole ONNX file" in str(error)
        return True
    return False


# --- against onnx itself ---------------------------------------------------------------------------------------------


def test_as_onnx_s_own_helper_finds_them(tmp_path: Path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, external_data_helper, helper

    def outside(name: str, location: str) -> Any:
        made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
        for key, value in (("offset", "0"), ("location", location), ("length", "16")):
            made.external_data.add(key=key, value=value)
        return made

    def inside(name: str) -> Any:
        return helper.make_tensor(name, TensorProto.FLOAT, [4], [0.0] * 4)

    def body(location: str, *nodes: Any) -> Any:
        out = helper.make_tensor_value_info("o", TensorProto.FLOAT, [4])
        constant = helper.make_node("Constant", [], ["o"], value=outside("c", location + ".constant"))
        return helper.make_graph([constant, *nodes], "body", [], [out], [outside("w", location), inside("v")])

    inner = helper.make_node("If", ["b"], ["i"], then_branch=body("deep/then"), else_branch=body("deep/else"))
    loop = helper.make_node("Loop", ["n", "b"], ["l"], body=body("loop", inner))
    nodes = [helper.make_node("If", ["b"], ["y"], then_branch=body(NAMES[1]), else_branch=body(NAMES[2])), loop]
    weights = [outside(f"w{i}", name) for i, name in enumerate([*NAMES, NAMES[0]])] + [inside("w")]
    graph = helper.make_graph(nodes, "g", [], [], weights)
    function = helper.make_function(
        "d", "f", [], ["z"], [helper.make_node("Constant", [], ["z"], value=outside("z", "function.bin"))],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    model = helper.make_model(graph, functions=[function])
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())

    loaded = onnx.load(str(path), load_external_data=False)
    theirs = {
        external_data_helper.ExternalDataInfo(each).location
        for each in external_data_helper._get_all_tensors(loaded)
        if external_data_helper.uses_external_data(each)
    }
    assert len(theirs) == 16
    assert external_files(path) == sorted(tmp_path / name for name in theirs)


def test_gigabytes_of_raw_data_are_passed_over(tmp_path: Path):
    path = tmp_path / "net.onnx"
    size = 8 << 30  # of a sparse file, which takes no room on the disk
    last = field(7, field(5, tensor("w.bin")))
    head = field(5, b"")[:-1]
    inner = field(9, b"")[:-1] + b"\x80\x80\x80\x80\x20"  # raw data of 8 GiB
    tensors = head + varint(len(inner) + size) + inner
    with path.open("wb") as stream:
        stream.write(field(7, b"")[:-1] + varint(len(tensors) + size) + tensors)
        stream.seek(size, 1)
        stream.write(last)
    assert external_files(path) == [tmp_path / "w.bin"]
