"""The maps of every source, and which of them may apply to a file."""

from __future__ import annotations

from hrbench.models.weights.key_maps import SAME_KEYS, KeyMap
from hrbench.models.weights.keys import hub, keras, official, openmmlab

MAPS: tuple[KeyMap, ...] = (*official.MAPS, *openmmlab.MAPS, *hub.MAPS, *keras.MAPS)
SOURCES = frozenset(source for each in MAPS for source in each.sources)
OWN_KEYS = KeyMap("the network's own keys", (), ())


def candidates(source: str, use: str) -> list[KeyMap]:
    """Maps to try for a file, in this order: our own keys first, then the names of the source; those of every source if
    `source` has no map, such as "file".

    Our own keys are the official ones. If a source uses the same keys for networks of other conventions, its maps are
    tried instead.
    """
    named = [each for each in MAPS if each.applies_to(use)]
    own = next((each for each in named if "official" in each.sources and each.rules == SAME_KEYS), OWN_KEYS)
    if source in SOURCES:
        named = [each for each in named if source in each.sources]
        if any(each.rules == SAME_KEYS and not each.name_table and (each.requires or each.convert) for each in named):
            return named
    return [own, *(each for each in named if each is not own)]


def maps_with_same_keys(use: str) -> list[KeyMap]:
    """Maps of sources that use exactly our keys, but only for networks of one convention."""
    return [
        each
        for each in MAPS
        if each.applies_to(use) and each.rules == SAME_KEYS and each.requires and each.name_table is None
    ]
