"""A picture of an image with the classes predicted for it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrbench.errors import InputError
from hrbench.formats.class_lists import stem
from hrbench.tasks.picture_files import write_picture
from hrbench.types import Sample

WIDTH, LINE = 320, 24
_PAPER, _INK, _BAR, _RIGHT = (252, 252, 252), (40, 40, 40), (228, 206, 176), (120, 190, 120)  # blue, green, red


def read_rows(path: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
    """Sample id -> [{"label": index or name, "score": float or None}], best first, from a CSV of predictions."""
    names = {str(sample.id): sample.id for sample in samples}
    names |= {stem(sample.path.name): sample.id for sample in samples if stem(sample.path.name) not in names}
    found: dict[int | str, list[dict[str, Any]]] = {sample.id: [] for sample in samples}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            first = next(iter(row.values())) or ""
            key = names.get(stem(first.strip()))
            if key is None:
                continue
            if "index" in row or "index_0" in row:  # of timm
                found[key] = _timm_row(row)
                continue
            labels = {name: value for name, value in row.items() if name and name.startswith("label") and value}
            scores = [row.get(name.replace("label", "score")) for name in labels]
            found[key] = [
                {"label": label, "score": float(score) if score else None}
                for label, score in zip(labels.values(), scores, strict=True)
            ]
    return found


def _timm_row(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The classes of a line that timm's inference.py wrote."""
    if "index" in row:
        labels, scores = (str(row.get(name) or "").strip("[ ]").split() for name in ("index", "prob"))
    else:
        places = [k for k in range(len(row)) if f"index_{k}" in row]
        labels = [str(row[f"index_{k}"]) for k in places]
        scores = [str(row[f"prob_{k}"]) for k in places if f"prob_{k}" in row]
    known = len(scores) == len(labels)
    return [{"label": label, "score": float(scores[k]) if known else None} for k, label in enumerate(labels)]


def render_classes(
    image: np.ndarray,
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    truth: str,
    box: tuple[float, float, float, float] | None,
    path: Path,
) -> None:
    """Writes the image (H, W, 3) RGB, 320 px wide, above its classes with a bar for each one's score.

    rows: predictions, best first, each with "label" and "score".
    names: of the classes.
    truth: name of the right class, written above the others, its bar green; or "".
    box: (x, y, width, height) of the part that the protocol uses, without its margin; or None.

    Raises EntryError if the picture cannot be written.
    """
    zoom = WIDTH / image.shape[1]
    height = max(1, round(image.shape[0] * zoom))
    shrinks = cv2.INTER_AREA if zoom < 1 else cv2.INTER_NEAREST
    shown = cv2.resize(np.ascontiguousarray(image[..., ::-1]), (WIDTH, height), interpolation=shrinks)
    if box is not None:
        x, y, w, h = (round(value * zoom) for value in box)
        cv2.rectangle(shown, (x, y), (x + w, y + h), (0, 200, 255), 2)
    lines = [(f"is: {truth}", None, False)] if truth else []
    for row in rows:
        name = _name(row["label"], names)
        lines.append((name, row["score"], bool(truth) and name == truth))
    table = np.full((LINE * max(1, len(lines)) + 4, WIDTH, 3), _PAPER, np.uint8)
    for number, (text, score, right) in enumerate(lines):
        top = LINE * number + 2
        if score is not None:
            length = round(min(max(score, 0.0), 1.0) * (WIDTH - 8))
            table[top + 2 : top + LINE - 2, 4 : 4 + length] = _RIGHT if right else _BAR
            _write(table, f"{100 * score:.1f}", (WIDTH - 60, top + 17))
        _write(table, text if len(text) <= 32 else text[:31] + "~", (8, top + 17))
    write_picture(path, np.concatenate([shown, table]))


def _write(picture: np.ndarray, text: str, place: tuple[int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's letters are ASCII
    cv2.putText(picture, plain, place, cv2.FONT_HERSHEY_SIMPLEX, 0.46, _INK, 1, cv2.LINE_AA)


def _name(label: str, names: Sequence[str]) -> str:
    if not label.isdigit():
        return label
    if int(label) >= len(names):
        raise InputError(f"class {label} of {len(names)}; they are counted from 0")
    return names[int(label)]
