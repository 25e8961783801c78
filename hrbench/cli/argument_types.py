"""What an argument of a command may be: each function parses one, or says what is asked for."""

from __future__ import annotations

import argparse
from typing import Any


def count(text: str) -> int:
    value = natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return value


def natural(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers like 0.03,0.05") from None


def names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to 65535, or 0 for a free one")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def gibibytes(text: str) -> int:
    """Bytes of so many GiB."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of GiB above 0")
    return int(value * (1 << 30))


def replicates(text: str) -> int:
    block, most = 2000, 50_000
    if not text.isascii() or not text.isdigit() or not block <= int(text) <= most or int(text) % block:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of {block} from {block} to {most}")
    return int(text)


class Once(argparse.Action):
    """An option with a pattern that is given at most once: of two, one would be forgotten."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if getattr(namespace, self.dest) != self.default:
            raise argparse.ArgumentError(self, "is given twice; a pattern such as 'seg_*' names several")
        setattr(namespace, self.dest, values)
