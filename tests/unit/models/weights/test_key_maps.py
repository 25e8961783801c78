from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from empty import on_meta
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hrbench.catalog import variants
from hrbench.errors import InputError
from hrbench.models.build import build
from hrbench.models.detectors.fcos import fcos
from hrbench.models.hrnet import det_hrnetv2p, pose_hrnet, seg_hrnet
from hrbench.models.spinenet import spinenet
from hrbench.models.weights.arrays import read_h5
from hrbench.models.weights.key_maps import (
    SAME_KEYS,
    BuildRequirement,
    KeyMap,
    Translated,
    rename,
    translations,
    unmet_requirements,
)
from hrbench.models.weights.keys import MAPS, SOURCES, candidates
from hrbench.models.weights.keys.official import inplace_abn
from hrbench.models.weights.keys.spinenet_keras import keras_variables
from hrbench.models.weights.load import load, read_state, save

TINY: dict[str, Any] = {"widths": (2, 2, 2, 2), "stem": 2, "modules": (1, 1, 1), "blocks": 1, "layer1": 1}


def tiny_pose() -> nn.Module:
    return pose_hrnet(joints=3, **TINY)


def in_mmpose(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state under the names that mmpose gives it."""
    return {("head." if key.startswith("final") else "backbone.") + key: value for key, value in state.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.safetensors"


# --- which maps ------------------------------------------------------------------------------------------------------


def names(source: str, use: str) -> list[str]:
    return [each.name for each in candidates(source, use)]


def test_a_source_has_its_own_maps_and_a_bare_path_all_of_them() -> None:
    assert names("openmmlab", "pose_hrnet") == ["the official code", "mmpose"]
    assert names("official", "pose_hrnet") == ["the official code"]
    assert names("file", "cls_hrnet") == ["the official code", "mmpretrain"]
    assert names("timm", "cls_hrnet") == ["the official code"]
    assert names("keras", "spinenet") == ["the network's own keys", "TensorFlow's SpineNet"]
    assert names("file", "package.module:network") == ["the network's own keys"]
    assert names("torchvision", "torchvision:fcn_resnet50") == ["the network's own keys", "torchvision"]


def test_openmmlabs_detectors_have_our_keys_but_must_have_its_conventions() -> None:
    early = "HRNet-Object-Detection and mmdetection 1"
    assert names("openmmlab", "mask_rcnn") == [early, "mmdetection 2 and 3"]
    assert names("openmmlab", "fcos") == [early, "mmdetection 2 and 3", "mmdetection 2.0"]
    assert names("file", "fcos")[0] == "the network's own keys"


@pytest.mark.parametrize("source", ["official", "file", ""])
def test_mmdetections_keys_in_a_detector_of_the_other_convention_are_pointed_out(source: str, tmp_path: Path) -> None:
    """Both conventions of FCOS have the same keys and shapes: a file that nobody says the source of may be either's."""
    net = fcos(det_hrnetv2p(16, keys="mmdet3", stride=2, channels=32, blocks=1, layer1=1), 2, "mmdet1")
    save(net, tmp_path / "fcos.safetensors")
    (note,) = load(net, tmp_path / "fcos.safetensors", source=source, use="fcos").notes
    assert note == (
        "mmdetection 2 and 3 has the same keys; a file of it is to be loaded with convention='mmdet3' "
        "(this network has 'mmdet1')"
    )
    later = fcos(det_hrnetv2p(16, keys="mmdet3", stride=2, channels=32, blocks=1, layer1=1), 2)
    assert load(later, tmp_path / "fcos.safetensors", source=source, use="fcos").notes == ()


def test_tensorflows_variables_are_refused_by_the_other_padding_convention(tmp_path: Path) -> None:
    arrays = {each.name: np.zeros(each.shape, np.float32) for each in keras_variables("49S")}
    np.savez(tmp_path / "w.npz", **arrays)
    load(spinenet("49S"), tmp_path / "w.npz", source="keras", use="spinenet")
    with pytest.raises(InputError, match=r"built with padding='tf2' \(this network has 'tf1'\)"):
        load(spinenet("49S", padding="tf1"), tmp_path / "w.npz", source="keras", use="spinenet")


def test_every_map_says_for_what_and_from_where_it_is() -> None:
    for each in MAPS:
        assert each.name and each.sources and each.uses
        assert each.name_table is None or each.rules == SAME_KEYS
        assert all(reason for _, reason in (*each.ignored, *each.zeroed))


def translate(key_map: KeyMap, state: dict[str, Tensor], net: nn.Module, target: dict[str, Tensor]) -> Translated:
    """What the map makes of keys that share no prefix."""
    (found,) = translations(key_map, state, net, target)
    return found


# --- what a map does -------------------------------------------------------------------------------------------------


def test_a_key_of_which_no_rule_speaks_and_one_that_comes_second_are_left_over() -> None:
    key_map = KeyMap("other", (), (), rules=((r"a\.(.+)", r"\1"), (r"b\.(w)", r"\1")))
    one, two, three = (torch.full((1,), float(i)) for i in range(3))
    assert rename(key_map, {"a.w": one, "b.w": two, "c": three}, {}) == ({"w": one}, ["b.w", "c"])


def test_keys_beside_the_network_are_told_with_the_reason_and_never_taken_from_it() -> None:
    net = nn.ModuleDict({"loss": nn.Linear(1, 1)})
    key_map = KeyMap("other", (), (), ignored=((r"loss\..+", "the loss"),))
    state = {**net.state_dict(), "loss.a": torch.zeros(1), "loss.b": torch.zeros(1)}
    found = translate(key_map, state, net, net.state_dict())
    assert found.state.keys() == net.state_dict().keys()
    assert found.notes == ("loss.a and 1 more beside the network: the loss",)


def test_what_a_source_does_without_is_zero_also_in_a_network_that_had_other_values() -> None:
    net = nn.Conv2d(1, 1, 1)
    key_map = KeyMap("other", (), (), zeroed=((r"bias", "it has none"),))
    found = translate(key_map, {"weight": torch.ones(1, 1, 1, 1)}, net, net.state_dict())
    assert float(found.state["bias"]) == 0
    assert found.notes == ("bias set to 0: it has none",)


def test_what_a_source_does_without_is_absent_all_together_or_missing() -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    key_map = KeyMap("other", (), (), zeroed=((r"\d\.bias", "it has none"),))
    state = {key: value for key, value in net.state_dict().items() if key != "1.bias"}
    assert translate(key_map, state, net, net.state_dict()).state.keys() == state.keys()


# --- the catalog -----------------------------------------------------------------------------------------------------


def rows_of_openmmlab() -> list[str]:
    """One catalog row for each entry point and each way of building it that one of the maps asks for."""
    wanted = {want.attribute for each in MAPS for want in each.requires}
    found = {}
    for name, row in variants().items():
        if "openmmlab" in row.weights:
            found.setdefault((row.use, *(row.args.get(attribute) for attribute in sorted(wanted))), name)
    return list(found.values())


def test_every_source_that_the_catalog_names_has_maps() -> None:
    assert {source for row in variants().values() for source in row.weights} - {"shipped"} <= SOURCES


@pytest.mark.parametrize("name", rows_of_openmmlab())
def test_a_row_with_weights_of_openmmlab_is_built_as_openmmlabs_network(name: str) -> None:
    with on_meta():
        net = build(name)
    maps = [each for each in candidates("openmmlab", variants()[name].use) if "openmmlab" in each.sources]
    assert any(not unmet_requirements(each, net) for each in maps)


def test_mmpose_baselines_of_the_catalog_read_rgb() -> None:
    rows = [row for row in variants().values() if row.use == "pose_resnet" and "openmmlab" in row.weights]
    assert all(row.colour == "rgb" for row in rows)


# --- loading by a map ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["openmmlab", "file"])
@pytest.mark.parametrize("head", ["head.", "keypoint_head."])
def test_mmposes_names_of_both_generations(source: str, head: str, path: Path) -> None:
    state, net = tiny_pose().state_dict(), tiny_pose()
    theirs = {key.replace("head.", head) if key.startswith("head.") else key: v for key, v in in_mmpose(state).items()}
    save(theirs | {"data_preprocessor.mean": torch.zeros(3, 1, 1)}, path)
    report = load(net, path, source=source, use="pose_hrnet")
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert report.notes == (
        "data_preprocessor.mean beside the network: mean and deviation of the input, which the catalog states",
        "keys renamed from those of mmpose",
    )


def test_a_file_of_another_source_than_the_one_that_was_named_is_refused(path: Path) -> None:
    save(in_mmpose(tiny_pose().state_dict()), path)
    with pytest.raises(InputError, match=r"left over: backbone\."):
        load(tiny_pose(), path, source="official", use="pose_hrnet")


def test_the_misfits_of_the_nearest_map_are_listed_with_its_name(path: Path) -> None:
    state = in_mmpose(tiny_pose().state_dict())
    del state["head.final_layer.bias"]
    save(state, path)
    with pytest.raises(InputError, match=r"\(read as mmpose\), .*; 1 missing from the file: final_layer\.bias$"):
        load(tiny_pose(), path, use="pose_hrnet")


def test_mmpose_reads_rgb_and_says_so_of_the_baseline_that_officially_reads_bgr() -> None:
    _, mmpose = candidates("openmmlab", "pose_resnet")
    found = translate(mmpose, {"keypoint_head.deconv_layers.0.weight": torch.zeros(1)}, nn.Identity(), {})
    assert list(found.state) == ["deconv_layers.0.weight"]
    assert "the variant's colour must be rgb" in found.notes[-1]


def test_a_network_that_computes_otherwise_than_the_source_is_refused(path: Path) -> None:
    net = seg_hrnet(classes=2, align_corners=True, **TINY)
    heads = {"last_layer.0.": "decode_head.convs.0.conv.", "last_layer.1.": "decode_head.convs.0.bn."}
    heads["last_layer.3."] = "decode_head.conv_seg."
    state = {}
    for key, value in net.state_dict().items():
        head = next((each for each in heads if key.startswith(each)), None)
        if key != "last_layer.0.bias":
            state["backbone." + key if head is None else key.replace(head, heads[head])] = value
    save(state, path)
    message = r"nothing was loaded; the network must be built with align_corners=False \(this network has True\)"
    with pytest.raises(InputError, match=message):
        load(net, path, source="openmmlab", use="seg_hrnet")
    other = seg_hrnet(classes=2, align_corners=False, **TINY)
    assert "last_layer.0.bias set to 0: " in load(other, path, source="openmmlab", use="seg_hrnet").notes[-1]
    assert not other.state_dict()["last_layer.0.bias"].any()


def test_in_place_abn_scales_norms_alone_and_only_files_without_counters() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    state = {"0.weight": torch.full((2, 1, 1, 1), -3.0), "1.weight": torch.tensor([-0.5, 0.25])}
    changed, note = inplace_abn(state, net)
    assert torch.equal(changed["1.weight"], torch.tensor([0.5 + 1e-5, 0.25 + 1e-5]))
    assert torch.equal(changed["0.weight"], state["0.weight"])
    assert "in-place ABN" in note
    counted = {**state, "1.num_batches_tracked": torch.tensor(3)}
    assert inplace_abn(counted, net) == (counted, "")


@pytest.mark.parametrize("use", ["seg_hrnet", "pose_hrnet", ""])
def test_files_without_counters_are_rescaled_for_segmentation_alone(use: str, path: Path) -> None:
    net = seg_hrnet(classes=2, **TINY)
    state = {key: -torch.ones_like(v) for key, v in net.state_dict().items() if not key.endswith("tracked")}
    save(state, path)
    load(net, path, source="official", use=use)
    assert float(net.state_dict()["bn1.weight"][0]) == pytest.approx(1.00001 if use == "seg_hrnet" else -1, rel=1e-7)
    assert float(net.state_dict()["bn1.bias"][0]) == -1


# --- names of detectors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.stage4.2.fuse_layers.3.2.0.1.bias", "backbone.stage4.2.fuse_layers.3.2.0.1.bias"),
        ("neck.reduction_conv.0.weight", "neck.reduction_conv.conv.weight"),
        ("neck.reduction_conv.conv.weight", "neck.reduction_conv.conv.weight"),
        ("neck.fpn_conv.4.bias", "neck.fpn_convs.4.conv.bias"),
        ("neck.lateral_convs.0.conv.bias", "neck.lateral_convs.0.conv.bias"),
        ("rpn_head.rpn_cls.bias", "rpn_head.rpn_cls.bias"),
        ("bbox_head.fc_cls.weight", "roi_head.bbox_head.fc_cls.weight"),
        ("bbox_head.2.shared_fcs.0.bias", "roi_head.bbox_head.2.shared_fcs.0.bias"),
        ("mask_head.1.convs.3.conv.bias", "roi_head.mask_head.1.convs.3.conv.bias"),
        ("mask_head.conv_logits.bias", "roi_head.mask_head.conv_logits.bias"),
        ("bbox_head.fcos_centerness.bias", "bbox_head.conv_centerness.bias"),
        ("bbox_head.cls_convs.3.gn.bias", "bbox_head.cls_convs.3.gn.bias"),
        ("bbox_head.scales.4.scale", "bbox_head.scales.4.scale"),
        ("bbox_head.retina_cls.bias", None),
    ],
)
def test_mmdetection_1(theirs: str, ours: str | None) -> None:
    (key_map,) = (each for each in candidates("official", "faster_rcnn") if each.requires)
    assert key_map.requires == (BuildRequirement("convention", "mmdet1"),)
    value = torch.zeros(1)
    assert rename(key_map, {theirs: value}, {}) == (({ours: value}, []) if ours else ({}, [theirs]))


def test_fcos_of_mmdetection_2_under_both_names_of_its_outputs() -> None:
    _, _, early = candidates("openmmlab", "fcos")
    value = torch.zeros(1)
    theirs = {"bbox_head.fcos_reg.bias": value, "bbox_head.cls_convs.0.gn.bias": value}
    assert list(rename(early, theirs, {})[0]) == ["bbox_head.conv_reg.bias", "bbox_head.cls_convs.0.gn.bias"]
    assert early.requires == (BuildRequirement("convention", "mmdet3"),)


# --- a file that was tampered with -----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(data=st.data())
def test_a_key_missing_added_or_reshaped_is_refused_and_nothing_is_loaded(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    net = tiny_pose()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = {key: torch.randint(9, value.shape).to(value.dtype) for key, value in before.items()}
    if data.draw(st.booleans(), label="of mmpose"):
        state = in_mmpose(state)
    victim = data.draw(st.sampled_from(sorted(state)), label="victim")
    kind = data.draw(st.sampled_from(["missing", "extra", "reshaped", "renamed"]), label="kind")
    if kind in ("extra", "renamed"):
        state[victim + data.draw(st.sampled_from(["x", ".0", "_"]))] = state[victim]
    if kind in ("missing", "renamed"):
        del state[victim]
    if kind == "reshaped":
        state[victim] = state[victim].unsqueeze(0)
    save(state, path)
    with pytest.raises(InputError, match="nothing was loaded; "):
        load(net, path, source=data.draw(st.sampled_from(["openmmlab", "file", ""])), use="pose_hrnet")
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


# --- arrays by name --------------------------------------------------------------------------------------------------


def test_npz_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"conv2d/kernel:0": np.ones((1, 2, 3, 4), np.float32)})
    assert read_state(tmp_path / "w.npz")["conv2d/kernel:0"].shape == (1, 2, 3, 4)
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "w.npz").read_bytes()[:90])
    for name in ("objects.npz", "cut.npz"):
        with pytest.raises(InputError, match=r"not a whole \.npz file of numbers"):
            read_state(tmp_path / name)


def test_h5_files_of_save_weights_whole_models_and_other_writers(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    for whole in (False, True):
        with h5py.File(tmp_path / "keras.h5", "w") as file:
            root = file.create_group("model_weights") if whole else file
            root.attrs["layer_names"] = [b"conv2d", b"activation"]
            root.create_group("activation").attrs["weight_names"] = []
            layer = root.create_group("conv2d")
            layer.attrs["weight_names"] = [b"conv2d/kernel:0"]
            layer["conv2d/kernel:0"] = np.ones((1, 1, 2, 3), np.float32)
        assert {key: tuple(v.shape) for key, v in read_h5(tmp_path / "keras.h5").items()} == {
            "conv2d/kernel:0": (1, 1, 2, 3)
        }
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["stem/conv2d/kernel"] = np.zeros(3)
    assert list(read_h5(tmp_path / "plain.h5")) == ["stem/conv2d/kernel"]
    (tmp_path / "cut.h5").write_bytes((tmp_path / "keras.h5").read_bytes()[:700])
    with pytest.raises(InputError, match=r"not a whole \.h5 file"):
        read_state(tmp_path / "cut.h5")
