"""What is told beside a number, as data: why it is missing, and what about the input changes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not there.

    what: what is missing or went wrong, in one sentence without a full stop.
    remedy: what a person can do about it, in words; "" if there is nothing to do.

    >>> str(Reason("images are missing: data/coco", "download them")), str(Reason("no image has a valid class"))
    ('images are missing: data/coco; download them', 'no image has a valid class')
    """

    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


@dataclass(frozen=True, slots=True)
class Missing:
    """Returned instead of something that was looked for and not found."""

    reason: Reason

    def __str__(self) -> str:
        return str(self.reason)


@dataclass(frozen=True, slots=True)
class Note:
    """Something about what was read that changes a number, or may: the same for a person and for a program.

    kind: its stable name, such as "cut_detections".
    what: what was found, after its number: "detections are past the first 100 of their image".
    count: how many there are; None for something that is there or not.
    of: among how many; None if that says nothing.
    effect: what it does to the number, in words.
    option: what changes it, as `--option` and a suite take it; "" if nothing does.

    >>> str(Note("cut_detections", "detections are past the first 100 of their image", 3, 4000, "they are not judged"))
    '3 of 4,000 detections are past the first 100 of their image: they are not judged'
    >>> str(Note("empty_images", "images have no prediction", 2, effect="their objects are missed", option="images: 5"))
    '2 images have no prediction: their objects are missed (option images: 5)'
    """

    kind: str
    what: str
    count: int | None = None
    of: int | None = None
    effect: str = ""
    option: str = ""

    def __str__(self) -> str:
        number = (
            "" if self.count is None else f"{self.count:,} " if self.of is None else f"{self.count:,} of {self.of:,} "
        )
        effect = f": {self.effect}" if self.effect else ""
        return f"{number}{self.what}{effect}" + (f" (option {self.option})" if self.option else "")


Remark = str | Note
"""A note for readers of a result: a sentence, or one that is data too."""
