"""The maps of every source, and which of them may apply to a file."""

from __future__ import annotations

from hrbench.models.weights.key_maps import OWN, KeyMap
from hrbench.models.weights.keys import hub, keras, official, openmmlab

MAPS: tuple[KeyMap, ...] = (*official.MAPS, *openmmlab.MAPS, *hub.MAPS, *keras.MAPS)
SOURCES = frozenset(source for each in MAPS for source in each.sources)
OWN_KEYS = KeyMap("the network's own keys", (), ())


def candidates(source: str, use: str) -> list[KeyMap]:
    """Maps to try for a file, in this order: our own keys first, then what the source (or any source, where `source` is
    none that names keys, such as "file") calls them.

    Our own keys are the official ones; where a source has them too, but for networks of its own conventions, its map
    stands in their place.
    """
    named = [each for each in MAPS if each.speaks_of(use)]
    own = next((each for each in named if "official" in each.sources and each.rules == OWN), OWN_KEYS)
    if source in SOURCES:
        named = [each for each in named if source in each.sources]
        if any(each.rules == OWN and not each.listing and (each.wants or each.convert) for each in named):
            return named
    return [own, *(each for each in named if each is not own)]


def namesakes(use: str) -> list[KeyMap]:
    """Maps of sources that have our very keys, but networks of one convention alone."""
    return [each for each in MAPS if each.speaks_of(use) and each.rules == OWN and each.wants and each.listing is None]
