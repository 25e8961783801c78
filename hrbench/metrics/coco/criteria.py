"""By which criteria a COCO metric judges, where they are not COCO's own: thresholds, recalls, areas, limits, classes.

What is asked for becomes `MatchSettings`; a state holds them, and a result names those that are not COCO's own, so that
its numbers are never compared with official ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from hrbench.errors import UsageError
from hrbench.metrics.coco.matching import MOST_THRESHOLDS, MatchSettings
from hrbench.types import State

MOST_RECALLS, MOST_AREAS, MOST_LIMITS = 1001, 32, 16
WIDEST = 1e10
"""The end of an area range without one, in px^2, as COCO has it."""

_AREA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")

Areas = Mapping[str, Sequence[float | None]]
"""Name -> [minimum, maximum] in px^2, both included; no maximum: null."""


@dataclass(frozen=True)
class OwnCriteria:
    """What is asked for in place of a metric's own settings; None for these.

    thresholds: rising similarities above 0 and up to 1, or a single one.
    recalls: rising recalls, or how many of them from 0 to 1 at even distances.
    areas: ranges beside that of every area, which is always there.
    max_detections: how many of an image and class are judged: a rising list, or the last alone.
    class_agnostic: whether all classes count as one.
    """

    thresholds: float | Sequence[float] | None = None
    recalls: int | Sequence[float] | None = None
    areas: Areas | None = None
    max_detections: int | Sequence[int] | None = None
    class_agnostic: bool = False

    def settings(self, official: MatchSettings, name: str) -> MatchSettings:
        """The settings asked for. name: of the option of thresholds. Raises UsageError for what cannot be meant."""
        asked: dict[str, Any] = {"class_agnostic": _yes_or_no("class_agnostic", self.class_agnostic)}
        if self.thresholds is not None:
            asked["thresholds"] = _meant(_thresholds(name, self.thresholds), official.thresholds)
        if self.recalls is not None:
            asked["recalls"] = _meant(_recalls(self.recalls), official.recalls)
        if self.areas is not None:
            asked["areas"] = (official.areas[0], *_areas(self.areas))
        if self.max_detections is not None:
            asked["max_detections"] = _limits(self.max_detections, official)
        return replace(official, **asked)


def criteria_params(settings: MatchSettings, official: MatchSettings) -> dict[str, Any]:
    """The parameters of a state that say how it was judged; those that are official in most are left out."""
    params: dict[str, Any] = {
        "thresholds": list(settings.thresholds),
        "areas": [list(area) for area in settings.areas],
        "most": settings.max_detections[-1],
    }
    if settings.max_detections != official.max_detections:
        params["max_detections"] = list(settings.max_detections)
    if settings.recalls != official.recalls:
        params["recalls"] = list(settings.recalls)
    if settings.class_agnostic:
        params["class_agnostic"] = True
    return params


def settings_in(state: State, official: MatchSettings) -> MatchSettings:
    """The settings that a state was measured with."""
    params = state.params
    return MatchSettings(
        tuple(params.get("thresholds") or official.thresholds),
        tuple(params.get("recalls") or official.recalls),
        tuple((name, low, high) for name, low, high in params.get("areas") or official.areas),
        tuple(params.get("max_detections") or official.max_detections),
        bool(params.get("class_agnostic", False)),
    )


def own_criteria(settings: MatchSettings, official: MatchSettings, name: str) -> dict[str, Any]:
    """The options that are not the official ones, as a suite writes them. name: of that of thresholds."""
    found: dict[str, Any] = {}
    if settings.thresholds != official.thresholds:
        found[name] = list(settings.thresholds)
    if settings.areas != official.areas:
        found["areas"] = {called: [low, high] for called, low, high in settings.areas[1:]}
    if settings.recalls != official.recalls:
        many = len(settings.recalls)
        even = settings.recalls == tuple(np.linspace(0.0, 1.0, many).tolist())
        found["recall_thresholds"] = many if even else list(settings.recalls)
    if settings.max_detections != official.max_detections:
        found["max_detections"] = list(settings.max_detections)
    if settings.class_agnostic:
        found["class_agnostic"] = True
    return found


def even_step(values: Sequence[float]) -> float | None:
    """The distance of three or more numbers that lie evenly, else None.

    >>> even_step([0.5, 0.55, 0.6]), even_step([0.3, 0.5, 0.9]), even_step([0.5, 0.75])
    (0.05, None, None)
    """
    if len(values) < 3:
        return None
    step = float(f"{(values[-1] - values[0]) / (len(values) - 1):.6g}")
    even = values[0] + step * np.arange(len(values))
    return step if bool(np.allclose(values, even, rtol=0, atol=1e-6 * step)) else None


def _meant(given: tuple[float, ...], official: tuple[float, ...]) -> tuple[float, ...]:
    """The official numbers if those given differ by rounding only, as 0.85 of a file may from `linspace`."""
    return official if len(given) == len(official) and np.allclose(given, official, rtol=0, atol=1e-12) else given


def _yes_or_no(name: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise UsageError(f"{name} {given!r}: say true or false")
    return given


def _thresholds(name: str, given: Any) -> tuple[float, ...]:
    values = _numbers([given] if _is_number(given) else given)
    if not values or len(values) > MOST_THRESHOLDS or not _rising(values) or values[0] <= 0 or values[-1] > 1:
        raise UsageError(
            f"{name} {_shown(given)}: give 1 to {MOST_THRESHOLDS} numbers above 0 and up to 1, each above the last"
        )
    return values


def _recalls(given: Any) -> tuple[float, ...]:
    if isinstance(given, int) and not isinstance(given, bool) and 2 <= given <= MOST_RECALLS:
        return tuple(np.linspace(0.0, 1.0, given).tolist())
    values = None if _is_number(given) else _numbers(given)
    if not values or len(values) > MOST_RECALLS or not _rising(values) or values[0] < 0 or values[-1] > 1:
        raise UsageError(
            f"recall_thresholds {_shown(given)}: give 1 to {MOST_RECALLS} numbers from 0 to 1, each above the last, or "
            f"how many there are from 0 to 1 at even distances (2 to {MOST_RECALLS})"
        )
    return values


def _areas(given: Any) -> list[tuple[str, float, float]]:
    if not isinstance(given, Mapping) or not 0 < len(given) <= MOST_AREAS:
        raise UsageError(f"areas {_shown(given)}: give 1 to {MOST_AREAS} ranges by name, as {{tiny: [0, 256]}}")
    found = []
    for name, ends in given.items():
        if not isinstance(name, str) or not _AREA_NAME.fullmatch(name) or name == "all":
            raise UsageError(
                f"areas: {name!r} is no name for a range: up to 32 letters, digits, - and _, beginning with a letter; "
                "`all` is of every area and always there"
            )
        pair = list(ends) if isinstance(ends, Sequence) and not isinstance(ends, str) else []
        values = _numbers([pair[0], WIDEST if pair[1] is None else pair[1]]) if len(pair) == 2 else None
        if values is None or not 0 <= values[0] < values[1]:
            raise UsageError(
                f"areas: {name} {_shown(ends)}: give [minimum, maximum] in px^2, the second above the first, or null "
                "for no maximum"
            )
        found.append((name, *values))
    return sorted(found, key=lambda area: (area[1:], area[0]))  # the order of a file means nothing


def _limits(given: Any, official: MatchSettings) -> tuple[int, ...]:
    """A rising list of limits, or the last one after those of the official ones that are below it."""
    if isinstance(given, int) and not isinstance(given, bool):
        limits: tuple[Any, ...] = (*(each for each in official.max_detections[:-1] if each < given), given)
    else:
        limits = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    right = all(isinstance(each, int) and not isinstance(each, bool) and 0 < each < 1 << 31 for each in limits)
    if not 0 < len(limits) <= MOST_LIMITS or not right or not _rising(limits):
        raise UsageError(
            f"max_detections {_shown(given)}: give a whole number above 0, or up to {MOST_LIMITS}, each above the last"
        )
    return limits


def _numbers(given: Any) -> tuple[Any, ...] | None:
    """Finite numbers as floats; None for anything else."""
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(map(_is_number, given)):
        return None
    return tuple(map(float, given))


def _is_number(given: Any) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool) and bool(np.isfinite(given))


def _rising(values: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(values))


def _shown(given: Any) -> str:
    text = repr(list(given) if isinstance(given, tuple) else given)
    return text if len(text) <= 80 else f"{text[:77]}..."
