"""What to say after an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, names: Iterable[str]) -> str:
    """What to say after "unknown name": the nearest known name, or all of them where they are few.

    >>> suggestion("pose_hrnt", ["pose_hrnet", "pose_resnet"])
    'did you mean pose_hrnet?'
    >>> suggestion("zebra", ["pose_hrnet", "pose_resnet"])
    'known: pose_hrnet, pose_resnet'
    """
    known = list(dict.fromkeys(names))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not near:  # a difference of case alone is further than difflib thinks
        near = [candidate for candidate in known if candidate.lower() == name.lower()]
    if near:
        return f"did you mean {near[0]}?"
    if not known:
        return "none is known"
    shown = sorted(known)[:12]
    more = f", ... ({len(known)} in all)" if len(known) > len(shown) else ""
    return f"known: {', '.join(shown)}{more}"
