"""The settings of an image processor of transformers, each in the form that it must have.

The library keeps what preprocessor_config.json says, of whatever form, and fails at the first image, or takes a text
for true; here a setting of another form is refused when the file is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from hrbench.errors import InputError, UsageError
from hrbench.models.inputs.numbers import LEAST_STD, is_number, is_whole, of_colours, short

RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's filters by their numbers."""

MOST = 100_000
"""Pixels that a side may have: more is no image, and would be taken for one until memory ends."""

SIDES = ("height", "width", "shortest_edge", "longest_edge", "max_height", "max_width")


class Processor:
    """A processor of the library with what is asked of it. Every getter raises InputError for another form.

    made: the library's object.
    kind: its class without "ImageProcessor".
    what: the network, for messages.
    model: the kind of network.
    own: whether its settings are those of a file.
    """

    def __init__(self, made: Any, kind: str, what: str, model: str, own: bool) -> None:
        self.made, self.kind, self.what, self.model, self.own = made, kind, what, model, own

    def has(self, name: str) -> bool:
        """Whether this kind of processor has a setting of that name, and it is set."""
        return getattr(self.made, name, None) is not None

    def flag(self, name: str) -> bool:
        """Whether something is done; not if this kind has no such setting."""
        value = getattr(self.made, name, None)
        if value is not None and not isinstance(value, bool):
            raise self._other(name, value, "true or false")
        return bool(value)

    def number(self, name: str) -> float:
        """A finite number that is not 0."""
        value = getattr(self.made, name, None)
        if not is_number(value) or not value:
            raise self._other(name, value, "a number other than 0")
        return float(value)

    def share(self, name: str) -> float:
        """Which share of a side is cut out, 0.01 to 10."""
        value = getattr(self.made, name, None)
        if not is_number(value) or not 0.01 <= value <= 10:
            raise self._other(name, value, "a share from 0.01 to 10")
        return float(value)

    def colours(self, name: str) -> tuple[float, float, float]:
        """A number for each colour; the library takes one for all as well."""
        value = getattr(self.made, name, None)
        found = of_colours([value] * 3 if is_number(value) else value)
        if found is None:
            raise self._other(name, value, "three numbers")
        return found

    def divisor(self, *names: str) -> int:
        """The multiple to which sides are filled up, by the first of the names that is set; 1 for none."""
        for name in filter(self.has, names):
            value = getattr(self.made, name)
            if not is_whole(value) or not 0 <= value <= MOST:
                raise self._other(name, value, f"a whole number up to {MOST:,}")
            if value:
                return value
        return 1

    def sides(self, name: str) -> dict[str, int]:
        """The lengths of a size ("size", "crop_size") by name, those that are set."""
        found = getattr(self.made, name, None)
        if found is None:
            return {}
        values = {key: found.get(key) if isinstance(found, Mapping) else getattr(found, key, None) for key in SIDES}
        for key, value in values.items():
            if value is not None and (not is_whole(value) or not 0 < value <= MOST):
                raise self._other(f"{name}.{key}", value, f"a number of pixels, 1 to {MOST:,}")
        return {key: value for key, value in values.items() if value is not None}

    @property
    def interpolation(self) -> str:
        """The filter of resizing; bilinear of a kind without that setting, and where nothing is resized."""
        value = getattr(self.made, "resample", 2)
        value = getattr(value, "value", value)
        if value is None and not self.flag("do_resize"):
            value = 2
        if is_whole(value) and 0 <= value < len(RESAMPLING):
            return RESAMPLING[value]
        if value not in RESAMPLING:
            raise self._other("resample", value, f"one of 0 to {len(RESAMPLING) - 1}, Pillow's filters")
        return value

    def refused(self, setting: str) -> UsageError:
        """The error for a way of feeding that hrbench does not offer."""
        return UsageError(
            f"{self.what} is fed by {self.kind}ImageProcessor with {setting}, which hrbench does not do: "
            "name a protocol and its settings (`protocol: {name: ...}`)"
        )

    def _other(self, name: str, value: Any, wanted: str) -> InputError:
        return InputError(
            f"{self.what}: {name} of its {self.kind}ImageProcessor is {short(value)}; it should be {wanted}"
        )


def colours(p: Processor) -> tuple[Literal["rgb", "bgr"], tuple[float, ...], tuple[float, ...]]:
    """Channel order, mean and std of values in [0, 1] that rescaling, an offset and normalisation amount to.

    Raises InputError for settings that are no numbers, or by which no number comes out.
    """
    rescaled = p.flag("do_rescale") if p.has("do_rescale") else not hasattr(p.made, "do_rescale")
    factor = (p.number("rescale_factor") if hasattr(p.made, "rescale_factor") else 1 / 255) if rescaled else 1.0
    unit = 255 * factor
    unit = 1.0 if abs(unit - 1) < 1e-9 else unit
    normalised = p.flag("do_normalize")
    mean = p.colours("image_mean") if normalised else (0.0,) * 3
    std = p.colours("image_std") if normalised else (1.0,) * 3
    offset = 1.0 if p.flag("rescale_offset") else 0.0
    if p.flag("include_top"):  # EfficientNet's processor divides by it once more
        std = tuple(value * value for value in std) if normalised else p.colours("image_std")
    mean, std = tuple((value + offset) / unit for value in mean), tuple(value / unit for value in std)
    if not all(map(math.isfinite, (*mean, *std))) or not all(abs(value) > LEAST_STD for value in std):
        raise InputError(
            f"{p.what}: rescale_factor, image_mean and image_std of its {p.kind}ImageProcessor make no number of a "
            f"pixel: mean {mean}, std {std} of values in [0, 1]"
        )
    return "bgr" if p.flag("do_flip_channel_order") else "rgb", mean, std
