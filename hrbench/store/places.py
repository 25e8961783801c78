"""Where results lie, as a person names it: a folder, an address, and an entry of either."""

from __future__ import annotations

from pathlib import Path

from hrbench.core.remote import is_url, joined, local_path, redact

ADDRESS = ".address"
"""A file in the local copy of a run folder that lies elsewhere: its address."""


def split_entry(text: str) -> tuple[str, str]:
    """A place and the entry that is named in it, "" for none: the entry follows the last colon and has no slash.

    >>> split_entry("runs/pose:w32"), split_entry("s3://bucket/pose:w32"), split_entry("s3://bucket/pose")
    (('runs/pose', 'w32'), ('s3://bucket/pose', 'w32'), ('s3://bucket/pose', ''))
    >>> split_entry("http://host:9000/pose"), split_entry("C:/runs/pose"), split_entry(r"C:\\\\runs:w32")
    (('http://host:9000/pose', ''), ('C:/runs/pose', ''), ('C:\\\\\\\\runs', 'w32'))

    An address with keys in it is left whole, so that no part of a key is taken for an entry.
    """
    place, colon, entry = text.rpartition(":")
    if not colon or not place or "/" in entry or "\\" in entry or redact(text) != text:
        return text, ""
    return place, entry


def place_of(text: str | Path) -> str | Path:
    """A folder as a path if it lies on this machine, as file:// does, else its address as it was written.

    >>> place_of("runs/pose"), place_of("file:///runs/pose"), place_of("s3://bucket/pose")
    (PosixPath('runs/pose'), PosixPath('/runs/pose'), 's3://bucket/pose')
    """
    local = local_path(text)
    return str(text) if local is None else local


def below(place: str | Path, name: str) -> str | Path:
    """What has a name in a folder, wherever it lies."""
    return place / name if isinstance(place, Path) else joined(place, name)


def base_name(place: str | Path) -> str:
    """The last name of a place.

    >>> base_name("s3://bucket/runs/pose/"), base_name("s3://bucket"), base_name("runs/pose")
    ('pose', 'bucket', 'pose')
    """
    return str(place).rstrip("/").rpartition("/")[2]


def shown(place: str | Path) -> str:
    """How a place is called in texts: of the local copy of a run folder that lies elsewhere the address.

    Addresses are shown without keys.
    """
    if isinstance(place, str) and is_url(place):
        return redact(place)
    try:
        return (Path(place) / ADDRESS).read_text("utf-8").strip() or str(place)
    except OSError:
        return str(place)
