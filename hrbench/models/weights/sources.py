"""Where a network's weights are published, where they lie on this disk, and their digests. Needs no torch.

A catalog row has one of four entries for each source:

    official: pose_hrnet_w32_256x192.pth                      a file to download by hand (see DOWNLOAD_PAGES)
    openmmlab: https://host/path/net-c78dce93.pth             an address; its digest begins with c78dce93
    keras: https://host/path/net.h5#sha256=9f86d08...         an address, and the digest of the file
    timm: timm/hrnet_w18.ms_aug_in1k                          a repository of the Hugging Face hub ("timm" and "hf")

Files lie in the folder of weights under their publishers' names, those of the hub under their repositories'.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from hrbench.core.digests import sha256
from hrbench.core.plugins import model_ref
from hrbench.core.remote import mirror
from hrbench.core.remote.addresses import is_url, redact
from hrbench.core.resources import PACKAGE
from hrbench.errors import InputError, MissingError
from hrbench.models.adapters.snapshots import folder_of, weights_in
from hrbench.types import Entry, Missing, Reason, Variant

SHIPPED = PACKAGE / "miniature" / "weights"
HUB_SOURCES = ("timm", "hf")
SINGLE_FILE_SOURCES = ("onnx", "exported")
"""Kinds of `use` whose file holds the weights as well: "onnx:net.onnx"."""
OWN_WEIGHTS = "own"
"""The value of `weights` if a user-defined callable returns its network with weights."""
OWN_REMEDY = "give a file with weights: PATH, or weights: own if the callable loads them itself"

# (entry point, source) -> where to download the files of that source by hand.
DOWNLOAD_PAGES = {
    ("pose_hrnet", "official"): "the model zoo of github.com/leoxiaobin/deep-high-resolution-net.pytorch",
    ("pose_resnet", "official"): "the model zoo of github.com/leoxiaobin/deep-high-resolution-net.pytorch",
    ("cls_hrnet", "official"): "the README of github.com/HRNet/HRNet-Image-Classification",
    ("seg_hrnet", "official"): "the README of github.com/HRNet/HRNet-Semantic-Segmentation",
    ("seg_hrnet_ocr", "official"): "branch HRNet-OCR of github.com/HRNet/HRNet-Semantic-Segmentation",
    ("face_hrnet", "official"): "the README of github.com/HRNet/HRNet-Facial-Landmark-Detection",
    ("refinenet", "official"): "the link in models/resnet.py of github.com/DrSleep/refinenet-pytorch",
    ("pose_resnet", "simple-baseline"): "the model zoo of github.com/microsoft/human-pose-estimation.pytorch",
}


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A weights file that exists.

    path: of the file; empty if source is "own".
    source: the variant's source of the file; "file" for a path that the user named; "onnx" or "exported" if network and
        weights are one file; "own" if a user-defined callable loads them itself.
    key: the part of a training checkpoint that was asked for; "" if none was.
    drop: the prefix that was asked to be dropped from all keys; "" if none was.
    """

    path: Path
    source: str
    key: str = ""
    drop: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a variant's weights are published.

    name: of the source, such as "official".
    file: the publisher's name, as a path below the folder of weights.
    address: of the download, "" if it is manual.
    sha256: hexadecimal digits that the file's digest begins with, "" if none are known.
    home: where to get the file, in words or as an address.
    """

    name: str
    file: str
    address: str
    sha256: str
    home: str

    @property
    def hub(self) -> bool:
        """Whether it is the Hugging Face hub, whose server sends the digest."""
        return self.name in HUB_SOURCES

    def target(self, folder: Path) -> Path:
        """Where a download of it is put."""
        return SHIPPED / self.file if self.name == "shipped" else folder / self.file.rpartition("/")[2]

    def places(self, folder: Path) -> list[Path]:
        """Where the publisher's file may lie, best first."""
        if self.name == "shipped" or "/" not in self.file:
            return [self.target(folder)]
        return [folder / self.file, self.target(folder)]


def stated_source(variant: Variant, name: str) -> Source:
    """The catalog's entry for one of the variant's sources, parsed."""
    text, _, fragment = variant.weights[name].partition("#")
    address = text if "://" in text else _hub(text) if name in HUB_SOURCES else ""
    if address != text:
        file = text.rpartition("/")[2] + ".safetensors" if address else text
    else:
        file = text.partition("?")[0].rstrip("/").rpartition("/")[2]
    sha256 = fragment.removeprefix("sha256=").lower() if fragment.startswith("sha256=") else _digits(file)
    home = f"where {name} publishes its weights" if name != "shipped" else "the package of hrbench"
    return Source(name, file, address, sha256, address or DOWNLOAD_PAGES.get((variant.use, name), home))


def find_weights(variant: Variant, weights: str | None, folder: Path) -> WeightsFile | Missing:
    """The weights file of a variant, or the reason why there is none.

    A network of "onnx:FILE" or "exported:FILE" has its weights in that file; a user-defined callable may load them
    itself ("own"). Reads no files, only looks whether they exist; if `folder` is at an address, it is listed.

    weights: None (the first of the variant's sources that is on disk), one of its sources, "none" (only costs are
        measured), "own", or a path or the address of a file in an object store, which is then fetched.
    folder: of downloaded files (--weights), under the publishers' names; source "shipped" is in the package instead.
    """
    mirror.listed(folder)
    if weights == "none":
        return Missing(Reason("weights: none was asked for, so only costs are measured"))
    ref = model_ref(variant.use)
    own = ref.kind == "reference"
    if weights == OWN_WEIGHTS and OWN_WEIGHTS not in variant.weights:
        if own:
            return WeightsFile(Path(), OWN_WEIGHTS)
        return Missing(Reason(f"{variant.name} is no user-defined callable, which weights: own is for"))
    if weights is not None and weights not in variant.weights:
        return _at_address(weights) if is_url(weights) else _given(variant, Path(weights).expanduser())
    if ref.source in SINGLE_FILE_SOURCES and weights is None:
        whole = Path(ref.target).expanduser()
        missing = Missing(Reason(f"the network's file {whole} is not there"))
        return WeightsFile(whole, ref.source) if whole.is_file() else missing
    sources = [stated_source(variant, name) for name in (variant.weights if weights is None else [weights])]
    for source in sources:
        for path in _candidates(source, folder):
            if path.is_file():
                return WeightsFile(path, source.name)
    if not sources and own:
        return Missing(Reason(f"{variant.name} has no weights", OWN_REMEDY))
    if not sources:
        known = f"no weights of {variant.name} have been published that hrbench knows of"
        return Missing(Reason(known, "give a file with weights: PATH"))
    absent = "; ".join(_absent(variant, source, folder) for source in sources)
    return Missing(Reason(f"no weights of {variant.name} found: {absent}"))


def _given(variant: Variant, path: Path) -> WeightsFile | Missing:
    if path.is_file():
        return WeightsFile(path, "file")
    sources = f"sources of {variant.name}: {', '.join(variant.weights)}" if variant.weights else ""
    return Missing(Reason(f"the weights {path} are not there", sources))


def _at_address(address: str) -> WeightsFile | Missing:
    """A file in an object store, fetched. Raises StorageError if that fails."""
    try:
        return WeightsFile(mirror.local_copy(address), "file")
    except MissingError:
        return Missing(Reason(f"the weights {redact(address)} are not there"))


def _hub(repository: str) -> str:
    """The address of a repository's weights; HF_ENDPOINT names a mirror of the hub."""
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{endpoint.rstrip('/')}/{repository}/resolve/main/model.safetensors"


def _digits(file: str) -> str:
    """The first eight digits of the SHA-256, which OpenMMLab, torchvision and timm put at the end of a file's name,
    mmpose before a day.

    >>> _digits("hrnet_w18-8cb57bb9.pth"), _digits("pspnet_r50-20200601.pth"), _digits("pose_hrnet_w32_256x192.pth")
    ('8cb57bb9', '', '')
    >>> _digits("hrnet_w32_coco_256x192-c78dce93_20200708.pth")
    'c78dce93'
    """
    found = re.search(r"-([0-9a-f]{8})(?:_\d{8})?\.[a-z.]+$", file)
    if found is None or re.fullmatch(r"20[0-3]\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", found[1]):  # a day
        return ""
    return found[1]


def _candidates(source: Source, folder: Path) -> list[Path]:
    """Paths that would do, best first: those of the publisher's name, then the same converted to safetensors."""
    places = source.places(folder)
    return [*places, *(place.with_name(_stem(place.name) + ".safetensors") for place in places)]


def _stem(name: str) -> str:
    """A file's name without what says its format.

    >>> _stem("pose_resnet_50.pth.tar"), _stem("spinenet.tar.gz"), _stem("hrnet_w18.ms_aug_in1k.safetensors")
    ('pose_resnet_50', 'spinenet', 'hrnet_w18.ms_aug_in1k')
    """
    return re.sub(r"(\.(pth|pt|tar|gz|zip|ckpt|npz|h5|keras|bin|safetensors))+$", "", name)


def _absent(variant: Variant, source: Source, folder: Path) -> str:
    looked = " and ".join(mirror.told(str(path)) for path in source.places(folder))
    if source.name == "shipped":
        how = f"make it by python -m hrbench.miniature train {variant.name}"
    else:
        how = f"get it from {source.home}"
    return f"{looked} is not there ({source.name}: {how})"


def weights_of(
    variant: Variant, weights: str | None, folder: Path, fetch: bool, key: str = "", drop: str = ""
) -> WeightsFile | Missing:
    """The weights file of a variant, or the reason why there is none; see `find_weights`.

    fetch: whether a repository of the hub that is not on this disk may be downloaded.
    key: the part of a training checkpoint that is asked for.
    drop: the prefix that is asked to be dropped from all keys.
    """
    ref = model_ref(variant.use)
    if weights is not None or ref.source != "transformers" or variant.weights:
        found = find_weights(variant, weights, folder)
        return found if isinstance(found, Missing) or not (key or drop) else replace(found, key=key, drop=drop)
    place = folder_of(ref.target, fetch=fetch, weights=True)
    if isinstance(place, Missing):
        return place
    file = weights_in(place)
    return Missing(Reason(f"there are no weights in {place}")) if file is None else WeightsFile(file, "transformers")


def part_of(entry: Entry) -> dict[str, str]:
    """Which part of the file an entry asks for: key and drop of `weights_of`."""
    return {"key": entry.weights_key, "drop": entry.weights_drop}


def weights_digest(found: WeightsFile) -> str:
    """SHA-256 of weights, 64 hexadecimal digits; of weights in several files it covers them all and their list."""
    if not found.path.name.endswith(".index.json"):
        return sha256(found.path)
    try:
        names = sorted(set(json.loads(found.path.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{found.path}: not a list of weights files: {type(error).__name__}") from error
    files = [sha256(path) for path in (found.path, *(found.path.parent / name for name in names))]
    return hashlib.sha256(" ".join(files).encode()).hexdigest()
