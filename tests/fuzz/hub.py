"""Folders of the Hugging Face hub: how a processor feeds a network, and what network a configuration builds."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from fed_pixels import fed
from PIL import Image

from hrbench.errors import HrbenchError
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from tests.fuzz.case import Case, NonsenseError, as_json, finite

DATA = {
    "classification": "{use: image-folders, images: images}",
    "segmentation": "{use: label-folders, images: images, labels: labels, names: [a, b]}",
    "detection": "{use: coco-instances, annotations: truth.json, images: images}",
}
SIZE = {"classification": "", "segmentation": ", input: [64, 64]", "detection": ", input: [64, 64]"}
PIXELS = 1 << 20
"""Of an input that is compared with the processor's; a larger one is read and not made."""

PROCESSORS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ViTImageProcessor": ("classification", {"size": {"height": 48, "width": 64}}),
    "BitImageProcessor": ("classification", {"size": {"shortest_edge": 64}, "crop_size": {"height": 48, "width": 48}}),
    "ConvNextImageProcessor": ("classification", {"size": {"shortest_edge": 64}, "crop_pct": 0.875}),
    "SegformerImageProcessor": ("segmentation", {"size": {"height": 64, "width": 48}, "do_reduce_labels": True}),
    "Mask2FormerImageProcessor": ("segmentation", {"size": {"shortest_edge": 48, "longest_edge": 80}}),
    "DetrImageProcessor": ("detection", {"size": {"shortest_edge": 48, "longest_edge": 64}, "do_pad": True}),
    "RTDetrImageProcessor": ("detection", {"size": {"height": 64, "width": 64}, "do_normalize": False}),
}
"""Kind of processor -> the task of its network, and settings beside the kind's own."""


# --- preprocessor_config.json ----------------------------------------------------------------------------------------


def _processor(kind: str, folder: Path) -> None:
    """A folder with every setting of a processor written out, a suite that names it, and an image."""
    import transformers

    task, settings = PROCESSORS[kind]
    made = getattr(transformers, kind)(**settings)
    (folder / "net").mkdir()
    (folder / "net/config.json").write_text(json.dumps({"model_type": "vit", "id2label": {"0": "a", "1": "b"}}))
    (folder / "net/preprocessor_config.json").write_text(made.to_json_string())
    _suite(folder, "transformers:./net", task)


def _suite(folder: Path, use: str, task: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    (folder / "suite.yaml").write_text(
        "suite: s\ndefaults: {cost: {latency: false}}\n"
        f'entries:\n  - {{name: net, model: {{use: "{use}", task: {task}{SIZE[task]}}}, dataset: {DATA[task]}}}\n'
    )


def _fed(folder: Path) -> dict[str, Any]:
    """How the network is fed; an image becomes what the library's own processor makes of it."""
    entry = load_suite(folder / "suite.yaml", known()).entries[0]
    variant = entry.variant
    said = {"input": variant.input, "mean": variant.mean, "std": variant.std, "protocol": dict(entry.protocol)}
    finite("how it is fed", said)
    if any(value == 0 for value in variant.std):
        raise NonsenseError("a std of 0")
    if max(_integers([variant.input, entry.protocol])) ** 2 > PIXELS:
        return said
    within = entry.protocol.get("resized_to") or variant.input
    if any(side > own for side, own in zip(variant.input, within, strict=True)):
        return said  # the library's two backends pad on different sides
    with Image.open(folder / "photo.png") as image:
        theirs = _by_the_library(folder / "net", image.convert("RGB"))
    ours = fed(entry, folder / "photo.png")
    if ours.shape != theirs.shape:
        raise NonsenseError(f"an image of {tuple(ours.shape)}, and of {tuple(theirs.shape)} by the library")
    bound = 1e-4 * max(1.0, float(theirs.abs().max()))
    apart = float((ours - theirs).abs().max())
    if not apart <= bound:
        raise NonsenseError(f"an image that is {apart} from the library's")
    return said


def _integers(value: Any) -> Iterator[int]:
    """Every whole number in plain values."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _integers(item)
    elif isinstance(value, int):
        yield value


def _by_the_library(folder: Path, image: Image.Image) -> torch.Tensor:
    import transformers

    named = type(transformers.AutoImageProcessor.from_pretrained(str(folder))).__name__.removesuffix("Fast")
    found = getattr(transformers, f"{named.removesuffix('Pil')}Pil", None) or getattr(transformers, named)
    made = found.from_pretrained(str(folder))
    if hasattr(made, "format"):
        made.format = "coco_detection"  # of annotations, which nobody gives it here
    return made(image, return_tensors="pt")["pixel_values"][0].float()


# --- config.json -----------------------------------------------------------------------------------------------------

RESNET = {
    "architectures": ["ResNetForImageClassification"], "model_type": "resnet", "num_channels": 3, "embedding_size": 8,
    "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic", "hidden_act": "relu",
    "downsample_in_first_stage": False, "id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1},
}  # fmt: skip
VIT = {
    "architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32, "patch_size": 8, "hidden_act": "gelu",
    "layer_norm_eps": 1e-6, "qkv_bias": True, "id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1},
}  # fmt: skip
TIMM = {
    "architecture": "resnet18", "num_classes": 2, "num_features": 512, "label_names": ["a", "b"],
    "pretrained_cfg": {
        "tag": "a1_in1k", "custom_load": False, "input_size": [3, 64, 64], "fixed_input_size": False,
        "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center", "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5], "num_classes": 2, "pool_size": [2, 2], "first_conv": "conv1", "classifier": "fc",
    },
}  # fmt: skip
"""A configuration as timm writes it; transformers builds timm's network from it."""


def _config(content: Mapping[str, Any], folder: Path) -> None:
    (folder / "net").mkdir()
    (folder / "net/config.json").write_text(json.dumps(content))
    _suite(folder, "transformers:./net", "classification")


def _built(folder: Path) -> dict[str, Any]:
    """What a suite says of the network, its parameters, and its operations counted over meta tensors."""
    from hrbench.cost.operations.count import count_operations
    from hrbench.models.build import build

    said: dict[str, Any] = {}
    try:
        variant = load_suite(folder / "suite.yaml", known()).entries[0].variant
        said = {"input": variant.input, "mean": variant.mean, "std": variant.std, "protocol": dict(variant.protocol)}
        finite("how it is fed", said)
    except HrbenchError as error:
        said["not fed"] = str(error)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Initializing zero-element tensors")  # torch's, of layers of no width
        net = build(f"transformers:{folder / 'net'}", task="classification", offline=True)
    said["parameters"] = sum(value.numel() for value in net.parameters())
    try:
        said["macs"] = count_operations(net, (1, 3, 32, 32)).total("macs")
    except HrbenchError as error:
        said["not counted"] = str(error)
    return said


# --- smp -------------------------------------------------------------------------------------------------------------

ENCODER = {
    "mean": [127.5, 0.5, 0.4], "std": [51, 0.2, 0.2], "input_range": [0, 255], "input_space": "BGR",
    "input_size": [3, 299, 299], "num_classes": 1000, "url": None,
}  # fmt: skip
"""What smp's repository of an encoder says of its weights."""


def _encoder(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(ENCODER))


def _encoder_fed(folder: Path) -> dict[str, Any]:
    """How a network of smp is fed whose encoder's file lies in the hub's cache."""
    from hrbench.models.inputs.smp import library_input

    with mock.patch("huggingface_hub.hf_hub_download", lambda *_, **__: str(folder / "config.json")):
        found = library_input("unet", task="segmentation", input=None, args={"encoder": "inceptionv4"})
    assert found is not None
    said = {"mean": found.mean, "std": found.std, "colour": found.colour}
    finite("how it is fed", said)
    if not all(found.std) or not len(found.mean) == len(found.std) == 3:
        raise NonsenseError(f"std {found.std}")
    return said


CASES = [
    *(
        Case(f"how {kind} feeds", partial(_processor, kind), {"net/preprocessor_config.json": as_json},
             _fed, share=0.6)
        for kind in PROCESSORS
    ),
    Case("config.json of transformers' resnet", partial(_config, RESNET), {"net/config.json": as_json}, _built),
    Case("config.json of transformers' vit", partial(_config, VIT), {"net/config.json": as_json}, _built),
    Case("config.json of smp", _encoder, {"config.json": as_json}, _encoder_fed, share=0.6),
    Case("config.json of timm", partial(_config, TIMM), {"net/config.json": as_json}, _built),
]  # fmt: skip
