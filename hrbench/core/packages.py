"""Versions of the libraries that were really used, not only of the packages installed under their usual names.

Several packages contain a module `cv2`, and each overwrites the files of the one installed before. So the module in use
may have another version than the installed opencv-python-headless.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    packages_distributions,
    requires,
    version,
)
from pathlib import Path
from types import ModuleType

PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "opencv-python-headless", "pillow", "pycocotools", "safetensors",
    "pandas", "timm", "transformers", "onnxruntime",
)  # fmt: skip
"""Packages whose version can change a number or a picture; those not installed are left out."""

PIXELS = {
    "cv2": "opencv-python-headless", "PIL": "pillow", "numpy": "numpy", "scipy": "scipy", "torch": "torch",
    "torchvision": "torchvision", "pycocotools": "pycocotools",
}  # fmt: skip
"""Modules that compute pixels -> the packages that contain them, as hrbench requires them."""


def packages() -> dict[str, str]:
    """Name of a package -> its version; imports nothing.

    If a loaded module is not of the installed package, both are named: "5.0.0 (opencv-python 5.0.0.93), where 4.14.0.94
    is installed".
    """
    found = {name: version_ for name in PACKAGES if (version_ := _installed(name))}
    for module, name in PIXELS.items():
        stray = _stray(module, name)
        if stray is not None:
            there = f", where {found[name]} is installed" if name in found else ""
            found[name] = f"{stray}{there}"
    return found


def unmet() -> list[str]:
    """A sentence for each loaded module of a version that hrbench does not support."""
    return [sentence for module, name in PIXELS.items() if (sentence := _unmet(module, name))]


def _unmet(module: str, name: str) -> str:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    loaded, wanted = sys.modules.get(module), _pins().get(name, "")
    if loaded is None or not wanted:
        return ""
    stray = _stray(module, name)
    ran = _installed(name) if stray is None else _ran(loaded)
    try:
        if not ran or SpecifierSet(wanted).contains(Version(ran), prereleases=True):
            return ""
    except InvalidVersion:  # a local build: nothing is known about it
        pass
    return (
        f"{module} {stray or ran} was used, and hrbench needs {name}{wanted}: numbers may differ; "
        f"remove the other package and install {name}{wanted} again"
    )


def _stray(module: str, name: str) -> str | None:
    """A loaded module in words if its version is not that of the installed package; None if it is."""
    loaded = sys.modules.get(module)
    own, installed = "" if loaded is None else _own_version(loaded), _installed(name)
    if loaded is None or not own or (installed and _alike(own, installed)):
        return None
    owner = _owner(loaded)
    if owner is None:
        return f"{own} (of no installed package)"
    package = f"{owner.metadata['Name']} {owner.version}"
    return f"{own} ({package})" if _alike(own, owner.version) else f"{own} (in a file of {package})"


def _ran(module: ModuleType) -> str:
    """The version of a module: that of its package if the two agree (it may be longer), else the module's own."""
    own, owner = _own_version(module), _owner(module)
    return owner.version if owner is not None and _alike(own, owner.version) else own


def _own_version(module: ModuleType) -> str:
    return str(getattr(module, "__version__", "") or "")


def _alike(own: str, installed: str) -> bool:
    """Whether a module's version agrees with its package's, which may have more parts (a build) or a local label.

    >>> _alike("4.14.0", "4.14.0.94"), _alike("2.8.0+cu128", "2.8.0"), _alike("5.0.0", "4.14.0.94")
    (True, True, False)
    """
    parts = [text.partition("+")[0].split(".") for text in (own, installed)]
    return all(one == other for one, other in zip(*parts, strict=False))


def _owner(module: ModuleType) -> Distribution | None:
    """The installed package that contains the module's file, of several the one with its version, or None."""
    owners = list(_owners(module))
    return next((each for each in owners if _alike(_own_version(module), each.version)), (*owners, None)[0])


def _owners(module: ModuleType) -> Iterator[Distribution]:
    if not module.__file__:
        return
    file = Path(module.__file__).resolve()
    for name in dict.fromkeys(packages_distributions().get(module.__name__, ())):
        found = distribution(name)
        if any(Path(str(each.locate())).resolve() == file for each in found.files or ()):
            yield found


def _installed(name: str) -> str:
    return _version_on(name, tuple(sys.path))


@cache
def _version_on(name: str, path: tuple[str, ...]) -> str:
    """The version of a package on a search path: what is loaded stays so, and looking takes milliseconds."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@cache
def _pins() -> dict[str, str]:
    """Name of a package -> the versions of it that hrbench asks for (">=4.8,<5"), extras aside."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        asked = [Requirement(text) for text in requires("hrbench") or ()]
    except PackageNotFoundError:  # run from its sources, not installed
        return {}
    held = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    return {canonicalize_name(each.name): str(each.specifier) for each in held}
