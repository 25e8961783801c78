"""YAML by the events of libyaml alone: what plain documents need, several times as fast as a graph of nodes.

Suites, the catalog and tables of published figures are mappings, lists and scalars, without anchors, aliases and tags.
`values` reads such a document in one pass. Of any other, of one with an error, and of one that is too large, it reads
nothing: then the graph is made (`yaml.py`), which knows all of YAML and what to say of an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from yaml.error import YAMLError
from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")

Scalar = Callable[[str], Any]
"""The value of a plain scalar, one without quotes; raises ValueError for one that is none."""

Make = Callable[[Any, int], Any]
"""What a value becomes, with its line from 1; that of the key for a value in a mapping. Collections are still empty."""


def is_text(word: str) -> bool:
    """Whether it has no null characters, which no path may have, and no lone surrogates, which no file can hold.

    >>> is_text("naïve"), is_text("a\\0b")
    (True, False)
    """
    return _NOT_TEXT.search(word) is None


class NotPlain(Exception):
    """The document needs a reader that knows all of YAML, or has an error."""


def values(parser_of: Callable[[str], Any], text: str, scalar: Scalar, make: Make | None, most: int, depth: int) -> Any:
    """The one document of a text, as `make` makes it of its values.

    parser_of: a parser of PyYAML.
    scalar: of scalars without quotes.
    make: None for the values themselves.
    most: values that a document may have.
    depth: how deep collections may be nested.

    Raises NotPlain.
    """
    checked = "\\" in text  # the others could only be written with an escape
    try:
        parser = parser_of(text)
        top = _document(parser, scalar, make, most, depth, checked)
        if type(parser.get_event()) is not StreamEndEvent:  # another document
            raise NotPlain
        return top
    except (YAMLError, ValueError):
        raise NotPlain from None


def _document(parser: Any, scalar: Scalar, make: Make | None, most: int, depth: int, checked: bool) -> Any:
    """checked: whether scalars may hold characters that are not text."""
    get, known, count = parser.get_event, dict[str, Any](), 0
    if type(get()) is not StreamStartEvent or type(get()) is not DocumentStartEvent:
        raise NotPlain
    above: list[tuple[Any, bool, str | None, int]] = []
    inside: Any = None  # the collection that is open
    mapping, key, line = False, None, 0
    top: Any = None
    while True:
        event = get()
        kind = type(event)
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                raise NotPlain
            value = event.value
            if mapping and key is None:
                if value in inside or value == "<<" or (checked and not is_text(value)):
                    raise NotPlain
                key = value
                if make is not None:
                    line = event.start_mark.line + 1
                continue
            if event.implicit[0]:
                found = known.get(value, NotPlain)
                value = found if found is not NotPlain else known.setdefault(value, scalar(value))
            if checked and type(value) is str and not is_text(value):
                raise NotPlain
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or event.tag is not None or len(above) >= depth or (mapping and key is None):
                raise NotPlain
            value = {} if kind is MappingStartEvent else []
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            inside, mapping, key, line = above.pop()
            if not above:
                get()  # the end of the document
                return top
            continue
        else:  # an alias
            raise NotPlain
        count += 1
        if count > most:
            raise NotPlain
        made = value if make is None else make(value, line if mapping else event.start_mark.line + 1)
        if inside is None:
            top = made
        elif mapping:
            inside[key], key = made, None
        else:
            inside.append(made)
        if kind is not ScalarEvent:
            above.append((inside, mapping, key, line))
            inside, mapping, key = value, kind is MappingStartEvent, None
        elif inside is None:  # a document of one scalar
            get()
            return top


def plain_scalar(resolvers: Mapping[Any, Any], kinds: Mapping[str, Scalar]) -> Scalar:
    """The value of a scalar without quotes by the patterns of a resolver of PyYAML, and the makers of its tags.

    resolvers: first letter -> (tag, pattern), tried in order.
    kinds: end of a tag ("int") -> the value of a text.
    """
    tried = {first: [(pattern.match, kinds[tag.rpartition(":")[2]]) for tag, pattern in found]
             for first, found in resolvers.items()}  # fmt: skip

    def value(text: str) -> Any:
        for match, make in tried.get(text[:1], ()):
            if match(text):
                return make(text)
        return text

    return value
