"""Arguments of a network, of which some are networks themselves: `backbone: {use: spinenet, args: {variant: "96"}}`.

A mapping with `use` is a network that is built first. If arguments override those of a base, the networks among them
are merged in the same way: `backbone: {args: {variant: "96"}}` changes only the variant of the base's backbone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

KEYS = ("use", "args")


def is_network(value: Any) -> bool:
    """Whether an argument is a network to be built, by its form.

    >>> is_network({"use": "spinenet"}), is_network({"variant": "96"}), is_network("spinenet")
    (True, False, False)
    """
    return isinstance(value, Mapping) and "use" in value


def base_of(override: Any, base: Any) -> Mapping[str, Any] | None:
    """The base's network that an argument overrides in part, None if it does not."""
    if not is_network(base) or not isinstance(override, Mapping):
        return None
    return base if override.get("use", base["use"]) == base["use"] else None


def merge_defaults(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The base's arguments, replaced by the overrides; networks among them are merged argument by argument.

    >>> merge_defaults({"a": 1, "net": {"use": "n", "args": {"x": 1, "y": 2}}}, {"net": {"args": {"y": 3}}})
    {'a': 1, 'net': {'use': 'n', 'args': {'x': 1, 'y': 3}}}
    >>> merge_defaults({"net": {"use": "n", "args": {"x": 1}}}, {"net": {"use": "m"}})
    {'net': {'use': 'm'}}
    """
    merged = dict(base)
    for key, value in overrides.items():
        under = base_of(value, base.get(key))
        if under is not None:
            value = {"use": under["use"], "args": merge_defaults(under.get("args") or {}, value.get("args") or {})}
        merged[key] = value
    return merged


def faults(
    args: Mapping[str, Any], base: Mapping[str, Any] | None = None, at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, message) of each network among the arguments that is not written correctly.

    base: the arguments that they override.
    at: the path to `args`; all paths begin with it.

    >>> [place for place, message in faults({"net": {"use": "n", "args": {"inner": {"use": "m", "x": 1}}}})]
    [('net', 'args', 'inner', 'x')]
    """
    for key, value in args.items():
        inner = (base or {}).get(key)
        if not isinstance(value, Mapping) or not (is_network(value) or is_network(inner)):
            continue
        under = base_of(value, inner)
        here = (*at, key)
        use, inner_args = value.get("use", under["use"] if under else None), value.get("args", {})
        stray = [name for name in value if name not in KEYS]
        if stray:
            lists = ", ".join(repr(name) for name in stray)
            moved = {**(inner_args if isinstance(inner_args, Mapping) else {}), **{name: value[name] for name in stray}}
            form = as_yaml({key: {"use": use, "args": moved}})
            yield (
                (*here, stray[0]),
                f"{key} is a network, of which only `use` and `args` are given, not {lists}: write {form}",
            )
        elif not isinstance(use, str) or not use:
            yield (*here, "use"), f"{key}: `use` must name a network, not be {use!r}"
        elif not isinstance(inner_args, Mapping):
            yield (*here, "args"), f"{key}: `args` must be a mapping of arguments of {use}, not {inner_args!r}"
        else:
            yield from faults(inner_args, under.get("args") if under else None, (*here, "args"))


def as_yaml(value: Any, top: bool = True) -> str:
    """Arguments in one line of YAML, as a suite has them.

    >>> as_yaml({"variant": "96", "sizes": [1, 2], "net": {"use": "n", "args": {"x": True}}})
    'variant: "96", sizes: [1, 2], net: {use: n, args: {x: true}}'
    """
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key}: {as_yaml(item, False)}" for key, item in value.items())
        return inside if top else f"{{{inside}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(as_yaml(item, False) for item in value)}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return _word(value) if isinstance(value, str) else str(value)


def _word(text: str) -> str:
    """A string, in quotes unless YAML would read it as a string without them.

    >>> _word("resnet50"), _word("96"), _word("true"), _word("onnx:net.onnx")
    ('resnet50', '"96"', '"true"', '"onnx:net.onnx"')
    """
    first = text[:1]
    plain = (first.isalpha() or first == "_") and all(letter.isalnum() or letter in "_-./" for letter in text)
    special = text.lower() in ("true", "false", "null", "yes", "no", "on", "off")
    return text if plain and not special else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
