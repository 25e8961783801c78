"""What a machine runs and has: asked of every node of a cluster, and compared with the machine of the driver.

The function goes to the nodes by value, so that a node without hrbench can say so: it uses the standard library alone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "pillow",
    "timm",
    "transformers",
    "segmentation-models-pytorch",
    "onnxruntime",
)
"""What may compute a number of a prediction. One that the driver does not have is not looked at on the nodes."""


def described(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Plain values: versions of Python and packages ("" if absent), of hrbench with the SHA-256 of its code, processor.

    Imports none of the packages.
    """
    found: dict[str, Any] = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in ("hrbench", *packages):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    spec = importlib.util.find_spec("hrbench")
    folder = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    found["code of hrbench"] = "" if folder is None else code_digest(folder)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"versions": found, "host": platform.node(), "cores": cores}


def code_digest(folder: Path) -> str:
    """The first 12 digits of the SHA-256 of all Python files below a folder, with their names."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
        whole.update(len(name).to_bytes(8, "big") + name + len(content).to_bytes(8, "big") + content)
    return whole.hexdigest()[:12]


def difference(own: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Which versions differ, in words; "" if none does. What the driver does not have is no difference.

    >>> difference({"python": "3.12", "torch": "2.9"}, {"python": "3.12", "torch": ""})
    'torch is not installed (here 2.9)'
    """
    told = []
    for name, here in own.items():
        there = theirs.get(name, "")
        if here and here != there:
            told.append(f"{name} is {there} (here {here})" if there else f"{name} is not installed (here {here})")
    if any(one.startswith("hrbench is") for one in told):
        told = [one for one in told if not one.startswith("code of hrbench")]
    return ", ".join(told)
