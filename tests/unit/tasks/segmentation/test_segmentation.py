"""The segmentation task: what a network is given, what it may return, and that batches change nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from hrbench.errors import EntryError, InputError, UsageError
from hrbench.models.dilated_resnet import dilated_resnet
from hrbench.models.hrnet import seg_hrnet, seg_hrnet_ocr
from hrbench.models.refinenet import refinenet
from hrbench.runner.pipeline import predict
from hrbench.tasks.segmentation.class_maps import class_map
from hrbench.tasks.segmentation.inference import image_scores
from hrbench.tasks.segmentation.protocols import HRNET, HRNET_OCR, PLAIN, REFINENET, Inference
from hrbench.tasks.segmentation.task import Segmentation
from hrbench.types import ClassScheme, Sample, Variant

pytestmark = pytest.mark.numeric

VARIANT = Variant("net", "net", "segmentation", (64, 64))
WINDOWS = {"base": 60, "crop": (40, 48), "windows": "cut", "stride": 0.6667, "scales": (0.5, 1.0, 1.5), "flip": True}


def task_of(protocol: Inference = PLAIN, classes: int = 5, pairs=(), variant: Variant = VARIANT, **settings):
    scheme = ClassScheme(tuple(f"class {number}" for number in range(classes)), flip_pairs=pairs)
    plain = dataclasses.asdict(dataclasses.replace(protocol, **settings))
    return Segmentation(variant, SimpleNamespace(scheme=scheme), plain)


def drawn(folder: Path, size: tuple[int, int], number: int = 0) -> Sample:
    """A photograph of coloured noise that is smooth enough to have regions."""
    rng = np.random.default_rng([number, *size])
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    path = folder / f"{number}_{size[0]}x{size[1]}.png"
    assert cv2.imwrite(str(path), image)
    return Sample(path.stem, path)


def toy(classes: int = 5, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, classes, 3, 2, 1)).eval()


class Returning(nn.Module):
    """Returns what a function makes of its input, and counts."""

    def __init__(self, made) -> None:
        super().__init__()
        self.made, self.calls, self.most = made, 0, 0
        self.anchor = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        self.calls += len(x)
        self.most = max(self.most, len(x))
        return self.made(x)


def predicted(task: Segmentation, net: nn.Module, sample: Sample) -> np.ndarray:
    items = task.prepare(sample)
    return task.finish(sample, list(zip(items, task.forward(net, items), strict=True))).value


# --- what a network is given -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_channels_stand_in_the_networks_order_and_are_normalised_by_position(tmp_path, colour):
    sample = drawn(tmp_path, (20, 30))
    variant = dataclasses.replace(VARIANT, colour=colour, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.125))
    seen = []
    task_of(multiple=1, variant=variant).forward(
        Returning(lambda x: seen.append(x.clone()) or x.new_zeros(len(x), 5, *x.shape[2:])),
        task_of(variant=variant).prepare(sample),
    )
    image = cv2.imread(str(sample.path))[..., :: -1 if colour == "rgb" else 1]
    expected = (image.astype(np.float64) / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 0.125]
    np.testing.assert_allclose(seen[0][0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_inputs_have_the_networks_type(tmp_path, dtype):
    seen = []
    net = Returning(lambda x: seen.append(x.dtype) or x.new_zeros(len(x), 5, 4, 4)).to(dtype)
    made = predicted(task_of(), net, drawn(tmp_path, (20, 30)))
    assert seen == [dtype] and made.dtype == np.uint8 and made.shape == (20, 30)


def test_inputs_of_the_plain_protocol_are_multiples_of_32(tmp_path):
    seen = []
    net = Returning(lambda x: seen.append(tuple(x.shape[2:])) or x.new_zeros(len(x), 5, 2, 2))
    assert predicted(task_of(scales=(0.5, 1.0)), net, drawn(tmp_path, (50, 70))).shape == (50, 70)
    assert seen == [(32, 64), (64, 96)]


@pytest.mark.parametrize("size", [(50, 70), (90, 40), (17, 200), (64, 64), (1, 9)])
@pytest.mark.parametrize("protocol", [PLAIN, HRNET, HRNET_OCR, REFINENET], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize(
    "settings", [{}, WINDOWS, {**WINDOWS, "windows": "shifted"}, {"size": "squash", "crop": (32, 24)}]
)
def test_any_image_gets_a_map_of_its_size_and_as_many_passes_as_work_says(tmp_path, size, protocol, settings):
    task, sample = task_of(protocol, **settings), drawn(tmp_path, size)
    net = Returning(toy())
    made = predicted(task, net, sample)
    assert made.shape == size and made.max() < 5
    assert net.calls == task.work(sample) and net.most == 1


# --- what it may return ----------------------------------------------------------------------------------------------


def test_the_class_of_a_pixel_is_that_of_its_highest_logit(tmp_path):
    """A network whose logits say which of three channels is the brightest, at the image's own size."""
    variant = dataclasses.replace(VARIANT, mean=(0, 0, 0), std=(1, 1, 1))
    sample = drawn(tmp_path, (40, 56))
    image = cv2.imread(str(sample.path))[..., ::-1]
    for protocol in (PLAIN, HRNET, REFINENET):
        made = predicted(task_of(protocol, classes=3, variant=variant), Returning(lambda x: x.clone()), sample)
        np.testing.assert_array_equal(made, image.argmax(axis=2))


def test_of_equals_the_first_class_wins():
    scores = torch.zeros(4, 2, 3)
    scores[2, 0, 0] = scores[3, 0, 0] = 1
    scores[1:, 1, 1] = 0.5
    assert class_map(scores, 1).tolist() == [[2, 0, 0], [0, 1, 0]]


def test_many_classes_take_sixteen_bits():
    scores = torch.randn(300, 5, 7, generator=torch.Generator().manual_seed(0))
    made = class_map(scores, 1)
    assert made.dtype == np.uint16 and class_map(scores[:255], 1).dtype == np.uint8
    np.testing.assert_array_equal(made, scores.numpy().argmax(axis=0))


def test_of_several_outputs_the_last_is_used(tmp_path):
    sample, net = drawn(tmp_path, (40, 56)), toy()
    several = Returning(lambda x: [-net(x), net(x)])
    np.testing.assert_array_equal(predicted(task_of(), several, sample), predicted(task_of(), net, sample))


def test_outputs_that_a_network_keeps_are_not_overwritten(tmp_path):
    kept = torch.randn(1, 5, 20, 30)
    before = kept.clone()
    predicted(task_of(HRNET), Returning(lambda x: kept), drawn(tmp_path, (20, 30)))
    assert torch.equal(kept, before)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda x: x.new_zeros(len(x), 21, 4, 4), r"returned \(1, 21, 4, 4\) for 1 images; the data set has 5 classes"),
        (lambda x: x.new_zeros(len(x), 5), r"returned \(1, 5\)"),
        (lambda x: {"out": x}, "returned a dict"),
        (lambda x: [], "returned a list"),
        (lambda x: [x.new_zeros(2, 5, 4, 4)], r"returned \(2, 5, 4, 4\)"),
    ],
)
def test_other_outputs_are_refused_in_words(tmp_path, made, said):
    task = task_of()
    with pytest.raises(EntryError, match=said):
        task.forward(Returning(made), task.prepare(drawn(tmp_path, (20, 30))))


@pytest.mark.parametrize("protocol", [PLAIN, HRNET, REFINENET])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_no_prediction(tmp_path, protocol, value):
    def damaged(x):
        logits = x.new_zeros(len(x), 5, *x.shape[2:])
        logits[:, 3, 4, 5] = value
        return logits

    task, sample = task_of(protocol), drawn(tmp_path, (20, 30))
    with pytest.raises(EntryError, match=f"^image {sample.id}: a class score is not finite; does the network diverge"):
        task.forward(Returning(damaged), task.prepare(sample))


def test_a_network_that_mirrors_gets_its_sides_exchanged(tmp_path):
    """Classes that say where in the input a pixel is: mirrored, left is right, so averaging needs the exchange."""

    def sides(x):
        place = torch.linspace(-1, 1, x.shape[3]).expand(len(x), 1, x.shape[2], -1)
        return torch.cat([-place * 3, place * 3, torch.zeros_like(place)], dim=1)

    sample = drawn(tmp_path, (32, 64))
    once = predicted(task_of(classes=3), Returning(sides), sample)
    both = predicted(task_of(classes=3, flip=True, pairs=((0, 1),)), Returning(sides), sample)
    none = predicted(task_of(classes=3, flip=True), Returning(sides), sample)
    np.testing.assert_array_equal(both, once)
    assert set(np.unique(once)) == {0, 1} and set(np.unique(none)) == {0}


# --- batches and types -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"flip": True}, WINDOWS, {**WINDOWS, "windows": "shifted"}])
@pytest.mark.parametrize("protocol", [PLAIN, HRNET, REFINENET], ids=lambda protocol: protocol.name)
def test_scores_are_the_same_in_a_batch_of_sixteen(tmp_path, protocol, settings):
    task, net = task_of(protocol, **settings), toy()
    images = [task.prepare(drawn(tmp_path, (60, 84), number))[0].image for number in range(16)]
    images = [image.astype(np.float32) / 100 - 1 for image in images]
    with torch.inference_mode():
        together = list(image_scores(task._segmenter(net, 16), images))
        for number, image in enumerate(images):
            (alone,) = image_scores(task._segmenter(net, 1), [image])
            torch.testing.assert_close(alone, together[number], atol=1e-4, rtol=1e-5)


def test_single_and_double_precision_agree(tmp_path):
    task, sample = task_of(HRNET, **WINDOWS), drawn(tmp_path, (60, 84))
    single = predicted(task, toy(), sample)
    double = predicted(task, toy().double(), sample)
    assert np.mean(single != double) < 0.001


@pytest.mark.parametrize(
    ("net", "protocol"),
    [
        (lambda: seg_hrnet(widths=[8, 16, 24, 32], modules=[1, 1, 1], blocks=1, layer1=1, classes=5), HRNET),
        (lambda: seg_hrnet_ocr(width=8, classes=5), HRNET_OCR),
        pytest.param(lambda: refinenet(depth=50, classes=5), REFINENET, marks=pytest.mark.exhaustive),
        (lambda: dilated_resnet(depth=50, classes=5, head="fcn", stem="plain"), PLAIN),
    ],
    ids=["hrnet", "ocr", "refinenet", "full-size"],
)
def test_networks_of_the_catalog(tmp_path, net, protocol):
    """Two images of unequal size through the pipeline, alone and in a batch of four."""
    torch.manual_seed(0)
    net = net().eval()
    samples = [drawn(tmp_path, (48, 80)), drawn(tmp_path, (64, 64)), drawn(tmp_path, (48, 80), 1)]
    task = task_of(protocol, flip=True)
    single = list(predict(task, net, samples, batch=1, workers=0))
    four = list(predict(task, net, samples, batch=4, workers=0))
    for sample, one, other in zip(samples, single, four, strict=True):
        assert one.sample == other.sample == sample.id
        assert one.value.shape == cv2.imread(str(sample.path)).shape[:2]
        assert np.mean(one.value != other.value) < 0.001


# --- what cannot be done ---------------------------------------------------------------------------------------------


def test_an_image_of_another_size_than_annotated_is_refused(tmp_path):
    sample = dataclasses.replace(drawn(tmp_path, (20, 30)), size=(31, 20))
    with pytest.raises(InputError, match="30x20 pixels, its annotation says 31x20"):
        task_of().prepare(sample)


def test_settings_and_data_sets_that_do_not_work_are_refused():
    with pytest.raises(UsageError, match="scales"):
        task_of(scales=())
    with pytest.raises(UsageError, match="names no classes"):
        task_of(classes=0)


def test_an_image_without_a_map_is_an_error(tmp_path):
    with pytest.raises(EntryError, match="0 class maps"):
        task_of().finish(drawn(tmp_path, (20, 30)), [])


def test_a_drawing_is_written_of_what_a_folder_holds(tmp_path):
    sample, task = drawn(tmp_path, (40, 56)), task_of()
    folder = tmp_path / "predictions"
    folder.mkdir()
    made = predicted(task, toy(), sample)
    assert cv2.imwrite(str(folder / f"{sample.id}.png"), made)
    rows = task.rows(folder, [sample])
    np.testing.assert_array_equal(rows[sample.id], made)
    task.draw(sample, rows[sample.id], tmp_path / "drawings" / "one.jpg")
    assert cv2.imread(str(tmp_path / "drawings" / "one.jpg")) is not None


def test_what_takes_several_passes_says_so():
    assert task_of().notes() == []
    several = task_of(scales=(0.75, 1.0), flip=True).notes()
    assert [str(note) for note in several] == [
        "predicted from 2 scales and the mirrored image: costs are of one forward pass"
    ]
    (one,) = task_of(flip=True).notes()
    assert one.kind == "several_passes" and one.what == "predicted from the mirrored image"
