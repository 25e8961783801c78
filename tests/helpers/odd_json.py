"""JSON as programs other than Python's write it: other spacing and order of keys, exponents, many or few digits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

WHOLE = ("id", "image_id", "category_id", "size", "counts", "width", "height", "iscrowd", "num_keypoints", "ignore")
"""Fields whose numbers stay whole."""
GAPS = ("", " ", "\n", "\t", "\r\n  ")


def dumps(value: Any, rng: np.random.Generator) -> str:
    """The value as JSON. Some numbers keep fewer digits, so that it does not always come back the same."""
    return _dumped(value, rng, str(rng.choice(GAPS)), "")


def _dumped(value: Any, rng: np.random.Generator, gap: str, key: str) -> str:
    if isinstance(value, dict):
        keys = list(value)
        ordered = [keys[place] for place in rng.permutation(len(keys))]
        inner = (f"{gap}{json.dumps(k)}{gap}:{gap}{_dumped(value[k], rng, gap, k)}" for k in ordered)
        return "{" + f"{gap},".join(inner) + gap + "}"
    if isinstance(value, list):
        return "[" + f"{gap},".join(gap + _dumped(each, rng, gap, key) for each in value) + gap + "]"
    if isinstance(value, (bool, str)) or value is None or key in WHOLE:
        return json.dumps(value)
    return _number(value, rng)


def _number(value: float, rng: np.random.Generator) -> str:
    if isinstance(value, int):
        return str(rng.choice([f"{value}", f"{value}.0", f"{value}e0", f"{10 * value}e-1", f"{value}.00E+0"]))
    forms = [repr(value)] * 5 + [f"{value:.17e}", f"{value:.25E}", f"{value:.3f}", f"{value:.0f}", f"{value:.2g}"]
    return str(rng.choice([*forms, f"{value:.60f}"]))
