"""SpineNet's graphs, sizes and choices, each against what the paper says or a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from empty import on_meta

from hrbench import build
from hrbench.errors import UsageError
from hrbench.models.spinenet import GRAPHS, R0_SP53, SCALINGS, SpineNetGraph, cls_spinenet, spinenet

pytestmark = pytest.mark.numeric

TINY = {"width": 0.125, "endpoints": 8}


def leftovers(graph: SpineNetGraph, ahead: bool) -> dict[int, tuple[int, ...]]:
    """Output block -> earlier blocks of its level and channels that no other reads.

    ahead: whether readers to come count, and the stem's chain (the paper's words are of blocks without a connection to
    any later one), or only connections that are built already (both codes, which can so add a block that is read on).
    """
    first = len(graph.stem)
    channels = [4] * first + [4 if block.kind == "bottleneck" else 1 for block in graph.blocks]
    levels = [*graph.stem, *(block.level for block in graph.blocks)]
    merged = {}
    for i, block in enumerate(graph.blocks):
        readers = graph.blocks if ahead else graph.blocks[: i + 1]
        read = {place for other in readers for place in other.inputs}
        read |= {place for places in merged.values() for place in places}
        read |= set(range(first - 1)) if ahead else set()
        if block.output:
            same = [place for place in range(first + i) if (levels[place], channels[place]) == (block.level, 4)]
            found = tuple(place for place in same if place not in read)
            merged |= {i: found} if found else {}
    return merged


@pytest.mark.parametrize("name", GRAPHS)
def test_blocks_nobody_reads_join_the_output_of_their_level(name: str) -> None:
    graph = GRAPHS[name]
    written = {i: block.merged for i, block in enumerate(graph.blocks) if block.merged}
    assert written == leftovers(graph, ahead=True)
    # Where the codes would do otherwise, as the top of spinenet.py says.
    extra = {"r0-sp53-without-short-range": {10: (7,)}, "r23-sp30": {5: (4,), 6: (2, 3)}}.get(name, {})
    assert leftovers(graph, ahead=False) == {**written, **extra}


@pytest.mark.parametrize(
    ("name", "kept"),
    [("without-short-range", min), ("without-long-range", max), ("sequential", lambda inputs: None)],
)
def test_ablations_keep_one_connection_of_each_block(name: str, kept) -> None:
    graph = GRAPHS[f"r0-sp53-{name}"]
    assert graph.stem == R0_SP53.stem
    for i, (block, original) in enumerate(zip(graph.blocks, R0_SP53.blocks, strict=True)):
        wanted = kept(original.inputs)
        assert block.inputs == ((i + 1 if wanted is None else wanted),)
        assert (block.level, block.kind, block.output) == (original.level, original.kind, original.output)


def test_what_no_output_depends_on_is_not_built() -> None:
    with on_meta():
        blocks = {name: spinenet(graph=name, **TINY) for name in GRAPHS}
    left_out = {
        name: (len(net.graph.stem) - len(net.stem.blocks), sorted({str(i) for i in range(15)} - set(net.blocks)))
        for name, net in blocks.items()
        if name != "r23-sp30"
    }
    nothing = (0, [])
    assert left_out.pop("r0-sp53-without-short-range") == (1, [])
    assert left_out.pop("r0-sp53-without-long-range") == (0, ["0"])
    assert left_out == {"spinenet": nothing, "r0-sp53": nothing, "r0-sp53-sequential": nothing}


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_weight_reaches_an_output(graph: str) -> None:
    torch.manual_seed(0)
    net = spinenet(graph=graph, activation="swish", **TINY).double().train()
    total = sum(level.square().sum() for level in net(torch.randn(2, 3, 128, 128, dtype=torch.float64)))
    assert isinstance(total, torch.Tensor)
    total.backward()
    unused = [name for name, value in net.named_parameters() if value.grad is None or not value.grad.abs().sum()]
    assert not unused


@pytest.mark.parametrize("padding", ["tf1", "tf2"])
@pytest.mark.parametrize("size", [(128, 128), (224, 224), (200, 328), (65, 100), (640, 896)])
def test_levels_have_the_size_of_the_input_divided_and_rounded_up(padding, size: tuple[int, int]) -> None:
    with on_meta():
        levels = spinenet(padding=padding, **TINY).eval()(torch.empty(1, 3, *size))
    assert [level.shape for level in levels] == [
        (1, 8, math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)) for level in range(3, 8)
    ]


def test_sizes_at_224_are_those_of_the_papers_code() -> None:
    """There the height of a map is int(target width / its width * its height); for squares that is the same."""
    sizes = [math.ceil(224 / 2**level) for level in range(2, 8)]
    assert sizes == [56, 28, 14, 7, 4, 2]
    assert all(int(target / source * source) == target for source in sizes for target in sizes)


def test_images_of_a_batch_do_not_touch() -> None:
    torch.manual_seed(0)
    net = cls_spinenet(classes=5, **TINY).double().eval()
    images = torch.randn(3, 3, 128, 160, dtype=torch.float64)
    with torch.inference_mode():
        together, alone = net(images), torch.cat([net(image[None]) for image in images])
    assert together.shape == (3, 5)
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


def test_widths_are_scaled_and_truncated() -> None:
    with on_meta():
        state = {key: tuple(value.shape) for key, value in spinenet("49S").state_dict().items()}
    assert state["stem.conv.weight"] == (64, 3, 7, 7)  # never scaled
    assert state["blocks.2.layers.0.conv2.weight"] == (83, 83, 3, 3)  # 0.65 x 128 = 83.2
    assert state["blocks.2.resample.0.squeeze.conv.weight"] == (20, 164, 1, 1)  # (0.65 x 64 = 41.6 -> 41) / 2
    assert state["endpoints.3.conv.weight"] == (128, 332, 1, 1)


@pytest.mark.parametrize("variant", SCALINGS)
def test_each_block_is_repeated(variant: str) -> None:
    with on_meta():
        net = spinenet(variant)
    groups = [*net.stem.blocks, *(block.layers for block in net.blocks.values())]
    assert {len(group) for group in groups} == {{"49S": 1, "49": 1, "96": 2, "143": 3, "190": 4}[variant]}


def test_weights_are_drawn_by_fan_in_and_norms_have_the_official_constants() -> None:
    torch.manual_seed(0)
    net, classifier = spinenet("49"), cls_spinenet("49", **TINY)
    weight = net.blocks["4"].layers[0].conv1.weight
    assert weight.std().item() == pytest.approx(1 / math.sqrt(256 * 9), rel=0.01)
    assert weight.abs().max() <= 2 / 0.8796 / math.sqrt(256 * 9)
    constants = [
        {(m.eps, m.momentum) for m in each.modules() if isinstance(m, torch.nn.BatchNorm2d)}
        for each in (net, classifier)
    ]
    assert constants == [{(1e-3, 0.01)}, {(1e-5, 0.1)}]


def test_a_backbone_says_its_channels_and_strides() -> None:
    with on_meta():
        net = build("spinenet_96", activation="swish", padding="tf2")
    assert (net.channels, net.strides) == ((256,) * 5, (8, 16, 32, 64, 128))
    assert not net.training


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"variant": "50"}, "49S, 49, 96, 143, 190"),
        ({"graph": "r35-sp18"}, "r0-sp53, r23-sp30"),
        ({"activation": "gelu"}, "relu, swish"),
        ({"padding": "same"}, "tf2, tf1"),
        ({"width": 0.01}, "no channel"),
        ({"endpoints": 0}, "no channel"),
    ],
)
def test_what_is_not_there_is_said(arguments: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told), on_meta():
        spinenet(**arguments)


def test_an_image_too_small_for_seven_levels_is_refused() -> None:
    net = spinenet(**TINY).eval()
    with pytest.raises(UsageError, match="64x128 was given"):
        net(torch.zeros(1, 3, 64, 128))
    with pytest.raises(UsageError, match="at least 1"):
        cls_spinenet(classes=0)


def test_relu_gives_nothing_negative_and_swish_does() -> None:
    image = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 128, 128)).astype(np.float32))
    lowest = {}
    for activation in ("relu", "swish"):
        torch.manual_seed(0)
        with torch.inference_mode():
            levels = spinenet(activation=activation, **TINY).eval()(image)
        lowest[activation] = min(level.min().item() for level in levels)
    assert lowest["relu"] == 0
    assert -0.28 < lowest["swish"] < 0  # the minimum of x / (1 + exp(-x)) is -0.278
