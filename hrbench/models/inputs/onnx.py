"""How a network in an ONNX file is fed: at the size that the file is fixed to, and as bytes where it takes them.

An image is resized to a fixed height and width, and what is found is resized back; an image of that size goes in as it
is. A file of uint8 takes pixels from 0 to 255: mean 0 and std 1, so that the network's input times 255 is the pixel.
A YOLO for poses, as the metadata of ultralytics' exporter name it, takes values in [0, 1] of an image in the middle of
grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrbench.errors import HrbenchError
from hrbench.types import LibraryInput

IMAGENET = LibraryInput("")
ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def library_input(
    name: str,
    *,
    task: str,
    input: tuple[int, int] | None,
    args: Mapping[str, Any],
    weights: str = "",
    fetch: bool = False,
) -> LibraryInput | None:
    """What the file's input says; None for an open size of floats, or without a file that can be read."""
    path = Path(name).expanduser()
    if not path.is_file():
        return None
    from hrbench.models.adapters.onnx_graph import read_graph

    try:
        graph = read_graph(path)
    except HrbenchError:  # the network cannot be built either, which says why, of its entry alone
        return None
    _, _, height, width = graph.shape
    fixed = height is not None and width is not None
    yolo = task == "pose" and graph.yolo_task == "pose"
    if not fixed and graph.takes != "uint8" and not yolo:
        return None
    said = [f"the file {path.name}"]
    protocol: dict[str, Any] = {}
    if fixed:
        said.append(f"of fixed {height}x{width}")
        if task == "segmentation":
            protocol = {"name": "plain", "size": "squash", "crop": [height, width], "multiple": 1}
        elif task == "detection":
            protocol = {"name": "plain", "resize": "fixed"}
    if graph.takes == "uint8":
        said.append("of bytes")
    if graph.channels_last:
        said.append("with channels last")
    if yolo:
        said.append("of ultralytics for poses")
        protocol = {"name": "one-stage-yolo"}
    if not protocol and task in USUAL:
        protocol = {"name": USUAL[task]}
    size = (height, width) if height is not None and width is not None else None
    plain = graph.takes == "uint8" or yolo
    mean, std = (ZERO, ONE) if plain else (IMAGENET.mean, IMAGENET.std)
    return LibraryInput(" ".join(said), size, "rgb", mean, std, protocol, plain)


USUAL = {"classification": "imagenet", "segmentation": "plain", "detection": "plain"}
"""Task -> the protocol of a file of which no other is stated."""
