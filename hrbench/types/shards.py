"""A part of an entry's images that is predicted by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """A range of an entry's images, [first, last), in the order of the data set after its limit.

    key: SHA-256 of all that decides the predictions in its file: the key of the entry's predictions, the batch, the
        range, and the format of the file.
    """

    first: int
    last: int
    key: str

    @property
    def images(self) -> int:
        """How many there are."""
        return self.last - self.first

    @property
    def file(self) -> str:
        """The name of its file.

        >>> Shard(64, 128, "").file
        '64-128.shard'
        """
        return f"{self.first}-{self.last}.shard"
