"""What is inside a PyTorch checkpoint, found without running it: damage, and what its pickle would import."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from pathlib import Path

# What tensors, dtypes and ordered mappings ask for in the files that `torch.save` writes.
ORDINARY = re.compile(
    r"torch\.(_utils\._rebuild_\w+|_tensor\._rebuild_from_type_v2|nn\.parameter\.Parameter|Tensor|Size|device|bool"
    r"|(\w+\.)?\w*Storage|(u?int|b?float|bfloat|complex)\d+|serialization\._get_layout)"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|(builtins|__builtin__)\.(set|bytearray|complex)"
)
LARGEST = 2**28  # bytes of pickle looked at: a state dict's own pickle is far below, its tensors lie elsewhere


def foreign_globals(path: Path) -> list[str]:
    """Dotted names beyond those of tensors that the checkpoint at `path` asks for, in order, each once.

    Understands both of PyTorch's formats (a zip archive with data.pkl; several pickles one after another) and plain
    pickles. A damaged file gives what was found before the damage.
    """
    found = [name for stream in _streams(path) for name in _globals(stream)]
    return [name for name in dict.fromkeys(found) if not ORDINARY.fullmatch(name)]


def damaged_record(path: Path) -> str:
    """Name of the first record of a zip-format checkpoint that fails its checksum, else "".

    `torch.load` does not look at the checksums: a flipped bit in a tensor would pass for a weight. Files in the older
    format have none, and what is cut off or scrambled beyond a zip is left for `torch.load` to refuse.
    """
    if not path.is_file() or not zipfile.is_zipfile(path):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() or ""
    except Exception:  # scrambled headers lead zipfile to errors of many kinds
        return "the archive's directory"


def _streams(path: Path) -> list[io.BytesIO]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return [io.BytesIO(file.read(LARGEST))]
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".pkl")]
            return [io.BytesIO(archive.open(name).read(LARGEST)) for name in names]
    except Exception:  # as above
        return []


def _globals(stream: io.BytesIO) -> list[str]:
    """Names in all pickles that follow one another in the stream, up to the first bytes that are no pickle."""
    found: list[str] = []
    size = stream.getbuffer().nbytes
    while stream.tell() < size:
        try:
            _one_pickle(stream, found)
        except (ValueError, IndexError, KeyError, EOFError, OverflowError):  # what genops and damaged memos raise
            break
    return found


def _one_pickle(stream: io.BytesIO, found: list[str]) -> None:
    memo: dict[int, object] = {}
    pushed: list[object] = []  # strings in the order they reach the stack; STACK_GLOBAL takes the last two
    for opcode, argument, _ in pickletools.genops(stream):
        kind = opcode.name
        if kind in ("GLOBAL", "INST"):
            found.append(str(argument).replace(" ", "."))
            pushed.append(None)
        elif kind == "STACK_GLOBAL":
            found.append(".".join(str(part) for part in pushed[-2:]))
            pushed.append(None)
        elif kind in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument or 0)] = pushed[-1] if pushed else None
        elif kind == "MEMOIZE":
            memo[len(memo)] = pushed[-1] if pushed else None
        elif kind in ("GET", "BINGET", "LONG_BINGET"):
            pushed.append(memo.get(int(argument or 0)))
        elif opcode.stack_after:
            pushed.append(argument if isinstance(argument, str) else None)
