"""What a network is fed equals what its library feeds it: the tensors, value by value, from the same file of an image.

No weights are needed: timm's configurations and torchvision's transforms are in the packages, and transformers'
processors are constructed from settings as preprocessor_config.json has them, which the tests write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fed_pixels import TwoClasses, fed
from PIL import Image

from hrbench.errors import InputError, UsageError
from hrbench.models.inputs.torchvision import library_input as torchvision_input
from hrbench.runner.prepare import not_read
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from hrbench.tasks.classification.task import Classification
from hrbench.types import NOT_READ, Entry, Sample

timm = pytest.importorskip("timm")
transformers = pytest.importorskip("transformers")

SIZES = [(500, 333), (211, 340), (64, 64)]
"""(width, height) of the images, one of them smaller than most inputs."""

DATA = {
    "classification": "{use: image-folders, images: images}",
    "segmentation": "{use: label-folders, images: images, labels: labels, names: [a, b]}",
    "detection": "{use: coco-instances, annotations: truth.json, images: images}",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(7)
    paths = [folder / f"{number}.png" for number in range(len(SIZES))]
    for path, (width, height) in zip(paths, SIZES, strict=True):
        coarse = Image.fromarray(rng.integers(0, 256, (height // 5, width // 5, 3), np.uint8))
        noise = rng.integers(-20, 21, (height, width, 3))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int64)
        Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8)).save(path)
    return paths


def entry_of(folder: Path, model: str, task: str = "classification", more: str = "") -> Entry:
    """The entry of a suite that names a network and a data set, and nothing else unless `more` does."""
    path = folder / "suite.yaml"
    path.write_text(
        f"suite: s\ndefaults: {{cost: {{latency: false}}}}\n"
        f"entries:\n  - {{name: net, model: {model}, dataset: {DATA[task]}{more}}}\n"
    )
    return load_suite(path, known()).entries[0]


# --- timm and torchvision: the same resizer, equal to the bit ---------------------------------------------------------

TIMM = [
    ("vit_tiny_patch16_224", {}),  # mean and std of 0.5, 0.9, bicubic
    ("resnet50", {}),  # 0.95
    ("resnet50", {"input": (288, 288)}),  # its size for testing, with that share
    ("tf_efficientnet_b0", {}),
    ("convnext_tiny.fb_in22k_ft_in1k_384", {}),  # squash
    ("eva02_tiny_patch14_336", {}),
    ("mobilenetv3_large_100.ra_in1k", {}),
    ("inception_v3.tf_in1k", {}),  # 299
    ("beit_base_patch16_384", {}),
    ("vit_base_patch16_clip_224.openai", {}),  # CLIP's colours
    ("mixer_b16_224", {}),
    ("swin_tiny_patch4_window7_224", {}),
    ("hrnet_w18", {}),
    ("vit_base_patch16_sapiens2", {}),  # 1024x768, squash
    ("levit_128", {"input": (160, 224)}),  # not square
]


def own_transform(name: str, input: tuple[int, int] | None) -> Any:
    """timm's transform for a network, as its validate.py makes it of the configuration."""
    from timm.data import create_transform, resolve_data_config

    config = timm.get_pretrained_cfg(name).to_dict()
    tests = input is not None and config.get("test_input_size", (0,))[1:] == input
    made = resolve_data_config({"input_size": (3, *input)} if input else {}, pretrained_cfg=config, use_test_size=tests)
    return create_transform(**made, is_training=False)


@pytest.mark.parametrize(("name", "options"), TIMM, ids=lambda value: value if isinstance(value, str) else "")
def test_timm_is_fed_as_timm_feeds_it(name: str, options: dict[str, Any], photos: list[Path], tmp_path: Path) -> None:
    size = f", input: {list(options['input'])}" if options else ""
    entry = entry_of(tmp_path, f'{{use: "timm:{name}"{size}}}')
    assert entry.protocol["name"] == "timm" and entry.protocol["stated_by"].startswith(f"timm {name.partition('.')[0]}")
    transform = own_transform(name, options.get("input"))
    for path in photos:
        with Image.open(path) as image:
            theirs = transform(image.convert("RGB"))
        assert torch.equal(fed(entry, path), theirs)


def border_modes() -> list[str]:
    return [name for name in timm.list_pretrained() if timm.get_pretrained_cfg(name).crop_mode == "border"]


@pytest.mark.parametrize("name", border_modes()[:2])
def test_timm_pads_with_the_mean_where_its_crop_mode_is_border(name: str, photos: list[Path], tmp_path: Path) -> None:
    entry, transform = entry_of(tmp_path, f'{{use: "timm:{name}"}}'), own_transform(name, None)
    assert entry.protocol["crop_mode"] == "border"
    for path in photos:
        with Image.open(path) as image:
            assert torch.equal(fed(entry, path), transform(image.convert("RGB")))


@pytest.mark.exhaustive
def test_every_configuration_of_timm_is_fed_as_timm_feeds_it(photos: list[Path], tmp_path: Path) -> None:
    seen = set()
    for name in timm.list_pretrained():
        config = timm.get_pretrained_cfg(name)
        if config.input_size[0] != 3:
            continue
        kind = (config.input_size, config.crop_pct, config.crop_mode, config.interpolation, config.mean, config.std)
        if kind not in seen:
            seen.add(kind)
            entry, transform = entry_of(tmp_path, f'{{use: "timm:{name}"}}'), own_transform(name, None)
            with Image.open(photos[1]) as image:
                assert torch.equal(fed(entry, photos[1]), transform(image.convert("RGB"))), name
    assert len(seen) > 50


def test_a_suite_says_otherwise(tmp_path: Path) -> None:
    model = '{use: "timm:vit_tiny_patch16_224", mean: [0.1, 0.2, 0.3]}'
    entry = entry_of(tmp_path, model, more=", protocol: {crop_fraction: 0.7}")
    assert entry.variant.mean == (0.1, 0.2, 0.3) and entry.variant.std == (0.5, 0.5, 0.5)
    assert entry.protocol["crop_fraction"] == 0.7 and entry.protocol["interpolation"] == "bicubic"
    other = entry_of(tmp_path, model, more=", protocol: imagenet")
    assert other.protocol["name"] == "imagenet" and other.protocol["interpolation"] == "bilinear"
    assert "stated_by" not in other.protocol


def test_the_result_says_what_stated_it(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, '{use: "timm:vit_tiny_patch16_224"}')
    (said,) = Classification(entry.variant, TwoClasses(), entry.protocol).notes()
    assert str(said).startswith("images are prepared by timm vit_tiny_patch16_224.augreg_in21k_ft_in1k (protocol timm;")


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b1", "vit_b_16", "regnet_y_400mf", "mobilenet_v3_large"])
def test_torchvision_is_fed_as_its_weights_are(name: str, photos: list[Path], tmp_path: Path) -> None:
    from torchvision import models

    weights = next(iter(models.get_model_weights(name)))
    entry = entry_of(tmp_path, f'{{use: "torchvision:{name}", task: classification}}')
    for path in photos:
        with Image.open(path) as image:
            assert torch.equal(fed(entry, path), weights.transforms()(image.convert("RGB")))


def test_torchvisions_weights_are_known_by_their_file(photos: list[Path], tmp_path: Path) -> None:
    from torchvision.models import ResNet50_Weights

    second = ResNet50_Weights.IMAGENET1K_V2  # resized to 232, not to 256
    (tmp_path / "resnet50-11ad3fa6.pth").touch()
    entry = entry_of(
        tmp_path, '{use: "torchvision:resnet50", task: classification}', more=", weights: ./resnet50-11ad3fa6.pth"
    )
    with Image.open(photos[0]) as image:
        assert torch.equal(fed(entry, photos[0]), second.transforms()(image.convert("RGB")))


def test_torchvisions_segmenters_get_a_short_side_of_520(photos: list[Path], tmp_path: Path) -> None:
    from torchvision.models.segmentation import FCN_ResNet50_Weights

    entry = entry_of(
        tmp_path, '{use: "torchvision:fcn_resnet50", task: segmentation, input: [520, 520]}', "segmentation"
    )
    for path in photos:
        with Image.open(path) as image:
            theirs = FCN_ResNet50_Weights.DEFAULT.transforms()(image.convert("RGB"))
        assert torch.equal(fed(entry, path), theirs)


def test_ssd_of_torchvision_has_colours_of_its_own() -> None:
    found = torchvision_input("ssd300_vgg16", task="detection", input=(300, 300), args={})
    assert found is not None and found.std == (1 / 255,) * 3
    assert torchvision_input("fasterrcnn_resnet50_fpn", task="detection", input=(300, 300), args={}) is None


# --- transformers: to the bit with its Pillow backend, within a grey level with torchvision's -------------------------

PROCESSORS: list[tuple[str, str, dict[str, Any]]] = [
    ("ViTImageProcessor", "classification", {"size": {"height": 224, "width": 224}}),
    ("ConvNextImageProcessor", "classification", {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}),
    ("ConvNextImageProcessor", "classification", {"size": {"shortest_edge": 384}}),
    (
        "BitImageProcessor",
        "classification",
        {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
    ),
    ("DeiTImageProcessor", "classification", {}),
    ("LevitImageProcessor", "classification", {}),
    ("PoolFormerImageProcessor", "classification", {"crop_pct": 0.95}),
    ("MobileNetV2ImageProcessor", "classification", {}),
    ("EfficientNetImageProcessor", "classification", {"size": {"height": 240, "width": 240}, "resample": 0}),
    ("SegformerImageProcessor", "segmentation", {"size": {"height": 512, "width": 512}, "do_reduce_labels": True}),
    ("Mask2FormerImageProcessor", "segmentation", {"size": {"shortest_edge": 256, "longest_edge": 333}}),
    ("BeitImageProcessor", "segmentation", {"size": {"height": 160, "width": 192}, "do_center_crop": False}),
    ("DetrImageProcessor", "detection", {"size": {"shortest_edge": 400, "longest_edge": 533}, "do_pad": True}),
    ("RTDetrImageProcessor", "detection", {"size": {"height": 320, "width": 320}, "do_normalize": False}),
    ("YolosImageProcessor", "detection", {"size": {"shortest_edge": 200, "longest_edge": 310}}),
]

ROUNDING = 1e-6
"""Bound on values whose arithmetic has another order, for values up to 5: of the rescaling, not of pixels."""

GREATEST, MEAN = 8.0, 0.3
"""Grey levels by which transformers' own two backends differ; 4.0 and 0.15 were seen, of bicubic enlargement."""


def saved(folder: Path, kind: str, settings: dict[str, Any]) -> Path:
    """A folder as a checkpoint has it: config.json and preprocessor_config.json."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": kind, **settings}))
    return folder


@pytest.mark.parametrize(("kind", "task", "settings"), PROCESSORS)
def test_transformers_is_fed_as_its_processor_feeds_it(
    kind: str, task: str, settings: dict[str, Any], photos: list[Path], tmp_path: Path
) -> None:
    saved(tmp_path / "net", kind, settings)
    size = "" if task == "classification" else ", input: [64, 64]" if "RTDetr" not in kind else ", input: [320, 320]"
    entry = entry_of(tmp_path, f'{{use: "transformers:./net", task: {task}{size}}}', task)
    assert entry.protocol["name"] == "transformers" and kind in entry.protocol["stated_by"]
    by_pillow = processor(kind + "Pil", kind, settings)
    by_torch = processor(kind, kind + "Fast", settings)
    for path in photos:
        ours = fed(entry, path)
        with Image.open(path) as image:
            theirs = by_pillow(image.convert("RGB"), return_tensors="pt")["pixel_values"][0]
            also = by_torch(image.convert("RGB"), return_tensors="pt")["pixel_values"][0]
        assert ours.shape == theirs.shape == also.shape
        if float(getattr(by_pillow, "rescale_factor", 0)) == 1 / 255 and not getattr(
            by_pillow, "rescale_offset", False
        ):
            assert torch.equal(ours, theirs.float())
        else:
            assert (ours - theirs).abs().max() <= ROUNDING
        if settings.get("resample") == 0:  # of the nearest pixels the two backends take different ones
            continue
        apart = (ours - also).abs() * 255 * torch.tensor(entry.variant.std)[:, None, None]
        assert apart.max() < GREATEST and apart.mean() < MEAN


def processor(first: str, second: str, settings: dict[str, Any]) -> Any:
    """The library's processor of a backend; releases before 5 have other names for the two."""
    return getattr(transformers, first, None or getattr(transformers, second, None))(**settings)


def test_rescaling_without_normalisation_and_channels_in_another_order(photos: list[Path], tmp_path: Path) -> None:
    settings = {"size": {"shortest_edge": 288}, "crop_size": {"height": 256, "width": 256}}
    saved(tmp_path / "net", "MobileViTImageProcessor", settings)
    entry = entry_of(tmp_path, '{use: "transformers:./net", task: classification}')
    assert entry.variant.colour == "bgr" and entry.variant.mean == (0, 0, 0) and entry.variant.input == (256, 256)
    theirs = processor("MobileViTImageProcessorPil", "MobileViTImageProcessor", settings)
    with Image.open(photos[0]) as image:
        assert torch.equal(fed(entry, photos[0]), theirs(image.convert("RGB"), return_tensors="pt")["pixel_values"][0])


def test_outputs_that_are_no_class_are_left_out(tmp_path: Path) -> None:
    folder = saved(tmp_path / "net", "MobileNetV2ImageProcessor", {})
    (folder / "config.json").write_text(json.dumps({"model_type": "mobilenet_v2", "id2label": {"0": "background"}}))
    entry = entry_of(tmp_path, '{use: "transformers:./net", task: classification}')
    assert entry.protocol["label_offset"] == 1
    task = Classification(entry.variant, TwoClasses(), entry.protocol)
    item = task.prepare(sample := Sample(1, write_grey(tmp_path / "x.png"), (20, 20)))
    (logits,) = task.forward(lambda batch: torch.tensor([[9.0, 1.0, 2.0]]), item)
    best, _ = task.finish(sample, [(item[0], logits)]).value
    assert best.tolist() == [1, 0]


def write_grey(path: Path) -> Path:
    Image.new("RGB", (20, 20), (90, 90, 90)).save(path)
    return path


def test_ids_of_coco_are_known_by_their_first_label(tmp_path: Path) -> None:
    folder = saved(tmp_path / "net", "DetrImageProcessor", {})
    (folder / "config.json").write_text(json.dumps({"model_type": "detr", "id2label": {"0": "N/A", "1": "person"}}))
    entry = entry_of(tmp_path, '{use: "transformers:./net", task: detection, input: [800, 1333]}', "detection")
    assert entry.protocol["labels"] == "id" and entry.protocol["most"] is None


def test_a_processor_of_unknown_rules_is_refused_unless_a_protocol_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "net", "SuperGlueImageProcessor", {})
    model = '{use: "transformers:./net", task: classification, input: [64, 64]}'
    with pytest.raises(UsageError, match=r"is fed by SuperGlueImageProcessor, whose rules .* name a protocol"):
        entry_of(tmp_path, model)
    assert entry_of(tmp_path, model, more=", protocol: imagenet").protocol["name"] == "imagenet"


def test_segformer_gets_whole_images_and_rt_detr_one_size_where_no_file_says_otherwise(tmp_path: Path) -> None:
    whole = entry_of(tmp_path, "{use: 'transformers:segformer', task: segmentation, input: [512, 512]}", "segmentation")
    assert whole.protocol["size"] == "own" and whole.protocol["multiple"] == 1
    assert whole.protocol["logits_to"] == "image"
    other = entry_of(tmp_path, "{use: 'transformers:upernet', task: segmentation, input: [512, 512]}", "segmentation")
    assert other.protocol["multiple"] == 32
    for kind in ("rt_detr", "d_fine"):
        squashed = entry_of(tmp_path, f"{{use: 'transformers:{kind}', task: detection}}", "detection")
        assert squashed.variant.input == (640, 640) and squashed.protocol["resize"] == "squash"


def test_a_repository_that_is_not_here_yet_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    entry = entry_of(tmp_path, "{use: 'transformers:some/net', task: classification, input: [64, 64]}")
    assert entry.protocol["stated_by"] == NOT_READ
    (reason,) = not_read(entry)
    assert "preprocessor_config.json" in reason.what and "run again" in reason.remedy
    assert not_read(entry_of(tmp_path, '{use: "timm:vit_tiny_patch16_224"}')) == ()


# --- smp --------------------------------------------------------------------------------------------------------------


def test_smp_is_fed_as_its_encoder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    from hrbench.models.inputs import smp

    model = "{{use: 'smp:Unet', task: segmentation, input: [64, 64], args: {{encoder: {}, classes: 2}}}}"
    entry = entry_of(tmp_path, model.format("tu-vit_tiny_patch16_224"), "segmentation")
    assert (
        entry.variant.mean == (0.5, 0.5, 0.5) and entry.protocol["stated_by"] == "smp tu-vit_tiny_patch16_224 imagenet"
    )
    unknown = entry_of(tmp_path, model.format("inceptionv4"), "segmentation")
    assert unknown.protocol["stated_by"].endswith("smp inceptionv4 imagenet are not on this disk")
    stated = {"mean": [127.5, 127.5, 0], "std": [51, 51, 255], "input_range": [0, 255], "input_space": "BGR"}
    monkeypatch.setattr(smp, "_settings", lambda settings, fetch: stated)
    found = entry_of(tmp_path, model.format("inceptionv4"), "segmentation")
    assert found.variant.colour == "bgr" and found.variant.mean == (0.5, 0.5, 0) and found.variant.std == (0.2, 0.2, 1)
    assert found.protocol["stated_by"] == "smp inceptionv4 imagenet" and found.protocol["name"] == "plain"


@pytest.mark.parametrize(
    "damage",
    [{"mean": "abc"}, {"mean": [1, 2]}, {"std": [0, 1, 1]}, {"input_range": 255}, {"input_range": [0, 0]},
     {"input_space": "HSV"}],
)  # fmt: skip
def test_a_damaged_file_of_an_encoder_is_told(damage: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    from hrbench.models.inputs import smp

    stated = {"mean": [127.5, 127.5, 0], "std": [51, 51, 255], "input_range": [0, 255], "input_space": "BGR"}
    monkeypatch.setattr(smp, "_settings", lambda settings, fetch: {**stated, **damage})
    told = rf"smp inceptionv4 imagenet in the hub's cache is damaged: .*{next(iter(damage))}"
    with pytest.raises(InputError, match=told):
        smp.library_input("unet", task="segmentation", input=None, args={"encoder": "inceptionv4"})
