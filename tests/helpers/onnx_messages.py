"""ONNX files written byte by byte, without the onnx package."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """A number as protocol buffers write it: seven bits a byte, lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, content: bytes | int) -> bytes:
    """A field of a message: a number, or bytes (text, or another message)."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(location: str, external: bool = True) -> bytes:
    """A tensor that lies in a file."""
    entry = field(1, b"location") + field(2, location.encode("utf-8", "surrogateescape"))
    return field(8, b"w") + field(13, entry) + field(14, int(external))


def naming(*locations: str) -> bytes:
    """A model whose graph has a tensor for each of the files."""
    return field(1, 8) + field(7, b"".join(field(5, tensor(location)) for location in locations))
