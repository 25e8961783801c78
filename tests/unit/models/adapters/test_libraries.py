"""Networks of timm, torchvision, transformers and segmentation-models-pytorch: keys, outputs, counts, refusals."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hrbench.core.plugins import LIBRARIES, arguments, exists, libraries, names, resolve
from hrbench.cost.operations.count import count_operations, on_meta
from hrbench.cost.parameters import parameter_costs
from hrbench.errors import EntryError, InputError, MissingError, UsageError
from hrbench.models.adapters.shared import checked, described, with_checked_output
from hrbench.models.adapters.transformers import _boxes, _semantic
from hrbench.models.build import build
from hrbench.models.weights.load import load, save

pytestmark = pytest.mark.numeric

OFFLINE = {"HF_HUB_OFFLINE": "1"}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
# use, task, input, arguments -> shapes of what it returns for a batch of two
CASES = [
    ("timm:resnet10t", "classification", (32, 48), {"num_classes": 7}, [(2, 7)]),
    ("timm:vit_tiny_patch16_224", "classification", (32, 48), {"depth": 2}, [(2, 1000)]),
    ("torchvision:vit_b_32", "classification", (64, 64), {"num_classes": 3}, [(2, 3)]),
    ("timm:resnet10t", "backbone", (64, 64), {"out_indices": [1, 2]}, [(2, 64, 16, 16), (2, 128, 8, 8)]),
    ("timm:swin_s3_tiny_224", "backbone", (224, 224), {"out_indices": [0]}, [(2, 96, 56, 56)]),
    ("torchvision:shufflenet_v2_x0_5", "classification", (32, 48), {}, [(2, 1000)]),
    ("torchvision:googlenet", "classification", (64, 64), {"aux_logits": False}, [(2, 1000)]),
    ("torchvision:lraspp_mobilenet_v3_large", "segmentation", (32, 48), {"num_classes": 5}, [(2, 5, 32, 48)]),
    ("torchvision:mobilenet_v3_small", "backbone", (64, 64), {"nodes": ["features.1", "features.4"]},
     [(2, 16, 16, 16), (2, 40, 4, 4)]),
    ("smp:unet", "segmentation", (32, 64), {"encoder": "resnet18", "classes": 5}, [(2, 5, 32, 64)]),
    ("smp:segformer", "segmentation", (32, 64), {"encoder_name": "mit_b0", "encoder_weights": None}, [(2, 1, 32, 64)]),
    ("transformers:vit", "classification", (32, 48), {"image_size": [32, 48], **TINY}, [(2, 2)]),
    ("transformers:segformer", "segmentation", (32, 64), {"num_labels": 5, "depths": [1, 1, 1, 1]}, [(2, 5, 8, 16)]),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def make(use: str, task: str, size: tuple[int, int] | None = None, **args) -> nn.Module:
    known = {"task": task} | ({"input": size} if use.partition(":")[0] in ("timm", "torchvision") else {})
    return resolve("hrbench.models", use)(**known, **args).eval()


@pytest.mark.parametrize(("use", "task", "size", "args", "shapes"), CASES)
def test_outputs_are_those_of_the_task_and_operations_are_counted(use, task, size, args, shapes):
    net = make(use, task, size, **args)
    with torch.inference_mode():
        output = net(torch.rand(2, 3, *size))
    assert [tuple(each.shape) for each in (output if isinstance(output, list) else [output])] == shapes
    if task == "backbone":
        assert list(net.channels) == [shape[1] for shape in shapes]
        assert list(net.strides) == [size[0] // shape[2] for shape in shapes]
    shaped = on_meta(lambda: make(use, task, size, **args))
    assert count_operations(shaped, (1, 3, *size)).total("macs") > 0
    assert parameter_costs(shaped)[0].value == parameter_costs(net)[0].value > 0


def test_keys_are_the_library_s_own(tmp_path: Path):
    import timm

    theirs = timm.create_model("resnet10t", num_classes=7)
    save(theirs, tmp_path / "w.safetensors")
    ours = make("timm:resnet10t", "classification", num_classes=7)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    load(ours, tmp_path / "w.safetensors")
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(ours(image), theirs.eval()(image))
    part = make("torchvision:resnet18", "backbone")
    whole = make("torchvision:resnet18", "classification").state_dict()
    assert set(part.state_dict()) == {key for key in whole if not key.startswith("fc.")}


DETECTORS = ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_takes_images_as_they_are_and_numbers_classes_from_zero(name: str):
    """The library's own answer to raw images is that of ours to normalised ones, where nothing need be resized."""
    from torchvision.models import get_model

    rcnn = name.startswith("faster")
    side, every = (96, {"box_score_thresh": 0.0}) if rcnn else (320, {"score_thresh": 0.0})
    own_size = {"min_size": side, "max_size": side} if rcnn else {}
    torch.manual_seed(0)
    theirs = get_model(name, weights=None, weights_backbone=None, **every, **own_size).eval()
    ours = make(f"torchvision:{name}", "detection", **every)
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(3, side, side, generator=torch.Generator().manual_seed(1))
    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (theirs.transform.image_mean, theirs.transform.image_std)
    )
    with torch.inference_mode():
        (wanted,), (found,) = theirs([image]), ours([(image - mean) / std])
    assert len(found["boxes"]) > 5
    assert torch.equal(found["labels"], wanted["labels"] - 1) and found["labels"].min() >= 0
    torch.testing.assert_close(found["boxes"], wanted["boxes"], rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(found["scores"], wanted["scores"], rtol=1e-4, atol=1e-6)


def test_detectors_are_counted_by_part():
    conditions = {}
    for name in (*DETECTORS, "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn"):
        net = on_meta(lambda name=name: make(f"torchvision:{name}", "detection"))
        ledger = count_operations(net, (1, 3, 64, 64))
        conditions[name] = {key: value for key, value in ledger.conditions.items() if key != "not counted"}
        assert "NMS" in ledger.conditions["not counted"] and ledger.total("macs") > 0
        if conditions[name]:  # the box head is seen once for every proposal
            more = count_operations(net, (1, 3, 64, 64), proposals=1001).total("macs") - ledger.total("macs")
            assert more == sum(p.numel() for k, p in net.named_parameters() if "roi_heads.box" in k and "weight" in k)
    assert list(conditions.values()) == [{"proposals": 1000}, {}, {"proposals": 1000, "masks": 100}, {}]


def test_masks_are_crops_and_background_is_left_out():
    from hrbench.models.adapters.torchvision import _from_zero

    raw = {"boxes": torch.zeros(3, 4), "labels": torch.tensor([0, 1, 5]), "scores": torch.ones(3),
           "masks": torch.tensor([0.9, 0.4, 0.6]).view(3, 1, 1, 1).expand(3, 1, 2, 2)}  # fmt: skip
    (found,) = _from_zero([raw])
    assert found["labels"].tolist() == [0, 4] and found["boxes"].shape == (2, 4)
    assert set(found) == {"boxes", "labels", "scores", "mask_crops"}
    torch.testing.assert_close(found["mask_crops"][:, 0, 0], torch.tensor([0.4, 0.6]))


# --- transformers ----------------------------------------------------------------------------------------------------


def test_class_and_mask_queries_by_their_formula():
    classes = torch.log(torch.tensor([[[0.6, 0.1, 0.3], [0.2, 0.7, 0.1]]]))  # two queries, two classes and "no object"
    masks = torch.logit(torch.tensor([[[[0.5]], [[0.25]]]]))
    found = _semantic(None, {"class_queries_logits": classes, "masks_queries_logits": masks})
    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([0.6 * 0.5 + 0.2 * 0.25, 0.1 * 0.5 + 0.7 * 0.25]))


@pytest.mark.parametrize("extra", [True, False])
def test_boxes_of_queries_in_pixels_of_each_image(extra: bool):
    net = nn.Module()
    net.__dict__["_sizes"] = [(100, 200)]
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.1, 0.2]]])
    probabilities = torch.tensor([[[0.1, 0.3, 0.6], [0.7, 0.2, 0.1]]])  # with "no object": 2 classes, else 3
    logits = torch.log(probabilities) if extra else torch.logit(probabilities)
    (found,) = _boxes(2 if extra else 3, net, None, {"logits": logits, "pred_boxes": boxes})
    first, second = [80.0, 30.0, 120.0, 70.0], [40.0, 40.0, 60.0, 60.0]
    if extra:
        assert found["labels"].tolist() == [1, 0]
        torch.testing.assert_close(found["scores"], torch.tensor([0.3, 0.7]))
        torch.testing.assert_close(found["boxes"], torch.tensor([first, second]))
    else:
        assert found["labels"].tolist() == [0, 2]
        torch.testing.assert_close(found["scores"], torch.tensor([0.7, 0.6]))
        torch.testing.assert_close(found["boxes"], torch.tensor([second, first]))


def test_a_detector_with_and_without_a_mask():
    few = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    small = {"d_model": 32, "num_queries": 6, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, **few}
    detr = make("transformers:detr", "detection", **small)
    images = [torch.rand(3, 32, 64), torch.rand(3, 64, 32)]
    with torch.inference_mode():
        both, alone = detr(images), detr(images[:1])
    assert [each["boxes"].shape for each in both] == [(6, 4), (6, 4)]
    torch.testing.assert_close(both[0]["boxes"], alone[0]["boxes"], rtol=0.05, atol=2.0)
    yolos = make("transformers:yolos", "detection", image_size=[32, 64], **TINY)
    assert len(yolos(torch.rand(2, 3, 32, 64))) == 2
    with pytest.raises(UsageError, match="takes images of one size in a batch, not of 2"):
        yolos(images)


def test_weights_in_a_folder(tmp_path: Path):
    import transformers

    config = transformers.ViTConfig(image_size=32, num_labels=3, **TINY)
    theirs = transformers.ViTForImageClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = make(f"transformers:{tmp_path}", "classification", weights=True)
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(ours(image), theirs(image).logits)
    drawn = make(f"transformers:{tmp_path}", "")
    assert list(drawn.state_dict()) == list(theirs.state_dict()) and not torch.equal(drawn(image), ours(image))
    with pytest.raises(InputError, match=r"do not fit ViTForImageClassification; .* of another shape"):
        make(f"transformers:{tmp_path}", "classification", weights=True, num_labels=9)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(InputError, match=r"the weights in .* cannot be read \(damaged\?\): Safetensor"):
        make(f"transformers:{tmp_path}", "classification", weights=True)


def test_poses_and_experts():
    small = {"image_size": [32, 16], "patch_size": [16, 16], **{k: v for k, v in TINY.items() if k[0] != "i"}}
    import transformers

    for experts in (1, 6):
        backbone = transformers.VitPoseBackboneConfig(num_experts=experts, part_features=8, **small)
        net = make("transformers:vitpose", "pose", backbone_config=backbone, num_labels=4)
        assert net(torch.rand(2, 3, 32, 16)).shape == (2, 4, 8, 4)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "task", "message"),
    [
        ("timm:resnet10x", "classification", r"has no model 'resnet10x'; did you mean resnet10t\?"),
        ("timm:resnet10t", "pose", "is for classification and backbone, not for pose"),
        ("torchvision:fcn_resnet5", "segmentation", r"has no image model 'fcn_resnet5'; did you mean fcn_resnet50\?"),
        ("torchvision:fcn_resnet50", "detection", "is for segmentation, not for detection"),
        ("torchvision:alexnet", "backbone", "say which modules give its maps with `nodes`; it consists of features"),
        ("smp:Unett", "segmentation", r"has no 'Unett'; did you mean Unet\?"),
        ("transformers:segfomer", "segmentation", r"knows no kind 'segfomer', .*did you mean segformer\?"),
        ("transformers:vit", "detection", "is a vit, of which transformers has none for detection"),
    ],
)
def test_unknown_names_and_other_tasks(use: str, task: str, message: str):
    with pytest.raises(UsageError, match=message):
        make(use, task)


@pytest.mark.parametrize(
    ("use", "task", "args"),
    [
        ("timm:resnet10t", "classification", {"pretrained": True}),
        ("timm:resnet10t", "classification", {"checkpoint_path": "x.pth"}),
        ("torchvision:resnet18", "classification", {"weights": "DEFAULT"}),
        ("torchvision:fcn_resnet50", "segmentation", {"weights_backbone": "DEFAULT"}),
        ("smp:Unet", "segmentation", {"encoder_weights": "imagenet"}),
    ],
)
def test_weights_are_not_the_library_s_to_load(use: str, task: str, args: dict):
    with pytest.raises(UsageError, match=f"{use} is built without weights: leave '{next(iter(args))}' out, and give"):
        make(use, task, **args)


@pytest.mark.parametrize(
    ("use", "args", "hint"),
    [
        ("torchvision:fcn_resnet50", {"num_clases": 3}, "num_classes"),  # its builder passes over what it does not name
        ("torchvision:fasterrcnn_resnet50_fpn", {"box_score_tresh": 0.1}, "box_score_thresh"),
        ("torchvision:mobilenet_v3_small", {"dilatd": True}, "dilated"),
        ("timm:hrnet_w18_small", {"num_clases": 3}, ""),
        ("smp:Unet", {"decoder_chanels": [8]}, "decoder_channels"),
        ("smp:Unet", {"encoder": "tu-resnet18", "decoder_chanels": [8]}, ""),
        ("transformers:segformer", {"num_lables": 3}, "num_labels"),
        ("transformers:upernet", {"backbone_config": {"model_type": "resnet", "dephts": [1, 1, 1, 1]}}, "depths"),
        ("transformers:upernet", {"backbone_config": {"model_type": "swin", "dephts": [1, 1, 1, 1]}}, "depths"),
    ],
)
def test_arguments_that_a_library_would_pass_over_are_refused(use: str, args: dict, hint: str):
    right = ("backbone_config", "encoder", "model_type")
    misspelt = next(name for name in (*args, *args.get("backbone_config", {})) if name not in right)
    said = f"takes no argument '{misspelt}'; did you mean {hint}" if hint else misspelt
    with pytest.raises(UsageError, match=said):
        build(use, **args)


@pytest.mark.parametrize(
    ("use", "args"),
    [
        ("torchvision:fasterrcnn_resnet50_fpn", {"rpn_pre_nms_top_n_test": 10, "size_divisible": 64}),
        ("torchvision:fasterrcnn_mobilenet_v3_large_320_fpn", {"box_nms_thresh": 0.3, "num_classes": 3}),
        ("torchvision:mobilenet_v3_small", {"width_mult": 0.5, "num_classes": 3}),
        ("smp:Unet", {"encoder": "tu-resnet10t", "encoder_depth": 3, "decoder_channels": [8, 8, 8]}),
        ("transformers:vit", {"num_labels": 3, "attn_implementation": "eager", "id2label": {"0": "a"}, **TINY}),
        ("transformers:segformer", {"num_hidden_layers": 4}),  # another name of a field
    ],
)
def test_arguments_that_a_library_hands_on_are_taken(use: str, args: dict):
    task = {"task": "classification"} if use == "transformers:vit" else {}
    assert sum(each.numel() for each in on_meta(lambda: build(use, **task, **args)).parameters()) > 0


def test_every_network_of_torchvision_has_its_number_of_classes():
    from torchvision import models

    from hrbench.models.adapters.torchvision import _known

    names = [name for name in models.list_models() if not name.startswith(("raft", "quantized"))]
    assert len(names) > 100
    assert not [name for name in names if "num_classes" not in _known(models.get_model_builder(name), "classification")]


def test_code_that_comes_with_a_network_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mark = tmp_path / "ran"
    (tmp_path / "theirs.py").write_text(f"open({str(mark)!r}, 'w')\nclass Config: pass\n")
    settings = {"model_type": "theirs", "auto_map": {"AutoConfig": "theirs.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("nobody should be asked"))
    with pytest.raises(UsageError, match="is built by code of its own, which is not run"):
        make(f"transformers:{tmp_path}", "classification")
    assert not mark.exists()


def test_compiled_code_of_the_hub_is_not_run(tmp_path: Path):
    for fields in (
        {"attn_implementation": "org/kernel"},
        {"backbone_config": {"_attn_implementation": "org/kernel:x"}},
    ):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", **TINY, **fields}))
        with pytest.raises(UsageError, match=r"asks for code of org/kernel.* to run its attn_implementation"):
            make(f"transformers:{tmp_path}", "classification")
    with pytest.raises(UsageError, match="asks for code of org/kernel"):
        make("transformers:vit", "classification", attn_implementation="org/kernel", **TINY)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", "attn_implementation": "eager", **TINY}))
    assert make(f"transformers:{tmp_path}", "classification")


def test_a_repository_that_is_not_here_and_a_folder_that_is_none(tmp_path: Path):
    with pytest.raises(MissingError, match="is not in the hub's cache; get it by `hf download nobody/nothing`"):
        make("transformers:nobody/nothing", "detection")
    with pytest.raises((MissingError, UsageError), match=r"there is no folder with a config\.json"):
        make(f"transformers:{tmp_path}", "detection")


@pytest.mark.parametrize("source", LIBRARIES)
def test_an_absent_library_says_what_to_install(source: str, monkeypatch: pytest.MonkeyPatch):
    for module in LIBRARIES[source]:
        monkeypatch.setitem(sys.modules, module, None)
    wanted = "torchvision" if source == "torchvision" else f"'hrbench\\[{source}\\]'"
    with pytest.raises(MissingError, match=f"^{source}:net needs .*, which is not installed: pip install {wanted}$"):
        resolve("hrbench.models", f"{source}:net")


# --- names and shapes ------------------------------------------------------------------------------------------------


def test_sources_are_entry_points_of_their_own():
    assert set(LIBRARIES) | {"exported"} <= set(names("hrbench.sources"))
    assert exists("hrbench.models", "timm:anything") and not exists("hrbench.datasets", "timm:anything")
    assert arguments("hrbench.models", "onnx:net.onnx") == () and arguments("hrbench.models", "timm:net") is None
    assert libraries("timm:net").keys() == {"timm"} and libraries("pose_hrnet") == {}


def test_what_a_network_returned_is_told():
    net = with_checked_output(nn.Identity(), "classification", "a net", lambda output: output[0])
    assert copy.deepcopy(net)([torch.zeros(2, 3)]).shape == (2, 3)
    with pytest.raises(
        EntryError, match=r"^a net returned \(2,\); a network for classification returns logits \(N, C\)$"
    ):
        net([torch.zeros(2)])
    assert checked((torch.zeros(1, 2, 3, 4),), "segmentation", "net")[0].shape == (1, 2, 3, 4)
    assert described(None) == "a NoneType"
