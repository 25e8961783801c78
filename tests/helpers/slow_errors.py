"""Types of detection errors detection by detection, as TIDE defines them: a plain reference for any similarity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Iou = Callable[[Row, Row], float]


def taken(objects: list[Row], found: list[Row], iou: Iou, limit: int = 100) -> tuple[list[Row], dict[int, int]]:
    """The detections of an image that are looked at, by falling score, and which took which object."""
    mine = sorted(found, key=lambda row: -row["score"])[:limit]
    free, took = list(range(len(objects))), {}
    for place, row in enumerate(mine):
        own = [one for one in free if objects[one]["category_id"] == row["category_id"]]
        best = max(own, key=lambda one: iou(row, objects[one]), default=None)
        if best is not None and iou(row, objects[best]) >= 0.5:
            took[place] = best
            free.remove(best)
    return mine, took


def kinds(truth: Row, rows: list[Row], iou: Iou) -> Counter[str]:
    """How many errors there are of each type, those in crowds left out."""
    counts: Counter[str] = Counter()
    for image in truth["images"]:
        here = [one for one in truth["annotations"] if one["image_id"] == image["id"]]
        objects, crowds = ([one for one in here if bool(one["iscrowd"]) == flag] for flag in (False, True))
        mine, took = taken(objects, [row for row in rows if row["image_id"] == image["id"]], iou)
        usable: set[int] = set()
        for place, row in enumerate(mine):
            if place in took:
                continue
            alike = {one: iou(row, objects[one]) for one in range(len(objects))}
            own = {one: value for one, value in alike.items() if objects[one]["category_id"] == row["category_id"]}
            other = {one: value for one, value in alike.items() if one not in own}
            best, else_ = max(own, key=own.__getitem__, default=None), max(other, key=other.__getitem__, default=None)
            if best is not None and 0.1 <= own[best] <= 0.5:
                kind, meant = "localisation", best
            elif else_ is not None and other[else_] >= 0.5:
                kind, meant = "classification", else_
            elif any(value >= 0.5 for one, value in own.items() if one in took.values()):
                kind, meant = "duplicate", None
            else:
                kind, meant = "background" if max(alike.values(), default=0) <= 0.1 else "both", None
            usable |= set() if meant is None or meant in took.values() else {meant}
            inside = any(one["category_id"] == row["category_id"] and iou(row, one) > 0.5 for one in crowds)
            counts[kind] += not inside
        counts["missed"] += len(set(range(len(objects))) - set(took.values()) - usable)
    return counts
