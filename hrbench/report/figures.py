"""The rendered predictions of the page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hrbench.types import Result

_IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """One rendered prediction.

    uri: its bytes as a data URI, "" if the file is missing.
    kind: "worst" or "typical".
    caption: also says that a file is missing.
    """

    uri: str
    kind: str
    caption: str


def rendered_images(result: Result, folder_of: Callable[[Result], Path]) -> list[RenderedImage]:
    """The rendered images of one result, worst ones first; of a missing file only the caption."""
    order = {"worst": 0, "typical": 1}
    found = []
    for drawing in sorted(result.drawings, key=lambda drawing: order.get(drawing.kind, 2)):
        uri = data_uri(folder_of(result), drawing.file)
        caption = drawing.caption or f"image {drawing.sample}"
        found.append(
            RenderedImage(uri, drawing.kind, caption if uri else f"{caption} (the file {drawing.file} is not there)")
        )
    return found


def data_uri(folder: Path, file: str) -> str:
    """An image as a data URI; "" for a file that is missing, is no image, or lies outside the folder."""
    path = (folder / file).resolve()
    kind = _IMAGES.get(path.suffix.lower())
    if kind is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return ""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
