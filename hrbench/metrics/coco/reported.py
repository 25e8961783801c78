"""The numbers that a COCO metric reports under its settings, and what they are called.

A name says what is averaged over. Official numbers have COCO's own: AP, AP50, APS, AR100. Others say what differs:
`AP@0.3`, `AP@0.3-0.7step0.1`, `AP-tiny`, `AP@R11` (precision at 11 recalls), `micro-AP` (all classes as one), `AR300`.
What a name has no room for, such as the ends of an area range, the description says. Numbers of single classes are of
the same kinds: `AP50/person`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hrbench.metrics.coco.criteria import WIDEST, even_step
from hrbench.metrics.coco.curves import Number
from hrbench.metrics.coco.matching import MatchSettings
from hrbench.types import Quantity

_WHOLE = re.compile(r"(?<![\d.R])(\d+)(?=$|[+-]|step)")
"""A threshold in a name that has no point."""

MOST_NAMED = 12
"""More recalls that do not lie evenly are only counted."""


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a metric are formed.

    official: COCO's own settings.
    option: the name of the option of thresholds.
    similarity: what is compared with a threshold.
    things, others: what a number is of, and what is behind it: "boxes", "objects".
    ranges: official area range -> letter after AP and AR, and what it is in words.
    each_limit: whether recall is told at each limit of detections (AR1, AR10); else at each threshold (AR50).
    protocol: whose evaluation it is.
    """

    official: MatchSettings
    option: str
    similarity: str
    things: str
    others: str
    ranges: Mapping[str, tuple[str, str]]
    each_limit: bool
    protocol: str = "COCO"


def numbers(form: NumberForm, settings: MatchSettings, labels: Sequence[str] = ()) -> tuple[Number, ...]:
    """The numbers over all classes, then those of each class: AP, at single thresholds, and AR at the last limit.

    labels: of the classes; () for none of their numbers.
    """
    last, areas = len(settings.max_detections) - 1, range(1, len(settings.areas))
    single = _single_thresholds(form, settings)

    def named(kind: Literal["precision", "recall"], threshold: int | None, area: int = 0, limit: int = last) -> Number:
        return Number(_name(form, settings, kind, threshold, area, limit), kind, threshold, area, limit)

    precision = [named("precision", None), *(named("precision", t) for t in single)]
    precision += [named("precision", None, area) for area in areas]
    if form.each_limit:
        recall = [named("recall", None, 0, limit) for limit in range(last + 1)]
    else:
        recall = [named("recall", None, 0, limit) for limit in range(last)]
        recall += [named("recall", None), *(named("recall", t) for t in single)]
    recall += [named("recall", None, area) for area in areas]
    kinds = [named("precision", None), *(named("precision", t) for t in single), named("recall", None)]
    if not form.each_limit:
        kinds += [named("recall", t) for t in single]
    classes = [
        Number(f"{one.name}/{label}", one.kind, one.threshold, one.area, one.limit, place)
        for one in (kinds if labels else ())
        for place, label in enumerate(labels)
    ]
    return (*precision, *recall, *classes)


def _single_thresholds(form: NumberForm, settings: MatchSettings) -> list[int]:
    """Which thresholds have a number of their own: COCO's 0.5 and 0.75, or each of others unless it is alone."""
    if settings.thresholds == form.official.thresholds:
        return [settings.thresholds.index(0.5), settings.thresholds.index(0.75)]
    return list(range(len(settings.thresholds))) if len(settings.thresholds) > 1 else []


def _name(
    form: NumberForm,
    settings: MatchSettings,
    kind: Literal["precision", "recall"],
    threshold: int | None,
    area: int,
    limit: int,
) -> str:
    name = "AP" if kind == "precision" else "AR"
    own_limits = settings.max_detections != form.official.max_detections
    if kind == "recall" and not area and threshold is None and (form.each_limit or own_limits):
        most = settings.max_detections[limit]
        name += f"{most}" if form.each_limit else f"@{most}dets"
    official = settings.areas[area] in form.official.areas
    if area:
        called = settings.areas[area][0]
        name += form.ranges[called][0] if official else f"-{called}"
    if threshold is not None:
        name += at_threshold(settings.thresholds[threshold])
    elif settings.thresholds != form.official.thresholds:
        alone = len(settings.thresholds) == 1 and name in ("AP", "AR")
        name += at_threshold(settings.thresholds[0]) if alone else f"@{spread(settings.thresholds)}"
    if kind == "precision" and settings.recalls != form.official.recalls:
        name += f"@R{len(settings.recalls)}"
    return f"micro-{name}" if settings.class_agnostic else name


def at_threshold(threshold: float) -> str:
    """What stands after AP: 50 and 75 as COCO has it, else @ and the threshold.

    >>> at_threshold(0.75), at_threshold(0.3), at_threshold(1.0)
    ('75', '@0.3', '@1.0')
    """
    text = _short(threshold)
    return f"{threshold * 100:.0f}" if threshold in (0.5, 0.75) else f"@{text if '.' in text else f'{text}.0'}"


def spread(thresholds: Sequence[float]) -> str:
    """Thresholds in a name.

    >>> spread([0.3, 0.4, 0.5, 0.6]), spread([0.3, 0.5, 0.9]), spread([0.3])
    ('0.3-0.6step0.1', '0.3+0.5+0.9', '0.3')
    """
    step = even_step(thresholds)
    if step is None:
        return "+".join(map(_short, thresholds))
    return f"{_short(thresholds[0])}-{_short(thresholds[-1])}step{_short(step)}"


def label_of(name: str) -> str:
    """What a number is called where people read it: its name, each threshold with a digit after the point.

    The name itself is older, and stands in policies.

    >>> label_of("APS@1"), label_of("AP@1.0"), label_of("AR@0.5-1step0.1"), label_of("AP@R11/car-1")
    ('APS@1.0', 'AP@1.0', 'AR@0.5-1.0step0.1', 'AP@R11/car-1')
    """
    head, slash, category = name.partition("/")
    before, at, thresholds = head.partition("@")
    return before + at + _WHOLE.sub(r"\1.0", thresholds) + slash + category if at else name


def described(
    form: NumberForm, settings: MatchSettings, labels: Sequence[str] = (), note: str = ""
) -> tuple[Quantity, ...]:
    """What the numbers mean, in their order. note: what each description ends with."""
    own, found = replace(settings, max_detections=form.official.max_detections) != form.official, []
    known = {number.name for number in numbers(form, form.official)}
    texts: dict[tuple[object, ...], tuple[str, str]] = {}  # of thousands of classes only the names differ
    for number in numbers(form, settings, labels):
        kind = number.kind, number.threshold, number.area, number.limit
        if kind not in texts:
            before, after = _around(form, settings, number)
            by = f"{form.protocol} protocol" + (" with own criteria" if own and number.name not in known else "")
            texts[kind] = before, f"{after}; {by}; n is {form.others}.{note}"
        of, name = _classes_of(form, settings, number), number.name
        found.append(Quantity(name, label_of(name), "fraction", "higher", of.join(texts[kind])))
    return tuple(found)


def _around(form: NumberForm, settings: MatchSettings, number: Number) -> tuple[str, str]:
    """What stands before and after the classes that a number is of."""
    of = f" of {form.things}" if form.things else ""
    annotated, group = (" as annotated", " and class") if form.each_limit else ("", "")
    per = "an image" + ("" if settings.class_agnostic else group)
    words = [f", {form.others} {range_in_words(form, settings, number)}{annotated}"]
    words.append(f"at most {settings.max_detections[number.limit]} detections {per}")
    if number.kind == "precision" and settings.recalls != form.official.recalls:
        words.append(f"at {recalls_in_words(settings.recalls)}")
    return f"Average {number.kind}{of} {at_in_words(form, settings, number)}", ", ".join(words)


def _classes_of(form: NumberForm, settings: MatchSettings, number: Number) -> str:
    if settings.class_agnostic:
        return ", all classes as one"
    if number.category is not None:
        return f", class {class_of(number)}"
    return ", mean over classes" if form.each_limit else ""


def class_of(number: Number) -> str:
    """The class of a number of a single one."""
    return number.name.partition("/")[2]


def at_in_words(form: NumberForm, settings: MatchSettings, number: Number) -> str:
    """The thresholds of a number: "averaged over IoU 0.50 to 0.95 in steps of 0.05"."""
    if number.threshold is not None:
        return f"at {form.similarity} {_two_digits(settings.thresholds[number.threshold])}"
    thresholds = settings.thresholds
    if len(thresholds) == 1:
        return f"at {form.similarity} {_two_digits(thresholds[0])}"
    step = even_step(thresholds)
    if step is None:
        return f"averaged over {form.similarity} {', '.join(map(_two_digits, thresholds))}"
    ends = f"{_two_digits(thresholds[0])} to {_two_digits(thresholds[-1])}"
    return f"averaged over {form.similarity} {ends} in steps of {_two_digits(step)}"


def range_in_words(form: NumberForm, settings: MatchSettings, number: Number) -> str:
    """The area range of a number: "of small area (up to 32² px²)"."""
    area = settings.areas[number.area]
    if area in form.official.areas:
        return form.ranges[area[0]][1]
    name, low, high = area
    ends = f"from {_short(low)}" if high >= WIDEST else f"{_short(low)} to {_short(high)}"
    return f"of {name} area ({ends} px²)"


def recalls_in_words(recalls: Sequence[float]) -> str:
    """Recalls at which precision is read: "11 recalls from 0 to 1"."""
    if len(recalls) == 1:
        return f"recall {_short(recalls[0])}"
    if even_step(recalls) is not None or len(recalls) > MOST_NAMED:
        return f"{len(recalls)} recalls from {_short(recalls[0])} to {_short(recalls[-1])}"
    return f"recalls {', '.join(map(_short, recalls))}"


def _two_digits(value: float) -> str:
    """At least two digits after the point.

    >>> _two_digits(0.5), _two_digits(0.125), _two_digits(0.6000000000000001)
    ('0.50', '0.125', '0.60')
    """
    text = _short(value)
    return f"{value:.2f}" if len(text.partition(".")[2]) < 2 else text


def _short(value: float) -> str:
    return f"{value:.12g}"
