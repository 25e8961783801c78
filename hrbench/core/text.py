"""Texts for messages: a hint for an unknown name, an error in a line, the last lines of an output."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from hrbench.core.shown_text import clean


def suggestion(name: str, names: Iterable[str]) -> str:
    """A hint for an unknown name: the most similar known name, or the known names.

    >>> suggestion("pose_hrnt", ["pose_hrnet", "pose_resnet"])
    'did you mean pose_hrnet?'
    >>> suggestion("lvis", ["miou", "lvis-boxes", "lvis-masks"])
    'did you mean lvis-boxes or lvis-masks?'
    >>> suggestion("zebra", ["pose_hrnet", "pose_resnet"])
    'known: pose_hrnet, pose_resnet'
    """
    known = list(dict.fromkeys(names))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not near:  # difflib may not find a name that differs only in case
        near = [candidate for candidate in known if candidate.lower() == name.lower()]
    if near:
        return f"did you mean {near[0]}?"
    begun = [candidate for candidate in known if candidate.lower().startswith(f"{name.lower()}-")]
    if 0 < len(begun) <= 4:
        return f"did you mean {' or '.join(begun)}?"
    if not known:
        return "none is known"
    shown = sorted(known)[:12]
    more = f", ... ({len(known)} in all)" if len(known) > len(shown) else ""
    return f"known: {', '.join(shown)}{more}"


def first_sentence(error: BaseException) -> str:
    """The kind of an error and the first sentence of its text, which may be long, for a line that says what it is of.

    >>> first_sentence(ValueError("no magic. Expected PK")), first_sentence(KeyError())
    ('ValueError: no magic', 'KeyError')
    """
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__}: {first[:200]}".rstrip(": ")


def last_lines(output: bytes, count: int = 20, width: int = 500) -> str:
    """The last lines that a program printed, without colours and other terminal codes.

    >>> last_lines(b"10 %\\r90 %\\r\\x1b[32mdone\\x1b[0m\\n\\n")
    'done'
    """
    text = output.decode("utf-8", errors="replace").replace("\r\n", "\n")
    lines = [clean(line.rpartition("\r")[2]).rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(line if len(line) <= width else f"{line[:width]}..." for line in lines[-count:])
