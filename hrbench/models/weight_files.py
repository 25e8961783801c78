"""Where a network's weights lie on this disk, and their digest. Needs no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hrbench.places import PACKAGE
from hrbench.types import InputError, MissingError, Variant

SHIPPED = PACKAGE / "miniature" / "weights"

# (entry point, source) -> where a person gets the files of that source.
HOMES = {
    ("pose_hrnet", "official"): "the model zoo of github.com/leoxiaobin/deep-high-resolution-net.pytorch",
    ("pose_resnet", "official"): "the model zoo of github.com/leoxiaobin/deep-high-resolution-net.pytorch",
    ("pose_resnet", "simple-baseline"): "the model zoo of github.com/microsoft/human-pose-estimation.pytorch",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A weights file that is there. source: the variant's source it belongs to, or "file" where a path was given."""

    path: Path
    source: str


def find_weights(variant: Variant, weights: str | None, folder: Path) -> Found | str:
    """The weights file of a variant, or the reason why there is none, in one sentence.

    weights: None (the first of the variant's sources that is on disk), one of its sources, "none" (only costs are
    wanted), or a path. folder: where downloaded files lie (--weights), under the names their publishers gave them;
    source "shipped" is looked for in the package instead. Reads nothing but the file system's names.
    """
    if weights == "none":
        return "weights: none was asked for, so only costs are measured"
    if weights is not None and weights not in variant.weights:
        return _given(variant, Path(weights).expanduser())
    sources = list(variant.weights) if weights is None else [weights]
    for source in sources:
        for path in _candidates(source, variant.weights[source], folder):
            if path.is_file():
                return Found(path, source)
    if not sources:
        return f"no weights of {variant.name} have been published that hrbench knows of; give a file with weights: PATH"
    return f"no weights of {variant.name} found: " + "; ".join(_absent(variant, source, folder) for source in sources)


def digest(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits, read in pieces. Raises MissingError, InputError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingError(f"{path}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _given(variant: Variant, path: Path) -> Found | str:
    if path.is_file():
        return Found(path, "file")
    sources = f"; sources of {variant.name}: {', '.join(variant.weights)}" if variant.weights else ""
    return f"the weights {path} are not there{sources}"


def _candidates(source: str, name: str, folder: Path) -> list[Path]:
    """Paths that would do, best first: those of the publisher's name, then the same converted to safetensors."""
    places = _places(source, name, folder)
    return [*places, *(place.with_name(place.name.partition(".pt")[0] + ".safetensors") for place in places)]


def _places(source: str, name: str, folder: Path) -> list[Path]:
    """Where the publisher's file may lie. `name`: a file name, a path below `folder`, or a download's address."""
    if source == "shipped":
        return [SHIPPED / name]
    last = name.partition("?")[0].rstrip("/").rpartition("/")[2]
    return [folder / last] if "://" in name or last == name else [folder / name, folder / last]


def _absent(variant: Variant, source: str, folder: Path) -> str:
    name = variant.weights[source]
    looked = " and ".join(str(path) for path in _places(source, name, folder))
    if source == "shipped":
        home = f"python -m hrbench.miniature train {variant.name}"
    elif "://" in name:
        home = name
    else:
        home = HOMES.get((variant.use, source), f"where {source} publishes its weights")
    verb = "make it by" if source == "shipped" else "get it from"
    return f"{looked} is not there ({source}: {verb} {home})"
