"""panopticapi's evaluation itself, without output: the reference for tests and --verify.

cityscapesscripts has a copy of it that differs in what it prints alone, and installs beside any NumPy; panopticapi
itself is on no package index, and its copy there (panopticapi-lite) asks for NumPy below 2.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from hrbench.core.reference_packages import CITYSCAPES, reference_module
from hrbench.errors import EntryError


def official() -> ModuleType:
    """The evaluation as a module. Raises UsageError if it is not installed."""
    name = "cityscapesscripts.evaluation.evalPanopticSemanticLabeling"
    return reference_module(name, "panoptic quality", CITYSCAPES)


def official_numbers(
    annotations: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    folders: tuple[Path, Path],
    categories: Mapping[int, Mapping[str, Any]],
    script: ModuleType | None = None,
) -> dict[str, Any]:
    """{"": (pq, sq, rq) of all, "_things": ..., "_stuff": ...; category id: ...}, NaN if there is no number.

    annotations: annotated and predicted image in the form of the files.
    folders: of annotated and predicted PNGs.
    categories: id -> {"isthing"}, in the order of the file.
    script: the module to ask; None for that of cityscapesscripts.

    One process, image after image: with several, panopticapi adds the sums of its processes, whose number is that of
    the machine's processors. Raises UsageError if the script is not installed, EntryError if it fails.
    """
    script = official() if script is None else script
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            stat = script.pq_compute_single_core(0, annotations, str(folders[0]), str(folders[1]), categories)
    except KeyError as error:
        raise EntryError(f"panopticapi gives up: {error.args[0]}") from None
    found: dict[Any, tuple[float, ...]] = {}
    for name, things in (("", None), ("_things", True), ("_stuff", False)):
        try:
            mean, single = stat.pq_average(categories, isthing=things)
        except ZeroDivisionError:  # not one class of the kind occurs
            found[name] = (math.nan,) * 3
            continue
        found[name] = _three(mean)
        found |= {category: _three(one) for category, one in single.items()}
    for category in categories:
        one = stat.pq_per_cat[category]
        if not one.tp + one.fp + one.fn:
            found[category] = (math.nan,) * 3
    return found


def _three(one: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(float(one[key]) for key in ("pq", "sq", "rq"))
