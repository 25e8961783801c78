"""Where a network of the Hugging Face hub lies on this disk. Needs no torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hrbench.core.plugins import model_ref
from hrbench.errors import InputError
from hrbench.types import Missing, Reason

CONFIG = "config.json"
CONFIGS = ["*.json"]
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def forbidden() -> bool:
    """Whether the user's HF_HUB_OFFLINE forbids the network; hrbench itself never sets it."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def folder_of(name: str, *, fetch: bool, weights: bool) -> Path | Missing:
    """The folder of a network with its config.json, or the reason why there is none, in one sentence.

    name: a folder, written like a path, or a repository "organisation/name", which is looked for in the hub's cache.
    fetch: whether a repository that is not in the cache may be downloaded.
    weights: whether the folder must have weights too.
    """
    written = model_ref(f"transformers:{name}").path
    if written is not None:
        path = Path(written)
        there = (path / CONFIG).is_file()
        return path if there else Missing(Reason(f"{path}: there is no folder with a {CONFIG}"))
    if name.count("/") != 1:
        return Missing(Reason(f"{name} is neither a folder nor a repository of the hub"))
    found = _cached(name)
    if isinstance(found, Path) and (not weights or weights_in(found) is not None):
        return found
    if fetch:
        return _fetched(name, weights)
    return Missing(Reason(f"{name} is not in the hub's cache", f"get it by `hf download {name}`"))


def config_in(folder: Path) -> dict[str, Any]:
    """The values of a network's config.json, of which nothing is made. Raises InputError for what is no JSON object."""
    path = folder / CONFIG
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}; the configuration of a network is a JSON object")
    return found


def weights_in(folder: Path) -> Path | None:
    """The file of a folder that holds its weights, or the index of several such files; None if there is none."""
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def _cached(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, CONFIG)
    return Path(found).parent if isinstance(found, str) else None


def _fetched(name: str, weights: bool) -> Path | Missing:
    """Fetches a repository's configuration, and its weights as safetensors."""
    from huggingface_hub import snapshot_download

    wanted = [*CONFIGS, "model*.safetensors"] if weights else CONFIGS
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # of many kinds: no such repository, no network, one that asks for consent
        first = " ".join(str(error).split())[:200]
        why = f"{name} is not in the hub's cache and cannot be fetched: {type(error).__name__}: {first}"
        return Missing(Reason(why))
