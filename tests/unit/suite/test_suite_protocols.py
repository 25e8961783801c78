"""Which protocol an entry gets, and from where each of its settings comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hrbench import catalog
from hrbench.errors import UsageError
from hrbench.suite.load import load_suite
from hrbench.suite.protocols import merge_settings
from hrbench.suite.registry import CostOptions, known, named_protocols, protocol_for
from hrbench.tasks.segmentation.protocols import PLAIN, Inference
from hrbench.types import DatasetRow, Entry, Known, Variant


@dataclass(frozen=True)
class Windows:
    """Settings of a made-up task."""

    name: str = "plain"
    version: int = 1
    base: int = 0
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    corners: bool = False


NAMED = {each.name: each for each in (Windows(), Windows("hr", 2, 2048), Windows("hr-ocr", 1, 2048, corners=True))}
VARIANTS = [
    Variant("any", "net", "segmentation", (64, 64)),
    Variant("own", "net", "segmentation", (64, 64), protocol={"name": "hr-ocr", "flip": True}),
    Variant("nameless", "net", "segmentation", (64, 64), protocol={"corners": True}),
    Variant("boxes", "net", "detection", (64, 64), metrics=("box",)),
]
SETS = [
    DatasetRow("streets", "streets", "segmentation", ("iou",)),
    DatasetRow("rooms", "streets", "segmentation", ("iou",), protocols={"hr-ocr": {"base": 520, "scales": [1.0, 2.0]}}),
    DatasetRow("bound", "streets", "segmentation", ("iou",), fixed={"flip": True}),
    DatasetRow("things", "things", "detection", ("box", "mask")),
]
KNOWN = Known(
    variants={row.name: row for row in VARIANTS},
    datasets={row.name: row for row in SETS},
    protocols={"segmentation": Windows, "detection": Windows},
    metrics=("iou", "box", "mask"),
    exists=lambda group, name: name in ("net", "streets", "things"),
    named=lambda task, use: NAMED,
    costs=CostOptions(),
)

Load = Callable[[str], list[Entry]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(entries: str, known: Known = KNOWN) -> list[Entry]:
        path = tmp_path / "suite.yaml"
        path.write_text("suite: s\n" + dedent(entries))
        return list(load_suite(path, known).entries)

    return read


def settings(load: Load, text: str) -> dict[str, Any]:
    (entry,) = load(f"entries:\n  - {text}\n")
    return dict(entry.protocol)


REAL = replace(KNOWN, protocols={"segmentation": Inference}, named=lambda task, use: {"plain": PLAIN})
CROPPED = replace(SETS[0], protocols={"plain": {"crop": [48, 40]}})


@pytest.mark.parametrize("used", ["size: squash", "windows: cut", "windows: shifted, scales: [1, 1.5]"])
def test_windows_and_squashed_images_have_the_networks_input_where_nothing_states_their_size(load: Load, used) -> None:
    def crop(text: str, known: Known = REAL) -> list[int]:
        (entry,) = load(f"entries:\n  - {text}\n", known)
        return entry.protocol["crop"]

    assert crop(f"{{model: any, dataset: streets, protocol: {{{used}}}}}") == [64, 64]
    assert crop(f"{{model: any, dataset: streets, protocol: {{{used}, crop: [32, 48]}}}}") == [32, 48]
    of_data = replace(REAL, datasets={"streets": CROPPED})
    assert crop(f"{{model: any, dataset: streets, protocol: {{{used}}}}}", of_data) == [48, 40]
    own = Variant("own", "net", "segmentation", (64, 64), protocol={"name": "plain", "crop": [16, 16]})
    of_network = replace(REAL, variants={"own": own})
    assert crop(f"{{model: own, dataset: streets, protocol: {{{used}}}}}", of_network) == [16, 16]


def test_a_size_that_is_not_used_stays_what_keys_of_stored_results_hold(load: Load) -> None:
    for text in ("size: own", "windows: shifted", "windows: shifted, scales: [0.5, 1]"):
        (entry,) = load(f"entries:\n  - {{model: any, dataset: streets, protocol: {{{text}}}}}\n", REAL)
        assert entry.protocol["crop"] == [1024, 2048]


def test_the_first_protocol_holds_where_nothing_is_said(load: Load) -> None:
    found = settings(load, "{model: any, dataset: rooms}")
    assert found == {"name": "plain", "version": 1, "base": 0, "scales": [1.0], "flip": False, "corners": False}


def test_a_network_brings_its_own_and_the_data_set_its_sizes_for_it(load: Load) -> None:
    found = settings(load, "{model: own, dataset: rooms}")
    assert found["name"] == "hr-ocr" and found["base"] == 520 and found["scales"] == [1.0, 2.0]
    assert found["flip"] and found["corners"]


@pytest.mark.parametrize("said", ["hr", "{name: hr}"])
def test_a_suite_names_another_and_what_was_said_of_the_first_falls_away(load: Load, said: str) -> None:
    found = settings(load, f"{{model: own, dataset: rooms, protocol: {said}}}")
    assert found == {"name": "hr", "version": 2, "base": 2048, "scales": [1.0], "flip": False, "corners": False}


def test_settings_of_a_network_without_a_name_hold_for_any(load: Load) -> None:
    assert settings(load, "{model: nameless, dataset: streets, protocol: hr}")["corners"]


def test_the_suite_has_the_last_word_but_for_what_the_data_set_decides(load: Load) -> None:
    found = settings(load, "{model: own, dataset: rooms, protocol: {base: 100, flip: false}}")
    assert (found["base"], found["flip"]) == (100, False)
    assert settings(load, "{model: own, dataset: bound, protocol: {flip: false}}")["flip"]


def test_a_name_in_the_defaults_and_settings_in_an_entry_go_together(load: Load) -> None:
    (entry,) = load("""\
        defaults: {protocol: hr}
        entries:
          - {model: any, dataset: streets, protocol: {flip: true}}
        """)
    assert (entry.protocol["name"], entry.protocol["flip"]) == ("hr", True)


def test_an_unknown_protocol_and_a_version_are_refused(load: Load) -> None:
    with pytest.raises(UsageError, match=r"suite\.yaml:3: task segmentation has no protocol 'hrr'; did you mean hr"):
        settings(load, "{model: any, dataset: streets, protocol: hrr}")
    with pytest.raises(UsageError, match="version is not for suites to set"):
        settings(load, "{model: any, dataset: streets, protocol: {version: 3}}")


def test_entries_differ_by_the_name_of_their_protocol(load: Load) -> None:
    one, other = load("""\
        entries:
          - {model: any, dataset: streets}
          - {model: any, dataset: streets, protocol: hr}
        """)
    assert (one.name, other.name) == ("any", "any-hr")


def test_a_network_is_judged_by_what_it_can_be_judged_by(load: Load) -> None:
    (boxes, asked) = load("""\
        entries:
          - {model: boxes, dataset: things}
          - {name: asked, model: boxes, dataset: things, metrics: [mask]}
        """)
    assert boxes.metrics == ("box",)
    assert asked.metrics == ("mask",)  # a suite may ask for it all the same, and is told by the run


def test_batch_may_be_left_to_be_found(load: Load) -> None:
    (entry,) = load("entries:\n  - {model: any, dataset: streets, batch: auto}\n")
    assert entry.batch == "auto"
    with pytest.raises(UsageError, match="batch must be"):
        load("entries:\n  - {model: any, dataset: streets, batch: automatic}\n")


# --- the catalog's own rows ------------------------------------------------------------------------------------------


def of(task: str) -> dict[str, Any]:
    return named_protocols(task, "")


@pytest.mark.parametrize("name", [name for name, row in catalog.variants().items() if row.protocol])
def test_settings_of_a_network_are_those_of_its_protocol(name: str) -> None:
    row = catalog.variants()[name]
    named = of(row.task)
    chosen = row.protocol.get("name", next(iter(named)))
    assert chosen in named
    replace(named[chosen], **row.protocol)  # refuses a setting that there is not


@pytest.mark.parametrize("name", [name for name, row in catalog.datasets().items() if row.protocols or row.fixed])
def test_settings_of_a_data_set_are_those_of_its_protocols(name: str) -> None:
    row = catalog.datasets()[name]
    named = of(row.task)
    assert set(row.protocols) <= set(named)
    for chosen, given in row.protocols.items():
        replace(named[chosen], **given)
    for each in named.values():
        replace(each, **row.fixed)
    assert protocol_for(row)["version"] >= 1


def test_every_protocol_has_a_name_of_its_own_and_types_that_json_knows() -> None:
    for task, kind in known().protocols.items():
        for name, each in named_protocols(task, "").items():
            assert isinstance(each, kind) and each.name == name and each.version >= 1
            assert merge_settings(each, None, None)["name"] == name


# --- what nothing states ---------------------------------------------------------------------------------------------

COLOURS = ("model.colour", "model.mean", "model.std")


def assumed(folder: Path, task: str, model: str, more: str = "", dataset: str = "") -> tuple[str, ...]:
    data = dataset or {"classification": "imagenet-val", "segmentation": "cityscapes-val"}.get(task, "coco-val2017")
    size = ", input: [64, 64]" if "use" in model else ""
    path = folder / "s.yaml"
    path.write_text(f"suite: s\nentries: [{{model: {{{model}{size}}}, dataset: {data}{more}}}]")
    (entry,) = load_suite(path, known()).entries
    return entry.assumed


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("classification", ("protocol.crop_fraction", "protocol.interpolation")),
        ("segmentation", ("protocol.size",)),
        ("detection", ("protocol.resize",)),
    ],
)
def test_what_prepares_images_of_a_network_of_ones_own_is_assumed_until_it_is_stated(
    task: str, settings: tuple[str, ...], tmp_path: Path
):
    (tmp_path / "net.py").write_text("def fn(): ...\n")
    model = f'use: "net:fn", task: {task}'
    assert assumed(tmp_path, task, model) == (*COLOURS, *settings)
    assert assumed(tmp_path, task, model + ", mean: [0, 0, 0]") == ("model.colour", "model.std", *settings)
    first = settings[0].partition(".")[2]
    value = {"crop_fraction": "0.875", "size": "own", "resize": "none"}[first]
    # a default that the suite writes is stated
    assert assumed(tmp_path, task, model, f", protocol: {{{first}: {value}}}") == (*COLOURS, *settings[1:])
    name = known().named(task, "net:fn")
    assert assumed(tmp_path, task, model, f", protocol: {next(iter(name))}") == COLOURS
    every = "colour: bgr, mean: [0, 0, 0], std: [1, 1, 1]"
    assert assumed(tmp_path, task, f"{model}, {every}", f", protocol: {next(iter(name))}") == ()


@pytest.mark.parametrize(
    "model",
    [
        "base: cls_hrnet_w18",
        'base: cls_hrnet_w18, use: "net:fn"',  # as its base is fed
        "use: cls_hrnet, task: classification",
        'use: "timm:resnet10t"',
        'use: "torchvision:resnet18", task: classification',
    ],
)
def test_a_base_the_catalog_and_a_librarys_configuration_state_how_images_are_prepared(model: str, tmp_path: Path):
    (tmp_path / "net.py").write_text("def fn(): ...\n")
    assert assumed(tmp_path, "classification", model) == ()


def test_a_file_of_a_fixed_size_states_no_colours_and_one_of_bytes_does(tmp_path: Path):
    onnx = pytest.importorskip("onnx")
    for name, kind in (("floats", onnx.TensorProto.FLOAT), ("bytes", onnx.TensorProto.UINT8)):
        image = onnx.helper.make_tensor_value_info("x", kind, [1, 3, 64, 64])
        out = onnx.helper.make_tensor_value_info("y", kind, [1, 3, 64, 64])
        node = onnx.helper.make_node("Identity", ["x"], ["y"])
        onnx.save(
            onnx.helper.make_model(onnx.helper.make_graph([node], "g", [image], [out])), tmp_path / f"{name}.onnx"
        )
    assert assumed(tmp_path, "segmentation", 'use: "onnx:floats.onnx", task: segmentation') == COLOURS
    assert assumed(tmp_path, "segmentation", 'use: "onnx:bytes.onnx", task: segmentation') == ()
