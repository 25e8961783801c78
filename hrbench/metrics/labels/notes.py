"""What about label maps changes IoU, or may: notes for those who read the scores."""

from __future__ import annotations

from hrbench.formats.label_folders import KIND_FILE, LabelFolder
from hrbench.types import Note


def ignored_note(ignored: int, judged: int, labels: str) -> list[Note]:
    """A note on pixels of the ground truth that are not evaluated. labels: which labels these have, in words."""
    if not ignored:
        return []
    whole = ignored + judged
    what = f"pixels ({100 * ignored / whole:.1f} %) are annotated as {labels} and not evaluated"
    return [Note("ignored_pixels", what, ignored, whole, "whatever is predicted there is neither right nor wrong")]


def binary_note(classes: int, ignored: int, second_annotated: bool) -> list[Note]:
    """A note if a map of two classes has nothing but class 0 and the label 255, which is ignored."""
    if classes != 2 or not ignored or second_annotated:
        return []
    what = "no pixel is annotated as class 1, and label 255 is ignored"
    effect = "masks of 0 and 255 are meant as classes 0 and 1"
    return [Note("binary_masks", what, effect=effect, option="values: {0: 0, 255: 1}")]


def found_out(folder: LabelFolder, asked: str, words: tuple[str, str]) -> list[Note]:
    """A note if what predicted numbers mean was found out from the numbers.

    asked: the option `labels`.
    words: the name of the kind that was found, and of the other.
    """
    if asked != "auto" or (folder.path / KIND_FILE).is_file():
        return []
    found, other = words
    what = f"predicted maps were taken for {found}, by the numbers in them"
    effect = f"if they hold {other}, the score is of other classes; a file {KIND_FILE} beside them may say which"
    return [Note("labels_found_out", what, effect=effect)]
