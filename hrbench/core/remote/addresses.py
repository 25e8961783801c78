"""Addresses of object stores, and texts without the secrets that may stand in them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hrbench.errors import UsageError

SCHEMES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "s3": ("s3", "s3fs", "s3"),
        "gs": ("gs", "gcsfs", "gcs"),
        "gcs": ("gs", "gcsfs", "gcs"),
        "az": ("az", "adlfs", "azure"),
        "abfs": ("abfs", "adlfs", "azure"),
        "abfss": ("abfs", "adlfs", "azure"),
        "file": ("file", "fsspec", "remote"),
        "memory": ("memory", "fsspec", "remote"),
    }
)
"""Scheme of an address -> fsspec's name of the protocol, the module that it needs, and the extra that installs it."""

KEYS_ADVICE = MappingProxyType(
    {
        "s3fs": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        "gcsfs": "GOOGLE_APPLICATION_CREDENTIALS",
        "adlfs": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
    }
)
"""Module of a store -> the environment that it takes its keys from."""

HIDDEN = "***"

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_URL_IN_TEXT = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>|]+")
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|CONNECTION_STRING|SAS", re.IGNORECASE)
_SECRET_LENGTH = 8  # characters: a shorter value stands in ordinary texts, too
_ACCOUNT_SCHEMES = ("az", "abfs", "abfss")  # container@account.dfs.core.windows.net names no person and no key


def is_url(text: object) -> bool:
    """Whether a text is an address and not a path: it begins with a scheme and "://".

    >>> is_url("s3://bucket/folder"), is_url("data/coco"), is_url("C:/data"), is_url("timm:hrnet_w18")
    (True, False, False, False)
    """
    return isinstance(text, str) and _URL.fullmatch(text) is not None


def local_path(text: str | Path) -> Path | None:
    """The path that a text means if it lies on this machine, as file:// does; None for an object store.

    >>> local_path("file:///data/coco"), local_path("data/coco"), local_path("s3://bucket")
    (PosixPath('/data/coco'), PosixPath('data/coco'), None)
    """
    if not is_url(text) or isinstance(text, Path):
        return Path(text)
    scheme, rest = split_url(text)
    return Path(rest) if scheme == "file" else None


def split_url(url: str) -> tuple[str, str]:
    """Scheme and path of an address, the path without a slash at its end: ("s3", "bucket/folder").

    Raises UsageError, which shows no secret, for an address without a bucket or folder, of a scheme that is not read,
    or with keys in it: a store takes those from the environment, and there they stay out of every record.
    """
    found = _URL.fullmatch(url)
    shown = redact(url)
    if found is None:
        raise UsageError(f"{shown!r} is not an address: it should be like s3://bucket/folder")
    scheme, rest = found["scheme"].lower(), found["rest"]
    if scheme not in SCHEMES:
        raise UsageError(f"{shown}: {scheme}:// is not read; known: {', '.join(f'{each}://' for each in SCHEMES)}")
    if shown != url and scheme != "file":
        raise UsageError(f"{shown}: an address holds no keys, tokens or queries; {_advice(scheme)}")
    path = rest.rstrip("/") if scheme != "file" else "/" + rest.strip("/")
    if not path.strip("/"):
        raise UsageError(f"{shown}: names no {'folder' if scheme in ('file', 'memory') else 'bucket'}")
    return scheme, path


def _advice(scheme: str) -> str:
    names = KEYS_ADVICE.get(SCHEMES[scheme][1], "")
    return f"set {names} instead" if names else "leave them out"


def joined(url: str, *names: str) -> str:
    """The address of something below another.

    >>> joined("s3://bucket/", "coco", "images/1.jpg")
    's3://bucket/coco/images/1.jpg'
    """
    return "/".join([url.rstrip("/"), *(name.strip("/") for name in names if name.strip("/"))])


def redact(url: str) -> str:
    """An address without what may be secret in it: users with passwords, queries and fragments.

    >>> redact("s3://AKIA1:secret@bucket/a"), redact("https://host/a?X-Amz-Signature=1f&b=2"), redact("s3://bucket/a")
    ('s3://***@bucket/a', 'https://host/a?***', 's3://bucket/a')
    >>> redact("abfs://container@account.dfs.core.windows.net/a")
    'abfs://container@account.dfs.core.windows.net/a'
    """
    found = _URL.fullmatch(url)
    if found is None:
        return url
    scheme, rest = found["scheme"], found["rest"]
    if scheme.lower() == "file":  # a path, which may hold any character
        return url
    rest, mark, _ = _cut(rest)
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    if not at and "@" in path and ":" in place:  # a key with slashes in it: everything before the last @ is secret
        user, at, host = rest.rpartition("@")
        slash = path = ""
    if at and (":" in user or scheme.lower() not in _ACCOUNT_SCHEMES):
        user = HIDDEN
    return f"{scheme}://{user}{at}{host}{slash}{path}{mark}{HIDDEN if mark else ''}"


def _cut(rest: str) -> tuple[str, str, str]:
    """A path before its query or fragment, the character that begins it, and what follows."""
    at = min((place for mark in "?#" if (place := rest.find(mark)) >= 0), default=-1)
    return (rest, "", "") if at < 0 else (rest[:at], rest[at], rest[at + 1 :])


def scrubbed(text: str, environment: Mapping[str, str] | None = None) -> str:
    """A text of other code without secrets: its addresses redacted, and values of secret variables hidden.

    environment: that of this process by default. A variable is secret if its name says so (KEY, SECRET, TOKEN...).

    >>> scrubbed("no user wJalrXUtnFEMI at s3://a:b@c/d", {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"})
    'no user *** at s3://***@c/d'
    """
    variables = os.environ if environment is None else environment
    secret = (value for name, value in variables.items() if _SECRET_NAME.search(name) and len(value) >= _SECRET_LENGTH)
    for value in sorted(secret, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return _URL_IN_TEXT.sub(lambda found: redact(found[0]), text)
