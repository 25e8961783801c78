"""Mutants of bytes: flipped, cut, moved, doubled, overwritten; and of what lies inside containers with checksums."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from random import Random

INTEGERS = (0, 1, -1, 127, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, 2**63 - 1, -(2**63))


def mutant(data: bytes, random: Random) -> bytes:
    """Bytes with one to four changes."""
    for _ in range(random.choice((1, 1, 2, 4))):
        data = _changed(data, random)
    return data


def _changed(data: bytes, random: Random) -> bytes:
    if not data:
        return random.randbytes(random.choice((1, 8, 200)))
    # headers matter most
    at = random.randrange(len(data)) if random.random() < 0.6 else random.randrange(min(len(data), 256))
    size = random.choice((1, 2, 4, 8, 33, 400))
    kind = random.randrange(9)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[at + size :]
    if kind == 3:
        return data[:at] + random.randbytes(size) + data[at:]
    if kind == 4:  # a piece from elsewhere
        other = random.randrange(len(data))
        return data[:at] + data[other : other + size] + data[at:]
    if kind == 5:
        return data[:at] + bytes([random.choice((0, 0xFF, 0x30, 0x20))]) * size + data[at + size :]
    if kind == 6:
        width = random.choice((1, 2, 4, 8))
        number = random.choice(INTEGERS) & (1 << 8 * width) - 1
        return data[:at] + number.to_bytes(width, random.choice(("little", "big"))) + data[at + width :]
    if kind == 7:  # a number in text
        digits = random.choice((b"-1", b"99999999999999999999", b"1e999", b"nan", b"", b"0", b"9" * 5000))
        spots = [place for place in range(len(data)) if data[place : place + 1].isdigit()][:4000]
        spot = random.choice(spots) if spots else at
        return data[:spot] + digits + data[spot + 1 :]
    return data[:at] + data[at : at + size] * random.choice((2, 3, 50)) + data[at + size :]


def text_mutant(data: bytes, random: Random) -> bytes:
    """Lines of a text with changed fields, or bytes of it changed."""
    if random.random() < 0.4:
        return mutant(data, random)
    lines = data.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(lines))
        kind = random.randrange(7)
        if kind == 0:
            lines.insert(random.randrange(len(lines) + 1), lines[at])
        elif kind == 1 and len(lines) > 1:
            del lines[at]
        elif kind == 2:
            other = random.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            separator = b"," if b"," in lines[at] else b" "
            fields = lines[at].split(separator)
            place = random.randrange(len(fields))
            fields[place] = random.choice((
                b"", b"-1", b"0", b"1", b"2", b"1.0", b"nan", b"inf", b"1e400", b"9" * 30, b"\xff", b'"', b'"a,b"',
                b"\x00", "\u0661".encode(), b" 1", b"+1", b"1_0", fields[0], fields[-1], b"x" * 200_000, b"label_1",
                b"../a", b"\r",
            ))  # fmt: skip
            lines[at] = separator.join(fields)
    return b"\n".join(lines)


def zip_mutant(data: bytes, random: Random) -> bytes:
    """An archive, damaged, or one member of it changed and its checksum right."""
    if random.random() < 0.3:
        return mutant(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info), info.compress_type) for info in archive.infolist()]
    number = random.randrange(len(members))
    name, content, compression = members[number]
    kind = random.random()
    if kind < 0.08:
        del members[number]
    elif kind < 0.14:
        members[number] = (random.choice(("", "../x", name + "x", name.upper(), "/etc/x")), content, compression)
    elif kind < 0.2:
        members[number] = (name, members[random.randrange(len(members))][1], compression)
    else:
        members[number] = (name, mutant(content, random), compression)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, inside, how in members:
            archive.writestr(zipfile.ZipInfo(member), inside, how)
    return stream.getvalue()


def png_mutant(data: bytes, random: Random) -> bytes:
    """A PNG, damaged, or one of its chunks changed and the checksum right."""
    if random.random() < 0.35:
        return mutant(data, random)
    parts, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = random.randrange(len(parts))
    name, content = parts[number]
    kind = random.random()
    if kind < 0.1:
        del parts[number]
    elif kind < 0.2:
        parts.insert(random.randrange(len(parts) + 1), parts[number])
    elif kind < 0.3:
        parts[number] = (random.choice((b"tEXt", b"zTXt", b"tRNS", b"PLTE", b"IDAT", b"iCCP", b"abcd")), content)
    elif kind < 0.6 or name != b"IDAT":
        parts[number] = (name, mutant(content, random))
    else:  # the pixels themselves, compressed again
        pixels = mutant(zlib.decompress(b"".join(inside for kind_, inside in parts if kind_ == b"IDAT")), random)
        parts = [part for part in parts if part[0] != b"IDAT"]
        parts.insert(len(parts) - 1, (b"IDAT", zlib.compress(pixels)))
    made = [data[:8]]
    for name, content in parts:
        made.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))
    return b"".join(made)


def mat_mutant(data: bytes, random: Random) -> bytes:
    """A MATLAB file, damaged; or a compressed variable of it changed and compressed again."""
    if random.random() < 0.5:
        return mutant(data, random)
    parts, at = [], 128
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        parts.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size
    number = random.randrange(len(parts))
    kind, content = parts[number]
    content = zlib.compress(mutant(zlib.decompress(content), random)) if kind == 15 else mutant(content, random)
    parts[number] = (kind, content)
    return data[:128] + b"".join(struct.pack("<II", kind, len(content)) + content for kind, content in parts)
