"""Settings of image processors: each is taken in the form it must have, and refused in any other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hrbench.errors import InputError
from hrbench.models.inputs.processor import Processor, colours


def of(**settings: Any) -> Processor:
    return Processor(SimpleNamespace(**settings), "ViT", "transformers:./net", "vit", True)


PLAIN = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3}


@pytest.mark.parametrize(
    ("settings", "mean", "std"),
    [
        ({"image_std": [0.25, 0.5, 1]}, (0.5, 0.5, 0.5), (0.25, 0.5, 1.0)),
        ({"image_std": 0.5, "image_mean": 0}, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),  # one for all colours
        ({"image_std": [0.5] * 3, "rescale_factor": 2 / 255}, (0.25,) * 3, (0.25,) * 3),
        ({"image_std": [0.5] * 3, "do_normalize": False}, (0.0,) * 3, (1.0,) * 3),
        ({"image_std": [0.5] * 3, "do_rescale": None}, (0.5 / 255,) * 3, (0.5 / 255,) * 3),
    ],
)
def test_colours(settings: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    found = colours(of(**{**PLAIN, **settings}))
    assert found == ("rgb", pytest.approx(mean), pytest.approx(std))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image_std": [0.5, 0.5]}, r"image_std of its ViTImageProcessor is \[0.5, 0.5\]; it should be three numbers"),
        ({"image_std": "abc"}, "image_std of its ViTImageProcessor is 'abc'"),
        ({"image_std": [0.5, True, 0.5]}, "three numbers"),
        ({"image_std": [0.5, float("nan"), 0.5]}, "three numbers"),
        ({"image_std": None}, "image_std of its ViTImageProcessor is None"),
        ({"image_std": [0.5, 0, 0.5]}, "make no number of a pixel"),
        ({"image_std": 1e-320}, "make no number of a pixel"),
        ({"image_std": 1, "rescale_factor": 0}, "rescale_factor of its ViTImageProcessor is 0"),
        ({"image_std": 1, "rescale_factor": None}, "rescale_factor of its ViTImageProcessor is None"),
        ({"image_std": 1, "do_normalize": "false"}, "do_normalize of its .* is 'false'; it should be true or false"),
        ({"image_std": 1, "do_rescale": 1}, "do_rescale of its .* is 1; it should be true or false"),
        ({"image_std": "x" * 90}, r"is 'x{56}\.\.\.; it"),
        ({"image_std": "\ud800"}, r"is '\\ud800'; it"),
    ],
)
def test_colours_that_are_none(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=rf"^transformers:\./net: .*{told}"):
        colours(of(**{**PLAIN, **settings}))


def test_sides() -> None:
    assert of().sides("size") == {} == of(size=None).sides("size")
    assert of(size={"height": 4, "width": 5, "longest_edge": None}).sides("size") == {"height": 4, "width": 5}
    assert of(size=SimpleNamespace(shortest_edge=7)).sides("size") == {"shortest_edge": 7}
    for side in (0, -1, 4.0, "4", True, [4], 2**31, float("inf")):
        with pytest.raises(InputError, match=r"size\.height of its .* it should be a number of pixels, 1 to 100,000"):
            of(size={"height": side, "width": 5}).sides("size")


def test_resampling() -> None:
    assert [of(resample=number).interpolation for number in (0, 2, 3)] == ["nearest", "bilinear", "bicubic"]
    assert of().interpolation == of(resample=None, do_resize=False).interpolation == "bilinear"
    assert of(resample=SimpleNamespace(value="bicubic")).interpolation == "bicubic"
    for value in (6, -1, 2.0, "cubic", [3], True, None):
        with pytest.raises(InputError, match="resample of its ViTImageProcessor is"):
            assert of(resample=value, do_resize=True).interpolation


def test_shares_and_multiples() -> None:
    assert of(crop_pct=0.875).share("crop_pct") == 0.875
    for share in (0, -1, 1e-320, 11, "0.9", None):
        with pytest.raises(InputError, match=r"crop_pct of its .* a share from 0.01 to 10"):
            of(crop_pct=share).share("crop_pct")
    assert of(size_divisor=None, size_divisibility=32).divisor("size_divisor", "size_divisibility") == 32
    assert of(size_divisor=0).divisor("size_divisor") == of().divisor("size_divisor") == 1
    for multiple in (-1, 2.5, "32", [32], 2**31):
        with pytest.raises(InputError, match=r"size_divisor of its .* a whole number up to"):
            of(size_divisor=multiple).divisor("size_divisor")
